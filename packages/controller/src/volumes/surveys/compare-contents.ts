import { DrError, isErrorCode } from '@dr-syncer/api';
import { rootModesAgree } from '@dr-syncer/identity';
import type { TransferState } from '@dr-syncer/ssh';

import { grantOf, optionsOf, type TransferWay } from '../begin-transfer.js';
import { followTransfer } from '../follow-transfer.js';
import { CALL_MS, refOf, transferIds, type TransferIds, type VolumeTransfer } from '../volume-transfer.js';

/** What a comparison of contents has found. */
export interface Contents {
  /** Entries that differ and were not written to at the source meanwhile. */
  readonly count: number;
  /** The first of them, for people. */
  readonly paths: readonly string[];
  /** Of entries that differ, those that the source has changed since the transfer began. */
  readonly changedSince: number;
  /** Entries that were looked at. */
  readonly checked: number;
}

/** One file in so many. */
const SAMPLE = 100;
const SURVEY_MS = 3_600_000;
const MAX_SHOWN = 10;

/**
 * Has every file, or of a sample, read at both ends at the same time, as the identities of the transfer: rsync compares
 * their checksums and writes nothing.
 *
 * @param way both agents, and how the one reaches the other
 * @throws DrError what the agents say
 */
export async function compareContents(
  transfer: VolumeTransfer,
  mode: 'sample' | 'full',
  way: TransferWay,
  signal: AbortSignal,
): Promise<Contents> {
  const { holder, id } = transferIds(transfer);
  const ids: TransferIds = { holder, id: `${id}.compare` };
  const { sender, receiver } = way;
  const { source, identities } = transfer;
  const survey = (compare: { sample?: number; among?: string[] }) =>
    sender.request(
      'volumes.survey',
      {
        ...{ volume: refOf(source.volume), identity: identities.source },
        compare: { holder, with: 'last', ...compare },
      },
      { signal, timeoutMs: SURVEY_MS },
    );
  // rsync leaves out what is excluded only where it looks for names itself.
  const sampled = mode === 'sample' && (transfer.replication.spec.pvcConfig.excludePaths ?? []).length === 0;
  if (sampled) await survey({ sample: SAMPLE });
  let state: TransferState;
  try {
    await begin(transfer, ids, way, sampled, signal);
    state = await followTransfer({ ...transfer, onState: () => undefined }, ids.id, sender, signal);
  } finally {
    const within = { timeoutMs: CALL_MS };
    await Promise.allSettled([
      receiver.request('grants.close', { id: ids.id }, within),
      sender.request('transfers.forget', { id: ids.id }, within),
    ]);
  }
  const { differences, error, filesTotal = 0 } = state;
  if (differences === undefined || error !== undefined) throw notCompared(state);
  const { count, paths } = differences;
  const changed = count === 0 ? [] : ((await survey({ among: paths })).changedAmong ?? []);
  const stay = paths.filter((path) => !changed.includes(path));
  return {
    count: count - changed.length,
    paths: stay.slice(0, MAX_SHOWN).map(printable),
    changedSince: changed.length,
    checked: filesTotal,
  };
}

async function begin(
  transfer: VolumeTransfer,
  ids: TransferIds,
  { sender, receiver, endpoint }: TransferWay,
  sampled: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { source, destination, identities, replication } = transfer;
  const call = { signal, timeoutMs: CALL_MS };
  const { origins } = identities;
  const [prepared, target] = await Promise.all([
    sender.request(
      'transfers.prepare',
      {
        ...{ ...ids, volume: refOf(source.volume) },
        ...{ identity: identities.source, origins: origins.source },
      },
      call,
    ),
    receiver.request('volumes.locate', refOf(destination.volume), call),
  ]);
  const grant = grantOf(transfer, ids, prepared.publicKey, endpoint);
  const { path } = await receiver.request('grants.open', grant, call);
  const { host, port, hostKeys } = endpoint;
  const identity = identities.destination;
  const agree = rootModesAgree(prepared.volume.rootMode, target.rootMode, identity);
  await sender.request(
    'transfers.start',
    {
      id: ids.id,
      destination: { host, port, hostKeys: [...hostKeys], path, identity, rootModesAgree: agree },
      options: {
        ...{ ...optionsOf(replication), ...identities.preserve },
        ...{ purpose: sampled ? 'compareSample' : 'compare', scope: 'All', checksum: true, streams: 1 },
        resume: false,
      },
    },
    call,
  );
}

function notCompared({ error, exitCode }: TransferState): DrError {
  const { code, message } = error ?? { code: 'TransferFailed', message: `rsync ended with ${exitCode}` };
  return new DrError(
    isErrorCode(code) ? code : 'TransferFailed',
    `the contents were not compared: ${message}`,
  );
}

/** Of bytes, one a character. */
function printable(path: string): string {
  return Buffer.from(path, 'latin1')
    .toString('utf8')
    .replace(/[\p{C}\ufffd]/gu, '?')
    .slice(0, 256);
}
