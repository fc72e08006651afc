import { annotation, DrError, type ErrorCode, type Replication } from '@dr-syncer/api';

import { type Counts, type GuardFacts, identityProblem, shrinkProblem } from './deletion-guard.js';

/** What stops a run before it has changed anything, until a person confirms it. */
export const guardCodes: readonly ErrorCode[] = ['SourceEmpty', 'SourceVolumeChanged', 'DeletionGuard'];

export interface GuardOptions {
  readonly facts: GuardFacts;
  readonly percent: number;
  /** The run that a person has confirmed. */
  readonly confirmed: string | undefined;
  /** This run, to be named in the confirmation. */
  readonly run: string;
  /** Counts the source. */
  readonly countSource: () => Promise<Counts>;
  /** Counts the copy: when nothing is remembered of it. */
  readonly countCopy: () => Promise<Counts>;
}

/**
 * Lets a transfer begin, or not. Counting takes a walk through the volume, so it is left out where its answer changes
 * nothing: the copy is empty, or the guard is off.
 *
 * @throws DrError SourceEmpty, SourceVolumeChanged, DeletionGuard; what the counts throw
 */
export async function guardTransfer(options: GuardOptions): Promise<void> {
  const problem = await problemOf(options);
  if (problem === undefined || isConfirmed(options, problem)) return;
  throw new DrError(
    problem.code,
    `${problem.message}. The copy is untouched. If this is meant: set ${annotation.confirmDeletions}=${stoppedRun(options, problem)} on the Replication and sync again`,
  );
}

async function problemOf({
  facts,
  percent,
  countSource,
  countCopy,
}: GuardOptions): Promise<DrError | undefined> {
  const wrong = identityProblem(facts);
  if (wrong) return wrong;
  if (facts.destination.empty || percent >= 100) return undefined;
  const known = facts.record?.counts;
  const [before, now] = await Promise.all([known ?? countCopy(), countSource()]);
  return shrinkProblem(facts.claim, before, now, percent);
}

/**
 * For the run that the guard has stopped, and for what it was stopped for: a confirmation left on the Replication says
 * nothing of a later one, and who has confirmed a smaller volume has not confirmed an empty one.
 */
function isConfirmed({ facts: { record }, confirmed }: GuardOptions, { code }: DrError): boolean {
  const stopped = record?.stopped;
  return stopped !== undefined && stopped.run === confirmed && stopped.code === code;
}

/** Runs by schedule meet the same again and again: the first one keeps its name, so that it can be confirmed in peace. */
export function stoppedRun(
  { facts: { record }, run }: Pick<GuardOptions, 'facts' | 'run'>,
  { code }: Pick<DrError, 'code'>,
): string {
  return record?.stopped?.code === code ? record.stopped.run : run;
}

export function confirmedRun(replication: Replication): string | undefined {
  return replication.metadata.annotations[annotation.confirmDeletions];
}
