/** All that a command has of the world around it. */
export interface Surroundings {
  /** Results: what a script would read. */
  out(text: string): void;
  /** Messages for people. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}
