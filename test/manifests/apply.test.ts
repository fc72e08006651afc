import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { remoteClusterSpec } from '@dr-syncer/api';
import { agentDaemonSet, agentServiceAccount } from '@dr-syncer/controller';
import type { KubeObject } from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { type ApiServer, startApiServer } from '../cluster/index.js';
import { goModuleDirectory } from '../cluster/go-tools.js';
import { readSettings } from '../cluster/settings.js';
import { overlays } from './overlays.js';
import { charted, kubectl, kustomized, objectsByKey } from './render.js';

const SYSTEM = 'dr-syncer-system';

/** Definitions of other projects' kinds, from their own sources. */
const definitions: readonly (readonly [module: string, files: readonly string[]])[] = [
  [
    'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    ['podmonitors', 'prometheusrules'].map(
      (plural) => `example/prometheus-operator-crd/monitoring.coreos.com_${plural}.yaml`,
    ),
  ],
  [
    'github.com/openshift/api@v0.0.0-20251111193948-50e2ece149d7',
    ['security/v1/zz_generated.crd-manifests/0000_03_config-operator_01_securitycontextconstraints.crd.yaml'],
  ],
];

function template(object: KubeObject): unknown {
  return (object['spec'] as { template: { spec: unknown } }).template.spec;
}

function pod(name: string, spec: unknown): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
}

describe('Given an API server with the kinds of the Prometheus operator and of OpenShift', () => {
  let server: ApiServer;
  const at = (args: readonly string[], input?: string) =>
    kubectl([...args, '--kubeconfig', server.kubeconfigPath], input);
  const dryRun = (text: string, ...more: string[]) =>
    at(['apply', '--dry-run=server', '-f', '-', ...more], text);

  beforeAll(async () => {
    server = await startApiServer({ name: 'manifests' });
    for (const [module, files] of definitions) {
      const directory = await goModuleDirectory(module, readSettings());
      for (const file of files) {
        const text = await readFile(join(directory, file), 'utf8');
        await at(['apply', '--server-side', '-f', '-'], text);
      }
    }
    await at(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    // Nothing can be put into a namespace that a dry run has made.
    const source = objectsByKey(await kustomized('source'));
    const base = ['Namespace /dr-syncer-system', 'PriorityClass /dr-syncer'].map((key) => source.get(key));
    for (const one of base) await at(['apply', '-f', '-'], JSON.stringify(one));
    for (const level of ['baseline', 'restricted', 'shop']) {
      await at(['create', 'namespace', level]);
      if (level !== 'shop') {
        await at(['label', 'namespace', level, `pod-security.kubernetes.io/enforce=${level}`]);
      }
    }
  }, 300_000);

  afterAll(async () => {
    await server.stop();
  });

  test.each(overlays)('Then it takes everything of %s', async (path) => {
    const out = await dryRun(await kustomized(path));

    expect(out.trim().split('\n')).toHaveLength(objectsByKey(await kustomized(path)).size);
  });

  test.each(overlays)(
    'Then it takes everything of the chart with the values of %s',
    async (_path, values) => {
      await dryRun(await charted(values));
    },
    590_000,
  );

  test.each(['source', 'overlays/source-production', 'overlays/source-openshift'])(
    'Then the controller of %s meets the restricted level',
    async (path) => {
      const deployment = objectsByKey(await kustomized(path)).get(
        `Deployment ${SYSTEM}/dr-syncer-controller`,
      );

      await dryRun(pod('controller', template(deployment!)), '--namespace', 'restricted');
    },
  );

  describe('and the objects of the agents', () => {
    const settings = remoteClusterSpec.parse({ kubeconfigSecret: 'x' }).agentDeployment;
    const environment = { LOG_LEVEL: 'info', ENABLE_AUDIT_LOG: 'true', SSH_LIMITS: '', SSH_ALGORITHMS: '' };
    const daemonSet = agentDaemonSet({ ...settings, image: 'agent', environment });

    test('Then it takes them', async () => {
      await dryRun(JSON.stringify(daemonSet));
      await dryRun(JSON.stringify(agentServiceAccount()));
      await dryRun(pod('agent', template(daemonSet)), '--namespace', SYSTEM);
    });

    test('Then what the baseline level would refuse is what the documentation says', async () => {
      const refused = dryRun(pod('agent', template(daemonSet)), '--namespace', 'baseline').then(
        () => '',
        (err: unknown) => String(err),
      );
      const violations = /violates PodSecurity "baseline:latest": (.*)/s.exec(await refused)?.[1] ?? '';
      const kinds = violations.match(/(?:^|, )[a-zA-Z-]+(?: [a-zA-Z]+)*(?= \()/g) ?? [];

      expect(kinds.map((kind) => kind.replace(', ', '')).sort()).toEqual([
        'hostPath volumes',
        'hostPort',
        'non-default capabilities',
        'seLinuxOptions',
      ]);
    });
  });
});
