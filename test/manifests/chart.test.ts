import { describe, expect, test } from '@jest/globals';

import { ensureHelm } from '../cluster/go-tools.js';
import { repositoryRoot } from '../cluster/paths.js';
import { run } from '../cluster/process/run.js';
import { readSettings } from '../cluster/settings.js';
import { overlays } from './overlays.js';
import { charted, kustomized, objectsByKey } from './render.js';

const BUILD_MS = 590_000;

describe('Given the Helm chart', () => {
  const helm = () => ensureHelm(readSettings(), (line) => void process.stderr.write(`${line}\n`));

  test(
    'Then helm has nothing to complain about',
    async () => {
      const lint = ['lint', '--strict', '--namespace', 'dr-syncer-system', '--kube-version', '1.31.0'];
      await run(await helm(), [...lint, `${repositoryRoot()}/charts/dr-syncer`]);
    },
    BUILD_MS,
  );

  test.each(overlays)('Then its values give the objects of %s, and no others', async (path, values) => {
    expect(objectsByKey(await charted(values))).toEqual(objectsByKey(await kustomized(path)));
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a role that there is not', { role: 'both' }, 'role'],
    ['a value that nothing reads', { replicas: 2 }, 'replicas'],
    ['a name that is no namespace', { namespaces: ['Shop'] }, 'namespaces'],
  ])('When it is given %s Then that is named', async (_what, values, named) => {
    await expect(charted(values)).rejects.toThrow(named);
  });

  test('When it is installed elsewhere Then it says where it belongs', async () => {
    const args = ['template', 'x', `${repositoryRoot()}/charts/dr-syncer`, '--kube-version', '1.31.0'];
    await expect(run(await helm(), args)).rejects.toThrow('namespace dr-syncer-system');
  });

  test('When runbooks are kept elsewhere Then the alerts lead there', async () => {
    const monitoring = { operator: true, runbookBase: 'https://wiki.example/dr/' };
    const rule = JSON.stringify(
      objectsByKey(await charted({ monitoring })).get('PrometheusRule dr-syncer-system/dr-syncer'),
    );

    expect(rule).toContain('"https://wiki.example/dr/DRSyncerNoLeader.md"');
    expect(rule).not.toContain('https://dr-syncer.io/');
  });

  test('When settings are given Then they are in the environment', async () => {
    const objects = objectsByKey(await charted({ controller: { env: { CONCURRENT_SYNCS: '8' } } }));
    const deployment = JSON.stringify(objects.get('Deployment dr-syncer-system/dr-syncer-controller'));

    expect(deployment).toContain('{"name":"CONCURRENT_SYNCS","value":"8"}');
  });
});
