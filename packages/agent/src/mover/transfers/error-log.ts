import { type ErrorCode } from '@dr-syncer/api';
import type { FileFailure } from '@dr-syncer/ssh';

import { connectionFailures, fileFailures } from './exit-codes.js';
import { parseFileProblem, printable } from './file-problems.js';

const MAX_KEPT = 10;
const MAX_PENDING = 8 * 1024;

/** What a transfer said on its standard error, in bounded memory however much it says. */
export class ErrorLog {
  readonly #prefixes: readonly string[];
  readonly #kept: string[] = [];
  readonly #failures: FileFailure[] = [];
  readonly #needs = new Set<string>();
  #rest = '';
  #problems = 0;
  #vanished = 0;
  #fileFailure: ErrorCode | undefined;
  #connectionFailure: ErrorCode | undefined;

  /** @param prefixes paths of the volumes at both ends: names are shown relative to them */
  constructor(prefixes: readonly string[]) {
    this.#prefixes = prefixes;
  }

  push(chunk: Buffer): void {
    const parts = (this.#rest + chunk.toString('utf8')).split(/[\r\n]+/);
    this.#rest = (parts.pop() ?? '').slice(0, MAX_PENDING);
    for (const line of parts) this.#take(line);
  }

  /** The last line may have no end. */
  end(): void {
    this.#take(this.#rest);
    this.#rest = '';
  }

  /** Lines that name a problem; the first few of them are in `lines`. */
  get problems(): number {
    return this.#problems;
  }

  get lines(): readonly string[] {
    return this.#kept;
  }

  /** The first files that could not be copied. */
  get failures(): readonly FileFailure[] {
    return this.#failures;
  }

  /** Permissions that were missing, over all files: there are only a few kinds. */
  get needs(): readonly string[] {
    return [...this.#needs];
  }

  get vanished(): number {
    return this.#vanished;
  }

  get fileFailure(): ErrorCode | undefined {
    return this.#fileFailure;
  }

  get connectionFailure(): ErrorCode | undefined {
    return this.#connectionFailure;
  }

  #take(line: string): void {
    const text = line.trim();
    if (text === '') return;
    if (/^(?:file|directory) has vanished: /.test(text)) {
      this.#vanished += 1;
      return;
    }
    // Sums up what the lines before it said; the exit code says the same.
    if (/^rsync (?:error|warning): /.test(text)) return;
    this.#fileFailure ??= fileFailures.find(({ pattern }) => pattern.test(text))?.error;
    this.#connectionFailure ??= connectionFailures.find(({ pattern }) => pattern.test(text))?.error;
    this.#problems += 1;
    const failure = parseFileProblem(text, this.#prefixes);
    if (failure?.needs !== undefined) this.#needs.add(failure.needs);
    if (failure && this.#failures.length < MAX_KEPT) this.#failures.push(failure);
    if (this.#kept.length < MAX_KEPT) this.#kept.push(this.#shown(text));
  }

  #shown(text: string): string {
    const relative = this.#prefixes.reduce((shown, prefix) => shown.replaceAll(`"${prefix}/`, '"'), text);
    return printable(relative);
  }
}
