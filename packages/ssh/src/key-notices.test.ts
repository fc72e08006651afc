import { describe, expect, test } from '@jest/globals';

import { parseAuthorizedKeys } from './authorized-keys.js';
import { parseKeyNotices, renderKeyNotice } from './key-notices.js';

const fingerprint = `SHA256:${'a'.repeat(42)}+`;

describe('Given notices about keys in an authorized_keys file', () => {
  test('When they are written with an owner Then they are read back, and no line is read in them', () => {
    const text = (['retired', 'revoked'] as const)
      .map((kind) => `${renderKeyNotice({ kind, fingerprint })} owner=x/y`)
      .join('\n');

    expect(parseKeyNotices(text)).toEqual([
      { kind: 'retired', fingerprint },
      { kind: 'revoked', fingerprint },
    ]);
    expect(parseAuthorizedKeys(text)).toEqual({ keys: [], problems: [] });
  });

  test.each([
    `# revoked ${fingerprint}`,
    `x # dr-syncer revoked ${fingerprint}`,
    `# dr-syncer revoked ${fingerprint}x`,
    '# dr-syncer revoked SHA256:short',
    `# dr-syncer expired ${fingerprint}`,
    '',
  ])('When a line is %j Then it is none', (text) => {
    expect(parseKeyNotices(text)).toEqual([]);
  });

  test('When there are more than anybody leaves behind Then the rest is passed over', () => {
    const line = renderKeyNotice({ kind: 'retired', fingerprint });
    expect(parseKeyNotices(`${line}\n`.repeat(2000))).toHaveLength(1000);
  });
});
