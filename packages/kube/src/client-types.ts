import type { Query } from './paths.js';

/** One finished call, for metrics. */
export interface RequestSample {
  readonly verb: string;
  /** `plural`, `plural.group` or `raw`: bounded by the types that the server has. */
  readonly resource: string;
  /** HTTP status of the last attempt; 0: no response. */
  readonly status: number;
  readonly seconds: number;
}

export interface KubeClientOptions {
  /** Connections for calls. Default 32. */
  readonly maxConnections?: number;
  /** Watches at one time, each on a connection of its own. Default 256. */
  readonly maxWatches?: number;
  /** Bounds one call together with its retries. Default 15 s; lists have `listTimeoutMs` a page, default 60 s. */
  readonly timeoutMs?: number;
  readonly listTimeoutMs?: number;
  /** Default 64 MiB. A list page that is larger is asked for again in smaller pages. */
  readonly maxResponseBytes?: number;
  readonly userAgent?: string;
  readonly onRequest?: (sample: RequestSample) => void;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** `false`: one attempt, for callers that queue and repeat by themselves. Default true. */
  readonly retry?: boolean | undefined;
}

export interface GetOptions extends CallOptions {
  readonly subresource?: string;
}

export interface WriteOptions extends GetOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Take over fields that other managers own instead of failing with a conflict. */
  readonly force?: boolean;
}

export interface Selection {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ListOptions extends Selection, CallOptions {
  /** Objects in one page. Default 500, as kubectl. */
  readonly limit?: number | undefined;
}

export interface ListPage<T> {
  readonly items: T[];
  /** The same for all pages of one pass: the moment that the list shows. */
  readonly resourceVersion: string;
  /** Objects in later pages as far as the server says. */
  readonly remaining: number | undefined;
  /** The pass began anew, because the server gave up the old one: earlier pages are void. */
  readonly restarted: boolean;
}

export interface ObjectList<T> {
  readonly items: T[];
  readonly resourceVersion: string;
}

export interface DeleteOptions extends CallOptions {
  readonly preconditions?: {
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
  };
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly gracePeriodSeconds?: number;
  readonly dryRun?: boolean;
}

export type PatchType = 'merge' | 'json' | 'strategic';

export interface WatchOptions extends Selection {
  readonly resourceVersion?: string | undefined;
  /** After which the server ends the watch. Default 290. */
  readonly timeoutSeconds?: number;
  /** After which a silent peer is given up. Default 150 s: servers send a bookmark about every minute. */
  readonly idleTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

export interface RawOptions extends CallOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
}
