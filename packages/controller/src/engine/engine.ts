import { setMaxListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';

import { DrError } from '@dr-syncer/api';
import { backoffMs, isAborted, kubeToDrError, type NewCondition, sleep } from '@dr-syncer/kube';

import type { Surroundings } from '../resources/cluster-scoped/surroundings.js';
import { Alarm } from './alarm.js';
import { isSameWant, isWrite } from './decide.js';
import { type Evaluation, type Item, Ledger, type LedgerOptions, type TypeState } from './ledger.js';
import { byRank } from './order.js';
import { beginRepair, failed, held, type RepairPace, restMs, startAnew } from './pacing.js';
import { Pruner, type PrunerOptions } from './pruner.js';
import { foreign, going } from './rejection.js';
import type { SourceEntry, StandbyEntry } from './snapshots.js';
import { Tally } from './tally.js';
import type { TypePair } from './type-pairs.js';
import { Types } from './types.js';
import type { Views } from './views.js';
import type { Writer } from './writer.js';

export interface EngineOptions extends LedgerOptions {
  readonly sourceViews: Views<SourceEntry>;
  readonly standbyViews: Views<StandbyEntry>;
  readonly writer: Writer;
  /** What to copy, as the servers said at most `maxAgeMs` ago. @throws DrError, KubeError */
  readonly types: (maxAgeMs: number, signal: AbortSignal) => Promise<readonly TypePair[]>;
  /** Asked before each batch of writes. @throws DrError StandbyActive when nothing may be written */
  readonly guard: (signal: AbortSignal) => Promise<void>;
  readonly prune: Pick<PrunerOptions, 'rules' | 'confirmed' | 'isGone'>;
  /** What is needed outside of the namespace. */
  readonly surroundings: Surroundings;
  /** Follow both ends from `pass` on; else they are looked at once. */
  readonly watch: boolean;
  /** Who changes an object back each time is let win for longer and longer. Default 10 s to 1 h. */
  readonly repair?: RepairPace;
  /** Something that the status shows has changed. */
  readonly onChange: () => void;
}

/** What the servers serve is asked for once for all Replications that ask at about the same time. */
const TYPES_AGE_MS = 20_000;
const PASS_TYPES_AGE_MS = 2_000;
/** Objects that are evaluated at the same time; how many are written is the write queue's matter. */
const WORKERS = 48;
/** After this many objects that needed no call, others get their turn of the event loop. */
const YIELD_EVERY = 64;
/** Changes of one moment are brought together; the first does not wait long for company. */
const DEBOUNCE_MS = 20;

/**
 * Keeps the objects of one destination namespace as those of the source say. Level-triggered: an event only says which
 * object to look at; what is done follows from both ends as they are then (`decide`). Work is proportional to what has
 * changed: one event is one evaluation, an object that is as it should be costs no call.
 */
export class Engine {
  readonly tally = new Tally();
  readonly #options: EngineOptions;
  readonly #ledger: Ledger;
  readonly #pruner: Pruner;
  readonly #types: Types;
  readonly #dirty = new Set<Item>();
  readonly #busy = new Set<Item>();
  readonly #stop = new AbortController();
  readonly #alarm = new Alarm(() => this.#flush());
  #halted: DrError | undefined;
  #halts = 0;
  /** A pass is about to look at everything; what becomes dirty until then is not looked at twice. */
  #passing = false;
  #flushes: Promise<void> = Promise.resolve();

  constructor(options: EngineOptions) {
    this.#options = options;
    // Each call under way listens; Node.js would take more than ten for a leak.
    setMaxListeners(0, this.#stop.signal);
    this.#ledger = new Ledger(options);
    this.#pruner = new Pruner({ ...options.prune, writer: options.writer, tally: this.tally });
    this.#types = new Types({
      ...options,
      ...{ tally: this.tally, signal: this.#stop.signal, always: options.rules.prune },
      onEvent: (type, name, isDeletion) => this.#changed(type, name, isDeletion),
      onListed: (type) => this.#listed(type),
      onReady: (type) => this.#ready(type),
      onClosed: (type) => {
        for (const item of this.#ledger.items.values()) if (item.type === type) this.#forget(item);
      },
    });
  }

  /** How what is needed outside of the namespace stands. */
  get surroundings(): NewCondition {
    return this.#options.surroundings.condition();
  }

  /** Why nothing is written at the moment. */
  get halted(): DrError | undefined {
    return this.#halted;
  }

  get pruning(): Pruner['status'] {
    return this.#pruner.status;
  }

  /**
   * Compares everything and brings what differs; returns when each object has been tried. What fails is in the tally.
   *
   * @throws DrError when not even a part could be tried: StandbyActive, RemoteUnreachable
   */
  async pass(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#stop.abort(signal.reason);
    if (!this.#options.watch) signal.addEventListener('abort', stop, { once: true });
    this.#passing = true;
    try {
      await this.retype(signal, PASS_TYPES_AGE_MS);
      await this.#types.opened();
      signal.throwIfAborted();
      await this.#options.guard(signal);
      this.#resumed();
      this.tally.begin();
      const run = this.#run(this.#everything(), true);
      this.#endPreparation();
      await run;
      await this.idle();
      signal.throwIfAborted();
      await this.#options.surroundings.checkClasses((key) => this.#ledger.items.has(key), signal);
      await this.#prune();
    } finally {
      this.#endPreparation();
      signal.removeEventListener('abort', stop);
    }
  }

  #endPreparation(): void {
    if (!this.#passing) return;
    this.#passing = false;
    if (this.#dirty.size > 0) this.#alarm.within(DEBOUNCE_MS);
  }

  /** Looks anew for what there is to copy: types come and go. @throws DrError, KubeError */
  async retype(signal: AbortSignal, maxAgeMs = TYPES_AGE_MS): Promise<void> {
    this.#types.set(await this.#options.types(maxAgeMs, signal));
  }

  /** Resolves when nothing is under way or about to be; what waits for a later moment or for its type is not. */
  async idle(): Promise<void> {
    while (this.#busy.size > 0 || this.#hasWork()) await sleep(DEBOUNCE_MS, this.#stop.signal);
  }

  #hasWork(): boolean {
    if (this.#halted !== undefined) return false;
    const now = performance.now();
    for (const item of this.#dirty) if (item.type.ready && item.notBefore <= now) return true;
    return false;
  }

  /** Nothing is begun any more; what is on its way to the server is waited for. */
  async close(): Promise<void> {
    this.#stop.abort(new DrError('Cancelled', 'the engine was closed'));
    this.#alarm.close();
    this.#dirty.clear();
    this.#types.close();
    await Promise.allSettled([this.#flushes, this.#types.opened()]);
  }

  #changed(type: TypeState, name: string, isDeletion: boolean): void {
    const item = this.#item(type, name);
    if (isDeletion) {
      // So is what we wrote, whatever the view had seen of it, and what was in the way.
      item.written = undefined;
      startAnew(item);
    }
    this.#dirty.add(item);
    if (type.ready && !this.#busy.has(item) && this.#halted === undefined) this.#alarm.within(DEBOUNCE_MS);
  }

  #listed(type: TypeState): void {
    for (const item of this.#ledger.overtaken(type)) this.#changed(type, item.name, true);
  }

  #ready(type: TypeState): void {
    if (!this.#options.watch) return;
    for (const item of this.#itemsOf(type)) this.#dirty.add(item);
    this.#alarm.within(DEBOUNCE_MS);
  }

  #item(type: TypeState, name: string): Item {
    const before = this.#ledger.items.size;
    const item = this.#ledger.item(type, name);
    if (this.#ledger.items.size > before) this.tally.add(item);
    return item;
  }

  #itemsOf(type: TypeState): Set<Item> {
    const items = new Set<Item>();
    for (const view of [type.source, type.standby]) {
      for (const key of view?.store.keys() ?? [])
        items.add(this.#item(type, key.slice(key.indexOf('/') + 1)));
    }
    return items;
  }

  /** All there is, less what is being worked on: that is looked at again afterwards. */
  #everything(): Set<Item> {
    const items = new Set<Item>(this.#ledger.items.values());
    for (const type of this.#types.values()) for (const item of this.#itemsOf(type)) items.add(item);
    for (const item of this.#busy) {
      items.delete(item);
      this.#dirty.add(item);
    }
    return items;
  }

  /** What became dirty since the last time, unless it is being worked on. */
  #flush(): void {
    if (this.#passing || isAborted(this.#stop.signal)) return;
    const now = performance.now();
    const due = new Set<Item>();
    for (const item of this.#dirty) {
      if (this.#busy.has(item) || !item.type.ready) continue;
      const rest = restMs(item, now);
      if (rest > 0) this.#alarm.within(rest);
      else due.add(item);
    }
    if (due.size === 0) {
      if (this.#pruner.isDue) this.#flushes = this.#prune();
      return;
    }
    this.#flushes = Promise.all([this.#flushes, this.#guarded(due)]).then(() => undefined);
  }

  async #guarded(items: Set<Item>): Promise<void> {
    for (const item of items) this.#busy.add(item);
    try {
      await this.#options.guard(this.#stop.signal);
    } catch (err) {
      for (const item of items) this.#busy.delete(item);
      if (!isAborted(this.#stop.signal)) this.#halt(kubeToDrError(err));
      return;
    }
    this.#resumed();
    await this.#run(items, false);
    await this.#prune();
  }

  #halt(err: DrError): void {
    this.#halted = err;
    this.#halts += 1;
    this.#alarm.within(backoffMs(this.#halts - 1, { minMs: 1_000, maxMs: 30_000 }));
    this.#options.onChange();
  }

  #resumed(): void {
    this.#halts = 0;
    this.#halted = undefined;
  }

  /** Rank by rank, in parallel inside a rank. Never rejects: each failure stays with its object. */
  async #run(items: Set<Item>, everything: boolean): Promise<void> {
    for (const item of items) this.#busy.add(item);
    for (const list of byRank(items, (item) => item.type.rank)) {
      const next = list.values();
      await Promise.all(
        Array.from({ length: Math.min(WORKERS, list.length) }, () => this.#work(next, everything)),
      );
    }
    this.#options.onChange();
  }

  async #work(items: Iterator<Item>, everything: boolean): Promise<void> {
    let sinceYield = 0;
    for (let next = items.next(); next.done !== true; next = items.next()) {
      const item = next.value;
      this.#dirty.delete(item);
      if (!isAborted(this.#stop.signal)) {
        const called = await this.#bring(item, everything);
        sinceYield = called ? 0 : sinceYield + 1;
        if (sinceYield >= YIELD_EVERY) {
          sinceYield = 0;
          await setImmediate();
        }
      }
      this.#busy.delete(item);
      if (this.#dirty.has(item)) this.#alarm.within(DEBOUNCE_MS);
    }
  }

  /** One step of one object. @returns whether a server was asked */
  async #bring(item: Item, everything: boolean): Promise<boolean> {
    if (!item.type.ready) return false;
    const now = performance.now();
    const before = item.want;
    try {
      const evaluation = this.#ledger.evaluate(item, now);
      const changed = !isSameWant(before, item.want);
      if (changed) item.attempts = 0;
      if (item.unsure && evaluation.present !== undefined) await this.#settleOrigin(item, evaluation.present);
      if (!isWrite(evaluation.decision)) {
        this.#note(item, evaluation, now);
        return false;
      }
      const mayTry = everything || changed || item.notBefore <= now;
      if (evaluation.decision === 'repair' ? !beginRepair(item, now, this.#options.repair) : !mayTry) {
        if (evaluation.decision === 'repair') this.#stand(item, 'drifted');
        this.#later(item, item.notBefore - now);
        return false;
      }
      await this.#write(item, evaluation);
    } catch (err) {
      if (!isAborted(this.#stop.signal)) this.#failed(item, this.#ledger.withRules(item, kubeToDrError(err)));
    }
    return true;
  }

  /** @throws DrError ForeignObject */
  async #settleOrigin(item: Item, present: StandbyEntry): Promise<void> {
    const { standby: resource } = item.type.pair;
    if (resource === undefined || present.owned === '') return;
    await this.#options.writer.settleOrigin(resource, present, this.#stop.signal);
    item.unsure = false;
    startAnew(item);
  }

  /** What is decided without a write. */
  #note(item: Item, { decision, present }: Evaluation, now: number): void {
    if (decision === 'refuse') this.#hindered(item, foreign(item.name, present?.replication));
    else if (decision === 'wait') this.#hindered(item, going(item.name));
    else if (decision === 'leave') this.#settled(item, now);
    else if (decision === 'report') this.#stand(item, 'drifted');
    else if (item.want.kind === 'excluded') this.#stand(item, 'skipped');
    else if (decision === 'forget') this.#forget(item);
    else this.#stand(item, 'kept');
    if (decision === 'prune' && present !== undefined) this.#pruner.add(item, present);
  }

  async #write(item: Item, { decision, present, desired }: Evaluation): Promise<void> {
    const { standby: resource } = item.type.pair;
    if (resource === undefined) return;
    const isNew = present === undefined;
    // Stays so until an answer says what came of it.
    item.unsure ||= isNew;
    item.fields = undefined;
    const absent = (): boolean => this.#ledger.isAbsent(item);
    const { standbyViews, destinationNamespace, writer } = this.#options;
    const applied = await writer.apply(resource, desired(), present, absent, this.#stop.signal);
    item.unsure = false;
    item.written = standbyViews.entry(resource, destinationNamespace, applied.object);
    if (!applied.isFound) item.fields = item.written.owned;
    item.writtenAt = performance.now();
    if (this.#ledger.isOvertaken(item)) this.#dirty.add(item);
    if (decision !== 'repair') startAnew(item);
    this.tally.wrote();
    this.#pruner.drop(item);
    this.#stand(item, 'synced');
    this.#options.onChange();
  }

  #settled(item: Item, now: number): void {
    held(item, now);
    this.#pruner.drop(item);
    this.#stand(item, 'synced');
  }

  /** Nothing was tried: as soon as the view shows another state, it is. */
  #hindered(item: Item, { code, message }: DrError): void {
    startAnew(item);
    this.tally.move(item, 'failed', { code, message });
  }

  #failed(item: Item, { code, message, kind }: DrError): void {
    // Accepted by policy: neither as the source is, nor a failure.
    this.tally.move(item, code === 'ImmutableKept' ? 'drifted' : 'failed', { code, message });
    this.#options.onChange();
    const wait = failed(item, kind, performance.now());
    if (wait !== undefined) this.#later(item, wait);
  }

  #later(item: Item, ms: number): void {
    if (!this.#options.watch || !Number.isFinite(ms)) return;
    this.#dirty.add(item);
    this.#alarm.within(ms);
  }

  #stand(item: Item, standing: Item['standing']): void {
    if (item.standing !== standing || item.failure !== undefined) this.tally.move(item, standing);
  }

  #forget(item: Item): void {
    this.#dirty.delete(item);
    this.#pruner.drop(item);
    if (this.#ledger.items.delete(item.key)) this.tally.remove(item);
  }

  async #prune(): Promise<void> {
    if (!this.#options.rules.prune || isAborted(this.#stop.signal)) return;
    await this.#pruner.run(this.#ledger.owned(this.#types.values()), this.#stop.signal);
    const { nextAt } = this.#pruner;
    if (nextAt !== undefined && this.#options.watch) this.#alarm.within(Math.max(1, nextAt - Date.now()));
    this.#options.onChange();
  }
}
