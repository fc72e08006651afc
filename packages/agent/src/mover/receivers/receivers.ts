import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { DrError } from '@dr-syncer/api';
import { receiverOptions } from '@dr-syncer/identity';
import type { Params, Result } from '@dr-syncer/ssh';

import { untilAborted } from '../../server/until-aborted.js';
import type { VerifiedLauncher } from '../process/launch.js';
import type { WriteWatch, WriteWatcher } from '../permissions/write-watch.js';
import type { RsyncFacts } from '../rsync-facts.js';
import type { VolumeLocator } from '../volumes/locate.js';
import type { OpenVolume } from '../volumes/open-volume.js';
import { receiverArgs } from './receiver-args.js';
import { type ReceiverExit, ReceiverRun } from './receiver-run.js';

export type ReceiverGrant = Params<'receivers.open'>;

export interface ReceiversOptions {
  readonly locator: VolumeLocator;
  readonly launcher: VerifiedLauncher;
  readonly rsync: RsyncFacts;
  readonly writes: WriteWatcher;
  /** Where the sockets of runs are made: the peer can enter it and nobody else. */
  readonly socketDir: string;
  readonly peerUid: number;
  readonly peerGid: number;
  readonly maxGrants: number;
  readonly maxRuns: number;
  readonly onRuns: (running: number) => void;
}

/** Gets the exits of the runs that it asked for. One for each control connection. */
export interface ReceiverOwner {
  readonly onExit: (exit: ReceiverExit) => void;
}

interface OpenGrant {
  readonly owner: ReceiverOwner;
  readonly grant: ReceiverGrant;
  readonly volume: OpenVolume;
  readonly timer: NodeJS.Timeout;
  readonly runs: Set<ReceiverRun>;
  /** Runs are begun one after the other, or more would be let in than there may be. */
  turn: Promise<unknown>;
}

/** Longest delay that setTimeout takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Killed processes go within two seconds, unless their file system hangs. */
const END_OTHERS_MS = 5_000;

function writesToo({ grant, volume }: OpenGrant, other: OpenGrant): boolean {
  if (other.grant === grant || other.grant.direction !== 'write') return false;
  return (
    other.volume.identity.dev === volume.identity.dev && other.volume.identity.ino === volume.identity.ino
  );
}

/** Nothing is written then (rsync(1), --dry-run), so nobody has to know what. */
function isDryRun(argv: readonly string[]): boolean {
  return argv.some((word) => /^-[^-e]*n/.test(word));
}

function mayDelete(args: readonly string[]): boolean {
  return args.some((word) => word.startsWith('--delete'));
}

/** The volumes that may be written to or read from by a peer, and the rsyncs that do it. */
export class Receivers {
  readonly #options: ReceiversOptions;
  readonly #grants = new Map<string, OpenGrant>();
  readonly #opening = new Set<string>();
  readonly #runs = new Map<string, { readonly run: ReceiverRun; readonly open: OpenGrant }>();
  /** Those whose connection has ended: what was on its way for them is not installed any more. */
  readonly #gone = new WeakSet<ReceiverOwner>();
  #closed = false;

  constructor(options: ReceiversOptions) {
    this.#options = options;
  }

  /**
   * Fixes the directory of the volume for as long as the grant lasts: until `close`, its expiry, the end of its owner.
   *
   * @throws DrError VolumeNotFound, VolumeReadOnly, VolumeBusy, RsyncTooOld, Busy, BadRequest, Timeout
   */
  async open(owner: ReceiverOwner, grant: ReceiverGrant): Promise<Result<'receivers.open'>> {
    const { rsync, maxGrants, locator } = this.#options;
    rsync.assertMay(grant.identity);
    const left = Date.parse(grant.expiresAt) - Date.now();
    if (left <= 0) throw new DrError('BadRequest', 'the grant has expired already');
    if (this.#closed || this.#grants.has(grant.id) || this.#opening.has(grant.id)) {
      throw new DrError('Busy', 'a grant with this id is open');
    }
    if (this.#grants.size + this.#opening.size >= maxGrants)
      throw new DrError('Busy', `${maxGrants} grants are open`);
    this.#opening.add(grant.id);
    try {
      const volume = await locator.open(grant.volume);
      return await this.#install(owner, grant, volume, left);
    } finally {
      this.#opening.delete(grant.id);
    }
  }

  /** False: there is no such grant. Its runs are ended. */
  async close(owner: ReceiverOwner, id: string): Promise<boolean> {
    const open = this.#grants.get(id);
    if (open?.owner !== owner) return false;
    await this.#remove(open);
    return true;
  }

  /**
   * Readies an rsync that starts when somebody connects to the socket of the answer. `onExit` of the owner follows.
   *
   * @throws DrError GrantNotFound, BadRequest, VolumeNotMounted, VolumeBusy, Busy
   */
  async start(
    owner: ReceiverOwner,
    { id, argv }: Params<'receivers.start'>,
  ): Promise<Result<'receivers.start'>> {
    const { rsync, maxRuns } = this.#options;
    const open = this.#grants.get(id);
    if (open?.owner !== owner) throw new DrError('GrantNotFound', 'there is no such grant');
    if (this.#runs.size >= maxRuns) throw new DrError('Busy', `${maxRuns} receivers are running`);
    const { grant, volume } = open;
    const { identity, idMap, direction, allowDelete, preserve } = grant;
    const rules = {
      direction,
      allowDelete,
      devices: preserve.devices,
      path: volume.path,
      rsync35: rsync.isSafe,
      // What travels is up to the side that sends; only who receives has to be told how far its rights go.
      identityOptions: direction === 'write' ? receiverOptions(identity, idMap) : [],
    };
    // Before anything is done on its account.
    receiverArgs(argv, rules);
    await volume.assertMounted();
    const writes = direction === 'write' && !isDryRun(argv);
    if (direction === 'write') await this.#endOtherWriters(open);
    const watch = writes ? await this.#options.writes.watch(grant.volume, volume, identity) : undefined;
    try {
      const identityOptions = [...rules.identityOptions, ...(watch?.args ?? [])];
      return await this.#listen(open, receiverArgs(argv, { ...rules, identityOptions }), watch);
    } catch (err) {
      await watch?.ended(null);
      throw err;
    }
  }

  #listen(
    open: OpenGrant,
    args: readonly string[],
    watch: WriteWatch | undefined,
  ): Promise<Result<'receivers.start'>> {
    const mine = open.turn.then(() => this.#listenInTurn(open, args, watch));
    open.turn = mine.catch(() => undefined);
    return mine;
  }

  async #listenInTurn(
    open: OpenGrant,
    args: readonly string[],
    watch: WriteWatch | undefined,
  ): Promise<Result<'receivers.start'>> {
    const { rsync, socketDir, peerUid, peerGid, launcher } = this.#options;
    const { grant, volume } = open;
    await this.#endOldest(open, mayDelete(args) ? 0 : open.grant.streams - 1);
    const name = `run-${randomBytes(12).toString('hex')}`;
    const socketPath = join(socketDir, name);
    const run = await ReceiverRun.listen({
      run: name,
      socketPath,
      peerUid,
      peerGid,
      launcher,
      rsyncPath: rsync.path,
      identity: grant.identity,
      args,
      volume,
      flush: watch !== undefined,
    });
    void run.exited.then(({ exitCode }) => watch?.ended(exitCode));
    this.#follow(open, run);
    return { run: name, socket: socketPath };
  }

  /** False: it has ended already, or never was. */
  kill(owner: ReceiverOwner, run: string): boolean {
    const found = this.#runs.get(run);
    if (found?.open.owner !== owner) return false;
    found.run.kill();
    return true;
  }

  /** The owner is gone: nobody would hear of its runs or close its grants. */
  async closeOwner(owner: ReceiverOwner): Promise<void> {
    this.#gone.add(owner);
    const owned = [...this.#grants.values()].filter((open) => open.owner === owner);
    await Promise.all(owned.map((open) => this.#remove(open)));
  }

  /** Ends everything and waits for it. */
  async closeAll(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#grants.values()].map((open) => this.#remove(open)));
    await Promise.all([...this.#runs.values()].map(({ run }) => run.exited));
  }

  /**
   * Two grants never write to a volume at a time. What is left of an earlier one of the same holder, whose connection
   * broke and was not missed here yet, would go on putting its files over those of the new one: it is ended.
   */
  async #endOtherWriters(open: OpenGrant): Promise<void> {
    await this.#end(() => this.#otherWriters(open).map(({ run }) => run));
  }

  /** @throws DrError VolumeBusy: another holder's rsync is at work in the volume */
  #otherWriters(open: OpenGrant): { readonly run: ReceiverRun; readonly open: OpenGrant }[] {
    const others = [...this.#runs.values()].filter((other) => writesToo(open, other.open));
    const foreign = others.find((other) => other.open.grant.holder !== open.grant.holder);
    if (foreign === undefined) return others;
    throw new DrError('VolumeBusy', `the transfer ${foreign.open.grant.id} is writing to the volume`);
  }

  /**
   * A grant has as many runs as its transfer has streams: one more is a stream that broke and was begun again. The run
   * that goes over all and may delete is alone: what else is there is left of streams that broke.
   *
   * @param beside how many may go on
   */
  async #endOldest({ runs }: OpenGrant, beside: number): Promise<void> {
    const surplus = [...runs].slice(0, Math.max(0, runs.size - beside));
    await this.#end(() => surplus.filter((run) => runs.has(run)));
  }

  /** Ends what `which` names, until it names nothing. @throws DrError Busy when that takes too long */
  async #end(which: () => readonly ReceiverRun[]): Promise<void> {
    const patience = AbortSignal.timeout(END_OTHERS_MS);
    for (;;) {
      const runs = which();
      if (runs.length === 0) return;
      if (patience.aborted)
        throw new DrError('Busy', 'another transfer writes to the volume and does not end');
      for (const run of runs) run.kill();
      await Promise.race([Promise.all(runs.map(({ exited }) => exited)), untilAborted(patience)]);
    }
  }

  async #remove(open: OpenGrant): Promise<void> {
    if (!this.#grants.delete(open.grant.id)) return;
    clearTimeout(open.timer);
    // Before the directory is closed: a run that has not started yet never does then.
    for (const run of open.runs) run.kill();
    await open.volume.close();
  }

  async #install(
    owner: ReceiverOwner,
    grant: ReceiverGrant,
    volume: OpenVolume,
    lifetimeMs: number,
  ): Promise<Result<'receivers.open'>> {
    if (grant.direction === 'write' && volume.readOnly) {
      await volume.close();
      throw new DrError('VolumeReadOnly', `${volume.path} is mounted read-only`);
    }
    if (this.#closed || this.#gone.has(owner)) {
      await volume.close();
      throw new DrError('Cancelled', 'nobody waits for the grant any more');
    }
    const expire = () => void this.#remove(open);
    const timer = setTimeout(expire, Math.min(lifetimeMs, MAX_TIMER_MS));
    timer.unref();
    const open: OpenGrant = { owner, grant, volume, timer, runs: new Set(), turn: Promise.resolve() };
    try {
      if (grant.direction === 'write') this.#otherWriters(open);
    } catch (err) {
      clearTimeout(timer);
      await volume.close();
      throw err;
    }
    this.#grants.set(grant.id, open);
    return { path: volume.path };
  }

  #follow(open: OpenGrant, run: ReceiverRun): void {
    const { owner, grant, runs } = open;
    runs.add(run);
    this.#runs.set(run.run, { run, open });
    this.#options.onRuns(this.#runs.size);
    void run.exited.then((exit) => {
      runs.delete(run);
      this.#runs.delete(run.run);
      this.#options.onRuns(this.#runs.size);
      owner.onExit(exit);
    });
    // The grant went while the socket was being made.
    if (this.#grants.get(grant.id) !== open) run.kill();
  }
}
