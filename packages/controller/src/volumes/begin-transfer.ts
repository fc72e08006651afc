import { type Replication, toDrError } from '@dr-syncer/api';
import { rootModesAgree } from '@dr-syncer/identity';
import type { Grant, Peer, Result, TransferOptions } from '@dr-syncer/ssh';

import type { AgentEndpoint } from '../clusters/agents.js';
import type { Counts } from './guard/deletion-guard.js';
import { confirmedRun, guardCodes, guardTransfer, stoppedRun } from './guard/guard.js';
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

/**
 * Has the guard look at both volumes, then opens the grant at the destination and starts the transfer at the source.
 *
 * @throws DrError what the agents say; SourceEmpty, SourceVolumeChanged, DeletionGuard
 */
export async function beginTransfer(
  transfer: VolumeTransfer,
  ids: TransferIds,
  way: TransferWay,
  signal: AbortSignal,
): Promise<void> {
  const { source, destination, identities, replication } = transfer;
  const { sender, receiver, endpoint } = way;
  const call = { signal, timeoutMs: CALL_MS };
  const [prepared, target] = await Promise.all([
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
  ]);
  await guard(transfer, way, { source: prepared.volume, destination: target }, signal);
  const grant = grantOf(transfer, ids, prepared.publicKey, endpoint);
  const { path } = await receiver.request('grants.open', grant, call);
  const facts = {
    rootModesAgree: rootModesAgree(prepared.volume.rootMode, target.rootMode, identities.destination),
  };
  transfer.onFacts(facts);
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
      options: { ...optionsOf(replication), ...identities.preserve },
    },
    call,
  );
}

async function guard(
  transfer: VolumeTransfer,
  { sender, receiver }: TransferWay,
  volumes: Record<'source' | 'destination', Result<'volumes.locate'>>,
  signal: AbortSignal,
): Promise<void> {
  const { replication, request, source, destination, identities } = transfer;
  const { deletionGuard, excludePaths = [] } = replication.spec.pvcConfig;
  const count = (peer: Peer, at: typeof source, identity: typeof identities.source): Promise<Counts> =>
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
      countSource: () => count(sender, source, identities.source),
      countCopy: () => count(receiver, destination, identities.destination),
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

function grantOf(
  { replication, destination, identities, share }: VolumeTransfer,
  { id, holder }: TransferIds,
  publicKey: string,
  { from }: AgentEndpoint,
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
    streams: 1,
    ...(share.bytesPerSecond !== undefined && { bytesPerSecond: share.bytesPerSecond }),
  };
}

function optionsOf({
  spec: { pvcConfig },
}: Replication): Omit<TransferOptions, 'devices' | 'fileCapabilities'> {
  return {
    delete: true,
    excludePaths: pvcConfig.excludePaths ?? [],
    bandwidthLimitKiB: pvcConfig.bandwidthLimit,
    startTimeoutSeconds: pvcConfig.startTimeoutSeconds,
    stallTimeoutSeconds: pvcConfig.stallTimeoutSeconds,
    totalTimeoutSeconds: pvcConfig.timeoutSeconds,
    attempts: AGENT_ATTEMPTS,
    checksum: false,
  };
}
