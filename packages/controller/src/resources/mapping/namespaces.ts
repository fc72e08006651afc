import type { KubeObject } from '@dr-syncer/kube';

import { isRecord, type Json, recordAt, records, specOf } from '../json.js';
import { podTemplates } from '../pod-templates.js';
import { fullKind } from '../standby/kinds.js';
import { lookUp } from './look-up.js';

/** The namespace at the destination by the one in the source. */
export type NamespaceMapping = Readonly<Record<string, string>>;

type MapName = (namespace: string) => string;

/** Label by which selectors of namespaces can mean one of them (Kubernetes 1.22 and newer). */
const NAME_LABEL = 'kubernetes.io/metadata.name';

/** Rewrites what names namespaces inside of an object, in place. Its own namespace is not among it. */
export function mapNamespaces(object: KubeObject, mapping: NamespaceMapping): void {
  const mapName: MapName = (namespace) => lookUp(mapping, namespace) ?? namespace;
  byKind[fullKind(object)]?.(object, mapName);
  for (const template of podTemplates(object)) mapAffinities(template, mapName);
}

type Rule = (object: KubeObject, mapName: MapName) => void;

const gatewayRoute: Rule = (object, mapName) => {
  const spec = specOf(object);
  for (const parent of records(spec['parentRefs'])) mapField(parent, 'namespace', mapName);
  for (const rule of records(spec['rules'])) {
    for (const backend of records(rule['backendRefs'])) mapField(backend, 'namespace', mapName);
    for (const filter of records(rule['filters'])) {
      const mirrored = recordAt(filter, ['requestMirror', 'backendRef']);
      if (mirrored !== undefined) mapField(mirrored, 'namespace', mapName);
    }
  }
};

const monitor: Rule = (object, mapName) => {
  const selector = recordAt(object, ['spec', 'namespaceSelector']);
  const names = selector?.['matchNames'];
  if (selector !== undefined && Array.isArray(names)) selector['matchNames'] = mapNames(names, mapName);
};

const webhooks: Rule = (object, mapName) => {
  for (const webhook of records(object['webhooks'])) {
    mapClientConfig(webhook['clientConfig'], mapName);
    mapSelector(webhook['namespaceSelector'], mapName);
  }
};

const byKind: Readonly<Record<string, Rule>> = {
  'RoleBinding.rbac.authorization.k8s.io': (object, mapName) => mapSubjects(object, mapName),
  'NetworkPolicy.networking.k8s.io': mapPolicy,
  Service: (object, mapName) => {
    const spec = specOf(object);
    if (spec['type'] === 'ExternalName') mapField(spec, 'externalName', (host) => mappedHost(host, mapName));
  },
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io': webhooks,
  'MutatingWebhookConfiguration.admissionregistration.k8s.io': webhooks,
  'CustomResourceDefinition.apiextensions.k8s.io': (object, mapName) => {
    mapClientConfig(recordAt(object, ['spec', 'conversion', 'webhook'])?.['clientConfig'], mapName);
  },
  'HTTPRoute.gateway.networking.k8s.io': gatewayRoute,
  'GRPCRoute.gateway.networking.k8s.io': gatewayRoute,
  'TLSRoute.gateway.networking.k8s.io': gatewayRoute,
  'TCPRoute.gateway.networking.k8s.io': gatewayRoute,
  'UDPRoute.gateway.networking.k8s.io': gatewayRoute,
  'ReferenceGrant.gateway.networking.k8s.io': (object, mapName) => {
    for (const from of records(specOf(object)['from'])) mapField(from, 'namespace', mapName);
  },
  'Gateway.gateway.networking.k8s.io': mapGateway,
  'ServiceMonitor.monitoring.coreos.com': monitor,
  'PodMonitor.monitoring.coreos.com': monitor,
};

function mapField(holder: Json, field: string, map: (value: string) => string): void {
  const value = holder[field];
  if (typeof value === 'string' && value !== '') holder[field] = map(value);
}

function mapNames(names: readonly unknown[], mapName: MapName): unknown[] {
  return names.map((name) => (typeof name === 'string' ? mapName(name) : name));
}

/** Accounts, and the users and groups that stand for accounts (Kubernetes documentation, "Authenticating"). */
function mapSubjects(object: KubeObject, mapName: MapName): void {
  for (const subject of records(object['subjects'])) {
    mapField(subject, 'namespace', mapName);
    if (subject['kind'] === 'ServiceAccount') continue;
    mapField(subject, 'name', (name) => {
      const [, prefix = '', namespace = '', rest = ''] =
        /^(system:serviceaccounts?:)([^:]+)(:.*)?$/.exec(name) ?? [];
      return prefix === '' ? name : `${prefix}${mapName(namespace)}${rest}`;
    });
  }
}

function mapPolicy(object: KubeObject, mapName: MapName): void {
  const spec = specOf(object);
  for (const rule of [...records(spec['ingress']), ...records(spec['egress'])]) {
    for (const peer of [...records(rule['from']), ...records(rule['to'])]) {
      mapSelector(peer['namespaceSelector'], mapName);
    }
  }
}

function mapSelector(selector: unknown, mapName: MapName): void {
  if (!isRecord(selector)) return;
  const { matchLabels } = selector;
  if (isRecord(matchLabels)) mapField(matchLabels, NAME_LABEL, mapName);
  for (const expression of records(selector['matchExpressions'])) {
    const { key, values } = expression;
    if (key === NAME_LABEL && Array.isArray(values)) expression['values'] = mapNames(values, mapName);
  }
}

function mapGateway(object: KubeObject, mapName: MapName): void {
  for (const listener of records(specOf(object)['listeners'])) {
    mapSelector(recordAt(listener, ['allowedRoutes', 'namespaces'])?.['selector'], mapName);
    for (const ref of records(recordAt(listener, ['tls'])?.['certificateRefs'])) {
      mapField(ref, 'namespace', mapName);
    }
  }
}

function mapClientConfig(config: unknown, mapName: MapName): void {
  const service = isRecord(config) ? recordAt(config, ['service']) : undefined;
  if (service !== undefined) mapField(service, 'namespace', mapName);
}

function mapAffinities(template: Json, mapName: MapName): void {
  for (const which of ['podAffinity', 'podAntiAffinity']) {
    const affinity = recordAt(template, ['spec', 'affinity', which]);
    if (affinity === undefined) continue;
    const required = records(affinity['requiredDuringSchedulingIgnoredDuringExecution']);
    const preferred = records(affinity['preferredDuringSchedulingIgnoredDuringExecution']);
    for (const term of [...required, ...preferred.map((one) => one['podAffinityTerm']).filter(isRecord)]) {
      if (Array.isArray(term['namespaces'])) term['namespaces'] = mapNames(term['namespaces'], mapName);
      mapSelector(term['namespaceSelector'], mapName);
    }
  }
}

/** `db.shop.svc`, `pod.db.shop.svc.cluster.local`: the part before `svc` is a namespace. Other hosts stay. */
function mappedHost(host: string, mapName: MapName): string {
  const parts = host.split('.');
  const svc = parts.indexOf('svc');
  const namespace = parts[svc - 1];
  if (svc < 2 || namespace === undefined) return host;
  return [...parts.slice(0, svc - 1), mapName(namespace), ...parts.slice(svc)].join('.');
}
