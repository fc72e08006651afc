import { createHash } from 'node:crypto';

/** What manifest.py printed about one tree; its doc string describes the format. */
export interface Manifest {
  /** Fields by name, by escaped path. */
  readonly entries: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Bytes of file content, each inode once. */
  readonly bytes: number;
  /** sha256 of all lines but the last. */
  readonly digest: string;
}

const summaryLine = /^# entries=(\d+) bytes=(\d+) sha256=([0-9a-f]{64})$/;

/**
 * Reads the output of manifest.py.
 *
 * The summary is checked against the lines: `kubectl exec` is known to end well with its output cut short, and a
 * shorter manifest on both sides would compare equal.
 *
 * @throws Error when the text is not a whole manifest
 */
export function parseManifest(text: string): Manifest {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error('manifest is cut off: no newline at its end');
  const summary = summaryLine.exec(lines.pop() ?? '');
  if (summary === null) throw new Error('manifest is cut off: no summary line');
  const [, count, bytes, digest] = summary;
  const hash = createHash('sha256');
  const entries = new Map<string, ReadonlyMap<string, string>>();
  for (const line of lines) {
    hash.update(`${line}\n`);
    const [path = '', ...fields] = line.split('\t');
    if (entries.has(path)) throw new Error(`manifest holds ${path} twice`);
    entries.set(path, new Map(fields.map(splitField)));
  }
  if (String(entries.size) !== count || hash.digest('hex') !== digest) {
    throw new Error('manifest is damaged: its lines do not give the digest of its summary');
  }
  return { entries, bytes: Number(bytes), digest };
}

function splitField(field: string): [string, string] {
  const equals = field.indexOf('=');
  if (equals < 1) throw new Error(`manifest holds a field without a name: ${field}`);
  return [field.slice(0, equals), field.slice(equals + 1)];
}
