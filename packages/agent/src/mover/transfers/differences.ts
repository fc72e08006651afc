import type { TransferDifferences } from '@dr-syncer/ssh';

/** Added to a comparison: nothing is written, every file is read at both ends, and what differs is told. */
export const COMPARE = ['--dry-run', '--checksum', '--itemize-changes', '--out-format=%i %n'];

/** Paths that are told; all are counted. */
const MAX_PATHS = 1_000;
/** Longest line of interest: eleven characters, and a path with each byte written as \#ooo. */
const MAX_LINE = 5 * 4_096 + 16;

/** rsync(1), --itemize-changes: what would be done, the kind of entry, and what differs of it. */
const LINE = /^(?:\*deleting {3}|([<>ch.])([fdLDS])([.+a-zA-Z? ]{9}) )(.+)$/s;

/**
 * What is not the same in the copy, from the output of rsync with COMPARE. Attributes alone are counted apart: what an
 * identity can't keep differs each time.
 */
export class DifferenceLog {
  #rest = '';
  #count = 0;
  #attributes = 0;
  readonly #paths: string[] = [];

  push(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('latin1')).split(/[\r\n]/);
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE);
    for (const line of lines) this.#take(line);
  }

  get result(): TransferDifferences {
    return { count: this.#count, attributes: this.#attributes, paths: [...this.#paths] };
  }

  #take(line: string): void {
    const match = LINE.exec(line);
    if (match === null) return;
    if (match[1] === '.') {
      this.#attributes += 1;
      return;
    }
    this.#count += 1;
    if (this.#paths.length < MAX_PATHS) this.#paths.push(unescaped(match[4] ?? '').replace(/\/$/, ''));
  }
}

/** rsync shows bytes that are no printable ASCII, and a backslash before a hash mark, as `\#ooo`. @returns Latin-1 */
function unescaped(text: string): string {
  return text.replace(/\\#([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
