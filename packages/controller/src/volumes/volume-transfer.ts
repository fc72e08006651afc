import { createHash } from 'node:crypto';

import type { Replication } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import type { TransferState, VolumeRef } from '@dr-syncer/ssh';

import type { Agents } from '../clusters/agents.js';
import type { CopyRecord } from './guard/copy-record.js';
import type { TransferIdentities } from './identities.js';
import type { MountedVolume } from './mounts.js';
import type { BandwidthShare } from './scheduler/bandwidth.js';
import type { StreamSettings } from './stream-limit.js';

/** For requests to agents that need no work of any length. */
export const CALL_MS = 30_000;

export interface VolumeTransfer {
  readonly replication: Replication;
  /** Of the sync: with the claim it makes the transfer's id, by which a restarted controller finds it again. */
  readonly request: string;
  /** Part of that id as well, where a sync copies a volume more than once. */
  readonly pass?: string;
  readonly source: { readonly agents: Agents; readonly volume: MountedVolume };
  readonly destination: { readonly agents: Agents; readonly volume: MountedVolume };
  readonly identities: TransferIdentities;
  /** What the guard knows of the volume that is written to. */
  readonly record: CopyRecord | undefined;
  /** Files are compared by content: those of the copy have been found to differ. */
  readonly byContent: boolean;
  /** Of what the remote cluster may be sent. */
  readonly share: BandwidthShare;
  readonly streams: StreamSettings;
  /** The guard has stopped this run: kept for when a person confirms it. */
  readonly onStopped: (stopped: { run: string; code: string }) => Promise<void>;
  readonly onState: (state: TransferState) => void;
  /** Called when it is known what decides which attributes travel. */
  readonly onFacts: (facts: { readonly rootModesAgree: boolean }) => void;
}

export interface TransferIds {
  /** Of this Replication and claim, whatever the request: who the volume belongs to while it is copied. */
  readonly holder: string;
  readonly id: string;
}

export function transferIds({ replication, request, pass, source }: VolumeTransfer): TransferIds {
  const holder = holderOf(replication, source.volume.claim);
  return { holder, id: `${holder}.${digest(pass === undefined ? request : `${request}/${pass}`)}` };
}

/** By which the agent of the sending end keeps what it saw of the volume. */
export function holderOf(replication: Pick<Replication, 'metadata'>, { metadata }: KubeObject): string {
  return digest(`${replication.metadata.uid}/${metadata.uid ?? ''}`);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 20);
}

export function refOf(volume: MountedVolume): VolumeRef {
  const { podUid, pvName, hostPath } = volume;
  return { podUid, pvName, ...(hostPath !== undefined && { hostPath }) };
}
