import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** All that can be said about an entry of a tree, as text, by aspect. */
export type Entry = Readonly<Record<Aspect, string>>;
export type Aspect =
  | 'type'
  | 'content'
  | 'mode'
  | 'owner'
  | 'mtime'
  | 'links'
  | 'sparse'
  | 'userXattrs'
  | 'foreignXattrs'
  | 'acl'
  | 'capability';

/** Entries by name (latin1, so that any byte survives); `.` is the root. Takes root. */
export function snapshot(root: string): Map<string, Entry> {
  const xattrs = readXattrs(root);
  const names = ['.', ...list(root, '')];
  const inodes = new Map<bigint, string>();
  const entries = new Map<string, Entry>();
  for (const name of names) {
    const path = Buffer.from(name === '.' ? root : `${root}/${name}`, 'latin1');
    const stat = lstatSync(path, { bigint: true });
    const first = inodes.get(stat.ino) ?? name;
    inodes.set(stat.ino, first);
    const own = xattrs.get(name) ?? [];
    const some = (test: RegExp): string =>
      own
        .filter((line) => test.test(line))
        .sort()
        .join(' ');
    entries.set(name, {
      type: `${(stat.mode & 0o170000n).toString(8)} ${stat.rdev}`,
      content: content(path, stat.isFile(), stat.isSymbolicLink()),
      mode: stat.isSymbolicLink() ? '' : (stat.mode & 0o7777n).toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      mtime: stat.mtimeNs.toString(),
      links: stat.isDirectory() ? '' : first,
      sparse: stat.isFile() && stat.size > 1n << 20n ? String(stat.blocks < 1000n) : '',
      userXattrs: some(/^user\./),
      foreignXattrs: some(/^(?!user\.|system\.posix_acl|security\.capability)/),
      acl: some(/^system\.posix_acl/),
      capability: some(/^security\.capability/),
    });
  }
  return entries;
}

export interface Difference {
  readonly name: string;
  /** `missing` and `extra`: the whole entry. */
  readonly aspect: Aspect | 'missing' | 'extra';
  readonly was: string;
  readonly is: string;
}

export function compare(source: ReadonlyMap<string, Entry>, copy: ReadonlyMap<string, Entry>): Difference[] {
  const differences: Difference[] = [];
  for (const [name, entry] of source) {
    const other = copy.get(name);
    if (!other) {
      differences.push({ name, aspect: 'missing', was: entry.type, is: '' });
      continue;
    }
    for (const aspect of Object.keys(entry) as Aspect[]) {
      if (entry[aspect] !== other[aspect])
        differences.push({ name, aspect, was: entry[aspect], is: other[aspect] });
    }
  }
  for (const [name, entry] of copy) {
    if (!source.has(name)) differences.push({ name, aspect: 'extra', was: '', is: entry.type });
  }
  return differences;
}

function list(root: string, below: string): string[] {
  const path = Buffer.from(below === '' ? root : `${root}/${below}`, 'latin1');
  return readdirSync(path, { withFileTypes: true, encoding: 'buffer' }).flatMap((entry) => {
    const name = `${below === '' ? '' : `${below}/`}${Buffer.from(entry.name).toString('latin1')}`;
    return entry.isDirectory() ? [name, ...list(root, name)] : [name];
  });
}

function content(path: Buffer, isFile: boolean, isLink: boolean): string {
  if (isLink) return readlinkSync(path, 'latin1');
  return isFile ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
}

/** `name=value` of each extended attribute. getfattr writes odd bytes of names as octal escapes. */
function readXattrs(root: string): Map<string, string[]> {
  const text = execFileSync('getfattr', ['-R', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: root,
    encoding: 'latin1',
  });
  const found = new Map<string, string[]>();
  for (const block of text.split('\n\n')) {
    const [head = '', ...lines] = block.split('\n');
    const name = head
      .replace(/^# file: /, '')
      .replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
    if (name !== '')
      found.set(
        name,
        lines.filter((line) => line !== ''),
      );
  }
  return found;
}
