import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';

import { toDrError } from '@dr-syncer/api';
import type { EventData } from '@dr-syncer/ssh';

import type { Receiver, ReceiverBackend, ReceiverExit, ReceiverTarget } from '../server/receiver.js';
import { Refused } from '../server/refusals.js';
import type { Fence } from './fence.js';
import { connectUnix, type MoverLink } from './mover-link.js';
import { paced, type Pacer } from './pacer.js';
import { staticGrant, staticVolume } from './static-volume.js';

/** The mover answers a kill with an exit; after this it is given up on. */
const KILL_PATIENCE_MS = 30_000;

function refusal(err: unknown): Refused {
  const { code } = toDrError(err);
  if (code === 'GrantNotFound') return new Refused('GrantNotFound', undefined, { cause: err });
  return new Refused('StartFailed', `rsync could not be started: ${code}`, { cause: err });
}

/** Collects the exits of the time before the run's name is known: both may come in one read of the socket. */
class ExitWaiter {
  readonly exited: Promise<ReceiverExit>;
  readonly #stop: (() => void)[] = [];
  #early: EventData<'receiver.exit'>[] = [];
  #run: string | undefined;
  #resolve: (exit: ReceiverExit) => void = () => undefined;

  constructor(link: MoverLink) {
    this.exited = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#stop.push(link.on('receiver.exit', (event) => this.#saw(event)));
    this.#stop.push(link.onLost(() => this.settle({ exitCode: null, signal: 'SIGKILL', stderr: '' })));
  }

  follow(run: string): void {
    this.#run = run;
    for (const event of this.#early.splice(0)) this.#saw(event);
  }

  settle(exit: ReceiverExit): void {
    for (const stop of this.#stop.splice(0)) stop();
    this.#resolve(exit);
  }

  #saw(event: EventData<'receiver.exit'>): void {
    if (this.#run === undefined) this.#early.push(event);
    else if (event.run === this.#run) this.settle(event);
  }
}

/** Has rsync started by the `mover` container, and gets its standard input and output as one Unix socket. */
export class MoverReceivers implements ReceiverBackend {
  readonly #link: MoverLink;
  readonly #fence: Pick<Fence, 'check' | 'isFenced'>;
  readonly #staticSeconds: number;
  readonly #pacerOf: (grantId: string) => Pacer | undefined;
  /** Names of the PVs that commands of the static file write to, by the ids of their grants. */
  readonly #staticWrites = new Map<string, string>();

  /** @param staticSeconds how long a command of the static file may run */
  constructor(
    link: MoverLink,
    fence: Pick<Fence, 'check' | 'isFenced'>,
    staticSeconds: number,
    pacerOf: (grantId: string) => Pacer | undefined,
  ) {
    this.#link = link;
    this.#fence = fence;
    this.#staticSeconds = staticSeconds;
    this.#pacerOf = pacerOf;
  }

  /** Ends commands of the static file that write to volumes that are fenced by now. */
  endFenced(): void {
    for (const [id, pvName] of this.#staticWrites) if (this.#fence.isFenced(pvName)) this.#closeStatic(id);
  }

  async start(target: ReceiverTarget, argv: readonly string[], signal: AbortSignal): Promise<Receiver> {
    if (target.grantId !== undefined) return this.#run(target.grantId, argv, signal);
    const id = await this.#openStatic(target.dir, argv, signal);
    try {
      // The line may have another name for the directory than the mover has; there is only this one.
      const receiver = await this.#run(id, [...argv.slice(0, -1), '.'], signal);
      void receiver.exited.then(() => this.#closeStatic(id));
      return receiver;
    } catch (err) {
      this.#closeStatic(id);
      throw err;
    }
  }

  /** Volumes are named by the API server's objects here, those of static lines, too. */
  async #openStatic(dir: string, argv: readonly string[], signal: AbortSignal): Promise<string> {
    const volume = staticVolume(dir);
    if (volume === undefined) throw new Refused('VolumeNotAvailable');
    const id = `static-${randomBytes(12).toString('hex')}`;
    const expiresAt = new Date(Date.now() + this.#staticSeconds * 1000);
    const grant = staticGrant(id, volume, argv, expiresAt);
    if (grant.direction === 'write') this.#staticWrites.set(id, volume.ref.pvName);
    try {
      const { path } = await this.#link.request('receivers.open', grant, { signal });
      // Looked at last: it may have been fenced meanwhile.
      if (grant.direction === 'write') this.#fence.check(volume.ref.pvName);
      if (volume.isAt(path)) return id;
      throw new Error(`the volume is at ${path}`);
    } catch (err) {
      this.#closeStatic(id);
      throw new Refused('VolumeNotAvailable', undefined, { cause: err });
    }
  }

  #closeStatic(id: string): void {
    this.#staticWrites.delete(id);
    // A mover that is gone has closed it itself.
    this.#link.request('receivers.close', { id }).catch(() => undefined);
  }

  async #run(grantId: string, argv: readonly string[], signal: AbortSignal): Promise<Receiver> {
    const waiter = new ExitWaiter(this.#link);
    let run: string | undefined;
    try {
      const started = await this.#link.request(
        'receivers.start',
        { id: grantId, argv: [...argv] },
        { signal },
      );
      run = started.run;
      waiter.follow(run);
      const socket = await connectUnix(started.socket, signal);
      return this.#receiver(socket, run, waiter, this.#pacerOf(grantId));
    } catch (err) {
      waiter.settle({ exitCode: null, signal: 'SIGKILL', stderr: '' });
      if (run !== undefined) this.#kill(run);
      throw refusal(err);
    }
  }

  #receiver(socket: Socket, run: string, waiter: ExitWaiter, pacer: Pacer | undefined): Receiver {
    let killed = false;
    const kill = () => {
      if (killed) return;
      killed = true;
      this.#kill(run);
      const patience = setTimeout(
        () => waiter.settle({ exitCode: null, signal: 'SIGKILL', stderr: '' }),
        KILL_PATIENCE_MS,
      );
      void waiter.exited.then(() => clearTimeout(patience));
    };
    void waiter.exited.then(() => {
      // What rsync wrote last may still be in the socket; its end follows, and then nobody writes any more.
      if (killed || socket.readableEnded) socket.destroy();
      else socket.once('end', () => socket.destroySoon());
    });
    const input = pacer === undefined ? socket : paced(socket, pacer);
    return { input, output: socket, exited: waiter.exited, kill };
  }

  #kill(run: string): void {
    // A mover that is gone has no runs left.
    this.#link.request('receivers.kill', { run }).catch(() => undefined);
  }
}
