import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';

import type { Logger } from '@dr-syncer/runtime';
import type { Registry } from 'prom-client';

import { KeyRing } from '../server/key-ring.js';
import { defaultSshLimits, type SshLimits } from '@dr-syncer/ssh';
import { LocalReceivers } from '../server/local-receiver.js';
import { SshMetrics } from '../server/metrics.js';
import { atLeast, rsyncVersion } from '../server/rsync-version.js';
import { auditLogTo, runSshServer, type SshServerSettings } from '../server/run-ssh-server.js';

export interface ServeOptions extends SshServerSettings {
  /** Directories that the keys' commands name have to be in here. */
  readonly volumesRoot: string;
  /** What the keys' commands call `volumesRoot`. Default: its own path. */
  readonly publishedRoot?: string;
  /** Default `/usr/bin/rsync`. */
  readonly rsyncPath?: string;
  readonly limits?: SshLimits;
}

export interface ServeDeps {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Where audit lines go; absent (ENABLE_AUDIT_LOG=false): nowhere. */
  readonly auditSink?: Writable;
  /** Called once the port is open. */
  readonly onListening?: (address: AddressInfo) => void;
}

/**
 * The agent's SSH server without Kubernetes: keys from a file, rsync as a child process of this one and as its user.
 * Settles when the signal is aborted and everything has been closed.
 *
 * @throws Error when a host key, the port or rsync is not usable
 */
export async function runServe(options: ServeOptions, deps: ServeDeps): Promise<void> {
  const { signal, logger, registry } = deps;
  const limits = options.limits ?? defaultSshLimits;
  const rsyncPath = options.rsyncPath ?? '/usr/bin/rsync';
  const version = await rsyncVersion(rsyncPath, signal);
  const rsync35 = atLeast(version, 3, 5);
  if (!rsync35) {
    logger.warn('rsync is older than 3.5: it is not confined to its directory and may make devices', {
      version,
    });
  }
  const receivers = new LocalReceivers({
    volumesRoot: options.volumesRoot,
    publishedRoot: options.publishedRoot ?? options.volumesRoot,
    rsyncPath,
    rsync35,
  });
  const audit = auditLogTo(deps.auditSink);
  const metrics = new SshMetrics(registry);
  await runSshServer(options, { keys: new KeyRing(), limits, metrics, audit, receivers }, deps);
}
