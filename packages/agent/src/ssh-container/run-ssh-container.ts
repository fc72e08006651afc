import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';

import { type Logger, metricFamilies } from '@dr-syncer/runtime';
import type { Registry } from 'prom-client';

import { KeyRing } from '../server/key-ring.js';
import { defaultSshLimits, type SshLimits } from '@dr-syncer/ssh';
import { SshMetrics } from '../server/metrics.js';
import { auditLogTo, runSshServer, type SshServerSettings } from '../server/run-ssh-server.js';
import { controlService } from './control-session.js';
import { Fence } from './fence.js';
import { Grants } from './grants.js';
import { MoverLink } from './mover-link.js';
import { MoverReceivers } from './mover-receivers.js';
import { Revocation } from './revocation.js';

export interface SshContainerConfig extends SshServerSettings {
  /** Unix socket of the mover container, in the directory that both share. */
  readonly moverSocket: string;
  /** Volumes that take no data: see `Fence`. */
  readonly fenceFile: string;
  /** The node's name in the API server. */
  readonly nodeName: string;
  /** The agent's own version. */
  readonly version: string;
  readonly limits?: SshLimits;
}

export interface SshContainerDeps {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Where audit lines go; absent (ENABLE_AUDIT_LOG=false): nowhere. */
  readonly auditSink?: Writable;
  /** Called once the port is open; `ready` says whether there is a mover to work with. */
  readonly onListening?: (address: AddressInfo, ready: () => boolean) => void;
}

/**
 * The `ssh` container of the agent pod: terminates SSH, holds the keys and grants, touches no volume.
 * Settles when the signal is aborted and everything has been closed.
 *
 * @throws Error when no host key is usable or the port cannot be had
 */
export async function runSshContainer(config: SshContainerConfig, deps: SshContainerDeps): Promise<void> {
  const { signal, logger, registry, onListening } = deps;
  const now = () => new Date();
  const limits = config.limits ?? defaultSshLimits;
  const keys = new KeyRing();
  const metrics = new SshMetrics(registry);
  const audit = auditLogTo(deps.auditSink);
  const mover = new MoverLink({ socketPath: config.moverSocket, logger });
  let endSessions: () => void = () => undefined;
  let hostKeys: () => readonly string[] = () => [];
  const fence = new Fence({
    ...{ file: config.fenceFile, metrics, logger },
    onChange: () => {
      void grants.closeFenced();
      receivers.endFenced();
    },
  });
  const receivers: MoverReceivers = new MoverReceivers(mover, fence, limits.totalSeconds, (id) =>
    grants.pacerOf(id),
  );
  const grants: Grants = new Grants({
    mover,
    keys,
    metrics,
    audit,
    fence,
    max: limits.grants,
    now,
    onRemoved: () => endSessions(),
  });
  const revocation = new Revocation({
    ...{ keys, grants, mover, audit, logger },
    endSessions: () => endSessions(),
  });
  const control = controlService({
    audit,
    mover,
    grants,
    keys,
    revocation,
    hostKeys: () => hostKeys(),
    metrics: () => metricFamilies(registry, 'dr_syncer_ssh_'),
    nodeName: config.nodeName,
    version: config.version,
    startedAt: now(),
    now,
  });
  // Before the port is open: nothing gets in that should be fenced.
  await fence.start();
  const linked = mover.run(signal);
  try {
    await runSshServer(
      config,
      { keys, limits, metrics, audit, receivers, control },
      {
        signal,
        logger,
        onListening: (address, server) => {
          endSessions = () => server.revalidate();
          hostKeys = () => server.hostKeyFingerprints;
          onListening?.(address, () => mover.connected);
        },
      },
    );
  } finally {
    fence.close();
    grants.closeAll('Shutdown');
  }
  await linked;
}
