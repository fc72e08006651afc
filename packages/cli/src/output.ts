import { type Command, Option } from 'commander';
import { stringify } from 'yaml';

import type { Surroundings } from './surroundings.js';

const formats = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof formats)[number];

export interface OutputFlags {
  readonly output: OutputFormat;
}

/** Adds `-o, --output` to a command. */
export function outputFlag(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how the result is written').choices([...formats]).default('table'),
  );
}

/** Writes a result: `value` for programs, `table` (its first row the headings) for people. */
export function print(
  around: Surroundings,
  { output }: OutputFlags,
  value: unknown,
  rows: () => readonly (readonly string[])[],
): void {
  if (output === 'json') around.out(`${JSON.stringify(value, undefined, 2)}\n`);
  else if (output === 'yaml') around.out(stringify(value));
  else around.out(table(rows()));
}

const GAP = 3;

/** Columns as wide as their widest cell, the last one as it is. No more than one line a row. */
export function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((cell) => printable(cell)));
  const widths: number[] = [];
  for (const row of clean) {
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, cell.length + GAP);
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('')
      .trimEnd();
  return clean.map((row) => `${line(row)}\n`).join('');
}

/** Text out of a cluster may hold what moves a terminal's cursor. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}
