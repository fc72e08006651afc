import { parse, stringify } from 'yaml';

/** The alerts for the Prometheus operator, from the plain rule file. */
export function renderPrometheusRule(rules: string): string {
  const { groups } = parse(rules) as { groups: unknown };
  const resource = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: {
      name: 'dr-syncer',
      namespace: 'dr-syncer-system',
      labels: { 'app.kubernetes.io/part-of': 'dr-syncer' },
    },
    spec: { groups },
  };
  return `# Generated from rules.yaml by "make generate". Do not edit.\n${stringify(resource, { lineWidth: 110, singleQuote: true })}`;
}
