import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { type ApiServer, startApiServer } from '../cluster/index.js';

const transform = (rule: object) => ({ destinationCluster: 's', transforms: [{ name: 'x', ...rule }] });
const hosts = (entry: object) => ({ destinationCluster: 's', ingressConfig: { hostMappings: [entry] } });

const manifests = join(import.meta.dirname, '../../manifests');

describe('Given an API server with the CRDs', () => {
  let api: ApiServer;
  let dir = '';

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dr-syncer-crds-'));
    api = await startApiServer();
    await kubectl(['apply', '-k', join(manifests, 'crds')]);
    await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  });

  afterAll(async () => {
    await api.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** Standard output, or the error text. */
  const kubectl = (args: readonly string[], input = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const child = execFile(
        'kubectl',
        ['--kubeconfig', api.kubeconfigPath, ...args],
        (err, stdout, stderr) => {
          if (err === null) resolve(stdout);
          else reject(new Error(stderr));
        },
      );
      child.stdin?.end(input);
    });

  const apply = async (kind: string, spec: Record<string, unknown>, name = 'x'): Promise<string> => {
    const object = {
      apiVersion: 'dr-syncer.io/v1alpha1',
      kind,
      metadata: { name, namespace: 'default' },
      spec,
    };
    const file = join(dir, 'object.json');
    await writeFile(file, JSON.stringify(object));
    return kubectl(['apply', '--validate=strict', '-f', file]);
  };

  test.each([
    ['RemoteCluster', { kubeconfigSecret: 'k' }],
    [
      'RemoteCluster',
      {
        kubeconfigSecret: 'k',
        allowedNamespaces: ['*', 'team-a'],
        connectivity: { addressType: 'ExternalIP' },
      },
    ],
    ['Replication', { destinationCluster: 'standby' }],
    [
      'Replication',
      { destinationCluster: 'dr-syncer-system/standby', moverSecurityContext: { runAsUser: 1, fsGroup: 2 } },
    ],
    [
      'Replication',
      { destinationCluster: 's', pvcConfig: { storageClassMapping: { '*': 'x' }, excludePaths: ['/tmp'] } },
    ],
    [
      'Replication',
      {
        destinationCluster: 's',
        ingressConfig: {
          hostMappings: [
            { suffix: 'a.com', replacement: 'b.com' },
            { pattern: '(.+)\\.a', replacement: '$1.b' },
          ],
          classMapping: { nginx: 'haproxy' },
        },
        imageConfig: { registryMapping: { 'docker.io': 'mirror/hub', '*': 'mirror' } },
        namespaceMapping: { db: 'db-dr' },
        transforms: [
          { name: 'a', selector: { kinds: ['deploy'], names: 'web-.*' }, mergePatch: { spec: { x: null } } },
          { name: 'b', jsonPatch: [{ op: 'add', path: '/spec/a', value: null }] },
          { name: 'c', values: [{ path: '/spec/x', expression: 'object.spec.y + 1' }] },
        ],
      },
    ],
  ])('%s %j is accepted', async (kind, spec) => {
    expect(await apply(kind, spec)).toMatch(/created|configured/);
  });

  test.each([
    ['RemoteCluster', {}, 'spec.kubeconfigSecret'],
    ['RemoteCluster', { kubeconfigSecret: 'Not_A_Name' }, 'spec.kubeconfigSecret'],
    [
      'RemoteCluster',
      { kubeconfigSecret: 'k', agentDeployment: { port: 70_000 } },
      'spec.agentDeployment.port',
    ],
    [
      'RemoteCluster',
      { kubeconfigSecret: 'k', connectivity: { addressType: 'Pigeon' } },
      'spec.connectivity.addressType',
    ],
    ['RemoteCluster', { kubeconfigSecret: 'k', allowedNamespaces: ['a/b'] }, 'spec.allowedNamespaces[0]'],
    ['RemoteCluster', { kubeconfigSecret: 'k', nonsense: 1 }, 'spec.nonsense'],
    ['Replication', {}, 'spec.destinationCluster'],
    ['Replication', { destinationCluster: 's', destinationNamespace: 'kube-system' }, 'destinationNamespace'],
    ['Replication', { destinationCluster: 's', sync: { mode: 'Sometimes' } }, 'spec.sync.mode'],
    [
      'Replication',
      { destinationCluster: 's', pvcConfig: { bandwidthLimit: -1 } },
      'spec.pvcConfig.bandwidthLimit',
    ],
    [
      'Replication',
      { destinationCluster: 's', pvcConfig: { accessModeMapping: { ReadWriteMany: 'X' } } },
      'accessModeMapping',
    ],
    [
      'Replication',
      { destinationCluster: 's', excludeResources: [{ name: 'x' }] },
      'spec.excludeResources[0].kind',
    ],
    ['Replication', transform({}), 'give one of jsonPatch, mergePatch and values'],
    ['Replication', transform({ mergePatch: {}, values: [] }), 'spec.transforms[0].values'],
    [
      'Replication',
      transform({ mergePatch: {}, values: [{ path: '/a', expression: '1' }] }),
      'give one of jsonPatch, mergePatch and values',
    ],
    ['Replication', transform({ mergePatch: {}, selector: { names: '(' } }), 'regular expression (RE2)'],
    ['Replication', transform({ mergePatch: {}, selector: { names: '(?=a)' } }), 'regular expression (RE2)'],
    ['Replication', transform({ jsonPatch: [{ op: 'move', path: '/a' }] }), 'from is for move and copy'],
    [
      'Replication',
      transform({ jsonPatch: [{ op: 'set', path: '/a' }] }),
      'spec.transforms[0].jsonPatch[0].op',
    ],
    ['Replication', transform({ jsonPatch: [{ op: 'remove', path: 'a' }] }), 'jsonPatch[0].path'],
    [
      'Replication',
      { destinationCluster: 's', transforms: [1, 2].map(() => ({ name: 'same', mergePatch: {} })) },
      'Duplicate value',
    ],
    ['Replication', hosts({ replacement: 'x' }), 'give either suffix or pattern'],
    ['Replication', hosts({ pattern: '[', replacement: 'x' }), 'regular expression (RE2)'],
  ])('%s %j is refused, naming %s', async (kind, spec, field) => {
    await expect(apply(kind, spec, 'bad')).rejects.toThrow(field);
  });

  test('short names and defaults are there', async () => {
    await apply('Replication', { destinationCluster: 'standby' }, 'defaults');

    const object = JSON.parse(await kubectl(['get', 'drrepl', 'defaults', '-o', 'json'])) as { spec: object };
    expect(object.spec).toMatchObject({
      sync: { mode: 'Manual' },
      deploymentConfig: { scaleToZero: true },
      pvcConfig: { includeData: true, bandwidthLimit: 0 },
    });
    await expect(kubectl(['get', 'drcluster'])).resolves.toBeDefined();
  });

  test.each(['source', 'remote'])('manifests/%s passes a server-side dry run', async (which) => {
    await kubectl(['create', 'namespace', 'dr-syncer-system']).catch(() => undefined);

    await expect(kubectl(['apply', '--dry-run=server', '-k', join(manifests, which)])).resolves.toMatch(
      /dry run/,
    );
  });
});
