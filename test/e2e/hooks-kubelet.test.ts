import type { HooksStatus, VolumeStatus } from '@dr-syncer/api';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { install } from '../demo/install.js';
import type { KubeObject } from '../demo/kubectl.js';
import { PRIVILEGED_MOVERS, SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { connect, replicationOf, sync, type SyncedStatus } from './support/replication.js';
import { claim, digest, fill, ready, volumePod } from './support/volume-pod.js';

const labels = { e2e: 'hooks' };
const NAME = 'e2e-hooks';
const POD = 'app';

type Status = SyncedStatus<VolumeStatus> & { readonly hooks?: HooksStatus };

/** hooks.test.ts has what can go wrong; here are a real kubelet and container runtime. */
describe('Given a pod that runs on a node', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;

  const replication = (hooks: object): KubeObject =>
    replicationOf(NAME, labels, {
      destinationCluster: NAME,
      sourceNamespace: NAME,
      resourceTypes: ['persistentvolumeclaims'],
      pvcConfig: {
        storageClassMapping: { [settings.sourceStorageClass]: settings.remoteStorageClass },
        hooks,
      },
    });
  const syncNow = (id: string) => sync<VolumeStatus>(source, NAME, id) as Promise<Status>;
  const python = (program: string) => [{ command: ['python3', '-c', program] }];
  const rest = {
    pre: python("open('/data/rest', 'w').close()"),
    post: python("import os; os.remove('/data/rest')"),
  };

  beforeAll(async () => {
    await install(context);
    await connect(context, NAME, labels);
    const metadata = { name: NAME, labels, annotations: { [PRIVILEGED_MOVERS]: 'true' } };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata };
    await Promise.all([source.apply([namespace]), remote.apply([namespace])]);
    await source.apply([
      claim('data', NAME, settings.sourceStorageClass),
      volumePod(POD, NAME, 'data', settings.image),
    ]);
    await ready(source, NAME, POD);
    await fill(source, NAME, POD, 8);
  }, 600_000);

  afterAll(async () => {
    const ours = 'replications.dr-syncer.io,remoteclusters.dr-syncer.io,secrets';
    await source.run(['delete', ours, '-n', SYSTEM_NAMESPACE, '-l', 'e2e=hooks', '--ignore-not-found']);
    await Promise.all(
      [source, remote].map((at) => at.run(['delete', 'ns', '-l', 'e2e=hooks', '--wait=false'])),
    );
  }, 180_000);

  test('When nobody has lent the right to exec there Then that is what the status says', async () => {
    await source.apply([replication(rest)]);

    expect((await syncNow('one')).volumes).toMatchObject([{ phase: 'Failed', reason: 'HookNotPermitted' }]);
  }, 300_000);

  test('When it was lent Then the copy is of the pod at rest, and the pod goes on', async () => {
    await source.run([
      ...[
        'create',
        'rolebinding',
        'dr-syncer-hooks',
        '--namespace',
        NAME,
        '--clusterrole',
        'dr-syncer-hooks',
      ],
      ...['--serviceaccount', `${SYSTEM_NAMESPACE}:dr-syncer-controller`],
    ]);
    const { phase, hooks } = await syncNow('two');
    await remote.apply([volumePod(POD, NAME, 'data', settings.image)]);
    await ready(remote, NAME, POD);
    const copy = await digest(remote, NAME, POD);
    await remote.run(['delete', 'pod', POD, '-n', NAME, '--wait=true'], { timeoutMs: 120_000 });

    expect([phase, hooks?.open]).toEqual(['Completed', undefined]);
    expect(hooks?.results).toMatchObject([
      { when: 'Pre', result: 'Succeeded', exitCode: 0, container: 'hold' },
      { when: 'Post', result: 'Succeeded', exitCode: 0 },
    ]);
    expect(copy).toContain('rest 0 ');
    expect(await digest(source, NAME, POD)).not.toContain('rest');
  }, 300_000);

  test.each<[string, readonly object[], object]>([
    ['ends with a code', python('raise SystemExit(7)'), { result: 'Failed', exitCode: 7 }],
    [
      'is no program',
      [{ command: ['/no/such/program'] }],
      { result: 'Failed', message: expect.stringContaining('/no/such/program') },
    ],
    [
      'is for no container',
      [{ command: ['python3'], container: 'other' }],
      { result: 'Failed', message: expect.stringContaining('other') },
    ],
    [
      'does not end',
      [{ ...python('import time; time.sleep(30)')[0], timeoutSeconds: 2 }],
      { result: 'TimedOut' },
    ],
  ])(
    'When a pre hook %s Then that is told as it is',
    async (what, pre, result) => {
      await source.apply([replication({ pre })]);
      const { volumes, hooks } = await syncNow(what.replaceAll(' ', '-'));

      expect(volumes).toMatchObject([{ phase: 'Failed', reason: 'HookFailed' }]);
      expect(hooks?.results).toMatchObject([{ when: 'Pre', ...result }]);
    },
    300_000,
  );
});
