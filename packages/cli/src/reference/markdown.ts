import type { Argument, Command, Option } from 'commander';

import { problemTable } from '../doctor/problems.js';
import { exitCodes } from '../failure.js';

const intro = `# Command line

Made from the program by \`make generate\`; do not edit.

\`dr-syncer\` is one program. With \`kubectl-dr_syncer\` in the PATH it is \`kubectl dr-syncer\` too. Commands that speak to a
cluster take \`--kubeconfig\`, \`--context\` and \`-n\` as kubectl does, and find the kubeconfig as kubectl does. Results go to
standard output, messages to standard error. On a terminal there are bars and colours, elsewhere plain lines; \`NO_COLOR\`
turns colours off.
`;

/** The page docs/reference/cli.md, as prettier would write it. Pure. */
export function referencePage(program: Command): string {
  const codes = Object.values(exitCodes).map(({ code, meaning }) => [String(code), meaning]);
  return [
    intro,
    `## Exit codes\n\n${markdownTable([['code', 'meaning'], ...codes])}`,
    ...leaves(program).map(({ command, path }) => section(command, path)),
    doctorSection(),
  ].join('\n');
}

function doctorSection(): string {
  const rows = Object.entries(problemTable).map(([code, { severity, remedy }]) => [
    `\`${code}\``,
    severity,
    remedy,
  ]);
  const text =
    'Findings of doctor have one of these codes, or one of the codes that controller and agents use in conditions.';
  return `## What doctor finds\n\n${text}\n\n${markdownTable([['code', 'severity', 'remedy'], ...rows])}`;
}

interface Leaf {
  readonly command: Command;
  readonly path: string;
}

/** Commands that do something, with the words that call them. */
function leaves(program: Command): Leaf[] {
  const below = (command: Command, path: readonly string[]): Leaf[] => {
    if (command.commands.length === 0) return [{ command, path: path.join(' ') }];
    return visible(command).flatMap((child) => below(child, [...path, child.name()]));
  };
  return visible(program).flatMap((child) => below(child, [child.name()]));
}

function visible(command: Command): Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help');
}

function section(command: Command, path: string): string {
  const words = [path, ...command.registeredArguments.map(argumentText)].join(' ');
  const facts = [
    ...command.registeredArguments.map((argument) => [argumentText(argument), argument.description]),
    ...command.options.filter((option) => !option.hidden).map((option) => [option.flags, optionText(option)]),
  ].map(([name = '', text = '']) => [`\`${name}\``, text]);
  const more = helpAfter(command);
  return (
    [
      `## ${words}`,
      `${capital(command.description())}.`,
      ...(more === '' ? [] : [more]),
      ...(facts.length === 0 ? [] : [markdownTable([['', ''], ...facts]).trimEnd()]),
      '',
    ]
      .join('\n\n')
      .trimEnd() + '\n'
  );
}

/** What the help text says after the options. */
function helpAfter(command: Command): string {
  let text = '';
  const output = command.configureOutput();
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  command.configureOutput(output);
  return text.slice(text.indexOf(command.helpInformation()) + command.helpInformation().length).trim();
}

function argumentText(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? '...' : '');
  return argument.required ? `<${name}>` : `[${name}]`;
}

function optionText({
  description,
  argChoices,
  defaultValue,
  defaultValueDescription,
  negate,
}: Option): string {
  const choices = argChoices === undefined ? [] : [argChoices.join(', ')];
  const isValue = defaultValue !== undefined && defaultValue !== false && !negate;
  const notes = [
    ...choices,
    ...(isValue ? [`default: ${defaultValueDescription ?? String(defaultValue)}`] : []),
  ];
  return `${description}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Cells of a column as wide as the widest, as prettier aligns them. */
function markdownTable(rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const [head = [], ...body] = escaped;
  const widths = head.map((_, column) => Math.max(3, ...escaped.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('');
}
