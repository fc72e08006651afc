import { KubeError, type StatusCause, type StatusDetails } from './kube-error.js';

const MAX_MESSAGE = 1024;
const END_OF_MESSAGE = 256;
const MAX_CAUSES = 16;

/** What was asked, in words for messages and metrics. */
export interface Operation {
  /** get, list, watch, create, update, patch, apply, delete. */
  readonly verb: string;
  /** `plural`, `plural.group`, or `raw`. */
  readonly resource: string;
  /** `namespace/name`, a namespace, or "". */
  readonly target: string;
}

export function describeOperation({ verb, resource, target }: Operation): string {
  return target === '' ? `${verb} ${resource}` : `${verb} ${resource} ${target}`;
}

/**
 * The error for a response of 300 and more.
 *
 * Only a `Status` object is quoted. Anything else comes from a proxy or from something that is no API server at all,
 * and its words have no place in the status of a tenant's object (a kubeconfig names any https address it likes).
 */
export function errorOfResponse(
  operation: Operation,
  httpStatus: number,
  retryAfterHeader: string | undefined,
  body: unknown,
): KubeError {
  const status = isRecord(body) && body['kind'] === 'Status' ? body : undefined;
  const details = parseDetails(status?.['details']);
  const reason = isTypeMismatch(status) ? 'Invalid' : (text(status?.['reason']) ?? reasonOf(httpStatus));
  const message =
    status === undefined ? `HTTP ${httpStatus}` : statusMessage(operation, reason, details, status);
  return new KubeError(`${describeOperation(operation)}: ${message}`, {
    status: httpStatus,
    reason,
    details,
    retryAfterSeconds: retryAfter(retryAfterHeader) ?? details?.retryAfterSeconds,
  });
}

/**
 * Server-side apply answers 500 InternalError to an object whose fields are of the wrong types (structured-merge-diff's
 * error is not mapped in kube-apiserver, seen with 1.36); asking again can't help, so it is told apart here.
 */
function isTypeMismatch(status: Record<string, unknown> | undefined): boolean {
  return /^failed to (create typed (patch|live|new) object|convert new object)/.test(
    text(status?.['message']) ?? '',
  );
}

/** The error of an ERROR event in a watch, whose object is a `Status` with the code inside. */
export function errorOfWatchEvent(operation: Operation, object: unknown): KubeError {
  const code = isRecord(object) && typeof object['code'] === 'number' ? object['code'] : 500;
  return errorOfResponse(operation, code, undefined, object);
}

function statusMessage(
  operation: Operation,
  reason: string,
  details: StatusDetails | undefined,
  status: Record<string, unknown>,
): string {
  // structured-merge-diff quotes the value that it did not expect, Secrets' content included (seen with 1.36).
  const message = (text(status['message']) ?? reason).replace(/, got &value\..*$/s, '');
  // Validation messages quote what they refuse as well; for Secrets only the names of the fields are passed on.
  // A refusal by the authorizer is made before anything is read.
  const aboutSecret =
    operation.resource === 'secrets' ||
    details?.kind === 'secrets' ||
    /Kind=Secret\b|^Secret "/.test(message);
  if (aboutSecret && reason !== 'Forbidden' && reason !== 'NotFound') {
    const [, path] = /\): (\.[\w.-]{1,300}): /.exec(message) ?? [];
    const [webhook] = webhookWords.exec(message) ?? [];
    const causes = (details?.causes ?? []).map((cause) => `${cause.field ?? '?'} (${cause.reason ?? '?'})`);
    return [reason, ...[path, webhook].filter((one) => one !== undefined), ...causes]
      .join(' ')
      .slice(0, MAX_MESSAGE);
  }
  return shortened(message);
}

/** The server's part of what it says of a webhook, with the name from its configuration; what follows is the webhook's. */
const webhookWords = /(?:admission|failed calling) webhook "[\w.-]{1,253}"(?: denied the request)?/;

function parseDetails(value: unknown): StatusDetails | undefined {
  if (!isRecord(value)) return undefined;
  const causes = Array.isArray(value['causes'])
    ? value['causes'].slice(0, MAX_CAUSES).flatMap(parseCause)
    : undefined;
  const seconds = value['retryAfterSeconds'];
  return {
    ...optional('name', text(value['name'])),
    ...optional('group', text(value['group'])),
    ...optional('kind', text(value['kind'])),
    ...optional('causes', causes),
    ...optional('retryAfterSeconds', typeof seconds === 'number' && seconds > 0 ? seconds : undefined),
  };
}

/** Without its middle: a validation message quotes a value, however large, and then says what is wrong with it. */
function shortened(message: string): string {
  if (message.length <= MAX_MESSAGE) return message;
  return `${message.slice(0, MAX_MESSAGE - END_OF_MESSAGE - 5)} ... ${message.slice(-END_OF_MESSAGE)}`;
}

function shortenedText(value: unknown): string | undefined {
  const message = text(value);
  return message === undefined ? undefined : shortened(message);
}

function parseCause(value: unknown): StatusCause[] {
  if (!isRecord(value)) return [];
  return [
    {
      ...optional('reason', text(value['reason'])),
      ...optional('message', shortenedText(value['message'])),
      ...optional('field', text(value['field'])),
    },
  ];
}

/** Seconds of `Retry-After` (RFC 9110 section 10.2.3). API servers send seconds; dates are not understood. */
function retryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}

function reasonOf(status: number): string {
  const known: Readonly<Record<number, string>> = {
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    409: 'Conflict',
    410: 'Gone',
    429: 'TooManyRequests',
    503: 'ServiceUnavailable',
    504: 'Timeout',
  };
  return known[status] ?? (status >= 500 ? 'InternalError' : 'BadResponse');
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
