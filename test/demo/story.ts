import type { Context } from './context.js';
import { type Change, changeVolume, fillVolume } from './data.js';
import { formatBytes, formatCount, formatSeconds } from './format.js';
import { connectRemote, install, removeEarlierDemo, rolledOut } from './install.js';
import { CONFIG_MAP, DATA, SHOP, shopConfig, shopNamespace, shopObjects } from './shop.js';
import { PRIVILEGED_MOVERS, replication } from './standby.js';
import { syncNow, type SyncResult } from './sync.js';
import { allEqual, countLine, type Verdict, verify } from './verify.js';

const WORKLOAD_MS = 180_000;

/** Tells the story from two empty clusters to a standby that follows its source. True: everything was equal. */
export async function tellStory(context: Context): Promise<boolean> {
  const { screen, settings } = context;
  await screen.step('Install dr-syncer in the source cluster, and its account in the remote', async () => {
    await install(context);
    await removeEarlierDemo(context);
  });
  await screen.step(`An application: namespace "${SHOP}" in the source cluster`, async () => {
    await openShop(context);
  });
  await screen.step(`Its volume: ${settings.sizeMb} MiB of everything that a copy can lose`, async () => {
    await fillVolume(context);
  });
  await screen.step('Tell dr-syncer about the remote cluster', async () => {
    await connectRemote(context);
  });
  const first = await screen.step('First sync: everything', async () => {
    const mapping = { [settings.sourceStorageClass]: settings.remoteStorageClass };
    await context.source.apply([replication(mapping)]);
    return await syncNow(context, requestId());
  });
  const verdict1 = await screen.step('Compare both ends, without any code of dr-syncer', async () => {
    return await verify(context);
  });
  const change = await screen.step(`Change some files, and ConfigMap ${CONFIG_MAP}`, async () => {
    await context.source.apply([shopConfig('Welcome back')]);
    const done = await changeVolume(context);
    screen.note(
      `${done.transfers} files with ${formatBytes(done.changedBytes)} of new content, 1 deleted, 1 chmod`,
    );
    return done;
  });
  const second = await screen.step('Second sync: only what changed', async () => {
    return await syncNow(context, requestId());
  });
  const surprises = unexpected(second, change);
  for (const line of surprises) screen.note(`NOT AS IT SHOULD BE: ${line}`);
  const verdict2 = await screen.step('Compare both ends again', async () => {
    return await verify(context);
  });
  summarise(context, first, second, verdict2);
  return allEqual(verdict1) && allEqual(verdict2) && surprises.length === 0;
}

/** Unique, and sorts by time for whoever reads the events later. */
function requestId(): string {
  return `demo-${Date.now()}`;
}

export async function openShop({ source, remote, settings }: Context): Promise<void> {
  await Promise.all([source.apply([shopNamespace()]), remote.apply([shopNamespace()])]);
  // Copying foreign owners takes privileges on the nodes: at both ends an administrator has to allow it.
  const allow = ['annotate', '--overwrite', 'namespace', SHOP, `${PRIVILEGED_MOVERS}=true`];
  await Promise.all([source.run(allow), remote.run(allow)]);
  await source.apply(shopObjects({ image: settings.image, storageClass: settings.sourceStorageClass }));
  await rolledOut(source, SHOP, 'statefulset/db', WORKLOAD_MS);
  await rolledOut(source, SHOP, 'deployment/web', WORKLOAD_MS);
}

/** What the second sync moved that it should not have, or the other way round. Exported for its test. */
export function unexpected(
  { status, volume }: Pick<SyncResult, 'status' | 'volume'>,
  change: Change,
): string[] {
  const lines: string[] = [];
  const expect = (what: string, value: number | undefined, least: number, most = least): void => {
    if (value !== undefined && value >= least && value <= most) return;
    const range = least === most ? formatCount(least) : `${formatCount(least)} to ${formatCount(most)}`;
    lines.push(`${what}: ${value === undefined ? 'not reported' : formatCount(value)}, not ${range}`);
  };
  expect('objects written', status.syncStats?.applied, 1);
  expect('objects failed', status.syncStats?.failed, 0);
  expect('files transferred', volume.filesTransferred, change.transfers);
  expect('files deleted', volume.filesDeleted, 1);
  expect('bytes of file data moved', volume.literalBytes, change.changedBytes, change.touchedBytes);
  return lines;
}

function summarise(context: Context, first: SyncResult, second: SyncResult, verdict: Verdict): void {
  const { screen } = context;
  screen.line(`\nSummary (claim ${DATA.claim}, ${formatBytes(second.volume.bytesTotal ?? 0)})`);
  screen.note(syncLine('first sync ', first));
  screen.note(syncLine('second sync', second));
  screen.line('');
  screen.note('Look around:');
  screen.note('  kubectl --kubeconfig "$SOURCE_KUBECONFIG" get remotecluster,replication -A');
  screen.note(`  kubectl --kubeconfig "$REMOTE_KUBECONFIG" -n ${SHOP} get all,configmap,secret,pvc`);
  screen.line('');
  screen.line(countLine('objects', verdict.objects));
  screen.line(countLine('files', verdict.files));
}

function syncLine(name: string, { status, volume, seconds, firstByteSeconds }: SyncResult): string {
  return [
    `${name}  ${formatSeconds(seconds).padStart(7)}`,
    `first byte after ${formatSeconds(firstByteSeconds)}`,
    `${formatCount(status.syncStats?.applied ?? 0)} objects written`,
    `${formatCount(volume.filesTransferred ?? 0)} files`,
    `${formatBytes(volume.literalBytes ?? 0)} moved`,
  ].join('  ');
}
