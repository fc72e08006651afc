import { realpath } from 'node:fs/promises';

import { type Logger, metricFamilies } from '@dr-syncer/runtime';
import { PROTOCOL_VERSION, type TransferState } from '@dr-syncer/ssh';
import type { Registry } from 'prom-client';

import { SelinuxKernel } from '../selinux/kernel.js';
import { launch } from '../identity/launch.js';
import { verifyProcess } from '../identity/verify.js';
import { untilAborted } from '../server/until-aborted.js';
import { MoverControlServer } from './control-server.js';
import { prepareDirectories } from './directories.js';
import { MoverMetrics } from './metrics.js';
import { Permissions } from './permissions/permissions.js';
import { ProcessCgroups, readOwnCgroups } from './process/cgroup.js';
import { VerifiedLauncher } from './process/launch.js';
import { Receivers } from './receivers/receivers.js';
import { RsyncFacts } from './rsync-facts.js';
import { SurveyStore } from './surveys/survey-store.js';
import { Splitter } from './surveys/splitter.js';
import { Surveys } from './surveys/surveys.js';
import { JobStore } from './transfers/job-store.js';
import { defaultPaceTimes, type PaceTimes } from './transfers/stream-pace.js';
import { Transfers } from './transfers/transfers.js';
import { VolumeLocator } from './volumes/locate.js';
import { measureVolume } from './volumes/measure.js';
import { readMounts } from './volumes/mounts.js';

export interface MoverConfig {
  /** Shared with the `ssh` container; `mover.sock` is made in it. Exists. */
  readonly socketDir: string;
  /** Of this container alone. Exists. Short: unix sockets are made in it, and their paths hold 107 bytes. */
  readonly privateDir: string;
  /** The kubelet's root directory as this container sees it. */
  readonly kubeletDir: string;
  /** Directories of the node, under the same paths in this container, whose volumes may be named by their paths. */
  readonly hostPathPrefixes: readonly string[];
  /** The node's name in the API server. */
  readonly nodeName: string;
  /** The agent's own version. */
  readonly version: string;
  /** User of the `ssh` container. */
  readonly sshUid: number;
  readonly sshGid: number;
  readonly rsyncPath: string;
  readonly sshPath: string;
  /** dr-syncer-attributes, compiled from `native/` of this package. */
  readonly attributesPath: string;
  /** dr-syncer-survey, compiled from there too. */
  readonly surveyPath: string;
  /** What surveys saw is kept here. Exists; of this container alone; worth keeping over a restart of it. */
  readonly surveyDir: string;
  /** libnss_wrapper.so */
  readonly nssWrapperPath: string;
  readonly limits?: Partial<MoverLimits>;
  /** Absent: as is right for real lines. */
  readonly paceTimes?: PaceTimes;
}

export interface MoverLimits {
  /** Volumes held open for peers. */
  readonly grants: number;
  /** rsync servers at a time. */
  readonly receivers: number;
  /** Transfers prepared or running. */
  readonly transfers: number;
  /** Ended transfers that are remembered, and for how long (ms). */
  readonly endedTransfers: number;
  readonly keepEndedMs: number;
  /** How long a transfer may stay prepared (ms). */
  readonly keepPreparedMs: number;
}

export const defaultMoverLimits: MoverLimits = {
  grants: 256,
  receivers: 32,
  transfers: 64,
  endedTransfers: 256,
  keepEndedMs: 24 * 3_600_000,
  keepPreparedMs: 15 * 60_000,
};

export interface MoverDeps {
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Called once the control socket is there. */
  readonly onListening?: (controlSocket: string) => void;
}

/**
 * The `mover` container of the agent pod: finds volumes, runs rsync in them as the identity that belongs to each, and
 * takes no connection from the network. Settles when the signal is aborted and every process it started is gone.
 *
 * @throws Error when there is no rsync, or a directory cannot be prepared
 */
export async function runMover(config: MoverConfig, deps: MoverDeps): Promise<void> {
  const { signal, logger, registry } = deps;
  const limits = { ...defaultMoverLimits, ...config.limits };
  const startedAt = new Date();
  const rsync = await RsyncFacts.find(config.rsyncPath, signal);
  if (!rsync.isSafe) {
    logger.warn('rsync is older than 3.5: privileged movers are refused, update the image', {
      version: rsync.version,
    });
  }
  const selinux = await SelinuxKernel.find();
  const directories = await prepareDirectories(config.socketDir, config.privateDir, config.sshGid);
  const locator = new VolumeLocator({
    kubeletDir: await realpath(config.kubeletDir),
    hostPathPrefixes: config.hostPathPrefixes,
  });
  const cgroups = await ProcessCgroups.find(await readMounts(), await readOwnCgroups());
  const verified = new VerifiedLauncher({ launch, verify: verifyProcess }, directories.gates, cgroups);
  const store = await SurveyStore.open(config.surveyDir);
  const survey = { launcher: verified, path: config.surveyPath };
  const surveys = new Surveys({ locator, rsync, ...survey, store });
  const transfers: Transfers = new Transfers({
    locator,
    rsync,
    push: { launcher: verified, rsync, tools: config, jobsDir: directories.jobs },
    surveys: store,
    splitter: new Splitter(survey, store),
    paceTimes: config.paceTimes ?? defaultPaceTimes,
    store: new JobStore(directories.states, logger),
    maxLive: limits.transfers,
    maxEnded: limits.endedTransfers,
    keepEndedMs: limits.keepEndedMs,
    keepPreparedMs: limits.keepPreparedMs,
    onEnded: (state) => record(state, metrics, logger),
  });
  const metrics = new MoverMetrics(registry, () => transfers.running);
  const permissions = new Permissions({
    locator,
    selinux,
    helper: { launcher: { launch, verify: verifyProcess }, path: config.attributesPath },
    pipesDir: directories.pipes,
    logger,
  });
  const receivers = new Receivers({
    locator,
    writes: permissions,
    launcher: verified,
    rsync,
    socketDir: directories.runs,
    peerUid: config.sshUid,
    peerGid: config.sshGid,
    maxGrants: limits.grants,
    maxRuns: limits.receivers,
    onRuns: (running) => metrics.receivers.set(running),
  });
  const control = new MoverControlServer({
    socketPath: directories.controlSocket,
    gid: config.sshGid,
    locator,
    receivers,
    transfers,
    measure: (params, stop) => {
      rsync.assertMay(params.identity);
      return measureVolume({ launcher: verified, locator, rsyncPath: rsync.path }, params, stop);
    },
    surveys,
    permissions,
    logger,
    metrics: () => metricFamilies(registry, 'dr_syncer_mover_'),
    hello: () => ({
      protocol: PROTOCOL_VERSION,
      version: config.version,
      node: config.nodeName,
      startedAt: startedAt.toISOString(),
      now: new Date().toISOString(),
      rsyncVersion: rsync.version,
      privilegedMovers: rsync.isSafe,
      selinux: selinux.enabled,
    }),
  });
  try {
    await control.listen();
    logger.info('mover listening', {
      rsync: rsync.version,
      selinux: selinux.enabled,
      cgroups: cgroups !== undefined,
    });
    deps.onListening?.(directories.controlSocket);
    await untilAborted(signal);
  } finally {
    await control.close();
    await Promise.all([receivers.closeAll(), transfers.closeAll()]);
  }
}

function record(state: TransferState, metrics: MoverMetrics, logger: Logger): void {
  const { id, phase, error, exitCode, bytesSent, bytesReceived, filesTransferred, filesDeleted, vanished } =
    state;
  metrics.transfers.inc({ result: error?.code ?? phase });
  metrics.bytes.inc({ direction: 'sent' }, bytesSent);
  metrics.bytes.inc({ direction: 'received' }, bytesReceived);
  metrics.deletedFiles.inc(filesDeleted);
  const fields = {
    transfer: id,
    exitCode,
    bytesSent,
    bytesReceived,
    filesTransferred,
    filesDeleted,
    vanished,
  };
  if (error) logger.warn('transfer failed', { ...fields, code: error.code });
  else logger.info('transfer succeeded', fields);
}
