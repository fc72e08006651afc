import type { Readable } from 'node:stream';
import type { WatchEvent } from './client-types.js';
import { errorOfConnection } from './connection-error.js';
import { KubeError } from './kube-error.js';
import { readLines, TooLongError } from './read-body.js';
import { describeOperation, errorOfWatchEvent, isRecord, type Operation } from './status-response.js';
import type { KubeObject } from './types.js';

/** etcd holds at most 1.5 MiB an object; JSON and base64 make it larger. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const types: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);

/**
 * The events of a watch until the server ends it. A line that can't be understood ends it with an error: what it said
 * is lost, so whoever follows has to list again.
 *
 * @throws KubeError: the Status of an ERROR event (410 Expired above all), BadResponse, ConnectionReset, Timeout
 */
export async function* watchEvents<T extends KubeObject>(
  operation: Operation,
  body: Readable,
): AsyncGenerator<WatchEvent<T>, void, void> {
  try {
    for await (const line of readLines(body, MAX_LINE_BYTES)) yield parseEvent<T>(operation, line);
  } catch (err) {
    throw err instanceof TooLongError
      ? badResponse(operation, 'an event is too large')
      : errorOfConnection(operation, err);
  } finally {
    body.destroy();
  }
}

function parseEvent<T extends KubeObject>(operation: Operation, line: string): WatchEvent<T> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    throw badResponse(operation, 'an event is not JSON');
  }
  if (!isRecord(event) || !isRecord(event['object'])) throw badResponse(operation, 'an event has no object');
  if (event['type'] === 'ERROR') throw errorOfWatchEvent(operation, event['object']);
  if (!types.has(event['type'])) throw badResponse(operation, 'an event is of an unknown type');
  if (!isRecord(event['object']['metadata'])) throw badResponse(operation, 'an event has no metadata');
  return event as unknown as WatchEvent<T>;
}

function badResponse(operation: Operation, what: string): KubeError {
  return new KubeError(`${describeOperation(operation)}: ${what}`, { status: 0, reason: 'BadResponse' });
}
