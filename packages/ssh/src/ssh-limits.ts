import { z } from 'zod';

const count = (fallback: number, max = 1_000_000) => z.number().int().min(1).max(max).default(fallback);
/** No more than a timer of Node.js can hold (2^31 - 1 ms). */
const seconds = (fallback: number) => z.number().min(0.05).max(2_147_483).default(fallback);
const bytes = (fallback: number, max = 1_073_741_824, min = 1024) =>
  z.number().int().min(min).max(max).default(fallback);

/** What of standard error a command can hand on at all; the setting only makes it less. */
export const MAX_STDERR_BYTES = 64 * 1024;

/** See sshd_config(5), MaxStartups. */
const startups = z
  .strictObject({ start: count(1024), ratePercent: count(30, 100), full: count(2048) })
  .refine(({ start, full }) => full >= start, { path: ['full'], message: 'has to be at least "start"' });

/**
 * Every limit of the SSH server. ssh2 has none of its own: no timer, no cap, no rate (its server.js and Protocol.js,
 * 1.17.0). Set by the variable SSH_LIMITS; what counts a hit of each is in docs/reference/ssh-server.md.
 */
const limits = z.strictObject({
  /** From accept to a successful login; then the connection is closed. */
  loginGraceSeconds: seconds(30),
  /**
   * Connections that have not logged in, as sshd's MaxStartups start:rate:full: from `start` on a new one is dropped
   * with `ratePercent` probability, which grows to certainty at `full`. High, because an idle one costs tens of KiB.
   */
  startups: startups.prefault({}),
  /** Of `startups`, from one source address (IPv6: one /64). */
  startupsPerSource: count(64),
  /** Key exchanges (the expensive part of a connection) a second, over all sources and from one. */
  handshakes: z.strictObject({ perSecond: count(100), burst: count(200) }).prefault({}),
  handshakesPerSource: z.strictObject({ perSecond: count(20), burst: count(60) }).prefault({}),
  /** Refused logins on a connection. */
  authAttempts: count(6, 100),
  /** Login messages of any kind on a connection, including questions whether a key would do. */
  authRequests: count(20, 1000),
  /** Logged-in connections. */
  connections: count(64),
  connectionsPerKey: count(16),
  /** From login to the one command. */
  commandGraceSeconds: seconds(30),
  /** No byte of data moved either way. Not for the control protocol, which may be silent for long. */
  idleSeconds: seconds(1800),
  /** Of one rsync session. */
  totalSeconds: seconds(7 * 86_400),
  /** A dead peer is noticed after `count` unanswered questions, one every `seconds`. */
  keepalive: z.strictObject({ seconds: seconds(30), count: count(3, 100) }).prefault({}),
  /** Key exchanges that a client may start beyond one for each MiB moved: each costs a signature. */
  rekeys: count(16, 10_000),
  /** Command line that a client asks for. */
  requestBytes: bytes(16 * 1024),
  /** Refused requests on one connection before it is closed. */
  refusals: count(16, 1000),
  /** Last bytes of a command's standard error that are kept and passed on. */
  stderrBytes: bytes(16 * 1024, MAX_STDERR_BYTES),
  /** Receive window that a session may grow to; ssh2's own is 2 MiB, which is 20 MB/s at 50 ms. */
  windowBytes: bytes(16 * 1024 * 1024, 1_073_741_824, 256 * 1024),
  /** What the windows of all sessions together may have grown by. */
  windowBytesTotal: bytes(64 * 1024 * 1024),
  /** Unsent bytes after which a session stops reading from its command, and those that end a connection. */
  sendBufferBytes: bytes(1024 * 1024),
  sendBufferMaxBytes: bytes(8 * 1024 * 1024),
  /** Grants that are open; a pod's mover has a limit of its own. */
  grants: count(1024, 65_536),
});

export const sshLimitsSchema = limits.refine(
  ({ sendBufferBytes, sendBufferMaxBytes }) => sendBufferMaxBytes >= sendBufferBytes,
  { path: ['sendBufferMaxBytes'], message: 'has to be at least "sendBufferBytes"' },
);

export type SshLimits = z.infer<typeof sshLimitsSchema>;

export const defaultSshLimits: SshLimits = sshLimitsSchema.parse({});
