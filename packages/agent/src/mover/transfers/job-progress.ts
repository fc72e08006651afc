import { FILE_COST_BYTES, type TransferState } from '@dr-syncer/ssh';

import { Estimator } from './estimate.js';
import type { ProgressReport } from './progress.js';
import { parseStatsLine, type RsyncStats } from './stats.js';

/** One of several streams by the number of its shard, or the rsync that goes over all. */
export type StreamId = number | 'whole';

export interface Planned {
  readonly files: number;
  readonly bytes: number;
}

interface Part {
  bytes: number;
  files: number;
  stats: RsyncStats;
}

/** What the streams come to, the rsync that goes over all afterwards being the rest. */
const SHARDS_PERCENT = 95;

type Totals = Partial<TransferState>;

/** How far an attempt is, over all of its rsyncs. */
export class JobProgress {
  readonly #estimator: Estimator;
  readonly #parts = new Map<StreamId, Part>();
  readonly #ended = new Set<number>();
  #planned: readonly Planned[] = [];
  #percent = 0;
  #percentBefore = 0;

  /** @param expectedEntries as a survey has found */
  constructor(expectedEntries?: number) {
    this.#estimator = new Estimator(expectedEntries);
  }

  /** There will be streams for these; without it one rsync does all. */
  plan(shards: readonly Planned[]): Totals {
    this.#planned = shards;
    return { bytesTotal: shards.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** What had not to be sent counts as done. */
  ended(shard: number): Totals {
    this.#ended.add(shard);
    return this.#shardPercent();
  }

  report(stream: StreamId, report: ProgressReport): Totals {
    const part = this.#part(stream);
    part.bytes = Math.max(part.bytes, report.bytes);
    part.files = report.files ?? part.files;
    const { bytes, files } = this.#sums();
    const done = { bytesDone: bytes, ...(files > 0 && { filesTransferred: files }) };
    if (stream !== 'whole') return { ...done, ...this.#shardPercent() };
    const estimate = this.#estimator.update(report);
    if (this.#planned.length === 0) return { ...done, ...estimate };
    const { percent, filesTotal } = estimate;
    return { ...done, ...(filesTotal !== undefined && { filesTotal }), ...this.#rest(percent) };
  }

  stats(stream: StreamId, lines: readonly string[]): Totals {
    if (lines.length === 0) return {};
    const part = this.#part(stream);
    for (const line of lines) part.stats = { ...part.stats, ...parseStatsLine(line) };
    const whole = this.#parts.get('whole')?.stats ?? {};
    const sum = (name: keyof RsyncStats) => {
      const known = [...this.#parts.values()].flatMap(({ stats }) => stats[name] ?? []);
      return known.length === 0 ? undefined : known.reduce((total, value) => total + value, 0);
    };
    // What there is in all, only the one that goes over all knows.
    const totals = {
      filesTotal: whole.files,
      bytesTotal: whole.totalSize,
      filesDeleted: whole.deleted,
      filesTransferred: sum('transferred'),
      literalBytes: sum('literal'),
      bytesSent: sum('sent'),
      bytesReceived: sum('received'),
    };
    return Object.fromEntries(Object.entries(totals).filter(([, value]) => value !== undefined));
  }

  #part(stream: StreamId): Part {
    const present = this.#parts.get(stream);
    if (present !== undefined) return present;
    const part = { bytes: 0, files: 0, stats: {} };
    this.#parts.set(stream, part);
    if (stream === 'whole') this.#percentBefore = this.#percent;
    return part;
  }

  #sums(): Planned {
    let [bytes, files] = [0, 0];
    for (const part of this.#parts.values()) {
      bytes += part.bytes;
      files += part.files;
    }
    return { bytes, files };
  }

  #shardPercent(): Totals {
    const costs = this.#planned.map((planned, shard) => {
      const cost = costOf(planned);
      const part = this.#parts.get(shard);
      const done = this.#ended.has(shard) ? cost : Math.min(cost, part ? costOf(part) : 0);
      return { cost, done };
    });
    const total = costs.reduce((sum, { cost }) => sum + cost, 0);
    const done = costs.reduce((sum, one) => sum + one.done, 0);
    return this.#show(total === 0 ? 0 : (SHARDS_PERCENT * done) / total);
  }

  #rest(percent: number | undefined): Totals {
    if (percent === undefined) return {};
    return this.#show(this.#percentBefore + ((100 - this.#percentBefore) * percent) / 100);
  }

  #show(percent: number): Totals {
    this.#percent = Math.max(this.#percent, Math.min(100, percent));
    return { percent: Math.round(this.#percent * 10) / 10 };
  }
}

/** About how long it takes, in bytes. */
export function costOf({ files, bytes }: Planned): number {
  return bytes + files * FILE_COST_BYTES;
}
