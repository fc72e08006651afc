import type { Argument, Command, Option } from 'commander';

export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

/** What names there are, asked for only when one is wanted. */
export interface LiveNames {
  replications(): Promise<readonly string[]>;
  remoteClusters(): Promise<readonly string[]>;
  namespaces(): Promise<readonly string[]>;
  contexts(): Promise<readonly string[]>;
}

/** As the shell's own completion of files. */
export const FILES = 'files';
export type Completion = readonly Candidate[] | typeof FILES;

type Kind = keyof LiveNames | typeof FILES;

const byOption: Readonly<Record<string, Kind>> = {
  ...{ '--namespace': 'namespaces', '--namespaces': 'namespaces', '--secret-namespace': 'namespaces' },
  ...{ '--context': 'contexts', '--remote-context': 'contexts', '--apply-to': 'contexts' },
  ...{ '--kubeconfig': FILES, '--remote-kubeconfig': FILES },
};
const byArgument: Readonly<Record<string, Kind>> = {
  ...{ replication: 'replications', replications: 'replications' },
  ...{ remotecluster: 'remoteClusters', remoteclusters: 'remoteClusters', file: FILES },
};

/** Where in the command line the cursor is. */
interface Place {
  readonly command: Command;
  /** The option whose value comes next. */
  readonly option: Option | undefined;
  /** Words that are no options, so far. */
  readonly given: readonly string[];
}

/**
 * What can stand in place of the last word, which may be empty or half written.
 *
 * @param words all after the name of the program
 */
export async function complete(
  program: Command,
  words: readonly string[],
  names: LiveNames,
): Promise<Completion> {
  const { command, option, given } = placeOf(program, words.slice(0, -1));
  const word = words.at(-1) ?? '';
  if (option !== undefined) return valuesOf(option.argChoices, byOption[option.long ?? ''], word, [], names);
  const [name = '', value] = word.split(/=(.*)/s);
  const assigned = value === undefined ? undefined : optionOf(command, name);
  if (assigned !== undefined) return [];
  if (word.startsWith('-')) return matching(optionsOf(command), word);
  if (command.commands.length > 0) return matching(commandsOf(command), word);
  const argument = argumentAt(command, given.length);
  if (argument === undefined) return [];
  return valuesOf(argument.argChoices, byArgument[argument.name()], word, given, names);
}

/** `-n` and the like among the words before, for the cluster that names are asked from. */
export function flagsIn(words: readonly string[]): {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
} {
  const value = (...flags: string[]): string | undefined => {
    const at = words.findLastIndex((word) => flags.includes(word.split('=')[0] ?? ''));
    const word = words[at];
    if (word === undefined) return undefined;
    return word.includes('=') ? word.slice(word.indexOf('=') + 1) : words[at + 1];
  };
  const [kubeconfig, context, namespace] = [
    value('--kubeconfig'),
    value('--context'),
    value('-n', '--namespace'),
  ];
  return {
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
    ...(namespace !== undefined && { namespace }),
  };
}

function placeOf(program: Command, words: readonly string[]): Place {
  let command = program;
  let option: Option | undefined;
  const given: string[] = [];
  for (const word of words) {
    if (option !== undefined) {
      option = undefined;
      continue;
    }
    const child = word.startsWith('-') ? undefined : command.commands.find((one) => one.name() === word);
    if (child !== undefined && given.length === 0) command = child;
    else if (!word.startsWith('-')) given.push(word);
    else if (!word.includes('=')) option = withValue(optionOf(command, word));
  }
  return { command, option, given };
}

function optionOf(command: Command, flag: string): Option | undefined {
  return command.options.find(({ short, long }) => flag === short || flag === long);
}

function withValue(option: Option | undefined): Option | undefined {
  return option !== undefined && (option.required || option.optional) ? option : undefined;
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic === true ? last : undefined);
}

async function valuesOf(
  choices: readonly string[] | undefined,
  kind: Kind | undefined,
  word: string,
  given: readonly string[],
  names: LiveNames,
): Promise<Completion> {
  if (choices !== undefined)
    return matching(
      choices.map((value) => ({ value })),
      word,
    );
  if (kind === undefined) return [];
  if (kind === FILES) return FILES;
  const all = await names[kind]();
  return matching(
    all.filter((name) => !given.includes(name)).map((value) => ({ value })),
    word,
  );
}

function commandsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help')
    .map((child) => ({ value: child.name(), description: child.description() }));
}

function optionsOf(command: Command): Candidate[] {
  return command.options
    .filter(({ hidden }) => !hidden)
    .map(({ long, short, description }) => ({ value: long ?? short ?? '', description }));
}

function matching(candidates: readonly Candidate[], word: string): Candidate[] {
  return candidates.filter(({ value }) => value.startsWith(word));
}
