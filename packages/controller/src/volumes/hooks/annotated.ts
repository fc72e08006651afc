import { annotation, DrError, durationMs, hookErrorActions } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import type { PlannedHook } from './sessions.js';

const MAX_WORDS = 64;
const MAX_WORD = 4096;
const MAX_SECONDS = 3600;
const DEFAULT_SECONDS = 60;

/** The hooks that a pod names itself, by annotations. Pure. */
export interface AnnotatedHooks {
  readonly pre?: Omit<PlannedHook, 'container'>;
  readonly post?: Omit<PlannedHook, 'container'>;
  /** Undefined: the default one. */
  readonly container: string | undefined;
}

/** @throws DrError HookInvalid, which names pod and annotation */
export function annotatedHooks({ metadata }: KubeObject): AnnotatedHooks {
  const values = metadata.annotations ?? {};
  const invalid = (key: string, problem: string) =>
    new DrError('HookInvalid', `pod ${metadata.name}, annotation ${key}: ${problem}`);
  const pre = commandOf(values[annotation.preSyncCommand], (text) =>
    invalid(annotation.preSyncCommand, text),
  );
  const post = commandOf(values[annotation.postSyncCommand], (text) =>
    invalid(annotation.postSyncCommand, text),
  );
  if (pre === undefined && post === undefined) return { container: undefined };
  const timeoutSeconds = secondsOf(values[annotation.syncHookTimeout], (text) =>
    invalid(annotation.syncHookTimeout, text),
  );
  const onErrorText = values[annotation.syncHookOnError] ?? 'Fail';
  const onError = hookErrorActions.find((one) => one === onErrorText);
  if (onError === undefined) throw invalid(annotation.syncHookOnError, 'neither Fail nor Continue');
  return {
    ...(pre && { pre: { command: pre, timeoutSeconds, onError } }),
    ...(post && { post: { command: post, timeoutSeconds, onError } }),
    container: values[annotation.syncHookContainer],
  };
}

type Invalid = (problem: string) => DrError;

function commandOf(text: string | undefined, invalid: Invalid): string[] | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('not JSON; it is a list of words, as ["fsfreeze", "--freeze", "/data"]');
  }
  const words: unknown[] = Array.isArray(value) ? value : [];
  const fits = words.filter((word): word is string => typeof word === 'string' && word.length <= MAX_WORD);
  if (fits.length !== words.length || words.length > MAX_WORDS || (fits[0] ?? '') === '') {
    throw invalid(
      `not a list of 1 to ${MAX_WORDS} words, each of ${MAX_WORD} characters at most, the first of them the program`,
    );
  }
  return fits;
}

function secondsOf(text: string | undefined, invalid: Invalid): number {
  if (text === undefined) return DEFAULT_SECONDS;
  const seconds = /^([0-9]{1,6}(h|m|s))+$/.test(text) ? durationMs(text) / 1000 : Number.NaN;
  if (!(seconds >= 1 && seconds <= MAX_SECONDS))
    throw invalid('not a time like 90s or 5m, of an hour at most');
  return seconds;
}
