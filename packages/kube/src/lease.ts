import { DrError } from '@dr-syncer/api';
import { jittered } from './backoff.js';
import type { KubeClient } from './client.js';
import { contained } from './contained.js';
import { isAborted, linkedController, sleep } from './deadline.js';
import { isAlreadyExists, isConflict, kubeToDrError } from './kube-error.js';
import { heldBy, isFree, type Lease, observe, type Observation, released } from './lease-record.js';
import { wellKnown } from './well-known.js';

/** Against our own renewal that is still on its way; there is one at most. */
const RELEASE_ATTEMPTS = 3;

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Different for every process, for example pod name and a random part. */
  readonly identity: string;
  /** How long others wait after the last renewal that they saw. Default 15 s. */
  readonly leaseDurationMs?: number;
  /** How long the holder goes on without a successful renewal. Must be shorter. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Between two tries. Default 2 s. */
  readonly retryPeriodMs?: number;
  /** The lease was seen to change hands; "" means that it was given back. */
  readonly onTransition?: (holder: string) => void;
  /** A try failed; it is repeated. */
  readonly onError?: (err: DrError) => void;
}

/**
 * Waits until this process holds the lease, then runs `lead` with a signal that aborts when the lease is lost or
 * `signal` aborts. When `lead` has ended, the lease is given back.
 *
 * The holder stops itself `leaseDuration - renewDeadline` before anyone else may take over. A process that is frozen
 * for longer than that can't know; writes that must not come late carry a resourceVersion.
 *
 * @throws DrError LeadershipLost; whatever `lead` throws; the reason of `signal` when it aborts while waiting
 */
export async function runAsLeader(
  options: LeaseOptions,
  signal: AbortSignal,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const elector = new Elector(options);
  await elector.acquire(signal);
  const linked = linkedController(signal);
  const renewing = elector.keep(linked.controller);
  try {
    await lead(linked.controller.signal);
  } finally {
    linked.unlink();
    linked.controller.abort();
    await renewing;
    await elector.release();
  }
  if (elector.lost !== undefined) throw elector.lost;
}

/** One process's part in the election for one lease. */
class Elector {
  readonly #options: LeaseOptions;
  readonly #durationMs: number;
  readonly #deadlineMs: number;
  readonly #retryMs: number;
  #lease: Lease | undefined;
  #observed: Observation | undefined;
  #holder: string | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #lost: DrError | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#durationMs = options.leaseDurationMs ?? 15_000;
    this.#deadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryMs = options.retryPeriodMs ?? 2000;
    if (!(this.#retryMs < this.#deadlineMs && this.#deadlineMs < this.#durationMs)) {
      throw new RangeError('retryPeriodMs < renewDeadlineMs < leaseDurationMs must hold');
    }
  }

  /** Why leadership ended early, if it did. */
  get lost(): DrError | undefined {
    return this.#lost;
  }

  async acquire(signal: AbortSignal): Promise<void> {
    while (!(await this.#attempt(signal, this.#deadlineMs)))
      await sleep(jittered(this.#retryMs, 0.2), signal);
  }

  /** Renews until the controller aborts; aborts it when renewing has failed for `renewDeadlineMs`. */
  async keep(controller: AbortController): Promise<void> {
    const { signal } = controller;
    while (!isAborted(signal)) {
      const remaining = this.#renewedAt + this.#deadlineMs - performance.now();
      if (remaining <= 0 || (this.#holder !== undefined && this.#holder !== this.#options.identity)) {
        this.#lost = new DrError('LeadershipLost', `the lease ${this.#options.name} was lost`);
        controller.abort(this.#lost);
        return;
      }
      await sleep(Math.min(this.#retryMs, remaining), signal).catch(() => undefined);
      const left = this.#renewedAt + this.#deadlineMs - performance.now();
      if (!isAborted(signal) && left > 0) await this.#attempt(signal, left).catch(() => undefined);
    }
  }

  /** Best effort: if it fails, the others wait for the lease to run out. Nothing is done when it is not ours. */
  async release(): Promise<void> {
    if (this.#lost !== undefined) return;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#giveBack();
        return;
      } catch (err) {
        if (isConflict(err) && attempt < RELEASE_ATTEMPTS) continue;
        this.#report(err);
        return;
      }
    }
  }

  /** Reads first: the last renewal was cut off on our side, and the server may have taken it, or be about to. */
  async #giveBack(): Promise<void> {
    const { client, namespace, name, identity } = this.#options;
    const call = { timeoutMs: this.#deadlineMs / 2 };
    const lease = await client.find<Lease>({ resource: wellKnown.leases, namespace, name }, call);
    if (lease?.spec?.holderIdentity !== identity) return;
    await client.replace<Lease>(wellKnown.leases, { ...lease, spec: released(lease.spec, new Date()) }, call);
  }

  /**
   * One compare-and-swap towards holding the lease. The time of a success is when it was *begun*: the others may have
   * seen the renewal any time after that.
   * @throws the reason of `signal`
   */
  async #attempt(signal: AbortSignal, timeoutMs: number): Promise<boolean> {
    const begun = performance.now();
    try {
      const written = await this.#write(signal, timeoutMs);
      if (written === undefined) return false;
      this.#note(written);
      this.#renewedAt = begun;
      return true;
    } catch (err) {
      // Someone else wrote in between, or our own write got through though its answer did not: look again.
      this.#lease = undefined;
      signal.throwIfAborted();
      if (!isConflict(err) && !isAlreadyExists(err)) this.#report(err);
      return false;
    }
  }

  /** The lease as written, or `undefined` when another process holds it. */
  async #write(signal: AbortSignal, timeoutMs: number): Promise<Lease | undefined> {
    const { client, namespace, name, identity } = this.#options;
    const call = { signal, timeoutMs };
    // A holder renews with what it wrote last and saves the read; a conflict brings it back here to read.
    const known = this.#lease?.spec?.holderIdentity === identity ? this.#lease : undefined;
    const lease = known ?? (await client.find<Lease>({ resource: wellKnown.leases, namespace, name }, call));
    if (lease === undefined) {
      const metadata = { name, namespace };
      const spec = heldBy(identity, undefined, this.#durationMs, new Date());
      return client.create<Lease>(
        wellKnown.leases,
        { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec },
        call,
      );
    }
    this.#note(lease);
    const free = this.#observed === undefined || isFree(lease, this.#observed, performance.now());
    if (lease.spec?.holderIdentity !== identity && !free) return undefined;
    const spec = heldBy(identity, lease.spec, this.#durationMs, new Date());
    return client.replace<Lease>(wellKnown.leases, { ...lease, spec }, call);
  }

  #note(lease: Lease): void {
    this.#lease = lease;
    this.#observed = observe(this.#observed, lease, performance.now());
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder === this.#holder) return;
    this.#holder = holder;
    contained(() => this.#options.onTransition?.(holder));
  }

  #report(err: unknown): void {
    contained(() => this.#options.onError?.(kubeToDrError(err)));
  }
}
