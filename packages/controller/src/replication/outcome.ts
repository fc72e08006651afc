import { type DrError, errorTable, isErrorCode, type VolumeStatus } from '@dr-syncer/api';

import type { Engine } from '../engine/index.js';

/** How a sync has ended. */
export interface SyncOutcome {
  readonly ok: boolean;
  readonly reason: string;
  readonly message: string;
  /** Not all is there, and trying again soon may help. */
  readonly retry: boolean;
}

/**
 * Good only when a reader of the destination would find everything.
 *
 * @param hooks what went wrong with hooks besides
 */
export function outcomeOf(engine: Engine, volumes: readonly VolumeStatus[], hooks?: DrError): SyncOutcome {
  const { tally } = engine;
  const { total, applied } = tally.stats();
  const failed = volumes.filter(({ phase }) => phase !== 'Succeeded');
  const { failures, pending } = tally;
  if (failures + pending === 0 && failed.length === 0 && hooks === undefined) {
    const message = `${total} objects (${applied} written) and ${volumes.length} volumes are in place.`;
    return { ok: true, reason: 'Synced', message: message + remarks(engine), retry: false };
  }
  const first = tally.firstFailure;
  const [volume] = failed;
  const parts = [
    ...(failures > 0 ? [`${failures} of ${total} objects failed, first ${first?.text ?? ''}`] : []),
    ...(pending > 0 ? [`${pending} of ${total} objects are not there yet`] : []),
    ...(volume ? [volumesText(failed.length, volumes.length, volume)] : []),
    ...(hooks ? [`${hooks.message}. ${hooks.remedy}`] : []),
  ];
  const codes = [volume?.reason, hooks?.code].filter((code) => code !== undefined);
  const retry = pending > 0 || [first?.code, ...codes].some((code) => kindOf(code) === 'retry');
  return { ok: false, reason: reasonOf(codes[0]), message: parts.join('; '), retry };
}

function volumesText(failed: number, all: number, { name, message = '' }: VolumeStatus): string {
  return `${failed} of ${all} volumes failed, first ${name}: ${message}`;
}

/** What is in place, and still not as somebody may expect. */
function remarks({ tally, pruning }: Engine): string {
  const drifted = tally.drifted > 0 ? ` ${tally.drifted} were changed at the destination.` : '';
  if (pruning?.token === undefined) return drifted;
  return `${drifted} ${pruning.waiting} have no source any more and wait for dr-syncer.io/confirm-prune=${pruning.token}.`;
}

function reasonOf(code: string | undefined): string {
  return code !== undefined && kindOf(code) !== 'retry' && isErrorCode(code) ? code : 'SyncIncomplete';
}

function kindOf(code: string | undefined): 'retry' | 'wait' | 'terminal' | undefined {
  return code !== undefined && isErrorCode(code) ? errorTable[code].kind : undefined;
}
