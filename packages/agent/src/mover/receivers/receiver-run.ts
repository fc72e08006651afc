import type { ChildProcess } from 'node:child_process';
import { chmod, chown } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';

import { DrError, type Identity } from '@dr-syncer/api';
import { type EventData, MAX_STDERR_BYTES } from '@dr-syncer/ssh';

import { StderrTail } from '../../server/stderr-tail.js';
import { killGroup } from '../process/group.js';
import type { VerifiedLauncher } from '../process/launch.js';
import { flushFileSystem } from '../volumes/flush.js';
import { FlushAhead } from '../volumes/flush-ahead.js';
import type { OpenVolume } from '../volumes/open-volume.js';

export interface ReceiverRunOptions {
  readonly run: string;
  /** Of the unix socket, in a directory where only the peer can reach it. */
  readonly socketPath: string;
  /** Who may connect. */
  readonly peerUid: number;
  readonly peerGid: number;
  readonly launcher: VerifiedLauncher;
  readonly rsyncPath: string;
  readonly identity: Identity;
  /** rsync's, ready to run in the volume. */
  readonly args: readonly string[];
  readonly volume: Pick<OpenVolume, 'cwd' | 'fd'>;
  /** Writes are to be on the device before the exit is told. */
  readonly flush: boolean;
}

type ProcessEnd = Pick<ReceiverExit, 'exitCode' | 'signal'>;
export type ReceiverExit = EventData<'receiver.exit'>;

/** The peer connects as soon as it has the answer. */
const CONNECT_MS = 30_000;
/** rsync has done all it could: success, some files not copied, some vanished. */
const FINISHED: readonly (number | null)[] = [0, 23, 24];
/** As rsync says it: error in file I/O. */
const EXIT_FILE_IO = 11;
/** Nothing of ours: no home, no locale that would change messages, no proxy. */
const ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };

/**
 * One `rsync --server`: a socket that takes one connection, which becomes its standard input and output. The mover
 * never reads from that connection; what the peer sends waits in the kernel until rsync runs as who it should.
 */
export class ReceiverRun {
  readonly run: string;
  readonly #options: ReceiverRunOptions;
  readonly #server: Server;
  readonly #stderr = new StderrTail(MAX_STDERR_BYTES);
  readonly #abort = new AbortController();
  readonly #settle: (exit: ReceiverExit) => void;
  readonly #timer: NodeJS.Timeout;
  #connected = false;
  #child: ChildProcess | undefined;
  /** Settles when rsync and all it started have ended. Never rejects. */
  readonly exited: Promise<ReceiverExit>;

  private constructor(options: ReceiverRunOptions) {
    this.run = options.run;
    this.#options = options;
    let settle: (exit: ReceiverExit) => void = () => undefined;
    this.exited = new Promise((resolve) => {
      settle = resolve;
    });
    this.#settle = settle;
    // Half-open: the end of what comes in is not the end of what goes out.
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.#accept(socket),
    );
    this.#server.on('error', () => this.#give('the socket of the receiver failed'));
    this.#timer = setTimeout(() => this.#give('nobody connected to the receiver'), CONNECT_MS);
  }

  /** Waits for its connection. @throws the error of listen(2), chown(2) */
  static async listen(options: ReceiverRunOptions): Promise<ReceiverRun> {
    const receiver = new ReceiverRun(options);
    try {
      await receiver.#listen();
      return receiver;
    } catch (err) {
      receiver.#give('the receiver has no socket');
      throw err;
    }
  }

  /** Ends it and all that it started. May be called at any time, more than once. */
  kill(): void {
    this.#abort.abort(new DrError('Cancelled', 'the receiver was ended'));
    if (this.#child) killGroup(this.#child);
    else if (!this.#connected) this.#give('the receiver was ended before anybody had connected');
  }

  async #listen(): Promise<void> {
    const { socketPath, peerUid, peerGid } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(socketPath, resolve);
    });
    await chmod(socketPath, 0o600);
    await chown(socketPath, peerUid, peerGid);
  }

  #accept(socket: Socket): void {
    // A reset in the copy that is kept until the child has its own would end this process otherwise.
    socket.on('error', () => undefined);
    if (!this.#server.listening || this.#abort.signal.aborted) {
      socket.destroy();
      return;
    }
    this.#connected = true;
    clearTimeout(this.#timer);
    this.#server.close();
    void this.#launch(socket);
  }

  async #launch(socket: Socket): Promise<void> {
    const { launcher, identity, rsyncPath: program, args, volume, flush } = this.#options;
    let ended: Promise<ProcessEnd> | undefined;
    let ahead: FlushAhead | undefined;
    try {
      await launcher.launch(
        {
          identity,
          program,
          args,
          cwd: volume.cwd,
          env: ENV,
          // The fourth is VOLUME_FD.
          stdio: [socket, socket, 'pipe', volume.fd],
          onSpawn: (child) => {
            ended = this.#follow(child, socket);
          },
        },
        this.#abort.signal,
      );
      if (flush) ahead = new FlushAhead(volume.cwd, this.#abort.signal);
    } catch (err) {
      this.#stderr.push(Buffer.from(`dr-syncer: ${err instanceof Error ? err.message : 'not started'}\n`));
      socket.destroy();
    }
    const end = await this.#flushed(await (ended ?? { exitCode: null, signal: 'SIGKILL' }), ahead);
    this.#settle({ run: this.run, ...end, stderr: this.#stderr.text() });
  }

  /** The sending rsync waits for this exit, so its success means that the copy is on the device. */
  async #flushed(end: ProcessEnd, ahead: FlushAhead | undefined): Promise<ProcessEnd> {
    const { flush, volume } = this.#options;
    try {
      await ahead?.end();
      if (flush && FINISHED.includes(end.exitCode)) await flushFileSystem(volume.cwd, this.#abort.signal);
      return end;
    } catch {
      if (!FINISHED.includes(end.exitCode)) return end;
      this.#stderr.push(Buffer.from('dr-syncer: the device did not take what was written\n'));
      return { exitCode: EXIT_FILE_IO, signal: null };
    }
  }

  /** Settles when the process has ended and its output has been read; one that never was has ended. */
  #follow(child: ChildProcess, socket: Socket): Promise<ProcessEnd> {
    this.#child = child;
    child.once('spawn', () => socket.destroy());
    child.stderr?.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    return new Promise((resolve) => {
      child.once('error', () => resolve({ exitCode: null, signal: 'SIGKILL' }));
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
    });
  }

  /** Nothing was started, or nothing will be. */
  #give(reason: string): void {
    clearTimeout(this.#timer);
    if (this.#server.listening) this.#server.close();
    this.#settle({ run: this.run, exitCode: null, signal: 'SIGKILL', stderr: `dr-syncer: ${reason}\n` });
  }
}
