import { randomBytes } from 'node:crypto';

/** Longest line that rsync writes: time, process, item and a path, each byte of which may take five. */
const MAX_LINE = 64 * 1024;

/**
 * The log of a receiving rsync (--log-file): one line for each entry that it made or changed, whatever it was that
 * changed. Read as it comes, in bounded memory.
 *
 * Names come from the other side. rsync writes control characters as `\#ooo` and a backslash before `#` likewise, so a
 * name never has a line end; the random word in front and the two slashes behind, which no cleaned path has, show that
 * the line is of an entry and whole.
 */
export class ChangeLogReader {
  readonly #word = randomBytes(12).toString('hex');
  readonly #onName: (name: string) => void;
  #rest = '';
  #broken = false;

  /** @param onName gets paths below the root as Latin-1, `.` for the root */
  constructor(onName: (name: string) => void) {
    this.#onName = onName;
  }

  /** For --log-file-format (rsyncd.conf(5), "log format"). */
  get format(): string {
    return `${this.#word}%i %n//`;
  }

  /** Something was not as it should be: there are changes that are not known. */
  get broken(): boolean {
    return this.#broken;
  }

  push(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
    if (this.#rest.length > MAX_LINE) {
      this.#broken = true;
      this.#rest = '';
    }
  }

  end(): void {
    if (this.#rest.includes(this.#word)) this.#broken = true;
    this.#rest = '';
  }

  #take(line: string): void {
    const at = line.indexOf(this.#word);
    // Not of an entry: how much was received, what went wrong.
    if (at < 0) return;
    const entry = line.slice(at + this.#word.length);
    if (entry.startsWith('*deleting')) return;
    // Eleven characters say what changed (rsync(1), --itemize-changes).
    const match = /^\S{11} (.+)\/\/$/s.exec(entry);
    const name = match?.[1];
    if (name === undefined) this.#broken = true;
    else this.#onName(decode(name));
  }
}

/** Without the slash that directories end with. */
function decode(name: string): string {
  const plain = name.endsWith('/') ? name.slice(0, -1) : name;
  return plain.replace(/\\#([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
