import { formatSeconds } from './format.js';

/** The part of a terminal or file that the demo writes to. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Between two lines of progress where each is a line of its own. */
const PLAIN_INTERVAL_MS = 2000;

/** What the demo prints: steps with their times, notes, and one line of progress that is written over. */
export class Screen {
  readonly #output: Output;
  readonly #now: () => number;
  #step = 0;
  #progressAt = -Infinity;
  #progressShown = false;

  constructor(output: Output, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  /** Runs one step of the story below its heading, and says how long it took. */
  async step<T>(title: string, work: () => Promise<T>): Promise<T> {
    this.#step += 1;
    this.line(`\n${this.#step}. ${title}`);
    const start = this.#now();
    const result = await work();
    this.note(`done in ${formatSeconds((this.#now() - start) / 1000)}`);
    return result;
  }

  note(text: string): void {
    this.line(`   ${text}`);
  }

  line(text: string): void {
    this.#endProgress();
    this.#output.write(`${text}\n`);
  }

  /** One line that changes; where it can't be written over: a line every two seconds, and always the last. */
  progress(text: string, last = false): void {
    const indented = `   ${text}`;
    if (this.#output.isTTY === true) {
      this.#output.write(`\r\x1b[2K${indented.slice(0, (this.#output.columns ?? 80) - 1)}`);
      this.#progressShown = true;
      if (last) this.#endProgress();
    } else if (last || this.#now() - this.#progressAt >= PLAIN_INTERVAL_MS) {
      this.#output.write(`${indented}\n`);
      this.#progressAt = this.#now();
    }
  }

  #endProgress(): void {
    if (this.#progressShown) this.#output.write('\n');
    this.#progressShown = false;
  }
}
