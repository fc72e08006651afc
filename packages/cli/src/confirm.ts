import { CommandFailure } from './failure.js';
import type { Surroundings } from './surroundings.js';

/** @throws CommandFailure unless a person says yes */
export async function confirm(around: Surroundings, question: string): Promise<void> {
  if (around.ask === undefined) throw new CommandFailure('nobody can be asked here: use --yes');
  const answer = await around.ask(`${question} [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailure('not confirmed, nothing was done');
}
