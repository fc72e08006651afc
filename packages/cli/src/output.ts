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
  style?: CellStyle,
): void {
  around.out(output === 'table' ? table(rows(), style) : serialize(value, output));
}

/** For programs. */
export function serialize(value: unknown, format: 'json' | 'yaml'): string {
  return format === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : stringify(value);
}

/** Dresses a cell for a terminal without changing what is seen of it. */
export type CellStyle = (text: string, column: number, row: number) => string;

const GAP = 3;

/** Columns as wide as their widest cell, the last one as it is. No more than one line a row. */
export function table(rows: readonly (readonly string[])[], style: CellStyle = (text) => text): string {
  const clean = rows.map((row) => row.map((cell) => printable(cell)));
  const widths: number[] = [];
  for (const row of clean) {
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, cell.length + GAP);
  }
  const line = (row: readonly string[], index: number) => {
    const last = row.findLastIndex((cell) => cell !== '');
    return row
      .slice(0, last + 1)
      .map((cell, column) => {
        const padding = column === last ? 0 : (widths[column] ?? 0) - cell.length;
        return style(cell, column, index) + ' '.repeat(padding);
      })
      .join('');
  };
  return clean.map((row, index) => `${line(row, index).trimEnd()}\n`).join('');
}

/** Text out of a cluster may hold what moves a terminal's cursor. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
}
