/** A Markdown table as prettier writes it: columns of equal width. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_cell, column) => Math.max(3, ...cells.map((row) => width(row[column] ?? ''))));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell))).join(' | ')} |`;
  const rule = `| ${widths.map((count) => '-'.repeat(count)).join(' | ')} |`;
  const [first = [], ...rest] = cells;
  return [line(first), rule, ...rest.map(line)].join('\n');
}

/** In characters, which is what prettier counts here: none of the texts has wide ones. */
function width(text: string): number {
  return Array.from(text).length;
}

export function generatedFrom(source: string): string {
  return `<!-- Generated from ${source} by "make generate". Do not edit. -->\n\n`;
}
