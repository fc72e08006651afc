import { DrError, type VolumeStatus } from '@dr-syncer/api';
import type { Survey } from '@dr-syncer/ssh';

import { surveyOf } from '../begin-transfer.js';
import type { Transferred } from '../transfer.js';
import { CALL_MS, refOf, transferIds, type VolumeTransfer } from '../volume-transfer.js';
import { countDifferences } from './counts.js';

type Verification = NonNullable<VolumeStatus['verification']>;

/** A walk through a volume of many millions of entries. */
const SURVEY_MS = 3_600_000;

/**
 * After a transfer and all that was done to what it brought: counts what is there, and has the source agent keep its
 * survey, so that the next transfer may look at less.
 *
 * @param touched something may have been done to the copy though nothing was transferred
 * @throws DrError VerificationFailed
 */
export async function settle(
  transfer: VolumeTransfer,
  transferred: Transferred,
  touched: boolean,
  signal: AbortSignal,
): Promise<Verification> {
  const { replication, destination, identities } = transfer;
  const { begun } = transferred;
  const { verification: mode, excludePaths = [] } = replication.spec.pvcConfig;
  const untouched = begun?.scope.scope === 'None' && !touched;
  const peer = await destination.agents.peer(destination.volume.node, signal);
  const copy = untouched
    ? begun.copy
    : await surveyOf(peer, destination.volume, identities.destination, signal);
  const verification = { mode, time: new Date().toISOString() };
  if (mode === 'none') {
    await keep(transfer, transferred, untouched, copy, signal);
    return { ...verification, result: 'NotChecked' };
  }
  const why = notCounted(copy, excludePaths);
  if (why !== undefined || copy === undefined) {
    await keep(transfer, transferred, untouched, copy, signal);
    return { ...verification, result: 'NotChecked', message: why ?? '' };
  }
  await compareCounts(transfer, transferred, copy, signal);
  await keep(transfer, transferred, untouched, copy, signal);
  return { ...verification, result: 'Passed', checked: copy.entries };
}

function notCounted(copy: Survey | undefined, excludePaths: readonly string[]): string | undefined {
  if (copy?.complete !== true) return 'the copy could not be read as a whole';
  return excludePaths.length > 0 ? 'with excludePaths the numbers of both ends differ' : undefined;
}

/** @throws DrError VerificationFailed */
async function compareCounts(
  transfer: VolumeTransfer,
  { begun }: Transferred,
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
  throw new DrError(
    'VerificationFailed',
    `the copy of claim ${source.volume.claim.metadata.name} has ${differences.join(', ')}`,
  );
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
