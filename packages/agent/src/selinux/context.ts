import { canonicalLevel } from '@dr-syncer/identity';

/** `user:role:type:level`; the level may hold colons itself. */
interface Context {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

/** Older names of the type that container files have; the policy has them as aliases. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['svirt_sandbox_file_t', 'container_file_t'],
  ['svirt_lxc_file_t', 'container_file_t'],
]);

function parse(text: string): Context | undefined {
  const match = /^([^:\s\0]+):([^:\s\0]+):([^:\s\0]+):([^\s\0]+)$/.exec(text);
  const level = match && canonicalLevel(match[4] ?? '');
  if (!match || typeof level !== 'string') return undefined;
  const [, user = '', role = '', type = ''] = match;
  return { user, role, type, level };
}

/** The spelling that the kernel gives back, as far as that can be known without it; undefined: no context. */
export function canonicalContext(text: string): string | undefined {
  const context = parse(text);
  return context && `${context.user}:${context.role}:${context.type}:${context.level}`;
}

/** Whether two contexts mean the same: order of categories, ranges, repetitions and aliases of the type aside. */
export function sameContext(a: string, b: string): boolean {
  const [first, second] = [parse(a), parse(b)];
  if (first === undefined || second === undefined) return false;
  return (
    first.user === second.user &&
    first.role === second.role &&
    typeName(first.type) === typeName(second.type) &&
    first.level === second.level
  );
}

function typeName(type: string): string {
  return aliases.get(type) ?? type;
}
