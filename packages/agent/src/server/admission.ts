import type { SshLimits } from '@dr-syncer/ssh';
import type { LimitHit } from './limit-hits.js';
import { KeyedBuckets, TokenBucket } from './token-bucket.js';

export type AdmissionRefusal = Extract<
  LimitHit,
  | 'startups'
  | 'startupsPerSource'
  | 'handshakes'
  | 'handshakesPerSource'
  | 'connections'
  | 'connectionsPerKey'
>;

/**
 * Probability of dropping a new connection when `open` have not logged in yet, as sshd_config(5) defines
 * MaxStartups "start:rate:full": nothing below start, rate/100 at start, linear to 1 at full.
 */
export function dropProbability(open: number, startups: SshLimits['startups']): number {
  const { start, ratePercent, full } = startups;
  if (open < start) return 0;
  if (open >= full) return 1;
  const base = ratePercent / 100;
  return base + ((1 - base) * (open - start)) / (full - start);
}

/** Counts connections by state, source and key and says which new ones are too many. */
export class Admission {
  readonly #limits: SshLimits;
  readonly #random: () => number;
  readonly #handshakes: TokenBucket;
  readonly #handshakesPerSource: KeyedBuckets;
  readonly #startupsPerSource = new Map<string, number>();
  readonly #connectionsPerKey = new Map<string, number>();
  #startups = 0;
  #connections = 0;

  /** `now`: milliseconds. */
  constructor(limits: SshLimits, now: number, random: () => number = Math.random) {
    this.#limits = limits;
    this.#random = random;
    this.#handshakes = new TokenBucket(limits.handshakes, now);
    this.#handshakesPerSource = new KeyedBuckets(limits.handshakesPerSource);
  }

  get startups(): number {
    return this.#startups;
  }

  get connections(): number {
    return this.#connections;
  }

  /** A connection has been accepted. Without a refusal it counts until `endStartup`. */
  startup(source: string): AdmissionRefusal | undefined {
    const ofSource = this.#startupsPerSource.get(source) ?? 0;
    if (ofSource >= this.#limits.startupsPerSource) return 'startupsPerSource';
    const drop = dropProbability(this.#startups, this.#limits.startups);
    if (drop > 0 && this.#random() < drop) return 'startups';
    this.#startups += 1;
    this.#startupsPerSource.set(source, ofSource + 1);
    return undefined;
  }

  /** It has logged in or is gone. */
  endStartup(source: string): void {
    this.#startups -= 1;
    decrement(this.#startupsPerSource, source);
  }

  /** A client has introduced itself and a key exchange is about to begin. */
  handshake(source: string, now: number): AdmissionRefusal | undefined {
    if (!this.#handshakesPerSource.take(source, now)) return 'handshakesPerSource';
    return this.#handshakes.take(now) ? undefined : 'handshakes';
  }

  /** A login with this key has succeeded. Without a refusal it counts until `endConnection`. */
  connection(fingerprint: string): AdmissionRefusal | undefined {
    const ofKey = this.#connectionsPerKey.get(fingerprint) ?? 0;
    if (ofKey >= this.#limits.connectionsPerKey) return 'connectionsPerKey';
    if (this.#connections >= this.#limits.connections) return 'connections';
    this.#connections += 1;
    this.#connectionsPerKey.set(fingerprint, ofKey + 1);
    return undefined;
  }

  endConnection(fingerprint: string): void {
    this.#connections -= 1;
    decrement(this.#connectionsPerKey, fingerprint);
  }
}

function decrement(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 0) - 1;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}
