import type { ListPage } from './client-types.js';
import { isExpired, KubeError } from './kube-error.js';
import { describeOperation, isRecord, type Operation } from './status-response.js';
import { groupVersionOf, type KubeObject, type Resource } from './types.js';

/** Passes over a list before giving up: each one has fewer pages, so that it ends before etcd compacts (5 min). */
const MAX_PASSES = 3;

export type FetchPage = (query: { limit: number; continue: string | undefined }) => Promise<unknown>;

/**
 * All pages of a list that shows one moment.
 *
 * When the continue token has expired (410), the pass begins anew with pages ten times as large. The server also
 * offers a token to go on with at another moment; that list could lack an object that existed all the time, which a
 * mirror would take for deleted, so it is not used. A page over the size limit is asked for again at a tenth.
 */
export async function* listPages<T extends KubeObject>(
  operation: Operation,
  resource: Resource,
  firstLimit: number,
  fetch: FetchPage,
): AsyncGenerator<ListPage<T>, void, void> {
  let limit = firstLimit;
  let token: string | undefined;
  let restarted = false;
  for (let pass = 1; ;) {
    let body: unknown;
    try {
      body = await fetch({ limit, continue: token });
    } catch (err) {
      if (isTooLarge(err) && limit > 1) {
        limit = Math.max(1, Math.floor(limit / 10));
      } else if (isExpired(err) && token !== undefined && pass < MAX_PASSES) {
        pass += 1;
        limit *= 10;
        token = undefined;
        restarted = true;
      } else {
        throw err;
      }
      continue;
    }
    const page = parsePage<T>(operation, resource, body);
    yield { items: page.items, resourceVersion: page.resourceVersion, remaining: page.remaining, restarted };
    restarted = false;
    token = page.token;
    if (token === undefined) return;
  }
}

function isTooLarge(err: unknown): boolean {
  return err instanceof KubeError && err.reason === 'ResponseTooLarge';
}

interface ParsedPage<T> {
  readonly items: T[];
  readonly resourceVersion: string;
  readonly remaining: number | undefined;
  readonly token: string | undefined;
}

function parsePage<T extends KubeObject>(
  operation: Operation,
  resource: Resource,
  body: unknown,
): ParsedPage<T> {
  const metadata = isRecord(body) ? body['metadata'] : undefined;
  const items = isRecord(body) ? (body['items'] ?? []) : undefined;
  if (!isRecord(metadata) || !Array.isArray(items)) {
    throw new KubeError(`${describeOperation(operation)}: the response is not a list`, {
      status: 0,
      reason: 'BadResponse',
    });
  }
  const { resourceVersion, continue: token, remainingItemCount } = metadata;
  return {
    items: items.map((item) => complete(resource, item) as T),
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    remaining: typeof remainingItemCount === 'number' ? remainingItemCount : undefined,
    token: typeof token === 'string' && token !== '' ? token : undefined,
  };
}

/** Servers leave `apiVersion` and `kind` out of the items of a list of built-in types. */
function complete(resource: Resource, item: unknown): KubeObject {
  return {
    apiVersion: groupVersionOf(resource),
    kind: resource.kind,
    ...(item as Pick<KubeObject, 'metadata'>),
  };
}
