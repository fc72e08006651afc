/** One report of `--info=progress2`. */
export interface ProgressReport {
  /** Bytes of the files handled so far by sending something, unchanged parts of them included. */
  readonly bytes: number;
  /** Of the size of all files known so far, rounded down; unchanged files never get it to 100. */
  readonly percent: number;
  /** Files sent so far. */
  readonly files?: number;
  readonly toCheck?: number;
  readonly known?: number;
  /** The list of files is complete: `known` grows no more (`to-chk`, not `ir-chk`). */
  readonly complete: boolean;
}

/** What rsync says on its standard output with `--info=progress2,stats2 --debug=proto1 --no-human-readable`. */
export interface RsyncOutput {
  /** The destination's rsync has answered. */
  readonly connected: boolean;
  /** The newest report. */
  readonly progress?: ProgressReport;
  /** Lines of the statistics. */
  readonly lines: readonly string[];
}

const REPORT = /^\s*(\d+)\s+(\d+)%\s+\S+\s+\S+(?:\s+\(xfr#(\d+), (to|ir)-chk=(\d+)\/(\d+)\))?\s*$/;
const GREETING = /^\(Client\) Protocol versions:/;
/** Longest line of interest; anything longer is none of ours. */
const MAX_LINE = 4096;
const MAX_LINES = 64;

/** @returns undefined when it is no report */
export function parseProgress(text: string): ProgressReport | undefined {
  const match = REPORT.exec(text);
  if (match === null) return undefined;
  const [, bytes, percent, files, kind, toCheck, known] = match;
  const counts =
    files === undefined ? {} : { files: Number(files), toCheck: Number(toCheck), known: Number(known) };
  return { bytes: Number(bytes), percent: Number(percent), ...counts, complete: kind === 'to' };
}

/**
 * Takes rsync's output as it comes. A report begins with a carriage return and ends with nothing, so what stands behind
 * the last one may be whole. There is one for each file: of those in one chunk only the last is looked at.
 */
export class RsyncOutputReader {
  #rest = '';

  push(chunk: Buffer): RsyncOutput {
    const parts = (this.#rest + chunk.toString('latin1')).split(/[\r\n]/);
    this.#rest = (parts.pop() ?? '').slice(0, MAX_LINE);
    // Only reports begin with a blank.
    const lines = parts.filter((part) => part !== '' && !part.startsWith(' ')).slice(-MAX_LINES);
    const report =
      parseProgress(this.#rest) ?? parseProgress(parts.findLast((part) => part.startsWith(' ')) ?? '');
    return {
      connected: lines.some((line) => GREETING.test(line)),
      ...(report === undefined ? {} : { progress: report }),
      lines,
    };
  }
}
