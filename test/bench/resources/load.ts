import { type KubeClient, type KubeObject, type Resource, wellKnown } from '@dr-syncer/kube';

/** An object with its type. */
export type Typed = readonly [Resource, KubeObject];

const roles: Resource = {
  ...{ group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'roles', kind: 'Role', namespaced: true },
};

/**
 * The mix of a namespace with many objects: of 20 there are 11 ConfigMaps, 4 Secrets, 2 Services, a Deployment, a
 * ServiceAccount and a Role. About 1 KB each.
 */
export function objectOf(i: number, namespace: string): Typed {
  const metadata = {
    ...{ name: `o-${i}`, namespace },
    labels: { 'app.kubernetes.io/name': `app-${i % 50}`, 'app.kubernetes.io/part-of': 'bench' },
    annotations: { 'example.com/note': `object ${i} of the load` },
  };
  const text = `${i} `.repeat(120).slice(0, 500);
  const kind = i % 20;
  if (kind < 11) return [wellKnown.configMaps, { ...head('v1', 'ConfigMap'), metadata, data: { text } }];
  if (kind < 15) {
    const data = { secret: Buffer.from(text).toString('base64') };
    return [wellKnown.secrets, { ...head('v1', 'Secret'), metadata, type: 'Opaque', data }];
  }
  const selector = { app: `app-${i}` };
  if (kind < 17) {
    // Headless: a service range has not that many addresses.
    const spec = { clusterIP: 'None', selector, ports: [{ name: 'http', port: 80, targetPort: 8080 }] };
    return [wellKnown.services, { ...head('v1', 'Service'), metadata, spec }];
  }
  if (kind === 17) {
    return [wellKnown.deployments, { ...head('apps/v1', 'Deployment'), metadata, spec: workload(selector) }];
  }
  if (kind === 18) return [wellKnown.serviceAccounts, { ...head('v1', 'ServiceAccount'), metadata }];
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] }];
  return [roles, { ...head('rbac.authorization.k8s.io/v1', 'Role'), metadata, rules }];
}

function head(apiVersion: string, kind: string): { apiVersion: string; kind: string } {
  return { apiVersion, kind };
}

function workload(labels: Record<string, string>): object {
  const env = Array.from({ length: 8 }, (_one, i) => ({ name: `NAME_${i}`, value: `value ${i}` }));
  const container = {
    ...{ name: 'app', image: 'registry.example.com/app:1.2.3', env, ports: [{ containerPort: 8080 }] },
    resources: { requests: { cpu: '100m', memory: '128Mi' } },
  };
  return {
    ...{ replicas: 2, selector: { matchLabels: labels } },
    template: { metadata: { labels }, spec: { containers: [container] } },
  };
}

/** Does the work for 0 to count-1, so many at a time. */
export async function inParallel(
  count: number,
  concurrency: number,
  work: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

export async function makeNamespace(client: KubeClient, name: string): Promise<void> {
  await client.create(wellKnown.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}
