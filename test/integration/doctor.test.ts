import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { annotation, label } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { type KubeObject, type ObjectRef, type Resource, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

import { startApiServer } from '../cluster/index.js';
import { cli } from '../support/cli.js';
import { eventually } from '../support/eventually.js';
import { type DoctorReport, errorsOf, examine, type KubeconfigText, otherKey } from './support/doctor.js';
import { kubeconfigData, object, SYSTEM } from './support/solo/given.js';
import {
  COPY,
  copyNamespace,
  deployment,
  kubeconfigSecret,
  REMOTE,
  remoteCluster,
  SHOP,
  startHealthy,
} from './support/solo/healthy.js';
import { freePort } from './support/solo/programs.js';
import type { Solo } from './support/solo/solo.js';

type Undo = () => Promise<unknown>;

const clusterRoleBindings: Resource = {
  ...{ group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'clusterrolebindings' },
  ...{ kind: 'ClusterRoleBinding', namespaced: false },
};

describe('Given a set-up that is well, and is then broken', () => {
  let solo: Solo;
  const merge = (ref: ObjectRef, body: unknown) => solo.client.patch(ref, body, 'merge');
  const setKubeconfig = async (change: (config: KubeconfigText) => void): Promise<Undo> => {
    const config = JSON.parse(JSON.stringify(parse(solo.api.kubeconfig))) as KubeconfigText;
    change(config);
    await merge(kubeconfigSecret, kubeconfigData(JSON.stringify(config)));
    return () => merge(kubeconfigSecret, kubeconfigData(solo.api.kubeconfig));
  };
  const accountToken = async (): Promise<string> => {
    const metadata = { name: 'powerless', namespace: SYSTEM };
    const present = await solo.client.find({ resource: wellKnown.serviceAccounts, ...metadata });
    if (present === undefined)
      await solo.client.create(wellKnown.serviceAccounts, object('ServiceAccount', metadata));
    const request = {
      ...{ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata },
      spec: { expirationSeconds: 86_400 },
    };
    const answer = await solo.client.create<KubeObject & { status: { token: string } }>(
      wellKnown.serviceAccounts,
      request,
      { subresource: 'token' },
    );
    return answer.status.token;
  };
  const asAccount = (token: string) => setKubeconfig(({ users: [first] }) => void (first!.user = { token }));
  const agentFile = (name: string) => join(solo.node.kubeletDir, '..', name);

  beforeAll(async () => {
    solo = await startHealthy();
  }, 300_000);
  afterAll(async () => {
    await solo.stop();
  }, 60_000);

  test('When nothing is broken Then nothing is found, and the exit code is 0', async () => {
    const report = await examine(solo);

    expect(errorsOf(report)).toEqual([]);
    expect(report).toMatchObject({ code: 0, healthy: true });
    const text = await cli(['doctor'], { env: { KUBECONFIG: solo.api.kubeconfigPath } });
    expect(text.out).toMatch(/0 error, 0 warning, 0 unknown, 0 note, \d+ well\n$/);
  }, 120_000);

  interface Case {
    readonly what: string;
    readonly code: string;
    readonly remedy: string;
    readonly breakIt: () => Promise<Undo>;
  }
  const cases: Case[] = [
    {
      ...{
        what: 'a definition is of an earlier version',
        code: 'DefinitionOutdated',
        remedy: 'dr-syncer install',
      },
      breakIt: async () => {
        const ref = { resource: wellKnown.customResourceDefinitions, name: 'replications.dr-syncer.io' };
        const path = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/drift';
        const present = await solo.client.get(ref);
        const drift = path
          .slice(1)
          .split('/')
          .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], present);
        await solo.client.patch(ref, [{ op: 'remove', path }], 'json');
        return () => solo.client.patch(ref, [{ op: 'add', path, value: drift }], 'json');
      },
    },
    {
      ...{ what: 'no pod of the controller is available', code: 'ControllerNotAvailable', remedy: 'kubectl' },
      breakIt: async () => {
        const counts = (count: number) =>
          solo.client.patch(
            deployment,
            { status: { replicas: count, availableReplicas: count, readyReplicas: count } },
            'merge',
            { subresource: 'status' },
          );
        await counts(0);
        return () => counts(1);
      },
    },
    {
      ...{ what: 'the controller hangs', code: 'NoLeader', remedy: 'lease' },
      breakIt: () => {
        // Stopped and not ended, so it can't give its lease back.
        process.kill(solo.controller.pid, 'SIGSTOP');
        return Promise.resolve(async () => {
          process.kill(solo.controller.pid, 'SIGCONT');
          await solo.restart();
        });
      },
    },
    {
      ...{ what: 'the controller has lost its permissions', code: 'ControllerMayNot', remedy: 'rbac.yaml' },
      breakIt: async () => {
        const ref = { resource: clusterRoleBindings, name: 'dr-syncer-controller' };
        const { apiVersion, kind, metadata, ...rest } = await solo.client.get(ref);
        await solo.client.delete(ref);
        return () =>
          solo.client.create(clusterRoleBindings, {
            ...{ apiVersion, kind },
            metadata: { name: metadata.name },
            ...rest,
          });
      },
    },
    {
      ...{
        what: 'the namespace refuses the pods of agents',
        code: 'PodSecurityTooStrict',
        remedy: 'enforce=privileged',
      },
      breakIt: async () => {
        const set = (value: string | null) =>
          merge(
            { resource: wellKnown.namespaces, name: SYSTEM },
            { metadata: { labels: { 'pod-security.kubernetes.io/enforce': value } } },
          );
        await set('restricted');
        return () => set(null);
      },
    },
    {
      ...{
        what: 'the kubeconfig Secret is gone',
        code: 'KubeconfigSecretNotFound',
        remedy: 'spec.kubeconfigSecret',
      },
      breakIt: async () => {
        await solo.client.delete(kubeconfigSecret);
        const secret = {
          ...object('Secret', { name: REMOTE, namespace: SYSTEM }),
          ...kubeconfigData(solo.api.kubeconfig),
        };
        return () => solo.client.create(wellKnown.secrets, secret);
      },
    },
    {
      ...{
        what: 'the kubeconfig would run a command',
        code: 'KubeconfigRefused',
        remedy: 'inline certificate data',
      },
      breakIt: () =>
        setKubeconfig(
          ({ users: [first] }) =>
            void (first!.user = { exec: { command: 'aws', apiVersion: 'client.authentication.k8s.io/v1' } }),
        ),
    },
    {
      ...{
        what: 'the remote API server does not answer',
        code: 'RemoteUnreachable',
        remedy: 'API server address',
      },
      breakIt: async () => {
        const port = await freePort();
        return setKubeconfig(
          ({ clusters: [first] }) => void (first!.cluster['server'] = `https://127.0.0.1:${port}`),
        );
      },
    },
    {
      ...{ what: 'the token is not accepted', code: 'RemoteUnauthorized', remedy: 'renew the token' },
      breakIt: () => asAccount('nonsense'),
    },
    {
      ...{
        what: 'the account at the remote may do nothing',
        code: 'PermissionMissing',
        remedy: 'permissions',
      },
      breakIt: async () => asAccount(await accountToken()),
    },
    {
      ...{
        what: 'the image of the agent cannot be pulled',
        code: 'AgentNotReady',
        remedy: 'app=dr-syncer-agent',
      },
      breakIt: async () => {
        const ref = { resource: wellKnown.pods, namespace: SYSTEM, name: 'dr-syncer-agent-n1' };
        const set = (ready: 'True' | 'False', containerStatuses: object[]) =>
          solo.client.patch(
            ref,
            { status: { conditions: [{ type: 'Ready', status: ready }], containerStatuses } },
            'merge',
            {
              subresource: 'status',
            },
          );
        const state = { waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image' } };
        await set('False', [{ name: 'ssh', image: 'x', imageID: '', ready: false, restartCount: 0, state }]);
        return () => set('True', []);
      },
    },
    {
      ...{
        what: 'the agent refuses the key of the controller',
        code: 'AgentRefusedKey',
        remedy: 'key rotation',
      },
      breakIt: async () => {
        const before = await readFile(agentFile('authorized_keys'), 'utf8');
        await writeFile(agentFile('authorized_keys'), '');
        return () => writeFile(agentFile('authorized_keys'), before);
      },
    },
    {
      ...{
        what: 'the agent shows a host key that is not pinned',
        code: 'HostKeyMismatch',
        remedy: 'Find out who answers',
      },
      breakIt: async () => {
        const ref = { resource: wellKnown.secrets, namespace: SYSTEM, name: 'dr-syncer-agent-host-keys' };
        const { data } = await solo.client.get<KubeObject & { data: Record<string, string> }>(ref);
        await merge(ref, { data: { ...otherKey('ed25519'), ...otherKey('rsa') } });
        return () => merge(ref, { data });
      },
    },
    {
      ...{ what: 'the port of the node is closed', code: 'PortClosed', remedy: 'firewall' },
      breakIt: async () => {
        const port = await freePort();
        await merge(remoteCluster, { spec: { connectivity: { overrides: { n1: `127.0.0.1:${port}` } } } });
        return () => merge(remoteCluster, { spec: { connectivity: { overrides: null } } });
      },
    },
    {
      ...{
        what: 'a failover was interrupted',
        code: 'FailoverUnfinished',
        remedy: 'dr-syncer failover again',
      },
      breakIt: async () => {
        const active = JSON.stringify({ phase: 'Starting', startedAt: '2026-01-01T00:00:00Z' });
        await merge(copyNamespace, { metadata: { annotations: { [annotation.active]: active } } });
        return () => merge(copyNamespace, { metadata: { annotations: { [annotation.active]: null } } });
      },
    },
    {
      ...{ what: 'the application runs at both ends', code: 'BothSidesActive', remedy: 'failback' },
      breakIt: async () => {
        const labels = { app: 'web' };
        const web = {
          ...object('Deployment', { name: 'web', namespace: SHOP, labels: { [label.ignore]: 'true' } }),
          apiVersion: 'apps/v1',
          spec: {
            replicas: 2,
            selector: { matchLabels: labels },
            template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'x' }] } },
          },
        };
        await solo.client.create(wellKnown.deployments, web);
        await merge(copyNamespace, { metadata: { annotations: { [annotation.active]: 'true' } } });
        return async () => {
          await merge(copyNamespace, { metadata: { annotations: { [annotation.active]: null } } });
          await solo.client.delete({ resource: wellKnown.deployments, namespace: SHOP, name: 'web' });
        };
      },
    },
    {
      ...{
        what: 'volumes are fenced though nothing is active',
        code: 'StaleFence',
        remedy: 'dr-syncer-agent-fence',
      },
      breakIt: async () => {
        const metadata = { name: 'dr-syncer-agent-fence', namespace: SYSTEM };
        const data = { volumes: `# namespace ${COPY}\npv-1\n` };
        await solo.client.create(wellKnown.configMaps, { ...object('ConfigMap', metadata), data });
        return () => solo.client.delete({ resource: wellKnown.configMaps, ...metadata });
      },
    },
    {
      ...{
        what: 'a Replication names no RemoteCluster that is there',
        code: 'RemoteClusterNotFound',
        remedy: 'spec.destinationCluster',
      },
      breakIt: async () => {
        const ref = { resource: replications, namespace: SYSTEM, name: SHOP };
        const set = (destinationCluster: string) =>
          merge(ref, {
            metadata: { annotations: { [annotation.syncNow]: `to-${destinationCluster}` } },
            spec: { destinationCluster },
          });
        await set('nowhere');
        return () => set(REMOTE);
      },
    },
  ];

  test.each(cases)(
    'When $what Then doctor says $code and what to do',
    async ({ code, remedy, breakIt }) => {
      const undo = await breakIt();
      let seen: DoctorReport;
      try {
        seen = await eventually(
          `doctor to find ${code}`,
          async () => {
            const report = await examine(solo);
            return report.findings.some((one) => one.code === code && one.severity === 'error')
              ? report
              : undefined;
          },
          90_000,
        );
      } finally {
        await undo();
      }

      expect(seen).toMatchObject({ code: 1, healthy: false });
      const found = seen.findings.find((one) => one.code === code && one.severity === 'error');
      expect(found?.remedy).toContain(remedy);
      expect(found?.subject).not.toBe('');
      await eventually(
        'nothing to be found',
        async () => (errorsOf(await examine(solo)).length === 0 ? true : undefined),
        120_000,
      );
    },
    240_000,
  );
});

describe('Given an agent whose clock is wrong', () => {
  let solo: Solo;

  beforeAll(async () => {
    const ahead = 'const now = Date.now; Date.now = () => now() + 600000;';
    const shifted = `${ahead} globalThis.Date = class extends Date { constructor(...a) { if (a.length) super(...a); else super(Date.now()); } };`;
    const module = `data:text/javascript,${encodeURIComponent(shifted)}`;
    solo = await startHealthy({ agent: { NODE_OPTIONS: `--import=${module}` } });
  }, 300_000);
  afterAll(async () => {
    await solo.stop();
  }, 60_000);

  test('When doctor looks Then it says whose clock it is, by how much, and what to do', async () => {
    const { findings, code } = await examine(solo);
    const skew = findings.filter((one) => one.code === 'ClockSkew');

    expect(code).toBe(1);
    expect(skew[0]).toMatchObject({
      ...{ severity: 'error', subject: 'source, node n1' },
      message: expect.stringMatching(/(10m0|9m59|10m1)s ahead of/) as unknown,
      remedy: expect.stringContaining('NTP') as unknown,
    });
  }, 120_000);
});

describe('Given a cluster in which nothing is installed', () => {
  let solo: Pick<Solo, 'api' | 'stop'>;

  beforeAll(async () => {
    const api = await startApiServer({ name: 'bare' });
    solo = { api, stop: () => api.stop() };
  }, 120_000);
  afterAll(async () => {
    await solo.stop();
  });

  test('When doctor looks Then it says what is missing and how to install it', async () => {
    const { findings, code } = await examine(solo);

    expect(code).toBe(1);
    const errors = findings.filter(({ severity }) => severity === 'error').map((one) => one.code);
    expect(errors).toEqual(
      expect.arrayContaining([
        'DefinitionMissing',
        'ControllerMissing',
        'NoLeader',
        'SystemNamespaceMissing',
      ]),
    );
  }, 60_000);
});
