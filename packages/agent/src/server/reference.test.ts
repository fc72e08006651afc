import { readFileSync } from 'node:fs';

import { sshLimitsSchema } from '@dr-syncer/ssh';
import { describe, expect, test } from '@jest/globals';
import { type Counter, Registry } from 'prom-client';

import { authFailureTable } from './authentication.js';
import { limitHits } from './limit-hits.js';
import { SshMetrics } from './metrics.js';
import { serverRefusalTable } from './refusals.js';

/** Cells of each row of the page's tables, by the first one. */
function rowsOf(page: string): Map<string, string[]> {
  const text = readFileSync(new URL(`../../../../docs/reference/${page}`, import.meta.url), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows.map((line) => {
      const [first = '', ...rest] = line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [first.replace(/^`(.*)`$/, '$1'), rest];
    }),
  );
}

function leaves(value: object, path = ''): [string, number][] {
  return Object.entries(value).flatMap(([name, below]: [string, unknown]) =>
    typeof below === 'object' && below !== null
      ? leaves(below, `${path}${name}.`)
      : [[`${path}${name}`, Number(below)]],
  );
}

describe("Given the reference page of the agent's SSH server", () => {
  const rows = rowsOf('ssh-server.md');

  test('Then it has every refusal code and every reason of a refused login, as the tables have them', () => {
    for (const [code, meaning] of Object.entries({ ...serverRefusalTable, ...authFailureTable })) {
      expect([code, rows.get(code)]).toEqual([code, [meaning]]);
    }
  });

  test('Then it has every limit, with its default and what counts it', () => {
    const counted = new Set<string>();
    for (const [limit, value] of leaves(sshLimitsSchema.parse({}))) {
      const [byDefault, , metric = ''] = rows.get(limit) ?? [];
      expect([limit, byDefault, metric.startsWith('`')]).toEqual([limit, String(value), true]);
      for (const [, label = ''] of metric.matchAll(/`(\w+)`/g)) counted.add(label);
    }
    // Not a limit that can be set: what the protocol itself allows.
    expect(limitHits.filter((hit) => !counted.has(hit))).toEqual(['receiveWindow']);
  });

  test('Then it has every metric with its labels', () => {
    const registry = new Registry();
    new SshMetrics(registry);
    for (const metric of registry.getMetricsAsArray() as unknown as (Counter & {
      name: string;
      help: string;
      labelNames: string[];
    })[]) {
      const labels = metric.labelNames.length > 0 ? `{${metric.labelNames.join(',')}}` : '';
      expect([metric.name, rows.get(`${metric.name}${labels}`)]).toEqual([metric.name, [metric.help]]);
    }
  });
});
