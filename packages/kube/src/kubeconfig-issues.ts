import type { z } from 'zod';

const MAX_NAMED = 8;

/**
 * Says what is wrong with a kubeconfig in terms of paths alone, for example "users[0].user.exec is not allowed".
 * zod's own messages are not used: they may quote what was found.
 */
export function issuePaths(issues: readonly z.core.$ZodIssue[]): string[] {
  const all = issues.flatMap((issue) => describe(issue));
  const named = all.slice(0, MAX_NAMED);
  return all.length > MAX_NAMED ? [...named, `and ${all.length - MAX_NAMED} more`] : named;
}

function describe(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${pathText([...issue.path, key])} is not allowed`);
  }
  const path = issue.path.length === 0 ? 'the text' : pathText(issue.path);
  return [`${path} is ${issue.code === 'invalid_type' ? 'missing or of the wrong type' : 'not valid'}`];
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const key = printableKey(String(part));
    return text === '' ? key : `${text}.${key}`;
  }, '');
}

/**
 * A key that looks like one of kubeconfig's is shown. Others may be a value that slipped into a key by a lost colon
 * or line break; no token format known to us has letters and hyphens alone within 40 characters.
 */
function printableKey(key: string): string {
  return /^[A-Za-z][A-Za-z-]{0,39}$/.test(key) ? key : '<unknown field>';
}
