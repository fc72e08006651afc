import { InvalidArgumentError } from 'commander';

/** Of namespaces: RFC 1123 labels. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** `a,b` and repeated options alike. */
export function parseNamespaces(text: string, before: readonly string[] = []): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const wrong = names.find((name) => !LABEL.test(name));
  if (wrong !== undefined)
    throw new InvalidArgumentError(`"${wrong.slice(0, 64)}" is no name of a namespace.`);
  if (names.length === 0) throw new InvalidArgumentError('Name at least one namespace.');
  return [...new Set([...before, ...names])];
}
