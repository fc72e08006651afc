import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const rulesFile = join(root, 'manifests/components/monitoring/rules.yaml');

interface Rule {
  readonly alert: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const { groups } = parse(readFileSync(rulesFile, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

/** Where the links lead; the chart and a line in docs/reference/alerts.md put another place there. */
const RUNBOOKS = 'https://dr-syncer.io/docs/runbooks';

describe('Given the alerts', () => {
  test('promtool finds them valid', async () => {
    await run('promtool', ['check', 'rules', rulesFile]);
  });

  test('each fires when it should, and not before or after', async () => {
    await run('promtool', ['test', 'rules', join(import.meta.dirname, 'rules.test.yaml')]);
  });

  test.each(rules)(
    '$alert is tested, and has a summary, a description and a runbook',
    ({ alert, annotations }) => {
      const tests = readFileSync(join(import.meta.dirname, 'rules.test.yaml'), 'utf8');
      expect(tests).toContain(`alertname: ${alert}\n        exp_alerts:`);
      expect(annotations['summary']).toBeTruthy();
      expect(annotations['description']).toBeTruthy();
      expect(annotations['runbook_url']).toBe(`${RUNBOOKS}/${alert}.md`);
      expect(existsSync(join(root, 'docs/runbooks', `${alert}.md`))).toBe(true);
    },
  );
});
