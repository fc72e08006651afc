import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';

import { SSH_USER } from '@dr-syncer/api';
import type { Logger } from '@dr-syncer/runtime';

import { type AuditLog, ChainedAuditLog, noAuditLog } from '../audit/audit-log.js';
import { defaultSshAlgorithms, type SshAlgorithms } from '@dr-syncer/ssh';
import type { ControlService } from './connection.js';
import { avoidIncrementalMarking } from './garbage-collection.js';
import { KeyFiles } from './key-files.js';
import type { KeyRing } from './key-ring.js';
import type { SshLimits } from '@dr-syncer/ssh';
import type { SshMetrics } from './metrics.js';
import { warnWithoutNativeCrypto } from './native-crypto.js';
import type { ReceiverBackend } from './receiver.js';
import { SshServer } from './ssh-server.js';
import { untilAborted } from './until-aborted.js';

/** Settings that the pod's server and the stand-alone one have in common. */
export interface SshServerSettings {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly hostKeyFiles: readonly string[];
  readonly authorizedKeysFile: string;
  readonly algorithms?: SshAlgorithms;
  /** Other interval than the default one between a change of a file and its reading, for tests. */
  readonly settleMs?: number;
}

export interface SshServerParts {
  readonly keys: KeyRing;
  readonly limits: SshLimits;
  readonly metrics: SshMetrics;
  readonly audit: AuditLog;
  readonly receivers: ReceiverBackend;
  readonly control?: ControlService;
}

export interface RunSshServerDeps {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Called once the port is open. */
  readonly onListening?: (address: AddressInfo, server: SshServer) => void;
}

/** `sink` absent: no audit log is kept. */
export function auditLogTo(sink: Writable | undefined): AuditLog {
  return sink === undefined ? noAuditLog : new ChainedAuditLog(sink);
}

/**
 * Serves until the signal is aborted, then closes everything.
 *
 * @throws Error when no host key is usable or the port cannot be had
 */
export async function runSshServer(
  settings: SshServerSettings,
  parts: SshServerParts,
  deps: RunSshServerDeps,
): Promise<void> {
  const { signal, logger } = deps;
  avoidIncrementalMarking();
  warnWithoutNativeCrypto(logger);
  const now = () => new Date();
  const files = new KeyFiles({ ...settings, keys: parts.keys, metrics: parts.metrics, logger, now });
  const hostKeys = await files.start();
  const algorithms = settings.algorithms ?? defaultSshAlgorithms;
  const server = new SshServer({ ...parts, user: SSH_USER, algorithms, hostKeys, logger, now });
  files.follow(server);
  try {
    const address = await server.listen(settings.host, settings.port);
    logger.info('listening for SSH', { address: address.address, port: address.port });
    deps.onListening?.(address, server);
    await untilAborted(signal);
  } finally {
    files.close();
    await server.close();
  }
}
