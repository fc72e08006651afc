import { label } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import { CommandFailure } from '../failure.js';

/** Field manager of what a drill writes. */
export const DRILL_MANAGER = 'dr-syncer-drill';

const MAX_NAME = 63;

/**
 * @param suffix 4 to 16 of a-z and 0-9
 * @throws CommandFailure when the name of the standby leaves no room
 */
export function drillName(standby: string, suffix: string): string {
  const name = `${standby}-drill-${suffix}`;
  if (name.length <= MAX_NAME) return name;
  throw new CommandFailure(
    `the name ${standby} is too long for a drill: ${name} has more than ${MAX_NAME} letters`,
  );
}

/** Marks of the standby's namespace that decide what may run there, and as whom; nothing else of it. Pure. */
export function drillNamespace(standby: KubeObject, name: string): KubeObject {
  const { labels = {}, annotations = {}, name: of } = standby.metadata;
  return {
    ...{ apiVersion: 'v1', kind: 'Namespace' },
    metadata: {
      name,
      labels: { ...matching(labels, /^pod-security\.kubernetes\.io\//), [label.drillOf]: of },
      annotations: matching(annotations, /^openshift\.io\/sa\.scc\.|\/privileged-movers$/),
    },
  };
}

function matching(values: Readonly<Record<string, string>>, keep: RegExp): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => keep.test(key)));
}
