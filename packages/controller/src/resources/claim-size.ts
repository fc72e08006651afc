import type { KubeObject } from '@dr-syncer/kube';

import { recordAt } from './json.js';

/** A claim that asks for as much room as the one that is there does. Pure. */
export function withSizeOf(desired: KubeObject, present: KubeObject): KubeObject {
  const size = recordAt(present, ['spec', 'resources', 'requests'])?.['storage'];
  const copy = structuredClone(desired);
  const requests = recordAt(copy, ['spec', 'resources', 'requests']);
  if (requests !== undefined && size !== undefined) requests['storage'] = size;
  return copy;
}
