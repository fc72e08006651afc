import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

import { DrError } from '@dr-syncer/api';
import { type Handlers, Peer, type TransferState } from '@dr-syncer/ssh';

/**
 * A mover for tests of the `ssh` container: the same protocol and a real rsync, without identities and mounts.
 * A volume is the directory `<root>/<pvName>`.
 */
export class SmallMover {
  readonly socketPath: string;
  readonly #root: string;
  readonly #server: Server;
  readonly #grants = new Map<string, string>();
  readonly #runs = new Map<string, () => void>();
  readonly #peers = new Set<Peer>();
  readonly argvs: string[][] = [];
  #count = 0;

  constructor(dir: string, root: string) {
    this.socketPath = join(dir, 'mover.sock');
    this.#root = root;
    this.#server = createServer((socket) => {
      const peer = new Peer(socket);
      peer.handle(this.#handlers(peer));
      this.#peers.add(peer);
      void peer.closed.then(() => this.#peers.delete(peer));
    });
  }

  async start(): Promise<void> {
    await mkdir(this.#root, { recursive: true });
    await new Promise<void>((resolve) => this.#server.listen(this.socketPath, resolve));
  }

  get grants(): string[] {
    return [...this.#grants.keys()];
  }

  get runs(): number {
    return this.#runs.size;
  }

  async stop(): Promise<void> {
    for (const kill of this.#runs.values()) kill();
    for (const peer of this.#peers) peer.close();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #handlers(peer: Peer): Handlers {
    return {
      hello: () => ({
        protocol: 1,
        version: 'mover',
        node: 'mover',
        startedAt: new Date(0).toISOString(),
        now: new Date(0).toISOString(),
        rsyncVersion: '3.5.0',
        privilegedMovers: true,
        selinux: false,
      }),
      'receivers.open': (grant) => {
        if (grant.volume.pvName === 'missing') throw new DrError('VolumeNotFound', 'no such volume');
        const path = join(this.#root, grant.volume.pvName);
        this.#grants.set(grant.id, path);
        return { path };
      },
      'receivers.close': ({ id }) => ({ closed: this.#grants.delete(id) }),
      'receivers.start': ({ id, argv }) => {
        const path = this.#grants.get(id);
        if (path === undefined) throw new DrError('GrantNotFound', 'no such grant');
        this.argvs.push(argv);
        return this.#start(peer, path, argv);
      },
      'receivers.kill': ({ run }) => {
        this.#runs.get(run)?.();
        return { killed: this.#runs.has(run) };
      },
      'transfers.watch': async ({ id }) => {
        if (id === 'unknown') throw new DrError('TransferNotFound', 'no such transfer');
        for (let i = 1; i <= 5; i += 1)
          await peer.emit('transfer', transferState(id, 'Transferring', i * 20));
        return transferState(id, 'Succeeded', 100);
      },
    };
  }

  async #start(peer: Peer, path: string, argv: readonly string[]): Promise<{ run: string; socket: string }> {
    await mkdir(path, { recursive: true });
    this.#count += 1;
    const run = `run-${this.#count}`;
    const socketPath = `${this.socketPath}.${run}`;
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
      server.close();
      socket.on('error', () => undefined);
      const child = spawn('/usr/bin/rsync', [...argv.slice(0, -1), '.'], {
        cwd: path,
        stdio: [socket, socket, 'pipe'],
        detached: true,
      });
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4096)));
      child.once('spawn', () => socket.destroy());
      this.#runs.set(run, () => {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      });
      child.once('close', (exitCode, signal) => {
        this.#runs.delete(run);
        void peer.emit('receiver.exit', { run, exitCode, signal, stderr });
      });
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    return { run, socket: socketPath };
  }
}

function transferState(id: string, phase: TransferState['phase'], percent: number): TransferState {
  return {
    id,
    phase,
    attempt: 1,
    percent,
    bytesDone: percent,
    bytesPerSecond: 0,
    filesTransferred: 0,
    filesDeleted: 0,
    literalBytes: 0,
    bytesSent: 0,
    bytesReceived: 0,
    vanished: 0,
  };
}
