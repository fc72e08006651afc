import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';

import { agentMetrics, controllerMetrics } from '../docs/metrics.js';
import { type Dashboard, metricsIn, queriesOf } from './dashboard.js';

const run = promisify(execFile);
const monitoring = join(import.meta.dirname, '../../manifests/components/monitoring');
const known = new Set([...controllerMetrics(), ...agentMetrics()].map(({ name }) => name));

describe('Given the dashboard', () => {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = JSON.parse(await readFile(join(monitoring, 'dashboard.json'), 'utf8')) as Dashboard;
  });

  test('Then each of its metrics is one that the product has', () => {
    const used = queriesOf(dashboard, '5m').flatMap(({ expr }) => metricsIn(expr));

    expect(used.length).toBeGreaterThan(30);
    expect(used.filter((name) => !known.has(name))).toEqual([]);
  });

  test('Then promtool can read each of its queries', async () => {
    const rules = queriesOf(dashboard, '5m').map(({ expr }, index) => ({ record: `q:${index}`, expr }));
    const dir = await mkdtemp(join(tmpdir(), 'dr-syncer-dashboard-'));
    try {
      const file = join(dir, 'queries.yaml');
      await writeFile(file, stringify({ groups: [{ name: 'queries', rules }] }));
      const { stdout } = await run('promtool', ['check', 'rules', file]);
      expect(stdout).toContain(`SUCCESS: ${rules.length} rules`);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test('Then each panel has an id and a place of its own', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: h * w }, (_none, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
  });
});

test('Given the alerts Then each of their metrics is one that the product has', async () => {
  const { groups } = parse(await readFile(join(monitoring, 'rules.yaml'), 'utf8')) as {
    groups: { rules: { expr: string }[] }[];
  };
  const used = groups.flatMap(({ rules }) => rules.flatMap(({ expr }) => metricsIn(expr)));

  expect(used.filter((name) => !known.has(name))).toEqual([]);
});
