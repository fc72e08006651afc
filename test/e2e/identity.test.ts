import { execFile } from 'node:child_process';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { install, rolledOut } from '../demo/install.js';
import type { Kubectl } from '../demo/kubectl.js';
import { rootForForeignOwners } from '../demo/shop.js';
import { PRIVILEGED_MOVERS, SYSTEM_NAMESPACE } from '../demo/standby.js';
import { twoClusters } from './support/clusters.js';
import { eventually } from '../support/eventually.js';
import {
  allocated,
  claimObject,
  DIR,
  fill,
  idleDeployment,
  idlePod,
  namespaceObject,
  restrictedContexts,
  use,
} from './support/idle-workload.js';
import { connect, replicationOf, sync } from './support/replication.js';

interface Volume {
  readonly phase: string;
  readonly message?: string;
  readonly identity: {
    readonly privileged: boolean;
    readonly source?: { readonly uid: number };
    readonly destination?: {
      readonly uid: number;
      readonly groups: readonly number[];
      readonly capabilities: readonly string[];
      readonly fsGroup?: number;
      readonly origins: Readonly<Record<string, string>>;
    };
    readonly idMap?: { readonly users: readonly string[] };
  };
  readonly losses: readonly { readonly what: string }[];
  readonly permissions?: {
    readonly selinux: string;
    readonly scope: string;
    readonly seen: number;
    readonly groupsChanged: number;
    readonly failed: number;
  };
}

const labels = { e2e: 'identity' };
const REMOTE = 'e2e-identity';
const WORKLOAD_MS = 180_000;
/** On a namespace at the destination: it is in use, nothing is written there. */
const ACTIVE = 'dr-syncer.io/active';

describe('Given two clusters, and namespaces whose movers are told apart by identity', () => {
  const context = twoClusters();
  const { source, remote, settings } = context;

  beforeAll(async () => {
    await install(context);
    await connect(context, REMOTE, labels);
  }, 300_000);

  afterAll(async () => {
    const ours = 'remoteclusters.dr-syncer.io,replications.dr-syncer.io,secrets';
    await source.run(['delete', ours, '-n', SYSTEM_NAMESPACE, '-l', 'e2e=identity', '--ignore-not-found']);
    await Promise.all(
      [source, remote].map((at) => at.run(['delete', 'ns', '-l', 'e2e=identity', '--wait=false'])),
    );
  }, 120_000);

  const running = async (at: Kubectl, namespace: string, name: string): Promise<void> => {
    await at.run(['wait', '--for=condition=Ready', `pod/${name}`, '-n', namespace, '--timeout=180s'], {
      timeoutMs: WORKLOAD_MS + 10_000,
    });
  };

  const run = (at: Kubectl, namespace: string, target: string, script: string): Promise<string> =>
    at.run(['exec', '-n', namespace, target, '--', 'sh', '-euc', script]);

  const replicate = async (name: string, spec: Record<string, unknown> = {}): Promise<void> => {
    await source.apply([
      replicationOf(name, labels, {
        destinationCluster: REMOTE,
        sourceNamespace: name,
        ...spec,
        pvcConfig: { storageClassMapping: { [settings.sourceStorageClass]: settings.remoteStorageClass } },
      }),
    ]);
  };

  const events = async (name: string): Promise<string> =>
    await source.run([
      ...['get', 'events', '-n', SYSTEM_NAMESPACE, '--field-selector', `involvedObject.name=${name}`],
      ...['-o', 'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}'],
    ]);

  /** The failure of an expectation shows why the copy failed. */
  const succeeded = (volume: Volume | undefined): Volume => {
    expect({ phase: volume?.phase, message: volume?.message }).toEqual({ phase: 'Succeeded' });
    return volume!;
  };

  /** As an administrator asks who may see both clusters. */
  const explained = (name: string): Promise<{ code: number; out: string }> => {
    const cli = join(import.meta.dirname, '../../packages/cli/dist/main.js');
    const clusters = [
      ...['--kubeconfig', settings.sourceKubeconfig],
      ...['--remote-kubeconfig', settings.remoteKubeconfig],
    ];
    const args = [cli, 'explain', 'identity', '-n', SYSTEM_NAMESPACE, name, ...clusters];
    return new Promise((resolve) => {
      execFile(process.execPath, args, { timeout: 60_000 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), out: stdout + stderr });
      });
    });
  };

  describe('with the same range of ids at both ends, restricted', () => {
    const name = 'e2e-scc-same';
    const id = 1000690000;
    const deployment = 'deployment/app';

    beforeAll(async () => {
      const namespace = namespaceObject(name, 'restricted', labels, allocated(id, 's0:c26,c20'));
      await Promise.all([source.apply([namespace]), remote.apply([namespace])]);
      await source.apply([
        claimObject(name, settings.sourceStorageClass),
        idleDeployment(name, 'app', settings.image, restrictedContexts(id)),
      ]);
      await rolledOut(source, name, deployment, WORKLOAD_MS);
      await run(source, name, deployment, fill);
      await replicate(name);
    }, 300_000);

    test('Then the copy is made as the namespace allows, and says what it is not', async () => {
      const status = await sync<Volume>(source, name, 'first');

      const { identity, losses, permissions } = succeeded(status.volumes[0]);
      expect(status.phase).toBe('Completed');
      expect(permissions).toMatchObject({ selinux: 'Disabled', scope: 'All', failed: 0 });
      expect(identity).toMatchObject({
        privileged: false,
        source: { uid: id },
        destination: { uid: id, groups: [id], capabilities: [], fsGroup: id },
      });
      expect(identity.destination?.origins['uid']).toMatch(/^securityContext of the workload \(pod app-/);
      expect(losses.map(({ what }) => what)).toEqual(expect.arrayContaining(['owners', 'acls', 'devices']));
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ type: 'PrivilegedMovers', status: 'False', reason: 'NotAnnotated' }),
      );
      const said = await eventually('the event', async () => {
        const text = await events(name);
        return text.includes('AttributesNotKept') ? text : undefined;
      });
      expect(said).toMatch(/AttributesNotKept: data: the copy does not have owners and groups/);
    }, 300_000);

    test('Then the command line explains it, with the origin of each value', async () => {
      const { code, out } = await explained(name);

      expect({ code, out: code === 0 ? '' : out }).toEqual({ code: 0, out: '' });
      expect(out).toMatch(/^data +source +uid +1000690000 +securityContext of the workload \(pod app-/m);
      expect(out).toMatch(/^data +destination +seLinuxLabel +system_u:.*:s0:c20,c26 +namespace annotation/m);
      expect(out).toMatch(/^data +destination +not kept +owners/m);
    }, 120_000);

    test('When one file is new Then group and mode of just what arrived are looked at', async () => {
      await run(source, name, deployment, `echo one > ${DIR}/private/one`);

      const { permissions } = succeeded((await sync<Volume>(source, name, 'one-more')).volumes[0]);

      expect(permissions).toMatchObject({ scope: 'Changed', failed: 0 });
      expect(permissions?.seen).toBeLessThanOrEqual(3);
    }, 300_000);

    const activate = async (): Promise<void> => {
      await remote.run(['annotate', '--overwrite', 'namespace', name, `${ACTIVE}=true`]);
      await remote.run(['scale', deployment, '--replicas=1', '-n', name]);
      await rolledOut(remote, name, deployment, WORKLOAD_MS);
    };

    test('When the workload is started at the destination Then it reads and writes its volume', async () => {
      await activate();

      const said = await run(remote, name, deployment, use);

      expect(said.trim().split('\n')).toEqual(['kept', 'counter=1', 'ran', 'counter=2', String(id)]);
    }, 300_000);

    test('When it is a standby again Then the next sync brings the state of the source', async () => {
      await run(source, name, deployment, `echo counter=3 > ${DIR}/state`);
      await remote.run(['scale', deployment, '--replicas=0', '-n', name]);
      await remote.run(['wait', '--for=delete', 'pod', '-l', 'app=app', '-n', name, '--timeout=60s']);
      await remote.run(['annotate', 'namespace', name, `${ACTIVE}-`]);
      succeeded((await sync<Volume>(source, name, 'again')).volumes[0]);

      await activate();
      const look = `cat ${DIR}/state ${DIR}/private/deep/file; ls ${DIR}`;
      const said = await run(remote, name, deployment, look);
      expect(said.split('\n').slice(0, 2)).toEqual(['counter=3', 'kept']);
      expect(said).not.toContain('more');
    }, 400_000);
  });

  describe('with different ranges of ids at the ends, restricted', () => {
    const name = 'e2e-scc-other';
    const [here, there] = [1000690000, 1000720000];

    beforeAll(async () => {
      await Promise.all([
        source.apply([namespaceObject(name, 'restricted', labels, allocated(here, 's0:c26,c20'))]),
        remote.apply([namespaceObject(name, 'restricted', labels, allocated(there, 's0:c27,c14'))]),
      ]);
      await source.apply([
        claimObject(name, settings.sourceStorageClass),
        idlePod(name, 'app', settings.image, restrictedContexts(here)),
      ]);
      await running(source, name, 'app');
      await run(source, name, 'app', fill);
      await replicate(name);
    }, 300_000);

    const startThere = async (): Promise<void> => {
      await remote.apply([idlePod(name, 'app', settings.image, restrictedContexts(there))]);
      await running(remote, name, 'app');
    };
    const stopThere = (): Promise<string> => remote.run(['delete', 'pod', 'app', '-n', name, '--wait=true']);

    test('Then each end runs as its namespace says, and the workload there reads and writes', async () => {
      const { identity } = succeeded((await sync<Volume>(source, name, 'first')).volumes[0]);
      expect(identity).toMatchObject({
        source: { uid: here },
        destination: { uid: there, groups: [there], fsGroup: there },
      });

      await startThere();
      const said = await run(remote, name, 'app', use);
      await stopThere();

      expect(said.trim().split('\n')).toEqual(['kept', 'counter=1', 'ran', 'counter=2', String(there)]);
    }, 400_000);

    test('When movers become privileged Then ids of the one range become those of the other', async () => {
      const mark = ['annotate', '--overwrite', 'namespace', name, `${PRIVILEGED_MOVERS}=True`];
      await Promise.all([source.run(mark), remote.run(mark)]);

      const status = await sync<Volume>(source, name, 'privileged');

      const { identity } = succeeded(status.volumes[0]);
      expect(identity).toMatchObject({
        privileged: true,
        idMap: { users: [`${here}:${there}`], groups: [`${here}:${there}`] },
      });
      await startThere();
      const said = await run(remote, name, 'app', `stat -c '%n %u:%g' ${DIR}/state ${DIR}/private; ${use}`);
      await stopThere();
      expect(said.trim().split('\n').slice(0, 4)).toEqual([
        `${DIR}/state ${there}:${there}`,
        `${DIR}/private ${there}:${there}`,
        'kept',
        'counter=1',
      ]);
    }, 400_000);
  });

  describe('with files of five owners, and privileged movers', () => {
    const name = 'e2e-owners';
    const owners = [1001, 1002, 26, 70, 1000690000];
    const list = `cd ${DIR} && stat -c '%n %u:%g %a' owned/*`;
    const wanted = [
      'owned/0 1001:2001 644',
      'owned/1 1002:2002 4755',
      'owned/2 26:2026 600',
      'owned/3 70:2070 2770',
      'owned/4 1000690000:1000690000 640',
    ];

    beforeAll(async () => {
      const namespace = namespaceObject(name, 'baseline', labels, { [PRIVILEGED_MOVERS]: 'true' });
      // The name that users of VolSync know, in another spelling.
      const alias = namespaceObject(name, 'baseline', labels, {
        'volsync.backube/privileged-movers': 'TRUE',
      });
      await Promise.all([source.apply([namespace]), remote.apply([alias])]);
      await source.apply([
        claimObject(name, settings.sourceStorageClass),
        idlePod(name, 'app', settings.image, { pod: {}, container: rootForForeignOwners }),
      ]);
      await running(source, name, 'app');
      await run(
        source,
        name,
        'app',
        `mkdir ${DIR}/owned; cd ${DIR}/owned; chmod 755 ${DIR} .
         for i in 0 1 2 4; do echo $i > $i; done; mkdir 3
         chown 1001:2001 0; chown 1002:2002 1; chown 26:2026 2; chown 70:2070 3
         chown ${owners[4] ?? 0}:${owners[4] ?? 0} 4
         chmod 644 0; chmod 4755 1; chmod 600 2; chmod 2770 3; chmod 640 4`,
      );
      await replicate(name);
    }, 300_000);

    const look = async (script: string): Promise<string> => {
      const reader = { ...rootForForeignOwners, capabilities: { drop: ['ALL'], add: ['DAC_OVERRIDE'] } };
      await remote.apply([idlePod(name, 'look', settings.image, { pod: {}, container: reader })]);
      await running(remote, name, 'look');
      const said = await run(remote, name, 'look', script);
      await remote.run(['delete', 'pod', 'look', '-n', name, '--wait=true']);
      return said;
    };

    test('Then the copy has them all, with their modes', async () => {
      const status = await sync<Volume>(source, name, 'first');

      const { identity } = succeeded(status.volumes[0]);
      expect(identity).toMatchObject({
        privileged: true,
        source: { uid: 65534 },
        destination: { uid: 0, capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'] },
      });
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ type: 'PrivilegedMovers', status: 'True', reason: 'Annotated' }),
      );
      expect((await look(list)).trim().split('\n')).toEqual(wanted);
    }, 300_000);

    test('When the annotation goes at one end Then the next sync is refused for want of a user', async () => {
      await remote.run(['annotate', 'namespace', name, 'volsync.backube/privileged-movers-']);

      const status = await sync<Volume>(source, name, 'no-user');

      expect(status.volumes[0]).toMatchObject({
        phase: 'Failed',
        reason: 'IdentityRefused',
        message: expect.stringContaining('is missing on the destination namespace e2e-owners'),
        identity: { privileged: false },
      });
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ type: 'PrivilegedMovers', status: 'False', reason: 'AnnotationMissing' }),
      );
      const said = await eventually('the event', async () => {
        const text = await events(name);
        return text.includes('PrivilegedMoversOff') ? text : undefined;
      });
      expect(said).toMatch(/PrivilegedMoversOff: Transfers run unprivileged from this sync on: .*missing/);
      const { code, out } = await explained(name);
      expect(code).toBe(1);
      expect(out).toMatch(/^data +destination +spec\.moverSecurityContext\.runAsUser +not set +REFUSED/m);
    }, 300_000);

    test('When a user is named Then the sync is unprivileged, and says what it cannot keep', async () => {
      await replicate(name, { moverSecurityContext: { runAsUser: 2001, runAsGroup: 2001, fsGroup: 2001 } });
      await run(
        source,
        name,
        'app',
        `rm -r ${DIR}/owned/[1-4]; echo fresh > ${DIR}/fresh; chown 1002:2002 ${DIR}/fresh; chmod 644 ${DIR}/fresh`,
      );

      const status = await sync<Volume>(source, name, 'unprivileged');

      const { identity, losses } = succeeded(status.volumes[0]);
      expect(identity).toMatchObject({
        privileged: false,
        destination: { uid: 2001, groups: [2001], capabilities: [], fsGroup: 2001 },
      });
      expect(losses.map(({ what }) => what)).toContain('owners');
      expect(await look(`cat ${DIR}/fresh; stat -c %u:%g ${DIR}/fresh`)).toBe('fresh\n2001:2001\n');
    }, 300_000);
  });

  test('Then the agents have written down each identity with its origins', async () => {
    const audit = async (at: Kubectl): Promise<string> =>
      await at.run(['logs', 'daemonset/dr-syncer-agent', '-c', 'ssh', '-n', SYSTEM_NAMESPACE, '--tail=-1']);

    expect(await audit(remote)).toMatch(
      /"audit":"grant".*"outcome":"opened".*"uid":1000690000.*"identity_origins":"uid: securityContext of the workload/,
    );
    expect(await audit(source)).toMatch(
      /"audit":"transfer".*"outcome":"prepared".*"uid":65534.*"capabilities":"DAC_READ_SEARCH"/,
    );
  });
});
