import { DrError, type ErrorCode, toDrError } from '@dr-syncer/api';
import { isErrorLike } from './error-like.js';

/** The parts of `meta/v1 Status.details` that callers decide by. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** Reasons of our own, for calls that got no usable response; `status` is 0 then. */
export type LocalReason =
  | 'ConnectionFailed'
  | 'ConnectionReset'
  | 'TlsFailed'
  | 'Timeout'
  /** A stream gave no byte for its idle time. */
  | 'Silent'
  /** The client was closed. */
  | 'Closed'
  | 'BadResponse'
  | 'ResponseTooLarge'
  | 'TooManyWatches';

export interface KubeErrorFields {
  /** HTTP status; 0: there was no response. */
  readonly status: number;
  /** `Status.reason` of the server (NotFound, Conflict, Expired, ...) or a `LocalReason`. */
  readonly reason: string;
  readonly retryAfterSeconds?: number | undefined;
  readonly details?: StatusDetails | undefined;
}

/** A call to an API server that failed. The message never holds request bodies, credentials or Secret values. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;
  readonly details: StatusDetails | undefined;

  constructor(message: string, fields: KubeErrorFields, options?: { cause?: unknown }) {
    super(message, options);
    this.status = fields.status;
    this.reason = fields.reason;
    this.retryAfterSeconds = fields.retryAfterSeconds;
    this.details = fields.details;
  }
}

function hasStatus(err: unknown, status: number): err is KubeError {
  return err instanceof KubeError && err.status === status;
}

export function isNotFound(err: unknown): boolean {
  return hasStatus(err, 404);
}

export function isAlreadyExists(err: unknown): boolean {
  return hasStatus(err, 409) && err.reason === 'AlreadyExists';
}

/** Refused by validation, or a JSON patch whose test does not hold. */
export function isInvalid(err: unknown): boolean {
  return hasStatus(err, 422);
}

/** A lost compare-and-swap, or fields that another manager owns (`isFieldConflict`). */
export function isConflict(err: unknown): boolean {
  return hasStatus(err, 409) && err.reason !== 'AlreadyExists';
}

/** Server-side apply without force met fields of other managers; they are in `details.causes`. */
export function isFieldConflict(err: unknown): boolean {
  return (
    hasStatus(err, 409) &&
    err.details?.causes?.some((cause) => cause.reason === 'FieldManagerConflict') === true
  );
}

/** The resourceVersion or continue token is too old (410 Gone, reason Expired or Gone). */
export function isExpired(err: unknown): boolean {
  return hasStatus(err, 410);
}

export function isForbidden(err: unknown): boolean {
  return hasStatus(err, 403);
}

/**
 * How the authorizer of kube-apiserver words a refusal (`responsewriters.ForbiddenMessage`). Quotas and admission
 * plugins answer 403 too, and what they refuse is the object, not the account.
 */
const AUTHORIZER_MESSAGE = /: User "[^"]*" cannot /;

const codesByStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'ObjectRejected',
  401: 'RemoteUnauthorized',
  404: 'ObjectNotFound',
  405: 'ObjectRejected',
  410: 'ObjectChanged',
  413: 'ObjectRejected',
  415: 'ObjectRejected',
  422: 'ObjectRejected',
  429: 'ApiServerUnavailable',
};

const codesByReason: Readonly<Record<LocalReason, ErrorCode>> = {
  ConnectionFailed: 'RemoteUnreachable',
  ConnectionReset: 'RemoteUnreachable',
  TlsFailed: 'RemoteUnreachable',
  Timeout: 'Timeout',
  Silent: 'Timeout',
  Closed: 'Cancelled',
  BadResponse: 'ApiServerUnavailable',
  ResponseTooLarge: 'ObjectRejected',
  TooManyWatches: 'Internal',
};

function isLocalReason(reason: string): reason is LocalReason {
  return Object.hasOwn(codesByReason, reason);
}

function codeOf(err: KubeError): ErrorCode {
  if (err.status === 0) return isLocalReason(err.reason) ? codesByReason[err.reason] : 'Internal';
  if (err.status === 403)
    return AUTHORIZER_MESSAGE.test(err.message) ? 'PermissionMissing' : 'ObjectRejected';
  if (err.status === 409) return isFieldConflict(err) ? 'ObjectConflict' : 'ObjectChanged';
  if (err.reason === 'Invalid') return 'ObjectRejected';
  if (err.status >= 500) return 'ApiServerUnavailable';
  return codesByStatus[err.status] ?? 'Internal';
}

/** Any thrown value as an error of the table. Says which verb and resource, as the message of a `KubeError` does. */
export function kubeToDrError(err: unknown): DrError {
  if (err instanceof KubeError) return new DrError(codeOf(err), err.message, { cause: err });
  if (isErrorLike(err) && err.name === 'AbortError') {
    return new DrError('Cancelled', err.message, { cause: err });
  }
  return toDrError(err);
}
