import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { compareManifests, describeDifferences, type Difference } from './compare.js';
import { type Manifest, parseManifest } from './manifest.js';
import { treeTool } from './tools.js';

// Foreign owners and files without any permission can't be made, nor read, by others.
const describeAsRoot = process.getuid?.() === 0 ? describe : describe.skip;
const small = ['--size-mb', '2', '--small-files', '5'];

function python(args: readonly string[], input?: string): string {
  return execFileSync('python3', args, { input, encoding: 'utf8', maxBuffer: 64 << 20 });
}

function makeTree(dir: string, ...args: string[]): string {
  return python([treeTool('make_tree.py'), dir, ...args]);
}

function manifestOf(dir: string, ...args: string[]): Manifest {
  return parseManifest(python([treeTool('manifest.py'), dir, ...args]));
}

function copy(from: string, to: string): void {
  const options = ['-aHAXS', '--numeric-ids', '--modify-window=-1', '--delete'];
  execFileSync('rsync', [...options, `${from}/`, `${to}/`]);
}

/** Python that changes the entry at `path`; it may set `keep` to False to leave the time that it has given. */
interface Mutation {
  readonly entry: string;
  readonly code: string;
  readonly fields: readonly string[];
}

/** Changes an entry of a tree, then sets back the times of the entry and of its directory. */
function mutate(dir: string, { entry, code }: Pick<Mutation, 'entry' | 'code'>): void {
  const script = [
    'import os, struct, sys',
    'path = os.path.normpath(os.path.join(os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2])))',
    'times = lambda p: (os.lstat(p).st_atime_ns, os.lstat(p).st_mtime_ns)',
    'before, own, above, keep = os.lstat(path), times(path), times(os.path.dirname(path)), True',
    code,
    'if keep and os.path.lexists(path): os.utime(path, ns=own, follow_symlinks=False)',
    'os.utime(os.path.dirname(path), ns=above)',
  ];
  python(['-', dir, entry], script.join('\n'));
}

function fieldsOf(difference: Difference | undefined): string[] {
  return difference?.kind === 'changed' ? difference.fields.map((each) => each.field) : [];
}

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'dr-syncer-tree-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function fresh(name: string): string {
  const dir = join(scratch, name);
  mkdirSync(dir);
  return dir;
}

describe('parseManifest', () => {
  function specimen(): string {
    const dir = fresh('parse');
    writeFileSync(join(dir, 'a\tb\n\\'), 'x');
    writeFileSync(join(dir, 'c'), 'yz');
    const text = python([treeTool('manifest.py'), dir]);
    rmSync(dir, { recursive: true });
    return text;
  }

  test('Given a whole manifest, Then entries, names and totals are there', () => {
    const manifest = parseManifest(specimen());
    expect([...manifest.entries.keys()]).toEqual(['.', 'a\\x09b\\x0a\\x5c', 'c']);
    expect(manifest.entries.get('c')?.get('size')).toBe('2');
    expect(manifest.bytes).toBe(3);
  });

  test.each([
    ['the last line is cut', (text: string) => text.slice(0, -1), /cut off: no newline/],
    ['the summary is missing', (text: string) => text.replace(/# .*\n$/, ''), /cut off: no summary/],
    ['a line is missing', (text: string) => text.replace(/^c\t.*\n/m, ''), /damaged/],
    ['a line is different', (text: string) => text.replace('uid=', 'uid=9'), /damaged/],
    ['an entry comes twice', (text: string) => text.replace(/^(c\t.*\n)/m, '$1$1'), /twice/],
    ['there is nothing', () => '', /cut off/],
  ])('When %s, Then it is refused', (_, damage, error) => {
    expect(() => parseManifest(damage(specimen()))).toThrow(error);
  });
});

describe('compareManifests', () => {
  function manifest(entries: Record<string, Record<string, string>>): Manifest {
    const rows = Object.entries(entries).map(
      ([path, fields]) => [path, new Map(Object.entries(fields))] as const,
    );
    return { entries: new Map(rows), bytes: 0, digest: '' };
  }

  test('Given entries that miss, are more, differ and are equal, Then each is counted and told once', () => {
    const left = manifest({
      same: { uid: '1' },
      gone: {},
      other: { uid: '1', mode: '0644', 'xattr:user.a': '00' },
    });
    const right = manifest({ same: { uid: '1' }, other: { uid: '2', mode: '0644', link: 'same' }, more: {} });
    const result = compareManifests(left, right);
    expect(result).toMatchObject({ compared: 4, equal: 1 });
    expect(describeDifferences(result.differences)).toEqual([
      'missing  gone',
      'changed  other: uid 1 -> 2, xattr:user.a 00 -> (none), link (none) -> same',
      'extra    more',
    ]);
    expect(describeDifferences(result.differences, 1)).toEqual(['missing  gone', '... and 2 more']);
  });
});

describeAsRoot('make_tree.py', () => {
  test('Given the same seed, Then two trees are equal, and another seed gives another', () => {
    const [a, b, c] = [fresh('seed-a'), fresh('seed-b'), fresh('seed-c')];
    for (const [dir, seed] of [
      [a, '1'],
      [b, '1'],
      [c, '2'],
    ] as const)
      makeTree(dir, ...small, '--seed', seed);
    expect(manifestOf(a).digest).toBe(manifestOf(b).digest);
    expect(manifestOf(a).digest).not.toBe(manifestOf(c).digest);
    makeTree(a, '--change', '--seed', '7');
    makeTree(a, ...small);
    expect(manifestOf(a).digest).toBe(manifestOf(b).digest);
  });

  test('Given a directory with files of somebody else, Then nothing is removed', () => {
    const dir = fresh('foreign');
    writeFileSync(join(dir, 'mine'), '');
    const { status, stderr } = spawnSync('python3', [treeTool('make_tree.py'), dir], { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toContain('not empty');
    expect(manifestOf(dir).entries.size).toBe(2);
  });

  test('When the tree is changed, Then exactly what was announced is different', () => {
    const dir = fresh('change');
    makeTree(dir, '--size-mb', '40', '--small-files', '5');
    const before = manifestOf(dir);
    const announced = makeTree(dir, '--change', '--seed', '2');
    const { differences } = compareManifests(before, manifestOf(dir));
    const by = (kind: Difference['kind']): Difference[] => differences.filter((each) => each.kind === kind);
    expect(by('missing').map((each) => each.path)).toEqual(['small/000/00000.dat']);
    expect(by('extra').map((each) => each.path)).toEqual(['medium/added-2.bin']);
    const content = by('changed').filter((each) => fieldsOf(each).includes('sha256'));
    expect(announced).toContain(`transfers=${content.length + by('extra').length}\n`);
    const stealthy = by('changed').find((each) => each.path === 'small/000/00001.dat');
    expect(fieldsOf(stealthy)).toEqual(['mtime', 'sha256']);
    expect(Math.trunc(Number(before.entries.get('small/000/00001.dat')?.get('mtime')))).toBe(
      Math.trunc(Number(manifestOf(dir).entries.get('small/000/00001.dat')?.get('mtime'))),
    );
    expect(fieldsOf(by('changed').find((each) => each.path === 'small/000/00002.dat'))).toEqual(['mode']);
    rmSync(dir, { recursive: true });
  });
});

describeAsRoot('manifest.py', () => {
  /** tmpfs has user attributes since Linux 6.6. */
  const holdsAttributes = (dir: string): boolean => {
    const probe = mkdtempSync(join(dir, 'dr-syncer-probe-'));
    const code = 'import os, sys; os.setxattr(sys.argv[1], "user.probe", b"")';
    const { status } = spawnSync('python3', ['-c', code, probe]);
    rmSync(probe, { recursive: true });
    return status === 0;
  };

  test.each([tmpdir(), ...['/dev/shm'].filter(holdsAttributes)])(
    'Given a copy by rsync -aHAXS in %s, Then it is equal',
    (parent) => {
      const from = fresh(`from${parent.replaceAll('/', '-')}`);
      const to = mkdtempSync(join(parent, 'dr-syncer-copy-'));
      try {
        makeTree(from, ...small);
        copy(from, to);
        const result = compareManifests(manifestOf(from), manifestOf(to));
        expect(describeDifferences(result.differences)).toEqual([]);
        expect(result.compared).toBeGreaterThan(200);
        makeTree(from, '--change');
        copy(from, to);
        expect(manifestOf(from).digest).toBe(manifestOf(to).digest);
      } finally {
        rmSync(to, { recursive: true });
      }
    },
  );

  test('Given an excluded name, Then it is left out at the top only', () => {
    const dir = fresh('exclude');
    for (const path of ['lost+found', 'sub', 'sub/lost+found']) mkdirSync(join(dir, path));
    expect([...manifestOf(dir, '--exclude', 'lost+found').entries.keys()]).toEqual([
      '.',
      'sub',
      'sub/lost+found',
    ]);
  });

  test('Given a skipped attribute, Then it alone is left out', () => {
    const dir = fresh('skip');
    python(['-c', 'import os, sys; [os.setxattr(sys.argv[1], n, b"1") for n in ("user.a", "user.b")]', dir]);
    const fields = manifestOf(dir, '--skip-xattr', 'user.a').entries.get('.');
    expect([...(fields?.keys() ?? [])].filter((name) => name.startsWith('xattr:'))).toEqual(['xattr:user.b']);
  });

  test('Given a tree deeper than PATH_MAX, Then its bottom is there', () => {
    const dir = fresh('deep');
    const dig = [
      'import os, sys',
      'os.chdir(sys.argv[1])',
      'for _ in range(30): os.mkdir("d" * 255); os.chdir("d" * 255)',
      'open("bottom", "w").close()',
    ];
    python(['-', dir], dig.join('\n'));
    const paths = [...manifestOf(dir).entries.keys()];
    expect(paths).toHaveLength(32);
    expect(paths.at(-1)).toHaveLength(30 * 256 + 'bottom'.length);
    execFileSync('rm', ['-rf', dir]);
  });

  test('Given a directory that is not there, Then the exit status is 1 and there is no summary', () => {
    const result = spawnSync('python3', [treeTool('manifest.py'), join(scratch, 'nowhere')], {
      encoding: 'utf8',
    });
    expect(result).toMatchObject({ status: 1, stdout: '' });
    expect(result.stderr).toContain('No such file');
  });

  describe('Given an equal tree with properties changed', () => {
    let original: Manifest;
    let template: string;
    let dir: string;
    beforeAll(() => {
      template = fresh('template');
      makeTree(template, ...small);
      const node = 'import os, sys; os.mknod(sys.argv[1] + "/shapes/null", 0o20600, os.makedev(1, 3))';
      python(['-c', node, template]);
      original = manifestOf(template);
      dir = fresh('mutant');
    });

    function remake(): void {
      rmSync(dir, { recursive: true });
      mkdirSync(dir);
      copy(template, dir);
    }

    const access = 'system.posix_acl_access';
    const inherited = 'system.posix_acl_default';
    const minimalAcl = 'struct.pack("<IHHIHHIHHI", 2, 1, 7, 2**32 - 1, 4, 5, 2**32 - 1, 32, 0, 2**32 - 1)';
    const rewrite = [
      'data = open(path, "rb").read()',
      'os.unlink(path)',
      'open(path, "wb").write(data)',
      'os.chmod(path, before.st_mode & 0o7777)',
    ].join('; ');
    const flip = 'f = open(path, "r+b"); b = f.read(1); f.seek(0); f.write(bytes([b[0] ^ 1])); f.close()';

    // Every row is a difference of its own entry, so each batch proves that nothing else is reported with it.
    test.each<[string, Mutation[]]>([
      [
        'modes',
        [
          { entry: '.', code: 'os.chmod(path, 0o2770)', fields: ['mode'] },
          { entry: 'small', code: 'os.chmod(path, 0o700)', fields: ['mode'] },
          { entry: 'small/000/00001.dat', code: 'os.chmod(path, 0o640)', fields: ['mode'] },
          { entry: 'permissions/4755', code: 'os.chmod(path, 0o755)', fields: ['mode'] },
          { entry: 'permissions/2755', code: 'os.chmod(path, 0o755)', fields: ['mode'] },
          { entry: 'permissions/setgid', code: 'os.chmod(path, 0o775)', fields: ['mode'] },
          { entry: 'permissions/sticky', code: 'os.chmod(path, 0o777)', fields: ['mode'] },
          { entry: 'permissions/0000', code: 'os.chmod(path, 0o001)', fields: ['mode'] },
        ],
      ],
      ['setgid of the root', [{ entry: '.', code: 'os.chmod(path, 0o775)', fields: ['mode'] }]],
      [
        'owners',
        [
          { entry: '.', code: 'os.chown(path, 7, -1)', fields: ['uid'] },
          { entry: 'permissions/0600', code: 'os.chown(path, 7, -1)', fields: ['uid'] },
          { entry: 'permissions/0400', code: 'os.chown(path, -1, 7)', fields: ['gid'] },
          {
            entry: 'permissions/owners/4000000000-4000000001',
            code: 'os.chown(path, 1, -1)',
            fields: ['uid'],
          },
          { entry: 'links/dangling', code: 'os.lchown(path, 7, -1)', fields: ['uid'] },
        ],
      ],
      [
        'content',
        [
          { entry: 'big/0.bin', code: flip, fields: ['sha256'] },
          { entry: 'big/1.bin', code: 'os.truncate(path, 5)', fields: ['size', 'sha256'] },
          { entry: 'sparse/islands', code: rewrite, fields: ['sparse'] },
          { entry: 'links/there/pair', code: rewrite, fields: ['link'] },
          {
            entry: 'permissions/0777',
            code: 'os.unlink(path); os.link(os.path.dirname(path) + b"/0600", path); keep = False',
            fields: ['mode', 'mtime', 'size', 'sha256', 'link'],
          },
          {
            entry: 'links/relative',
            code: 'os.unlink(path); os.symlink("here/pai_", path)',
            fields: ['target'],
          },
          {
            entry: 'shapes/null',
            code: 'os.unlink(path); os.mknod(path, 0o20600, os.makedev(1, 5))',
            fields: ['device'],
          },
          {
            entry: 'shapes/fifo',
            code: 'os.unlink(path); os.mknod(path, 0o140620); os.chmod(path, 0o620)',
            fields: ['type'],
          },
        ],
      ],
      [
        'attributes and ACLs',
        [
          {
            entry: 'xattrs/text',
            code: 'os.setxattr(path, "user.text", b"other")',
            fields: ['xattr:user.text'],
          },
          {
            entry: 'xattrs/large',
            code: 'os.setxattr(path, "user.large", b"w" * 3000)',
            fields: ['xattr:user.large'],
          },
          { entry: 'xattrs', code: 'os.setxattr(path, "user.new", b"")', fields: ['xattr:user.new'] },
          { entry: 'xattrs/empty', code: 'os.removexattr(path, "user.empty")', fields: ['xattr:user.empty'] },
          {
            entry: 'acls/file',
            code: `os.removexattr(path, "${access}"); os.chmod(path, 0o660)`,
            fields: [`xattr:${access}`],
          },
          {
            entry: 'acls/inherited',
            code: `os.removexattr(path, "${inherited}")`,
            fields: [`xattr:${inherited}`],
          },
          {
            entry: 'small',
            code: `os.setxattr(path, "${inherited}", ${minimalAcl})`,
            fields: [`xattr:${inherited}`],
          },
        ],
      ],
      [
        'times by a nanosecond',
        ['.', 'small', 'small/000/00001.dat', 'links/dangling', 'shapes/fifo', 'names/-rf'].map((entry) => ({
          entry,
          code: 'os.utime(path, ns=(0, own[1] + 1), follow_symlinks=False); keep = False',
          fields: ['mtime'],
        })),
      ],
    ])('When they are %s, Then each is one difference and there is no other', (_, mutations) => {
      remake();
      for (const mutation of mutations) mutate(dir, mutation);
      const { differences } = compareManifests(original, manifestOf(dir));
      const found = new Map(differences.map((each) => [each.path, fieldsOf(each)]));
      expect(found).toEqual(new Map(mutations.map(({ entry, fields }) => [entry, fields])));
    });

    test('When an entry is lost and another is more, Then these are the two differences', () => {
      remake();
      mutate(dir, { entry: 'shapes/empty file', code: 'os.unlink(path)' });
      mutate(dir, { entry: 'names/star*', code: 'open(path + b"!", "w").close()' });
      const { differences } = compareManifests(original, manifestOf(dir));
      expect(describeDifferences(differences)).toEqual([
        'missing  shapes/empty file',
        'extra    names/star*!',
      ]);
    });
  });
});
