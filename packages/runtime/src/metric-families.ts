import type { Registry } from 'prom-client';

/** One metric with its samples, as plain data: what goes from a process to the one that Prometheus asks. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly samples: MetricSample[];
}

interface MetricSample {
  /** The family's name, or with a suffix (`_bucket`, `_sum`, `_count`). */
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly value: number;
}

/** A registry's metrics whose names start with the prefix. Samples that are not finite are left out: JSON has none. */
export async function metricFamilies(registry: Registry, prefix: string): Promise<MetricFamily[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics
    .filter(({ name }) => name.startsWith(prefix))
    .map(({ name, help, type, values }) => ({
      name,
      help,
      type: type as unknown as MetricFamily['type'],
      samples: values
        .filter(({ value }) => Number.isFinite(value))
        .map((sample) => ({
          name: 'metricName' in sample ? String(sample.metricName) : name,
          labels: Object.fromEntries(
            Object.entries(sample.labels).map(([label, value]) => [label, String(value)]),
          ),
          value: sample.value,
        })),
    }));
}

/**
 * The Prometheus text format (version 0.0.4). Families of one name, from several processes, become one, as the format
 * asks; the first one's help is kept.
 */
export function renderFamilies(families: readonly MetricFamily[]): string {
  const byName = new Map<string, MetricFamily[]>();
  for (const family of families) byName.set(family.name, [...(byName.get(family.name) ?? []), family]);
  return [...byName.values()]
    .map((same) => {
      const { name, help, type } = same[0] as MetricFamily;
      const samples = same.flatMap((family) => family.samples.map(renderSample));
      return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${samples.join('')}`;
    })
    .join('\n');
}

function renderSample({ name, labels, value }: MetricSample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeValue(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
