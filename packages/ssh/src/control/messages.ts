import { identityOriginsSchema, identitySchema, idMapSchema } from '@dr-syncer/api';
import { z } from 'zod';

import { fingerprint, id, time } from './fields.js';
import { surveyMethods } from './survey-messages.js';
import { volumeInfoSchema, volumeRefSchema } from './volume-messages.js';

export * from './survey-messages.js';
export * from './volume-messages.js';

/**
 * What controller and agent say to each other, over an exec channel of the agent's SSH server (forced command
 * `dr-syncer-control`), and what the agent's `ssh` container says to its `mover` container over a unix socket.
 * One JSON object a line; see `peer.ts` for the framing. Sizes are bytes, times are ISO 8601, durations seconds.
 */
export const PROTOCOL_VERSION = 1;

/** Of one transfer. Agents let in twice as many connections with one key: those of a broken attempt may linger. */
export const MAX_STREAMS = 8;

/** What looking at a file and beginning it costs, in bytes that could have been sent meanwhile; split.c has it, too. */
export const FILE_COST_BYTES = 16_384;

const rate = z.number().int().min(1024);

export const grantSchema = z.strictObject({
  id,
  /** OpenSSH public key of this one transfer: `ssh-ed25519 AAAA...`. */
  publicKey: z.string().max(2048),
  volume: volumeRefSchema,
  /** write: the peer pushes into the volume. read: it pulls from it. */
  direction: z.enum(['write', 'read']),
  allowDelete: z.boolean(),
  /** OpenSSH `from=` patterns; empty: any address. */
  from: z.array(z.string().max(256)).max(64),
  expiresAt: time,
  identity: identitySchema,
  /** For the audit log. */
  origins: identityOriginsSchema.optional(),
  /** Only with privilege. */
  idMap: idMapSchema.optional(),
  /** Attach `rsync --server` to numeric ids, devices and so on only as these say. */
  preserve: z.strictObject({ devices: z.boolean(), fileCapabilities: z.boolean() }),
  /**
   * Whose the volume is while it is written to. A grant of the same holder takes the place of an earlier one, what is
   * left of that is ended; while another holder's rsync is at work in the volume, the grant is refused.
   */
  holder: id,
  /** Connections at a time. One more ends the oldest: a transfer that tries again has not always been missed before. */
  streams: z.number().int().min(1).max(MAX_STREAMS),
  /** What comes in over all streams is taken no faster than this (bytes per second), which may be changed later. */
  bytesPerSecond: rate.optional(),
});
export type Grant = z.infer<typeof grantSchema>;

const excludePathsSchema = z.array(z.string().min(1).max(4096)).max(256);

export const transferScopes = ['All', 'Changed'] as const;
export type TransferScope = (typeof transferScopes)[number];

/** copy: as ever. compare: writes nothing, reads every file at both ends, or of those that a sample has named. */
export const transferPurposes = ['copy', 'compare', 'compareSample'] as const;

export const transferOptionsSchema = z.strictObject({
  purpose: z.enum(transferPurposes),
  delete: z.boolean(),
  /** Changed: only what the last survey for this holder has named; where that does not go through, all. */
  scope: z.enum(transferScopes),
  excludePaths: excludePathsSchema,
  /** KiB a second as rsync's --bwlimit counts, over all streams; 0: unlimited. */
  bandwidthLimitKiB: z.number().int().min(0),
  /**
   * With more than one, a copy is split into shards that are sent side by side, by no more streams than this and no more
   * than are found to be faster, before one rsync goes over all. The grant has to admit as many.
   */
  streams: z.number().int().min(1).max(MAX_STREAMS),
  /** From the start of an attempt until the destination's rsync has answered. */
  startTimeoutSeconds: z.number().int().min(5),
  /** No byte moved for this long: the attempt is ended. */
  stallTimeoutSeconds: z.number().int().min(5),
  /** All attempts together; 0: unlimited. */
  totalTimeoutSeconds: z.number().int().min(0),
  /** How often it is tried at most, for causes that may pass by themselves. An attempt that moved data starts anew. */
  attempts: z.number().int().min(1).max(100),
  /** Compare by content instead of size and time. */
  checksum: z.boolean(),
  /** What was sent of a file when the connection broke is kept, and the next attempt goes on from there. */
  resume: z.boolean(),
  /** How many a survey has found, for the progress until rsync knows; absent: nobody knows. */
  expectedEntries: z.number().int().min(0).optional(),
  devices: z.boolean(),
  fileCapabilities: z.boolean(),
});
export type TransferOptions = z.infer<typeof transferOptionsSchema>;

const destinationSchema = z.strictObject({
  host: z.string().max(253),
  port: z.number().int().min(1).max(65535),
  /** known_hosts key parts, `ssh-ed25519 AAAA...`: one of them must be presented. */
  hostKeys: z.array(z.string().max(2048)).min(1).max(8),
  /** As the grant's answer gave it. */
  path: z.string().max(4096),
  /** What the receiving process runs as: it decides which attributes travel. */
  identity: identitySchema,
  /** The root directories of both volumes have the same mode: only then may an unprivileged receiver set modes. */
  rootModesAgree: z.boolean(),
});
export type TransferDestination = z.infer<typeof destinationSchema>;

export const transferPhases = [
  'Prepared',
  'Connecting',
  'Scanning',
  'Transferring',
  'Finishing',
  /** An attempt has failed for a cause that may pass (`error` says which); the next one follows by itself. */
  'Waiting',
  'Succeeded',
  'Failed',
] as const;

/** A file that could not be copied, as rsync tells it; names are shown with '?' for what cannot be printed. */
export const fileFailureSchema = z.object({
  /** Relative to the volume's root. */
  path: z.string(),
  /** Which end: sender, receiver or generator (the receiving end's other half). */
  side: z.string(),
  /** What was being done and the error of the system. */
  problem: z.string(),
  /** The permission that was missing, where that was it. */
  needs: z.string().optional(),
});
export type FileFailure = z.infer<typeof fileFailureSchema>;

export const transferDifferencesSchema = z.object({
  /** Entries that are missing, too many, or of other content. */
  count: z.number(),
  /** Entries of which attributes alone differ. */
  attributes: z.number(),
  /** The first of those that `count` counts, relative to the volume's root, a byte a character (Latin-1). */
  paths: z.array(z.string()).max(1_000),
});
export type TransferDifferences = z.infer<typeof transferDifferencesSchema>;

export const transferStateSchema = z.object({
  id,
  phase: z.enum(transferPhases),
  /** 1 for the first. */
  attempt: z.number().int(),
  /** What both ends looked at; absent before the end. */
  scope: z.enum(transferScopes).optional(),
  startedAt: time.optional(),
  /** When the first byte of rsync's protocol came back from the destination. */
  firstByteAt: time.optional(),
  finishedAt: time.optional(),
  /** 0..100; absent while the file list is still being made. */
  percent: z.number().optional(),
  /** Bytes of file data considered so far, and in all. */
  bytesDone: z.number(),
  bytesTotal: z.number().optional(),
  bytesPerSecond: z.number(),
  etaSeconds: z.number().optional(),
  filesTransferred: z.number(),
  filesTotal: z.number().optional(),
  filesDeleted: z.number(),
  /** Literal file data sent; what really moved. */
  literalBytes: z.number(),
  bytesSent: z.number(),
  bytesReceived: z.number(),
  /** Streams that have been at work at the same time, at most so far. */
  streams: z.number().int().optional(),
  /** rsync's exit code. */
  exitCode: z.number().optional(),
  /** Files that vanished while being copied (exit code 24): success with a note. */
  vanished: z.number(),
  /** Of a comparison. */
  differences: transferDifferencesSchema.optional(),
  /** The first of the files that could not be copied. */
  failures: z.array(fileFailureSchema).optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type TransferState = z.infer<typeof transferStateSchema>;

/**
 * Metrics of one process; see packages/runtime/src/metric-families.ts. Bounded, and with names of
 * its own: a foreign agent must not pass for the controller's metrics.
 */
const metricFamilySchema = z.strictObject({
  name: z.string().regex(/^dr_syncer_(ssh|mover)_[a-z0-9_]{1,100}$/),
  help: z.string().max(500),
  type: z.enum(['counter', 'gauge', 'histogram', 'summary']),
  samples: z
    .array(
      z.strictObject({
        name: z.string().regex(/^dr_syncer_(ssh|mover)_[a-z0-9_]{1,120}$/),
        labels: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,40}$/), z.string().max(200)),
        value: z.number(),
      }),
    )
    .max(500),
});

/** What became of the SELinux labels of a volume. */
export const selinuxOutcomes = [
  /** The identity has no label: labels are left alone. */
  'NotWanted',
  /** The node runs without SELinux. */
  'Disabled',
  /** The file system is mounted with the wanted context: all its files have it. */
  'MountedWithContext',
  /** The file system keeps no label for each file. */
  'Unsupported',
  /** Each entry of `scope` has the label now. */
  'Labelled',
] as const;

/** Which entries of the volume were looked at: none (all are known to be right), what the transfer changed, or all. */
export const permissionScopes = ['None', 'Changed', 'All'] as const;

/**
 * Group, mode and label of what a transfer brought. Counts are entries (files, directories, links and so on); they grow
 * while it runs and are final in the answer.
 */
export const permissionsStateSchema = z.object({
  id,
  selinux: z.enum(selinuxOutcomes),
  /** Undefined while that is being found out. */
  scope: z.enum(permissionScopes).optional(),
  /** Why all entries were looked at and not only those that changed. */
  reason: z.string().optional(),
  seen: z.number(),
  groupsChanged: z.number(),
  modesChanged: z.number(),
  labelsChanged: z.number(),
  /** setuid, setgid and file capabilities that were not put back, because the file was written at the same time. */
  privilegesDropped: z.number(),
  /** Left alone: files with links that are not in the volume. */
  linksRefused: z.number(),
  /** Left alone: other file systems mounted inside the volume. */
  otherMounts: z.number(),
  /** Named by the transfer and gone since. */
  vanished: z.number(),
  /** Could not be changed. */
  failed: z.number(),
  /** The first few that were refused, dropped or failed: `name: reason`, for people. */
  examples: z.array(z.string()).max(16),
  seconds: z.number(),
});
export type PermissionsState = z.infer<typeof permissionsStateSchema>;

export const methods = {
  ...surveyMethods,
  hello: {
    params: z.strictObject({}),
    result: z.object({
      protocol: z.number(),
      version: z.string(),
      node: z.string(),
      startedAt: time,
      now: time,
      rsyncVersion: z.string(),
      /** rsync is new enough for a privileged receiver (3.5: see the security page). */
      privilegedMovers: z.boolean(),
      selinux: z.boolean(),
    }),
  },
  /**
   * Which of these keys (`SHA256:...`) the agent's authorized_keys file lets in to the control protocol, as that file
   * was read last, and the host keys that it presents.
   */
  'keys.check': {
    params: z.strictObject({ fingerprints: z.array(fingerprint).max(16) }),
    result: z.object({ accepted: z.array(fingerprint).max(16), hostKeys: z.array(fingerprint).max(8) }),
  },
  /**
   * The key that this very session has logged in with is refused from now on, ahead of the file: its sessions, the
   * grants that it opened and the transfers that it began end, this session too. No other key can be named: whoever has stolen one cannot
   * shut out those that replace it.
   */
  'keys.revoke': {
    params: z.strictObject({}),
    result: z.object({}),
  },
  /** Of the process that is asked; the `ssh` container adds its mover's. */
  metrics: {
    params: z.strictObject({}),
    result: z.object({ families: z.array(metricFamilySchema).max(200) }),
  },
  /**
   * Whether an SSH server answers at an address, as seen from the agent's pod: what a transfer needs. Nothing is sent, and
   * of what is read only whether it is the greeting of one is told.
   */
  'ports.probe': {
    params: z.strictObject({ host: z.string().min(1).max(253), port: z.number().int().min(1).max(65535) }),
    result: z.object({ ssh: z.boolean(), problem: z.string().max(200).optional() }),
  },
  'volumes.locate': { params: volumeRefSchema, result: volumeInfoSchema },
  /**
   * Counts what a transfer would look at, with the eyes of the identity: files, directories and all else, and the size of
   * the files. Takes as long as reading all directories does; ends when the one who asked goes.
   */
  'volumes.measure': {
    params: z.strictObject({
      volume: volumeRefSchema,
      identity: identitySchema,
      excludePaths: excludePathsSchema,
    }),
    result: z.object({ files: z.number(), bytes: z.number() }),
  },
  'grants.open': { params: grantSchema, result: z.object({ path: z.string(), user: z.string() }) },
  'grants.close': { params: z.strictObject({ id }), result: z.object({ closed: z.boolean() }) },
  /** For a grant that was opened with a rate: another one, from now on. */
  'grants.pace': {
    params: z.strictObject({ id, bytesPerSecond: rate }),
    result: z.object({ paced: z.boolean() }),
  },
  'grants.list': {
    params: z.strictObject({}),
    result: z.object({ grants: z.array(z.object({ id, line: z.string(), expiresAt: time })) }),
  },
  'transfers.prepare': {
    /** `holder`: as of the grant. An earlier transfer of the same holder is ended: a volume has one at a time. */
    params: z.strictObject({
      id,
      holder: id,
      volume: volumeRefSchema,
      identity: identitySchema,
      /** For the audit log. */
      origins: identityOriginsSchema.optional(),
    }),
    result: z.object({ publicKey: z.string(), volume: volumeInfoSchema }),
  },
  'transfers.start': {
    params: z.strictObject({ id, destination: destinationSchema, options: transferOptionsSchema }),
    result: transferStateSchema,
  },
  'transfers.get': { params: z.strictObject({ id }), result: transferStateSchema },
  'transfers.list': {
    params: z.strictObject({}),
    result: z.object({ transfers: z.array(transferStateSchema) }),
  },
  /** Answers when the transfer has ended; `transfer` events with its state come before. */
  'transfers.watch': { params: z.strictObject({ id }), result: transferStateSchema },
  'transfers.cancel': { params: z.strictObject({ id }), result: transferStateSchema },
  /** Ends and forgets it. */
  'transfers.forget': { params: z.strictObject({ id }), result: z.object({ forgotten: z.boolean() }) },
  /**
   * At the destination, when the transfer has ended: gives what arrived the fsGroup and the label of the identity. Looks
   * at what the transfers since the last time changed, or at all entries where that is not known or not enough. Answers
   * when it is done; `permissions` events with the counts come before. Ends when the asker gives up or is gone; asked
   * again, it goes on. Refused: SELinuxContextMismatch, PermissionsIncomplete and what `grants.open` refuses.
   */
  'permissions.apply': {
    params: z.strictObject({
      id,
      volume: volumeRefSchema,
      /** Of the receiver: its fsGroup, seLinuxLabel and the policies of both. */
      identity: identitySchema,
    }),
    result: permissionsStateSchema,
  },
  /** `ssh` container to `mover` only: fix the directory and identity of a grant. */
  'receivers.open': {
    params: grantSchema.omit({ publicKey: true, from: true, origins: true, bytesPerSecond: true }),
    result: z.object({ path: z.string() }),
  },
  'receivers.close': { params: z.strictObject({ id }), result: z.object({ closed: z.boolean() }) },
  /**
   * `ssh` container to `mover` only: start rsync with these arguments (already checked against the grammar; the path
   * is replaced by the mover) on the first connection to `socket`. A `receiver.exit` event
   * `{run, exitCode, signal, stderr}` follows.
   */
  'receivers.start': {
    params: z.strictObject({ id, argv: z.array(z.string().max(4096)).max(128) }),
    result: z.object({ run: id, socket: z.string() }),
  },
  'receivers.kill': { params: z.strictObject({ run: id }), result: z.object({ killed: z.boolean() }) },
} as const;

export type Method = keyof typeof methods;
export type Params<M extends Method> = z.infer<(typeof methods)[M]['params']>;
export type Result<M extends Method> = z.infer<(typeof methods)[M]['result']>;

export const events = {
  transfer: transferStateSchema,
  permissions: permissionsStateSchema,
  'receiver.exit': z.object({
    run: id,
    exitCode: z.number().nullable(),
    signal: z.string().nullable(),
    /** The last few KiB of rsync's standard error. */
    stderr: z.string(),
  }),
} as const;
export type EventName = keyof typeof events;
export type EventData<E extends EventName> = z.infer<(typeof events)[E]>;
