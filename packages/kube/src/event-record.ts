import { microTime } from './lease-record.js';
import type { KubeObject } from './types.js';

/** What an Event is about. */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
}

export interface EventInput {
  readonly regarding: KubeObject | Regarding;
  readonly type: 'Normal' | 'Warning';
  /** Why, in CamelCase: for programs. */
  readonly reason: string;
  /** What was being done, in CamelCase. */
  readonly action: string;
  /** For people; cut to 1 KiB. */
  readonly message: string;
}

export interface Reporter {
  /** For example `dr-syncer.io/controller`. */
  readonly controller: string;
  /** The process, for example the pod's name. */
  readonly instance: string;
}

/** Limits of the server's validation of events.k8s.io/v1 (`ValidateEventCreate`), in bytes. */
const MAX_NOTE = 1024;
const MAX_WORD = 128;
const MAX_NAME = 200;

export function regardingOf(object: KubeObject | Regarding): Regarding {
  if (!('metadata' in object)) return object;
  const { apiVersion, kind, metadata } = object;
  return { apiVersion, kind, name: metadata.name, namespace: metadata.namespace, uid: metadata.uid };
}

/** Events with the same key are one series. */
export function seriesKey({ regarding, type, reason, action, message }: EventInput): string {
  const { apiVersion, kind, name, namespace, uid } = regardingOf(regarding);
  return JSON.stringify([
    apiVersion,
    kind,
    namespace,
    name,
    uid,
    type,
    reason,
    action,
    cutUtf8(message, MAX_NOTE),
  ]);
}

/** Where the server wants the Event: beside the object, or in `default` for cluster-scoped objects. */
export function eventNamespace(regarding: Regarding): string {
  return regarding.namespace ?? 'default';
}

/** @param suffix makes the name unique among the events of the object */
export function eventObject(
  input: EventInput,
  reporter: Reporter,
  suffix: string,
  firstSeen: Date,
): KubeObject {
  const regarding = regardingOf(input.regarding);
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: `${regarding.name.slice(0, MAX_NAME)}.${suffix}`,
      namespace: eventNamespace(regarding),
    },
    eventTime: microTime(firstSeen),
    reportingController: reporter.controller,
    reportingInstance: cutUtf8(reporter.instance, MAX_WORD),
    action: cutUtf8(input.action, MAX_WORD),
    reason: cutUtf8(input.reason, MAX_WORD),
    regarding,
    note: cutUtf8(input.message, MAX_NOTE),
    type: input.type,
  };
}

/** Merge patch that makes an Event a series; everything else of an Event is immutable. */
export function seriesPatch(count: number, lastSeen: Date): object {
  return { series: { count, lastObservedTime: microTime(lastSeen) } };
}

/** At most `max` bytes of UTF-8, ending in "..." when cut, never within a character. */
export function cutUtf8(text: string, max: number): string {
  if (Buffer.byteLength(text) <= max) return text;
  const bytes = Buffer.from(text).subarray(0, max - 3);
  // A character that was cut decodes to U+FFFD at the end.
  return `${bytes.toString('utf8').replace(/\uFFFD$/, '')}...`;
}
