import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Identity } from '@dr-syncer/api';
import {
  type ControlConnection,
  connectControl,
  type Grant,
  parsePrivateKey,
  type Params,
  type TransferState,
} from '@dr-syncer/ssh';
import { Registry } from 'prom-client';

import {
  type LogLine,
  makeWorkbench,
  recordingLogger,
  type Workbench,
} from '../../server/testing/fixture.js';
import { eventually } from '../../server/testing/process.js';
import { runSshContainer } from '../../ssh-container/run-ssh-container.js';
import { type MoverConfig, runMover } from '../run-mover.js';
import { attributesHelper, surveyProgram } from './attributes.js';
import { TestKubelet, type TestVolume } from './kubelet.js';

export const NSS_WRAPPER = '/usr/lib/x86_64-linux-gnu/libnss_wrapper.so';

export const rootIdentity: Identity = {
  uid: 0,
  gid: 0,
  groups: [0],
  capabilities: ['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'MKNOD', 'SETFCAP'],
  umask: '0077',
  privileged: true,
};

export const tenantIdentity: Identity = {
  uid: 1000690000,
  gid: 1000690000,
  groups: [1000690000, 1000690001],
  capabilities: [],
  umask: '0007',
  privileged: false,
};

export interface PushOptions {
  readonly source: Identity;
  readonly destination: Identity;
  readonly options?: Partial<Params<'transfers.start'>['options']>;
  readonly hostKeys?: readonly string[];
  readonly port?: number;
  readonly grant?: Partial<Grant>;
}

/** Both containers of an agent in this process, with the real SSH server between its own volumes. */
export class TestAgent {
  readonly bench: Workbench;
  readonly kubelet: TestKubelet;
  readonly config: MoverConfig;
  readonly log: LogLine[] = [];
  readonly sshLog: LogLine[] = [];
  registry = new Registry();
  #moverAbort = new AbortController();
  readonly #sshAbort = new AbortController();
  #moverEnded: Promise<void> = Promise.resolve();
  #sshEnded: Promise<void> = Promise.resolve();
  #connections: ControlConnection[] = [];
  #ready: () => boolean = () => false;
  #count = 0;
  port = 0;
  hostKey = '';
  controllerKeyFile = '';
  controlSocket = '';

  private constructor(
    bench: Workbench,
    kubelet: TestKubelet,
    rsyncPath: string,
    programs: Pick<MoverConfig, 'attributesPath' | 'surveyPath'> & Partial<MoverConfig>,
  ) {
    this.bench = bench;
    this.kubelet = kubelet;
    this.config = {
      socketDir: join(bench.dir, 'shared'),
      privateDir: join(bench.dir, 'private'),
      kubeletDir: kubelet.dir,
      hostPathPrefixes: [kubelet.localPathDir],
      nodeName: 'node-1',
      version: '1.2.3',
      sshUid: 1000,
      sshGid: 1000,
      rsyncPath,
      sshPath: '/usr/bin/ssh',
      ...programs,
      surveyDir: join(bench.dir, 'surveys'),
      nssWrapperPath: NSS_WRAPPER,
    };
  }

  static async start(rsyncPath = '/usr/bin/rsync', more: Partial<MoverConfig> = {}): Promise<TestAgent> {
    const programs = { attributesPath: await attributesHelper(), surveyPath: await surveyProgram() };
    const agent = new TestAgent(await makeWorkbench(), await TestKubelet.make(), rsyncPath, {
      ...programs,
      ...more,
    });
    const { bench, config } = agent;
    await chmod(bench.dir, 0o711);
    await mkdir(config.socketDir);
    await mkdir(config.privateDir);
    await mkdir(config.surveyDir);
    await agent.#startMover();
    await agent.#startSsh();
    return agent;
  }

  async #startMover(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#moverEnded = runMover(this.config, {
        signal: this.#moverAbort.signal,
        logger: recordingLogger(this.log),
        registry: this.registry,
        onListening: (path) => {
          this.controlSocket = path;
          resolve();
        },
      });
      this.#moverEnded.catch(reject);
    });
  }

  async #startSsh(): Promise<void> {
    const controller = await this.bench.key('controller', 'rsa', 3072);
    const host = await this.bench.key('host');
    const authorizedKeysFile = join(this.bench.dir, 'authorized_keys');
    await writeFile(authorizedKeysFile, `restrict,command="dr-syncer-control" ${controller.line}\n`);
    this.hostKey = host.line;
    this.controllerKeyFile = controller.file;
    this.#ready = await new Promise<() => boolean>((resolve, reject) => {
      this.#sshEnded = runSshContainer(
        {
          host: '127.0.0.1',
          port: 0,
          hostKeyFiles: [host.file],
          authorizedKeysFile,
          fenceFile: join(this.bench.dir, 'fence'),
          moverSocket: this.controlSocket,
          nodeName: 'node-1',
          version: '1.2.3',
        },
        {
          signal: this.#sshAbort.signal,
          logger: recordingLogger(this.sshLog),
          registry: new Registry(),
          onListening: (address, isReady) => {
            this.port = address.port;
            resolve(isReady);
          },
        },
      );
      this.#sshEnded.catch(reject);
    });
    await eventually(() => (this.#ready() ? true : undefined));
  }

  /** As after a rolling update: the mover ends and another one begins, with what the first has left. */
  async restartMover(): Promise<void> {
    this.#moverAbort.abort();
    await this.#moverEnded;
    this.#moverAbort = new AbortController();
    this.registry = new Registry();
    await this.#startMover();
    await eventually(() => (this.#ready() ? true : undefined));
  }

  async control(): Promise<ControlConnection> {
    const connection = await connectControl({
      host: '127.0.0.1',
      port: this.port,
      privateKey: parsePrivateKey(await readFile(this.controllerKeyFile, 'utf8')),
      hostKeys: [this.hostKey],
    });
    this.#connections.push(connection);
    return connection;
  }

  /** Prepares, opens the grant, starts. Returns the id. */
  async begin(
    control: ControlConnection,
    from: TestVolume,
    to: TestVolume,
    push: PushOptions,
  ): Promise<string> {
    this.#count += 1;
    const id = `t-${this.#count}`;
    const { peer } = control;
    const { publicKey } = await peer.request('transfers.prepare', {
      id,
      holder: id,
      volume: from.ref,
      identity: push.source,
    });
    const { path } = await peer.request('grants.open', {
      id,
      publicKey,
      volume: to.ref,
      direction: 'write',
      allowDelete: true,
      from: [],
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
      identity: push.destination,
      preserve: { devices: true, fileCapabilities: true },
      holder: to.ref.pvName,
      streams: push.options?.streams ?? 1,
      ...push.grant,
    });
    await peer.request('transfers.start', {
      id,
      destination: {
        host: '127.0.0.1',
        port: push.port ?? this.port,
        hostKeys: [...(push.hostKeys ?? [this.hostKey])],
        path,
        identity: push.destination,
        rootModesAgree: false,
      },
      options: {
        delete: true,
        excludePaths: [],
        bandwidthLimitKiB: 0,
        startTimeoutSeconds: 15,
        stallTimeoutSeconds: 30,
        totalTimeoutSeconds: 0,
        attempts: 1,
        checksum: false,
        resume: true,
        scope: 'All',
        purpose: 'copy',
        streams: 1,
        devices: true,
        fileCapabilities: true,
        ...push.options,
      },
    });
    return id;
  }

  /** A whole transfer, to its last state. */
  async push(from: TestVolume, to: TestVolume, push: PushOptions): Promise<TransferState> {
    const control = await this.control();
    const id = await this.begin(control, from, to, push);
    const state = await control.peer.request('transfers.watch', { id }, { timeoutMs: 0 });
    await control.peer.request('transfers.forget', { id });
    await control.peer.request('grants.close', { id });
    control.close();
    return state;
  }

  async stopSsh(): Promise<void> {
    for (const connection of this.#connections.splice(0)) connection.close();
    this.#sshAbort.abort();
    await this.#sshEnded;
  }

  async stop(): Promise<void> {
    await this.stopSsh();
    this.#moverAbort.abort();
    await this.#moverEnded;
    await this.kubelet.remove();
    await this.bench.remove();
  }
}
