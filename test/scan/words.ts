import { parse } from 'yaml';

/** A Secret as the API server gives it. */
interface SecretObject {
  readonly metadata: object;
  readonly data?: Readonly<Record<string, string>>;
}

/** Shorter values are words that stand in other places by chance. */
const MIN_LENGTH = 16;
/** What is in Secrets for convenience and public by nature. */
const publicEntries = /(?:\.pub|^ca\.crt|^tls\.crt|^namespace|^authorized_keys|^rotation|^revoked_keys)$/;

/** What of a Secret must be seen nowhere else: its values, lines of its keys, logins of its kubeconfigs; each as base64 too. */
export function wordsOf({ data = {} }: SecretObject): string[] {
  const words = Object.entries(data)
    .filter(([name]) => !publicEntries.test(name))
    .flatMap(([, encoded]) => wordsOfValue(Buffer.from(encoded, 'base64').toString('utf8'), encoded));
  return [...new Set(words)].filter((word) => word.length >= MIN_LENGTH);
}

function wordsOfValue(text: string, encoded: string): string[] {
  const logins = loginsOf(text);
  if (logins !== undefined) return [...logins.flatMap(lines), encoded.slice(0, 4 * MIN_LENGTH)];
  // Binary values are seen as base64 if at all.
  return text.includes('\uFFFD') ? [encoded] : [...lines(text), encoded];
}

/** Lines of PEM are secret one by one; the first and the last are the same for every key. */
function lines(text: string): string[] {
  const all = text.split('\n').map((line) => line.trim());
  const isPem = all.some((line) => line.startsWith('-----BEGIN '));
  return isPem ? all.filter((line) => !line.startsWith('-----') && line.length >= 40) : [text.trim()];
}

/** Tokens, passwords and keys of a kubeconfig; undefined: it is none. */
function loginsOf(text: string): string[] | undefined {
  if (!/^\s*(?:\{|apiVersion:|kind:|clusters:|users:)/.test(text)) return undefined;
  try {
    const config = parse(text, { maxAliasCount: 0 }) as {
      users?: { user?: Record<string, unknown> }[];
    } | null;
    return (config?.users ?? []).flatMap(({ user = {} }) =>
      ['token', 'password', 'client-key-data'].flatMap((name) => {
        const value = user[name];
        if (typeof value !== 'string') return [];
        return name === 'client-key-data' ? [value, Buffer.from(value, 'base64').toString()] : [value];
      }),
    );
  } catch {
    return undefined;
  }
}
