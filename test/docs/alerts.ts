import { parse } from 'yaml';

import { generatedFrom, table } from './table.js';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface Group {
  readonly name: string;
  readonly rules: readonly Rule[];
}

const headings: Readonly<Record<string, string>> = {
  'dr-syncer-standby': 'Standbys',
  'dr-syncer-clusters': 'Clusters',
  'dr-syncer-security': 'Security',
};

/** docs/reference/alerts.md, from the text of the rule file. */
export function renderAlerts(text: string): string {
  const { groups } = parse(text) as { readonly groups: readonly Group[] };
  const sections = groups.map(({ name, rules }) => {
    const rows = rules.map(({ alert, labels, for: wait, annotations }) => [
      `[${alert}](../runbooks/${alert}.md)`,
      ...[labels.severity, wait ?? 'at once'],
      placeholders(annotations.description),
    ]);
    return `## ${headings[name] ?? name}\n\n${table(['alert', 'severity', 'after', ''], rows)}\n`;
  });
  return `${generatedFrom('manifests/components/monitoring/rules.yaml')}# Alerts

In \`manifests/components/monitoring\`: \`rules.yaml\` for a plain Prometheus, \`prometheus-rule.yaml\` for the Prometheus operator. Each
has unit tests in which it fires and in which it does not, and a page that says what to do: \`docs/runbooks/ALERT.md\`.

\`runbook_url\` of each leads to \`https://dr-syncer.io/docs/runbooks/ALERT.md\`. To have it lead to a copy that your people on duty can
open without the internet, set \`monitoring.runbookBase\` of the chart, or replace the beginning in the manifests:

\`\`\`sh
kubectl kustomize manifests/overlays/source-production | sed 's#https://dr-syncer.io/docs/runbooks/#https://wiki.example/dr-syncer/#'
\`\`\`

${sections.join('\n')}`;
}

/** `{{ $labels.node }}` as `NODE`, `{{ $value | humanize }}` as `N`. */
function placeholders(text: string): string {
  return text
    .replace(/\{\{ \$labels\.(\w+) \}\}/g, (_all, name: string) => name.toUpperCase())
    .replace(/\{\{ \$value[^}]*\}\}/g, 'N')
    .trim();
}
