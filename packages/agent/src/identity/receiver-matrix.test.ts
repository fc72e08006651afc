import {
  idMapLosses,
  receiverOptions,
  senderOptions,
  type Loss,
  type TransferFacts,
} from '@dr-syncer/identity';
import type { Identity, IdMap } from '@dr-syncer/api';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './launch.js';
import { compare, snapshot, type Difference } from './testing/snapshot.js';
import { makeBench, removeBench, transfer, type Bench, type Ended } from './testing/transfer.js';
import { makeTree } from './testing/tree.js';

const RSYNC = '/usr/bin/rsync';
const FS_GROUP = 5000;

const reader: Identity = {
  uid: 65534,
  gid: 65534,
  groups: [65534],
  capabilities: ['DAC_READ_SEARCH'],
  umask: '0077',
  privileged: true,
};
const root: Identity = {
  uid: 0,
  gid: 0,
  groups: [0],
  capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'],
  umask: '0077',
  privileged: true,
};
const everything: Identity = { ...root, capabilities: [...root.capabilities, 'MKNOD', 'SETFCAP'] };
const user: Identity = {
  uid: 1000690000,
  gid: FS_GROUP,
  groups: [FS_GROUP],
  capabilities: [],
  fsGroup: FS_GROUP,
  umask: '0000',
  privileged: false,
};

interface Row {
  readonly name: string;
  readonly receiving: Identity;
  readonly facts?: Partial<TransferFacts>;
  readonly map?: IdMap;
  /** Identity that the sender's options are made for, when another one receives. */
  readonly optionsFor?: Identity;
  /** Mode and owner of the destination's root directory before. */
  readonly rootMode?: number;
  readonly rootOwner?: readonly [number, number];
}

interface Trap {
  readonly name: string;
  readonly then: string;
  readonly row: Row;
  readonly receiver?: readonly string[];
  readonly code: number;
  /** Differences that there must be, among others. */
  readonly lost: readonly string[];
}

/** Why the identities and options are what they are: each leaves out one thing. */
const traps: Trap[] = [
  {
    name: 'root without capabilities has no --no-super',
    then: 'each file fails',
    row: { name: '', receiving: { ...root, capabilities: [] }, optionsFor: root },
    receiver: [],
    code: 23,
    lost: ['plain owner', 'plain mtime'],
  },
  {
    name: 'a user with capabilities has no --super',
    then: 'owners are lost without a word',
    row: { name: '', receiving: { ...root, uid: 1000 } },
    receiver: [],
    code: 0,
    lost: ['plain owner', 'shared owner'],
  },
  ...without('FSETID', 0, 'setgid bits are lost without a word', ['setuid-6755 mode', 'shared mode']),
  ...without('CHOWN', 23, 'owners fail', ['plain owner']),
  ...without('DAC_OVERRIDE', 23, 'directories of others are closed', ['shared/by-group missing']),
  ...without('FOWNER', 23, 'times and modes of what is given away fail', ['plain mtime']),
  ...without('MKNOD', 23, 'device nodes fail', ['char-device missing']),
  ...without('SETFCAP', 23, 'file capabilities fail', ['capable capability']),
];

function without(
  capability: Identity['capabilities'][number],
  code: number,
  then: string,
  lost: readonly string[],
): Trap[] {
  const capabilities = everything.capabilities.filter((name) => name !== capability);
  const row = { name: '', receiving: { ...everything, capabilities }, optionsFor: everything };
  return [{ name: `CAP_${capability} is missing`, then, row, code, lost }];
}

const ofKubelet = { rootMode: 0o2775, rootOwner: [0, FS_GROUP] } as const;

const rows: Row[] = [
  { name: 'privileged', receiving: root },
  { name: 'privileged, nothing deleted', receiving: root, facts: { delete: false } },
  { name: 'privileged with devices and file capabilities', receiving: everything },
  {
    name: 'privileged, another user than root',
    receiving: { ...everything, uid: 1000, gid: 1000, groups: [1000] },
  },
  { name: 'privileged with fsGroup', receiving: { ...root, fsGroup: FS_GROUP, groups: [0, FS_GROUP] } },
  {
    name: 'privileged with fsGroup, OnRootMismatch',
    receiving: { ...root, fsGroup: FS_GROUP, fsGroupChangePolicy: 'OnRootMismatch' },
  },
  {
    name: 'unprivileged, root directories of one mode',
    receiving: user,
    ...ofKubelet,
    facts: { rootModesAgree: true },
  },
  { name: 'unprivileged, root directories differ', receiving: user, ...ofKubelet, rootMode: 0o2777 },
  {
    name: 'unprivileged with fsGroup, OnRootMismatch',
    receiving: { ...user, fsGroupChangePolicy: 'OnRootMismatch' },
    ...ofKubelet,
  },
  {
    name: 'unprivileged without fsGroup',
    receiving: { uid: 1000, gid: 1000, groups: [1000], capabilities: [], umask: '0000', privileged: false },
    rootMode: 0o777,
    rootOwner: [0, 0],
  },
  {
    name: 'root without capabilities',
    receiving: { uid: 0, gid: 0, groups: [0], capabilities: [], umask: '0000', privileged: false },
    rootMode: 0o755,
    rootOwner: [0, 0],
  },
];

/** What each loss may make different. */
const explains: Record<Loss, (difference: Difference) => boolean> = {
  owners: ({ aspect }) => aspect === 'owner',
  acls: ({ aspect }) => aspect === 'acl',
  // Of the mapping, which has a test of its own.
  aclIds: () => false,
  devices: ({ aspect, was }) => aspect === 'missing' && /^(20000|60000) /.test(was),
  fileCapabilities: ({ aspect }) => aspect === 'capability',
  foreignXattrs: ({ aspect }) => aspect === 'foreignXattrs',
  directoryTimes: ({ aspect, name }) => aspect === 'mtime' && directories.has(name),
  root: ({ name }) => name === '.',
  modes: ({ aspect, was, is }) =>
    aspect === 'mode' && widened(parseInt(was, 8) & 0o777, parseInt(is, 8) & 0o777),
  fsGroupModes: ({ aspect, was, is }) =>
    (aspect === 'owner' && is === `${was.split(':')[0] ?? ''}:${FS_GROUP}`) ||
    (aspect === 'mode' && widened(parseInt(was, 8), parseInt(is, 8))),
};
/** Nothing taken away, and nothing given but what fsGroup gives. */
function widened(was: number, is: number): boolean {
  return (was & ~is) === 0 && (is & ~was & ~0o2770) === 0;
}

const directories = new Set(['.', 'shared', 'read-only-dir', 'sticky', 'empty', 'acl-dir']);

const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

asRoot('Given a tree of everything and a receiving identity', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = makeBench();
    makeTree(bench.source);
    chownSync(bench.source, 1001, 2001);
    chmodSync(bench.source, 0o775);
  });
  afterEach(() => removeBench(bench));

  test.each(rows)('When $name receives, Then nothing is lost but what is documented', async (row) => {
    prepare(bench, row);

    const { options, ended, losses: documented } = await push(bench, row);
    expectClean({ ended });

    const differences = compare(snapshot(bench.source), snapshot(bench.destination));
    const unexplained = differences.filter(
      (difference) => !documented.some((loss) => explains[loss](difference)),
    );
    expect({ options, unexplained }).toEqual({ options, unexplained: [] });
    // A loss that the tree does not show would be a warning that is not true.
    expect(documented.filter((loss) => !differences.some(explains[loss]))).toEqual([]);

    const again = await push(bench, row, ['--itemize-changes']);
    expectClean(again);
    const itemized = again.ended.sender.stdout.replace(/^skipping non-regular file .*\n/gm, '');
    expect(itemized).toBe('');
  });

  test.each(traps)('When $name, Then $then', async ({ row, receiver, code, lost }) => {
    prepare(bench, row);

    const { ended } = await push(bench, row, [], receiver);

    const differences = compare(snapshot(bench.source), snapshot(bench.destination));
    // Errors of the receiver reach nobody but its own standard error and exit code.
    expect(ended).toMatchObject({ sender: { code: 0, stderr: '' }, receiver: { code } });
    expect(differences.map(({ name, aspect }) => `${name} ${aspect}`)).toEqual(
      expect.arrayContaining([...lost]),
    );
  });

  test('When labels and foreign attributes of the destination differ, Then they stay, and user attributes follow', async () => {
    for (const row of [
      { name: '', receiving: root },
      { name: '', receiving: root, facts: { delete: false } },
      { name: '', receiving: user, ...ofKubelet },
    ]) {
      prepare(bench, row);
      expectClean(await push(bench, row));
      const file = join(bench.destination, 'attributes');
      execFileSync('setfattr', ['-n', 'security.selinux', '-v', 'label of the destination', file]);
      execFileSync('setfattr', ['-n', 'trusted.own', '-v', 'stays', file]);
      execFileSync('setfattr', ['-n', 'user.stale', '-v', 'goes', file]);

      expectClean(await push(bench, row));

      const names = execFileSync('getfattr', ['-m', '-', '--absolute-names', file], { encoding: 'utf8' });
      expect(names.split('\n').slice(1).filter(Boolean).sort()).toEqual([
        'security.selinux',
        'trusted.own',
        'user.note',
      ]);
    }
  });

  test('When the namespaces have different ranges, Then the default ids are mapped and others are not', async () => {
    const map: IdMap = { users: [[1000690000, 1000720000]], groups: [[1000690000, 1000720000]] };

    const row = { name: '', receiving: root, map };
    execFileSync('setfacl', ['-m', 'u:1000690000:rw', join(bench.source, 'openshift')]);

    const { ended } = await push(bench, row);

    expectClean({ ended });
    const copy = snapshot(bench.destination);
    expect(copy.get('openshift')?.acl).toBe(snapshot(bench.source).get('openshift')?.acl);
    expect(idMapLosses(map)).toEqual(['aclIds']);
    const again = await push(bench, row, ['--itemize-changes']);
    expect(again.ended.sender.stdout.replace(/^skipping non-regular file .*\n/gm, '')).toBe('');
    expect(copy.get('openshift')?.owner).toBe('1000720000:1000720000');
    expect(copy.get('plain')?.owner).toBe('1001:2001');
    expect(copy.get('negative-as-int32')?.owner).toBe('4000000000:4000000001');
  });

  test('When an unprivileged sender may not read a file, Then the exit code says so', async () => {
    const row = { name: '', receiving: user, ...ofKubelet };
    prepare(bench, row);

    const { ended } = await push(bench, row, [], undefined, user);

    expect(ended.sender.code).toBe(23);
    expect(ended.sender.stderr).toMatch(/mode-000.*Permission denied/);
  });

  test('When a file changes in all it can, Then the next run carries what is not a documented loss', async () => {
    for (const row of rows) {
      prepare(bench, row);
      expectClean(await push(bench, row));
      const file = join(bench.source, 'plain');
      writeFileSync(file, `changed for ${row.name}\n`);
      chmodSync(file, 0o711);
      rmSync(join(bench.source, 'script'));

      const { ended, losses: documented } = await push(bench, row);

      expectClean({ ended });
      const differences = compare(snapshot(bench.source), snapshot(bench.destination));
      const unexplained = differences.filter(
        (difference) =>
          !documented.some((loss) => explains[loss](difference)) &&
          // A mode that is not carried over keeps what the file had, made executable.
          !(
            documented.includes('modes') &&
            /^(plain|shared\/hard-link)$/.test(difference.name) &&
            difference.aspect === 'mode'
          ) &&
          !(row.facts?.delete === false && difference.aspect === 'extra'),
      );
      expect([row.name, unexplained]).toEqual([row.name, []]);

      writeFileSync(join(bench.source, 'script'), 'back');
      chmodSync(file, 0o644);
    }
  }, 60_000);
});

/** An empty destination, its root as the row wants it. */
function prepare(bench: Bench, { rootMode = 0o755, rootOwner = [0, 0] }: Row): void {
  rmSync(bench.destination, { recursive: true });
  mkdirSync(bench.destination);
  chownSync(bench.destination, ...rootOwner);
  chmodSync(bench.destination, rootMode);
}

function expectClean({ ended: { sender, receiver } }: { ended: { sender: Ended; receiver: Ended } }): void {
  expect(sender.stderr + receiver.stderr).toBe('');
  expect([sender.code, receiver.code]).toEqual([0, 0]);
}

async function push(
  bench: Bench,
  row: Row,
  extra: readonly string[] = [],
  receiver: readonly string[] = receiverOptions(row.receiving, row.map),
  sending: Identity = reader,
): Promise<{
  options: readonly string[];
  losses: readonly Loss[];
  ended: { sender: Ended; receiver: Ended };
}> {
  const facts = { delete: true, rootModesAgree: false, ...row.facts };
  const chosen = senderOptions(row.optionsFor ?? row.receiving, facts);
  const ended = await transfer({
    bench,
    // rsync compares times by the second else, and leaves a fifo that is new in the same second as it is.
    senderOptions: [...chosen.options, '--modify-window=-1', ...(facts.delete ? ['--delete'] : []), ...extra],
    sender: (args, options) => launch(sending, RSYNC, args, options),
    receiverOptions: receiver,
    receiver: (args, options) => launch(row.receiving, RSYNC, args, options),
  });
  return { options: chosen.options, losses: chosen.losses, ended };
}
