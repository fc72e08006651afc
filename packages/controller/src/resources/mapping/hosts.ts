import { DrError, type ReplicationSpec } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { isRecord, type Json, recordAt, records, specOf } from '../json.js';
import { expand, LinearRegExp } from '../regexp/linear-regexp.js';
import { PatternError } from '../regexp/syntax.js';
import { fullKind } from '../standby/kinds.js';
import { lookUp } from './look-up.js';

type IngressConfig = ReplicationSpec['ingressConfig'];
type MapHost = (host: string) => string;

const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
/** Names that external-dns would move to the standby. */
const DNS_ANNOTATION = 'external-dns.alpha.kubernetes.io/hostname';
const HOST = /^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/**
 * Compiles the mapping of host names and ingress classes. The result changes an object in place: Ingresses, Routes of
 * OpenShift, Gateways and routes of the Gateway API, and the annotation of external-dns on anything.
 *
 * @throws DrError TransformInvalid that names the entry
 */
export function compileHosts(config: IngressConfig): (object: KubeObject) => void {
  const rules = (config.hostMappings ?? []).map((entry, index) =>
    compileRule(entry, `spec.ingressConfig.hostMappings[${index}]`),
  );
  const mapHost: MapHost = (host) => {
    for (const rule of rules) {
      const mapped = rule(host);
      if (mapped !== undefined) return mapped;
    }
    return host;
  };
  return (object) => {
    if (rules.length > 0) {
      hostsByKind[fullKind(object)]?.(specOf(object), mapHost);
      mapDnsAnnotation(object, mapHost);
    }
    if (config.classMapping !== undefined && fullKind(object) === 'Ingress.networking.k8s.io') {
      mapClass(object, config.classMapping);
    }
  };
}

type HostRule = (host: string) => string | undefined;

function compileRule(
  { suffix, pattern, replacement }: NonNullable<IngressConfig['hostMappings']>[number],
  where: string,
): HostRule {
  if ((suffix === undefined) === (pattern === undefined)) {
    throw new DrError('TransformInvalid', `${where}: give either suffix or pattern`);
  }
  const rule =
    suffix === undefined ? patternRule(pattern ?? '', replacement, where) : suffixRule(suffix, replacement);
  return (host) => {
    const mapped = rule(host);
    if (mapped === undefined || (mapped.length <= 253 && HOST.test(mapped))) return mapped;
    throw new DrError('TransformFailed', `${where} makes "${mapped}" of "${host}", which is no host name`);
  };
}

/** Whole labels only: `example.com` is the end of `shop.example.com`, not of `myexample.com`. */
function suffixRule(suffix: string, replacement: string): HostRule {
  const old = suffix.replace(/^\./, '');
  const fresh = replacement.replace(/^\./, '');
  return (host) => {
    if (host === old) return fresh;
    return host.endsWith(`.${old}`) ? `${host.slice(0, -old.length)}${fresh}` : undefined;
  };
}

function patternRule(pattern: string, replacement: string, where: string): HostRule {
  let regexp: LinearRegExp;
  try {
    regexp = new LinearRegExp(pattern);
  } catch (err) {
    if (!(err instanceof PatternError)) throw err;
    throw new DrError('TransformInvalid', `${where}.pattern: ${err.message}`);
  }
  return (host) => {
    const match = regexp.matchAll(host);
    return match === undefined ? undefined : expand(replacement, match);
  };
}

const routeHosts = (spec: Json, mapHost: MapHost) => mapList(spec, 'hostnames', mapHost);

const hostsByKind: Readonly<Record<string, (spec: Json, mapHost: MapHost) => void>> = {
  'Ingress.networking.k8s.io': (spec, mapHost) => {
    for (const rule of records(spec['rules'])) mapField(rule, 'host', mapHost);
    for (const tls of records(spec['tls'])) mapList(tls, 'hosts', mapHost);
  },
  'Route.route.openshift.io': (spec, mapHost) => mapField(spec, 'host', mapHost),
  'HTTPRoute.gateway.networking.k8s.io': routeHosts,
  'GRPCRoute.gateway.networking.k8s.io': routeHosts,
  'TLSRoute.gateway.networking.k8s.io': routeHosts,
  'Gateway.gateway.networking.k8s.io': (spec, mapHost) => {
    for (const listener of records(spec['listeners'])) mapField(listener, 'hostname', mapHost);
  },
};

function mapField(holder: Json, field: string, mapHost: MapHost): void {
  const value = holder[field];
  if (typeof value === 'string' && value !== '') holder[field] = mapHost(value);
}

function mapList(holder: Json, field: string, mapHost: MapHost): void {
  const values = holder[field];
  if (!Array.isArray(values)) return;
  holder[field] = values.map((value: unknown) => (typeof value === 'string' ? mapHost(value) : value));
}

function mapDnsAnnotation(object: KubeObject, mapHost: MapHost): void {
  const { annotations } = object.metadata;
  const names = annotations?.[DNS_ANNOTATION];
  if (annotations === undefined || names === undefined) return;
  annotations[DNS_ANNOTATION] = names
    .split(',')
    .map((name) => mapHost(name.trim()))
    .join(',');
}

function mapClass(object: KubeObject, mapping: Readonly<Record<string, string>>): void {
  const annotations = recordAt(object, ['metadata', 'annotations']);
  for (const [holder, field] of [
    [specOf(object), 'ingressClassName'],
    [annotations, CLASS_ANNOTATION],
  ] as const) {
    const value = isRecord(holder) ? holder[field] : undefined;
    if (isRecord(holder) && typeof value === 'string') holder[field] = lookUp(mapping, value) ?? value;
  }
}
