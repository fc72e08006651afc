import type { Command } from 'commander';

import { printable } from '../output.js';
import type { Surroundings } from '../surroundings.js';
import { complete, FILES, flagsIn } from './candidates.js';
import { liveNames } from './live-names.js';

/** The first word by which a shell asks; no command of that name is in the help text. */
export const COMPLETE = '__complete';

/**
 * Answers a shell: a candidate a line, a tab before what it means, and in the last line `:4` (no files) or `:0` (files
 * as the shell does). kubectl asks its plugins in the same words, those of cobra.
 */
export async function answerShell(
  program: Command,
  words: readonly string[],
  around: Surroundings,
): Promise<void> {
  const found = await complete(program, words, liveNames(around, flagsIn(words.slice(0, -1))));
  if (found === FILES) {
    around.out(':0\n');
    return;
  }
  const lines = found.map(({ value, description }) =>
    description === undefined ? printable(value) : `${printable(value)}\t${printable(description)}`,
  );
  around.out([...lines, ':4', ''].join('\n'));
}
