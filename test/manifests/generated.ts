import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { renderCrds } from './crds.js';
import { renderPrometheusRule } from './monitoring.js';

export interface GeneratedFile {
  /** Below `manifests/`. */
  readonly path: string;
  readonly text: string;
}

/** All files below `manifests/` that are made from something else. */
export function generatedFiles(manifests: string): GeneratedFile[] {
  const monitoring = 'components/monitoring';
  return [
    ...renderCrds().map(({ name, text }) => ({ path: `crds/${name}`, text })),
    {
      path: `${monitoring}/prometheus-rule.yaml`,
      text: renderPrometheusRule(readFileSync(join(manifests, monitoring, 'rules.yaml'), 'utf8')),
    },
  ];
}
