import { type ErrorCode, errorTable } from '@dr-syncer/api';
import {
  type ExecEnd,
  isForbidden,
  isNotFound,
  type KubeClient,
  kubeToDrError,
  linkedController,
  untilAborted,
  wellKnown,
} from '@dr-syncer/kube';

import { isDone, type Pod } from '../pods.js';
import type { PlannedHook } from './sessions.js';

export interface HookPlace {
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
}

export const hookResults = [
  'Succeeded',
  'Failed',
  'TimedOut',
  'PodGone',
  'NotPermitted',
  'Unreachable',
] as const;

export interface HookEnd {
  readonly result: (typeof hookResults)[number];
  /** The command may have done something. */
  readonly begun: boolean;
  readonly exitCode?: number;
  readonly message?: string;
  readonly milliseconds: number;
}

/**
 * Runs one hook in its pod. Every end is a result; what the command writes is dropped, since it may be anything.
 *
 * @throws the signal's reason; the command may go on then
 */
export async function runHook(
  client: Pick<KubeClient, 'find' | 'exec'>,
  place: HookPlace,
  hook: PlannedHook,
  signal: AbortSignal,
): Promise<HookEnd> {
  const began = performance.now();
  const end = await attempt(client, place, hook, signal);
  return { ...end, milliseconds: Math.round(performance.now() - began) };
}

/** By these the API server says that it has not begun it: there is no such container, for one. */
const refusals: readonly ErrorCode[] = ['ObjectRejected', 'RemoteUnauthorized'];

type End = Omit<HookEnd, 'milliseconds'>;

async function attempt(
  client: Pick<KubeClient, 'find' | 'exec'>,
  { namespace, pod: name, podUid }: HookPlace,
  { container, command, timeoutSeconds }: PlannedHook,
  signal: AbortSignal,
): Promise<End> {
  let begun = false;
  try {
    const pod = await client.find<Pod>({ resource: wellKnown.pods, namespace, name }, { signal });
    if (pod?.metadata.uid !== podUid || isDone(pod)) return gone(name);
    // From here on it may have been begun, even if no answer comes.
    begun = true;
    const exec = await client.exec({ namespace, pod: name, container, command }, { signal });
    try {
      return await within(timeoutSeconds, exec.ended, signal);
    } finally {
      exec.close();
    }
  } catch (err) {
    signal.throwIfAborted();
    if (isForbidden(err)) {
      const message = `${kubeToDrError(err).message}. ${errorTable.HookNotPermitted.remedy}`;
      return { result: 'NotPermitted', begun: false, message };
    }
    if (isNotFound(err)) return gone(name);
    const problem = kubeToDrError(err);
    const isRefused = refusals.includes(problem.code);
    const result = isRefused ? 'Failed' : 'Unreachable';
    return { result, begun: begun && !isRefused, message: problem.message };
  }
}

function gone(pod: string): End {
  return { result: 'PodGone', begun: false, message: `pod ${pod} is gone or was replaced` };
}

async function within(seconds: number, ended: Promise<ExecEnd>, signal: AbortSignal): Promise<End> {
  const late = Symbol('late');
  const linked = linkedController(signal);
  const { controller } = linked;
  const timer = setTimeout(() => controller.abort(late), seconds * 1000);
  try {
    const end = await untilAborted(ended, controller.signal);
    return resultOf(end);
  } catch (err) {
    if (signal.aborted || controller.signal.reason !== late) throw err;
    const message = `not ended after ${seconds} s; the command may go on in the container`;
    return { result: 'TimedOut', begun: true, message };
  } finally {
    clearTimeout(timer);
    linked.unlink();
  }
}

function resultOf(end: ExecEnd): End {
  if (end.kind === 'NotRun') return { result: 'Failed', begun: true, message: end.message };
  const { exitCode } = end;
  return { result: exitCode === 0 ? 'Succeeded' : 'Failed', begun: true, exitCode };
}
