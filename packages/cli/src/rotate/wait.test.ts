import type { KubeObject } from '@dr-syncer/kube';
import { expect, test } from '@jest/globals';

import type { KeySubject } from './subject.js';
import { waitForRotation } from './wait.js';

const { signal } = new AbortController();

/** A key that was revoked, by the nodes that have not been seen to refuse it at each look; the last stays. */
function revokedKey(...looks: (readonly string[])[]): KeySubject {
  let look = 0;
  return {
    title: 'standby',
    ask: () => Promise.resolve(),
    read: () => {
      const notConfirmedBy = looks[Math.min(look, looks.length - 1)];
      look += 1;
      return Promise.resolve<KubeObject>({
        ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster', metadata: { name: 'standby' } },
        status: { sshKey: { fingerprint: 'x', revoked: { fingerprints: ['y'], notConfirmedBy } } },
      });
    },
  };
}

test.each([
  ['refuses it later', revokedKey(['n1', 'n2'], ['n2'], []), 60, []],
  ['never does', revokedKey(['n2']), 1, ['n2']],
])(
  'When a node %s Then the wait is for it, and ends with those that are left',
  async (_what, key, timeoutS, left) => {
    const lines: string[] = [];
    const around = { env: {}, signal, out: () => undefined, err: (text: string) => lines.push(text) };

    const ended = await waitForRotation(around, key, { sshKey: 'revoke' }, timeoutS);

    expect(ended).toEqual({ state: 'ended', unconfirmed: left });
    expect(lines.at(-1)).toBe('standby: key: revoked, not yet seen to be refused by n2\n');
  },
);
