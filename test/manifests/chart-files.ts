import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Document, parseAllDocuments } from 'yaml';

import type { GeneratedFile } from './generated.js';

/** What the chart takes from the manifests as it is, by its place in `charts/dr-syncer/files`. */
const copies: Readonly<Record<string, string>> = {
  'crds/remoteclusters.yaml': 'crds/remoteclusters.yaml',
  'crds/replications.yaml': 'crds/replications.yaml',
  'monitoring/dashboard.json': 'components/monitoring/dashboard.json',
  'monitoring/pod-monitor.yaml': 'components/monitoring/pod-monitor.yaml',
  'monitoring/prometheus-rule.yaml': 'components/monitoring/prometheus-rule.yaml',
  'openshift/agent-scc.yaml': 'components/openshift-source/agent-scc.yaml',
  'rbac/source.yaml': 'source/rbac.yaml',
  'rbac/remote.yaml': 'remote/rbac.yaml',
};

/** Roles of a base, and the component that replaces some of them and adds others. */
const limited: Readonly<Record<string, readonly string[]>> = {
  'rbac/source-named-namespaces.yaml': [
    'source/rbac.yaml',
    'components/named-namespaces-source/cluster-role.yaml',
    'components/named-namespaces-source/role.yaml',
    'components/named-namespaces-source/namespace-role.yaml',
  ],
  'rbac/remote-named-namespaces.yaml': [
    'remote/rbac.yaml',
    'components/named-namespaces-remote/cluster-role.yaml',
    'components/named-namespaces-remote/role.yaml',
    'components/named-namespaces-remote/namespace-role.yaml',
  ],
};

/** Files of the chart that are made from the manifests, by their path below `charts/dr-syncer`. */
export function chartFiles(manifests: string): GeneratedFile[] {
  const read = (file: string) => readFileSync(join(manifests, file), 'utf8');
  const header = '# Generated from manifests/ by "make generate". Do not edit.\n';
  return [
    ...Object.entries(copies).map(([path, file]) => ({
      path: `files/${path}`,
      // JSON has no comments.
      text: (file.endsWith('.json') ? '' : header) + read(file),
    })),
    ...Object.entries(limited).map(([path, [base = '', ...more]]) => ({
      path: `files/${path}`,
      text: header + mergeDocuments(read(base), more.map(read)),
    })),
  ];
}

/** Documents of `base`, of which those that `more` has by the same kind and name are replaced; the rest is added. */
function mergeDocuments(base: string, more: readonly string[]): string {
  const merged = new Map<string, Document>();
  for (const text of [base, ...more]) {
    for (const document of parseAllDocuments(text) as Document[]) merged.set(keyOf(document), document);
  }
  return [...merged.values()]
    .map((document) => withoutMarker(document.toString({ lineWidth: 0 })))
    .join('---\n');
}

function keyOf(document: Document): string {
  return `${String(document.get('kind'))} ${String(document.getIn(['metadata', 'name']))}`;
}

function withoutMarker(text: string): string {
  return text.replace(/^---\n/, '');
}
