import { chooseStreams, type Measured, type StreamChoice } from './stream-choice.js';

export interface PaceTimes {
  /** After the last stream has begun to move something: slow start and growing windows are not its speed (ms). */
  readonly warmMs: number;
  /** How long a speed is measured (ms). */
  readonly windowMs: number;
}

export const defaultPaceTimes: PaceTimes = { warmMs: 1_000, windowMs: 2_500 };

/** How it stands with the streams of a transfer at a moment. */
export interface PaceFacts {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: number;
  /** Those that have begun to move something. */
  readonly moving: number;
  /** What all streams have done so far, in any unit that takes about the same time. */
  readonly done: number;
}

/** Says how many streams are to be at work, from what is measured while they are. */
export class StreamPace {
  readonly #most: number;
  readonly #times: PaceTimes;
  readonly #measured: Measured[] = [];
  #choice: StreamChoice;
  #warmFrom: number | undefined;
  #window: PaceFacts | undefined;

  /** @param begin known from elsewhere: nothing is measured */
  constructor(most: number, times: PaceTimes, begin?: number) {
    this.#most = most;
    this.#times = times;
    this.#choice =
      begin === undefined ? chooseStreams([], most) : { streams: Math.min(begin, most), settled: true };
  }

  get choice(): StreamChoice {
    return this.#choice;
  }

  /** To be called a few times a second. */
  update(facts: PaceFacts): StreamChoice {
    if (this.#choice.settled) return this.#choice;
    if (this.#warmFrom === undefined && facts.moving < this.#choice.streams) return this.#choice;
    // From here on gaps count: between two shards a stream moves nothing, and that is part of its speed.
    this.#warmFrom ??= facts.now;
    if (facts.now - this.#warmFrom < this.#times.warmMs) return this.#choice;
    this.#window ??= facts;
    const { now, done } = this.#window;
    const elapsed = facts.now - now;
    if (elapsed === 0 || elapsed < this.#times.windowMs) return this.#choice;
    const perSecond = ((facts.done - done) / elapsed) * 1000;
    this.#measured.push({ streams: this.#choice.streams, perSecond });
    this.#choice = chooseStreams(this.#measured, this.#most);
    this.#warmFrom = undefined;
    this.#window = undefined;
    return this.#choice;
  }
}
