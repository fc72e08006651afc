import type { KubeClient } from './client.js';
import type { CallOptions } from './client-types.js';
import { mergePatch } from './merge-patch.js';
import { type KubeObject, refOf, type Resource } from './types.js';

/**
 * Makes `object.status` what `status` says by a merge patch on the status subresource, and returns the object as the
 * server has it then. Fields that `status` lacks are removed. When nothing differs there is no call.
 *
 * The patch carries the resourceVersion it was computed from: if someone changed the object meanwhile, this fails with
 * a conflict (`isConflict`) instead of writing a status about a spec that is gone; the reconciler comes again.
 *
 * @throws KubeError
 */
export async function writeStatus<T extends KubeObject>(
  client: KubeClient,
  resource: Resource,
  object: T,
  status: object,
  options: CallOptions = {},
): Promise<T> {
  // Through JSON once, so that what is compared is what would be stored (Dates, undefined in lists).
  const wanted = JSON.parse(JSON.stringify(status)) as Record<string, unknown>;
  const patch = mergePatch(object['status'], wanted);
  if (patch === undefined) return object;
  const { resourceVersion } = object.metadata;
  const body = { metadata: { resourceVersion }, status: patch };
  return client.patch<T>(refOf(resource, object), body, 'merge', { ...options, subresource: 'status' });
}
