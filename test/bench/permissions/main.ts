import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import type { Identity } from '@dr-syncer/api';
import type { PermissionsState, VolumeRef } from '@dr-syncer/ssh';

import { repositoryRoot } from '../../cluster/paths.js';
import { Mover } from '../../mover/mover.js';
import { atMost, atMostPeer, type Figure, median, type Pair, print } from '../figure.js';
import { makeTree } from './tree.js';

/**
 * The mover's passes over group and label beside GNU chown and chcon on the same file system (ext4 on a loop device), in
 * turns. One JSON object a line for each figure; exit code 1 when one misses its bar. For root.
 *
 *   node test/dist/bench/permissions/main.js [--rounds 3] [--scale 1] [--dir /tmp]
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    dir: { type: 'string', default: tmpdir() },
  },
});
const ROUNDS = Number(values.rounds);
const MANY = Math.round(1_000_000 * Number(values.scale));
const SOME = Math.round(100_000 * Number(values.scale));
const CHANGED = 100;
const GROUP = 1_000_690_000;
const OTHER = GROUP + 1;

const receiver: Identity = {
  uid: 0,
  gid: 0,
  groups: [0],
  capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'],
  umask: '0077',
  privileged: true,
};
const ofGroup = (fsGroup: number): Identity => ({ ...receiver, fsGroup });

/** What ours and the peer's took in each round. */
const pairsOf = (ours: readonly number[], peer: readonly number[]): Pair[] =>
  ours.map((value, i) => ({ ours: value, peer: peer[i] ?? Number.NaN }));

const report = (...figures: readonly Figure[]): void => print('permissions', figures);

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function sh(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

interface Volume {
  readonly ref: VolumeRef;
  readonly path: string;
}

/** A file system of its own, as most volumes are. */
async function makeVolume(dir: string, name: string, entries: number): Promise<Volume> {
  const ref = { podUid: '0000-1', pvName: name };
  const path = Mover.volumePath(dir, ref);
  const image = join(dir, `${name}.img`);
  await mkdir(path, { recursive: true });
  sh('truncate', '--size', `${Math.ceil(entries / 250) + 512}M`, image);
  sh('mkfs.ext4', '-q', '-N', String(Math.ceil(entries * 1.2) + 10_000), '-E', 'lazy_itable_init=1', image);
  sh('mount', '-o', 'loop', image, path);
  return { ref, path };
}

function expectState(state: PermissionsState, want: Partial<PermissionsState>): void {
  for (const [key, value] of Object.entries(want)) {
    const got = state[key as keyof PermissionsState];
    if (got !== value) throw new Error(`${key} is ${String(got)} and not ${String(value)}`);
  }
}

async function wholeVolume(mover: Mover, { ref, path }: Volume): Promise<void> {
  const [ours, peer]: [number[], number[]] = [[], []];
  // Modes as the pass leaves them: what is measured is the change of owners, as chown does it.
  await mover.apply(ref, ofGroup(GROUP));
  for (let i = 0; i < ROUNDS; i++) {
    peer.push(await timed(() => sh('chown', '-hR', `:${GROUP}`, path)));
    ours.push(
      await timed(async () => {
        const state = await mover.apply(ref, ofGroup(OTHER));
        expectState(state, { scope: 'All', groupsChanged: state.seen, failed: 0 });
      }),
    );
    await mover.apply(ref, ofGroup(GROUP));
  }
  report(atMostPeer(`chown-${MANY}`, 'ms', 2, pairsOf(ours, peer)));
}

async function rootCheck(mover: Mover, { ref }: Volume): Promise<void> {
  await mover.apply(ref, ofGroup(GROUP));
  const ours: number[] = [];
  for (let i = 0; i < 50; i++) {
    const state = await mover.apply(ref, ofGroup(GROUP));
    expectState(state, { scope: 'None', seen: 0 });
    ours.push(state.seconds * 1000);
  }
  report(atMost('nothing-to-do', 'ms', 5, median(ours)));
}

async function incremental(mover: Mover, { ref, path }: Volume, source: string): Promise<void> {
  // The first transfer finds everything there; the pass after it leaves the marker.
  await mover.push(source, ref, ofGroup(GROUP));
  await mover.apply(ref, ofGroup(GROUP));
  const stamp = join(path, '..', 'stamp');
  await writeFile(stamp, '');
  for (let i = 0; i < CHANGED; i++) {
    const [a, b] = [Math.floor(i / 10), i % 10];
    await writeFile(join(source, `d0/e${a}/f${b}`), `changed ${i}`);
  }
  await mover.push(source, ref, ofGroup(GROUP));
  const began = performance.now();
  const state = await mover.apply(ref, ofGroup(GROUP));
  const took = performance.now() - began;
  expectState(state, { scope: 'Changed', failed: 0 });
  const found = execFileSync('find', [path, '-type', 'f', '-newercm', stamp], { encoding: 'utf8' });
  const touched = found.trim().split('\n').length;
  report(
    atMost(`looked-at-after-${CHANGED}-of-${MANY}`, 'entries', CHANGED, state.seen),
    atMost('touched-files', 'entries', CHANGED, touched),
    atMost('pass-over-changes', 'ms', 100, took),
  );
}

async function groupAndModes(mover: Mover, { ref, path }: Volume): Promise<void> {
  const [ours, peer]: [number[], number[]] = [[], []];
  for (let i = 0; i < ROUNDS; i++) {
    sh('chmod', '-R', 'g-rwxs', path);
    peer.push(
      await timed(() => {
        sh('chown', '-hR', `:${GROUP}`, path);
        sh('chmod', '-R', 'ug+rwX,g+s', path);
      }),
    );
    sh('chmod', '-R', 'g-rwxs', path);
    ours.push(await timed(() => mover.apply(ref, ofGroup(OTHER + i))));
  }
  report(atMostPeer(`group-and-modes-${SOME}`, 'ms', 2, pairsOf(ours, peer)));
}

async function relabel(helper: string, { path }: Volume): Promise<void> {
  const label = 'system_u:object_r:container_file_t:s0:c1,c2';
  sh('chcon', '-hR', label, path);
  const [ours, peer]: [number[], number[]] = [[], []];
  for (let i = 0; i < ROUNDS * 3; i++) {
    peer.push(await timed(() => sh('chcon', '-hR', label, path)));
    ours.push(
      await timed(() =>
        // The mover asks for no labels where the kernel has none, so the helper is asked itself.
        execFileSync('sh', ['-c', `printf 'A\\0R\\0' | "$0" --label=${label} 3<"$1"`, helper, path]),
      ),
    );
  }
  report(atMostPeer(`relabel-nothing-to-change-${SOME}`, 'ms', 2, pairsOf(ours, peer)));
}

async function main(): Promise<void> {
  const dir = await mkdtemp(join(values.dir, 'dr-syncer-bench-perm-'));
  const helper = join(dir, 'dr-syncer-attributes');
  const mounted: string[] = [];
  let mover: Mover | undefined;
  try {
    sh(join(repositoryRoot(), 'packages/agent/native/build.sh'), helper, '-static-pie');
    mover = await Mover.start(dir, helper);
    const some = await makeVolume(dir, 'some', SOME);
    mounted.push(some.path);
    await makeTree(some.path, SOME);
    await relabel(helper, some);
    await groupAndModes(mover, some);
    const many = await makeVolume(dir, 'many', MANY);
    mounted.push(many.path);
    await makeTree(many.path, MANY);
    await wholeVolume(mover, many);
    await rootCheck(mover, many);
    const source = join(dir, 'source');
    await makeTree(source, MANY);
    await incremental(mover, many, source);
  } finally {
    await mover?.stop();
    for (const path of mounted) sh('umount', path);
    await rm(dir, { recursive: true, force: true });
  }
}

await main();
