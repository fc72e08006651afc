import { type Identity, type Replication, toDrError } from '@dr-syncer/api';
import { rootModesAgree } from '@dr-syncer/identity';
import type { Grant, Peer, Result, Survey, TransferOptions } from '@dr-syncer/ssh';

import type { AgentEndpoint } from '../clusters/agents.js';
import type { Counts } from './guard/deletion-guard.js';
import { confirmedRun, guardCodes, guardTransfer, stoppedRun } from './guard/guard.js';
import { isWorthResuming } from './resume.js';
import { streamLimit } from './stream-limit.js';
import { conditionsOf, type Scope, scopeOf } from './surveys/scope.js';
import { CALL_MS, refOf, type TransferIds, type VolumeTransfer } from './volume-transfer.js';

/** Attempts of the agent on one grant: about five minutes without a connection. */
const AGENT_ATTEMPTS = 9;
/** A grant outlives its transfer by this, so that the end of the transfer is what ends it. */
const GRANT_MARGIN_S = 300;
/** What an agent grants at most. */
const GRANT_LONGEST_S = 7 * 86_400 - 60;
/** Of a network file system with many millions of files. */
const COUNT_MS = 3_600_000;

/** Both agents, and the way from the one to the other. */
export interface TransferWay {
  readonly sender: Peer;
  readonly receiver: Peer;
  readonly endpoint: AgentEndpoint;
}

/** What was found out about both volumes before a transfer, and what it was decided to look at. */
export interface Begun {
  readonly startedAt: string;
  readonly scope: Scope;
  readonly conditions: string;
  readonly source: Survey | undefined;
  readonly copy: Survey | undefined;
}

/**
 * Has both volumes surveyed and the guard decide, then opens the grant at the destination and starts the transfer at the
 * source; not when both are as the last transfer left them.
 *
 * @throws DrError what the agents say; SourceEmpty, SourceVolumeChanged, DeletionGuard
 */
export async function beginTransfer(
  transfer: VolumeTransfer,
  ids: TransferIds,
  way: TransferWay,
  signal: AbortSignal,
): Promise<Begun> {
  const { source, destination, identities, replication } = transfer;
  const { sender, receiver, endpoint } = way;
  const call = { signal, timeoutMs: CALL_MS };
  const startedAt = new Date().toISOString();
  const [prepared, target, sourceSurvey, copySurvey] = await Promise.all([
    sender.request(
      'transfers.prepare',
      {
        ...ids,
        volume: refOf(source.volume),
        identity: identities.source,
        origins: identities.origins.source,
      },
      call,
    ),
    receiver.request('volumes.locate', refOf(destination.volume), call),
    surveyOf(sender, source.volume, identities.source, signal, ids.holder),
    surveyOf(receiver, destination.volume, identities.destination, signal),
  ]);
  const surveys = { source: sourceSurvey, copy: copySurvey };
  await guard(transfer, way, { source: prepared.volume, destination: target }, surveys, signal);
  const facts = {
    rootModesAgree: rootModesAgree(prepared.volume.rootMode, target.rootMode, identities.destination),
  };
  transfer.onFacts(facts);
  const begun = { startedAt, ...surveys, ...decideScope(transfer, surveys, facts) };
  if (begun.scope.scope === 'None') return begun;
  const streams = streamsOf(transfer, begun, endpoint);
  const grant = grantOf(transfer, ids, prepared.publicKey, endpoint, streams);
  const { path } = await receiver.request('grants.open', grant, call);
  const { host, port, hostKeys } = endpoint;
  await sender.request(
    'transfers.start',
    {
      id: ids.id,
      destination: {
        ...{ host, port, hostKeys: [...hostKeys], path },
        identity: identities.destination,
        ...facts,
      },
      options: {
        ...optionsOf(replication),
        ...identities.preserve,
        streams,
        purpose: 'copy',
        scope: begun.scope.scope,
        checksum: transfer.byContent,
        resume: isWorthResuming(begun.source, begun.scope.scope),
        ...(begun.source && begun.scope.scope === 'All' && { expectedEntries: begun.source.entries }),
      },
    },
    call,
  );
  return begun;
}

function streamsOf(
  { replication, share, streams }: VolumeTransfer,
  { source, copy, scope: { scope } }: Begun,
  { relayed }: AgentEndpoint,
): number {
  const { excludePaths = [], bandwidthLimit, parallelStreams } = replication.spec.pvcConfig;
  const limits = [bandwidthLimit * 1024, share.bytesPerSecond ?? 0].filter((limit) => limit > 0);
  const facts = {
    ...{ source, copy, scope, relayed, wanted: parallelStreams, hasExclusions: excludePaths.length > 0 },
    copyIsKnown: source?.base !== undefined && source.base.copyDigest === copy?.digest,
    limitBytesPerSecond: Math.min(Number.POSITIVE_INFINITY, ...limits),
  };
  return streamLimit(facts, streams);
}

function decideScope(
  { replication, identities, source, destination, byContent }: VolumeTransfer,
  surveys: Pick<Begun, 'source' | 'copy'>,
  facts: { readonly rootModesAgree: boolean },
): Pick<Begun, 'scope' | 'conditions'> {
  const { excludePaths = [], fullScanSeconds } = replication.spec.pvcConfig;
  const claims = [source.volume.claim.metadata.uid, destination.volume.claim.metadata.uid];
  const { idMap, preserve } = identities;
  const ends = [identities.source, identities.destination];
  const conditions = conditionsOf([claims, ends, idMap, preserve, excludePaths, facts]);
  const scope = scopeOf({
    ...{ ...surveys, conditions, fullScanSeconds },
    hasExclusions: excludePaths.length > 0,
    now: Date.now(),
  });
  if (byContent) return { conditions, scope: { scope: 'All', reason: 'the last verification failed' } };
  return { conditions, scope };
}

/**
 * Undefined: it could not be made. A volume that can't be surveyed is one that all is compared of, and whatever is wrong
 * with it, the transfer says.
 *
 * @param holder compares it with the last good transfer of this one
 */
export async function surveyOf(
  peer: Peer,
  volume: VolumeTransfer['source']['volume'],
  identity: Identity,
  signal: AbortSignal,
  holder?: string,
): Promise<Survey | undefined> {
  const compare = holder === undefined ? {} : { compare: { holder, with: 'kept' as const } };
  try {
    const params = { volume: refOf(volume), identity, ...compare };
    return await peer.request('volumes.survey', params, { signal, timeoutMs: COUNT_MS });
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

async function guard(
  transfer: VolumeTransfer,
  { sender, receiver }: TransferWay,
  volumes: Record<'source' | 'destination', Result<'volumes.locate'>>,
  surveys: Pick<Begun, 'source' | 'copy'>,
  signal: AbortSignal,
): Promise<void> {
  const { replication, request, source, destination, identities } = transfer;
  const { deletionGuard, excludePaths = [] } = replication.spec.pvcConfig;
  // What is excluded only rsync can leave out of the count.
  const counted = (survey: Survey | undefined): Counts | undefined =>
    excludePaths.length === 0 && survey?.complete === true
      ? { files: survey.entries, bytes: survey.bytes }
      : undefined;
  const count = (peer: Peer, at: typeof source, identity: Identity): Promise<Counts> =>
    peer.request(
      'volumes.measure',
      { volume: refOf(at.volume), identity, excludePaths },
      { signal, timeoutMs: COUNT_MS },
    );
  const facts = {
    claim: source.volume.claim.metadata.name,
    pv: source.volume.pvName,
    ...volumes,
    record: transfer.record,
  };
  try {
    await guardTransfer({
      facts,
      percent: deletionGuard.percent,
      confirmed: confirmedRun(replication),
      run: request,
      countSource: async () => counted(surveys.source) ?? count(sender, source, identities.source),
      countCopy: async () => counted(surveys.copy) ?? count(receiver, destination, identities.destination),
    });
  } catch (err) {
    const problem = toDrError(err);
    if (guardCodes.includes(problem.code)) {
      const run = stoppedRun({ facts, run: request }, problem);
      await transfer.onStopped({ run, code: problem.code });
    }
    throw err;
  }
}

export function grantOf(
  { replication, destination, identities, share }: VolumeTransfer,
  { id, holder }: TransferIds,
  publicKey: string,
  { from }: AgentEndpoint,
  streams = 1,
): Grant {
  const { timeoutSeconds } = replication.spec.pvcConfig;
  const asked = timeoutSeconds === 0 ? Number.POSITIVE_INFINITY : timeoutSeconds;
  const lifetime = Math.min(GRANT_LONGEST_S, asked + GRANT_MARGIN_S);
  return {
    ...{ id, holder, publicKey },
    volume: refOf(destination.volume),
    direction: 'write',
    allowDelete: true,
    from: [...from],
    expiresAt: new Date(Date.now() + lifetime * 1000).toISOString(),
    identity: identities.destination,
    origins: identities.origins.destination,
    idMap: identities.idMap,
    preserve: identities.preserve,
    streams,
    ...(share.bytesPerSecond !== undefined && { bytesPerSecond: share.bytesPerSecond }),
  };
}

export function optionsOf({
  spec: { pvcConfig },
}: Replication): Omit<
  TransferOptions,
  'devices' | 'fileCapabilities' | 'purpose' | 'scope' | 'checksum' | 'resume' | 'streams'
> {
  return {
    delete: true,
    excludePaths: pvcConfig.excludePaths ?? [],
    bandwidthLimitKiB: pvcConfig.bandwidthLimit,
    startTimeoutSeconds: pvcConfig.startTimeoutSeconds,
    stallTimeoutSeconds: pvcConfig.stallTimeoutSeconds,
    totalTimeoutSeconds: pvcConfig.timeoutSeconds,
    attempts: AGENT_ATTEMPTS,
  };
}
