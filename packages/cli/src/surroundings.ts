import type { Screen } from './screen.js';

/** All that a command has of the world around it. */
export interface Surroundings {
  /** Results: what a script would read. */
  out(text: string): void;
  /** Messages for people. */
  err(text: string): void;
  /** The terminal that results go to; absent: a file or pipe. */
  readonly outScreen?: Screen;
  /** The terminal that messages go to. */
  readonly errScreen?: Screen;
  /** Asks a person and returns the answer; absent: there is none to ask (no terminal). */
  readonly ask?: (question: string) => Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}
