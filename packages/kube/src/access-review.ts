import type { KubeClient } from './client.js';
import type { CallOptions } from './client-types.js';
import { isRecord } from './status-response.js';
import type { ObjectMeta } from './types.js';
import { wellKnown } from './well-known.js';

/** One thing that an account needs to be allowed to do. */
export interface AccessRule {
  readonly verb: string;
  /** "" is the core group. */
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Absent: in all namespaces, or cluster-scoped. */
  readonly namespace?: string;
  /** Absent: any. */
  readonly name?: string;
}

/** A connection each: enough to hide the way to a distant server. */
const PARALLEL = 2;

/**
 * Those of `wanted` that the client's account may not do, by SelfSubjectAccessReview, which every authenticated
 * account may create. @throws KubeError
 */
export async function missingPermissions<T extends AccessRule>(
  client: KubeClient,
  wanted: readonly T[],
  options: CallOptions = {},
): Promise<T[]> {
  const missing: T[] = [];
  for (let from = 0; from < wanted.length; from += PARALLEL) {
    const batch = wanted.slice(from, from + PARALLEL);
    const allowed = await Promise.all(batch.map((rule) => isAllowed(client, rule, options)));
    missing.push(...batch.filter((_rule, index) => allowed[index] !== true));
  }
  return missing;
}

async function isAllowed(
  client: KubeClient,
  { verb, group, resource, subresource, namespace, name }: AccessRule,
  options: CallOptions,
): Promise<boolean> {
  const resourceAttributes = { verb, group, resource, subresource, namespace, name };
  const review = await client.create(
    wellKnown.selfSubjectAccessReviews,
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      // Reviews are answered and not stored, so they have no name.
      metadata: {} as ObjectMeta,
      spec: { resourceAttributes },
    },
    options,
  );
  return isRecord(review['status']) && review['status']['allowed'] === true;
}

/** For messages: `create secrets in shop`, `list nodes`. */
export function describeRule({ verb, group, resource, subresource, namespace, name }: AccessRule): string {
  const type = group === '' ? resource : `${resource}.${group}`;
  const full = subresource === undefined ? type : `${type}/${subresource}`;
  const which = name === undefined ? full : `${full} ${name}`;
  return namespace === undefined ? `${verb} ${which}` : `${verb} ${which} in ${namespace}`;
}
