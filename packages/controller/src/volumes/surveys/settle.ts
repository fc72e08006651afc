import { DrError, type VolumeStatus } from '@dr-syncer/api';
import type { Survey } from '@dr-syncer/ssh';

import { surveyOf } from '../begin-transfer.js';
import { openWay, type Transferred } from '../transfer.js';
import { CALL_MS, refOf, transferIds, type VolumeTransfer } from '../volume-transfer.js';
import { compareContents } from './compare-contents.js';
import { countDifferences } from './counts.js';
import { type VerificationMode, verificationMode } from './verification-mode.js';

type Verification = NonNullable<VolumeStatus['verification']>;

/** A walk through a volume of many millions of entries. */
const SURVEY_MS = 3_600_000;

/**
 * After a transfer and all that was done to what it brought: compares the copy with the source, as much as was asked for,
 * and has the source's agent keep its survey, so that the next transfer may look at less.
 *
 * @param touched something may have been done to the copy though nothing was transferred
 * @throws CopyDiffers
 */
export async function settle(
  transfer: VolumeTransfer,
  transferred: Transferred,
  touched: boolean,
  signal: AbortSignal,
): Promise<Verification> {
  const { replication, request, destination, identities } = transfer;
  const { begun } = transferred;
  const mode = verificationMode(replication, request, transfer.source.volume.claim.metadata.name);
  const untouched = begun?.scope.scope === 'None' && !touched;
  const peer = await destination.agents.peer(destination.volume.node, signal);
  const copy = untouched
    ? begun.copy
    : await surveyOf(peer, destination.volume, identities.destination, signal);
  const verification = await verify(transfer, transferred, mode, copy, signal);
  await keep(transfer, transferred, untouched, copy, signal);
  return verification;
}

/** What the status says of a verification that failed. */
export class CopyDiffers extends DrError {
  readonly verification: Verification;

  constructor(message: string, verification: Verification) {
    super('VerificationFailed', message);
    this.verification = verification;
  }
}

/** @throws CopyDiffers */
async function verify(
  transfer: VolumeTransfer,
  transferred: Transferred,
  mode: VerificationMode,
  copy: Survey | undefined,
  signal: AbortSignal,
): Promise<Verification> {
  const { excludePaths = [] } = transfer.replication.spec.pvcConfig;
  const fields = { mode, time: new Date().toISOString() };
  if (mode === 'none') return { ...fields, result: 'NotChecked' };
  const why = notCounted(copy, excludePaths);
  if (copy !== undefined && why === undefined) await compareCounts(transfer, transferred, mode, copy, signal);
  if (mode === 'counts') {
    return why === undefined
      ? { ...fields, result: 'Passed', checked: copy?.entries ?? 0 }
      : { ...fields, result: 'NotChecked', message: why };
  }
  const way = await openWay(transfer, signal);
  try {
    const { count, paths, changedSince, checked } = await compareContents(transfer, mode, way, signal);
    if (count > 0) throw differs(transfer, mode, `${count} entries that differ`, paths);
    const note = `${changedSince} entries were written to at the source after the transfer had begun`;
    return { ...fields, result: 'Passed', checked, ...(changedSince > 0 && { message: note }) };
  } finally {
    way.endpoint.close();
  }
}

function differs(
  { source }: VolumeTransfer,
  mode: VerificationMode,
  what: string,
  paths: readonly string[],
): CopyDiffers {
  const named = paths.length === 0 ? '' : `: ${paths.join(', ')}`;
  const { name } = source.volume.claim.metadata;
  return new CopyDiffers(`the copy of claim ${name} has ${what}${named}`, {
    ...{ mode, result: 'Failed', message: what, time: new Date().toISOString() },
    ...(paths.length > 0 && { differences: [...paths] }),
  });
}

function notCounted(copy: Survey | undefined, excludePaths: readonly string[]): string | undefined {
  if (copy?.complete !== true) return 'the copy could not be read as a whole';
  return excludePaths.length > 0 ? 'with excludePaths the numbers of both ends differ' : undefined;
}

/** @throws CopyDiffers */
async function compareCounts(
  transfer: VolumeTransfer,
  { begun }: Transferred,
  mode: VerificationMode,
  copy: Survey,
  signal: AbortSignal,
): Promise<void> {
  const { source } = transfer;
  if (begun?.source && countDifferences(begun.source, copy, { changed: 0, removed: 0 }).length === 0) return;
  // Or something was written meanwhile: how much, the source's agent knows.
  const { holder } = transferIds(transfer);
  const peer = await source.agents.peer(source.volume.node, signal);
  const now = await peer.request(
    'volumes.survey',
    {
      volume: refOf(source.volume),
      identity: transfer.identities.source,
      compare: { holder, with: 'last' },
    },
    { signal, timeoutMs: SURVEY_MS },
  );
  // Without one to compare with, all may be new.
  const differences = countDifferences(now, copy, now.base ?? { changed: now.entries, removed: 0 });
  if (differences.length === 0) return;
  throw differs(transfer, mode, differences.join(', '), []);
}

/** What can't be kept costs the next transfer a comparison of everything. */
async function keep(
  transfer: VolumeTransfer,
  { begun, state }: Transferred,
  untouched: boolean,
  copy: Survey | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (untouched || begun?.source?.reliable !== true || copy?.reliable !== true) return;
  const { source } = transfer;
  const peer = await source.agents.peer(source.volume.node, signal);
  await peer.request(
    'surveys.keep',
    {
      holder: transferIds(transfer).holder,
      conditions: begun.conditions,
      copyDigest: copy.digest,
      full: state.scope === 'All',
    },
    { signal, timeoutMs: CALL_MS },
  );
}
