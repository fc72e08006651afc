import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { renderAlerts } from '../docs/alerts.js';
import { renderApi } from '../docs/api.js';
import { renderErrors } from '../docs/errors.js';
import { renderMetrics } from '../docs/metrics.js';
import { chartFiles } from './chart-files.js';
import { renderCrds } from './crds.js';
import { renderPrometheusRule } from './monitoring.js';

export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/** Rounds of files that are made from something else, by their paths in the repository; each may be made from the last. */
export const rounds: readonly ((root: string) => GeneratedFile[])[] = [
  (root) => {
    const rules = 'manifests/components/monitoring/rules.yaml';
    return [
      ...renderCrds().map(({ name, text }) => ({ path: `manifests/crds/${name}`, text })),
      {
        path: 'manifests/components/monitoring/prometheus-rule.yaml',
        text: renderPrometheusRule(readFileSync(join(root, rules), 'utf8')),
      },
      { path: 'docs/reference/alerts.md', text: renderAlerts(readFileSync(join(root, rules), 'utf8')) },
      { path: 'docs/reference/metrics.md', text: renderMetrics() },
      { path: 'docs/reference/api.md', text: renderApi() },
      { path: 'docs/reference/errors.md', text: renderErrors() },
    ];
  },
  (root) =>
    chartFiles(join(root, 'manifests')).map(({ path, text }) => ({ path: `charts/dr-syncer/${path}`, text })),
];
