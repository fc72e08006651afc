import { run } from '../program.js';
import type { Surroundings } from '../surroundings.js';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line as a person would and keeps what it writes. */
export async function outcome(args: readonly string[], env: Surroundings['env'] = {}): Promise<Outcome> {
  const written = { out: '', err: '' };
  const code = await run(args, {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    env,
    signal: new AbortController().signal,
  });
  return { code, ...written };
}
