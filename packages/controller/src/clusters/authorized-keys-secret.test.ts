import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { mergeAuthorizedKeys } from './authorized-keys-secret.js';

describe('Given the authorized_keys of a cluster that several controllers use', () => {
  test('When one puts its key there Then its former line goes and those of others stay', () => {
    const before = mergeAuthorizedKeys(mergeAuthorizedKeys('', 'a/ns/x', ['restrict ssh-rsa A']), 'b/ns/x', [
      'restrict ssh-rsa B',
    ]);

    const after = mergeAuthorizedKeys(before, 'a/ns/x', ['restrict ssh-rsa A2']);

    expect(after).toBe('restrict ssh-rsa B owner=b/ns/x\nrestrict ssh-rsa A2 owner=a/ns/x\n');
  });

  test('When the same is put there again Then it still has one line an owner', () => {
    const owner = fc.stringMatching(/^[a-z]{1,4}\/[a-z]{1,4}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(owner, fc.nat(3)), { maxLength: 20 }), (puts) => {
        const text = puts.reduce(
          (now, [who, n]) => mergeAuthorizedKeys(now, who, [`restrict ssh-rsa K${n}`]),
          '',
        );
        const last = new Map(puts);
        const lines = text.split('\n').filter((line) => line !== '');
        expect(lines.sort()).toEqual(
          [...last].map(([who, n]) => `restrict ssh-rsa K${n} owner=${who}`).sort(),
        );
      }),
    );
  });
});
