import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { type KubeClient, type KubeObject, wellKnown } from '@dr-syncer/kube';

import { remoteClusters, type Solo, startSolo } from '../../integration/support/solo/solo.js';
import { cpuSeconds, rssBytes } from '../../support/usage.js';
import { atMost, print } from '../figure.js';

/**
 * What many remote clusters cost while nothing happens: CPU and memory of a controller with COUNT RemoteClusters, all
 * Ready, each with its own kubeconfig, connection, watch of its Secret and SSH connection to an agent.
 */
const COUNT = 200;
const BAR_CPU_PERCENT = 1;
const BAR_RSS_MIB = 250;
/** A good cluster is looked at every five minutes, give or take a fifth: each is looked at once at least. */
const WINDOW_S = Number(process.argv[2] ?? 360);
/** Connections of the bringing up are closed after 45 s, all at once. */
const SETTLE_S = 60;
const NAMESPACE = 'dr-syncer-system';

async function main(): Promise<void> {
  const limits = { connections: 1000, connectionsPerKey: 1000, handshakes: { perSecond: 1000, burst: 1000 } };
  const perSource = { startupsPerSource: 1000, handshakesPerSource: { perSecond: 1000, burst: 1000 } };
  const solo = await startSolo({ agent: { SSH_LIMITS: JSON.stringify({ ...limits, ...perSource }) } });
  try {
    await connectAll(solo);
    await sleep(SETTLE_S * 1000);
    await measure(solo.controller.pid);
  } finally {
    await solo.stop();
  }
}

async function measure(pid: number): Promise<void> {
  const [before, began] = [cpuSeconds(pid), performance.now()];
  let rss = 0;
  while (performance.now() - began < WINDOW_S * 1000) {
    await sleep(1000);
    rss = Math.max(rss, rssBytes(pid) / 2 ** 20);
  }
  const seconds = (performance.now() - began) / 1000;
  const cpu = (100 * (cpuSeconds(pid) - before)) / seconds;
  print('remotes', [
    atMost(`cpu of ${COUNT} idle RemoteClusters`, '% of a core', BAR_CPU_PERCENT, cpu),
    atMost(`largest RSS with ${COUNT} idle RemoteClusters`, 'MiB', BAR_RSS_MIB, rss),
  ]);
}

async function connectAll({ client, api, agentPort }: Solo): Promise<void> {
  const sshKey = await rsaKey();
  for (let index = 0; index < COUNT; index += 1) {
    const name = `remote-${String(index)}`;
    await secret(client, `${name}-kubeconfig`, { kubeconfig: api.kubeconfig });
    await secret(client, `${name}-ssh-key`, sshKey);
    await client.create(remoteClusters, {
      ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'RemoteCluster' },
      metadata: { name, namespace: NAMESPACE },
      spec: { kubeconfigSecret: `${name}-kubeconfig`, agentDeployment: { port: agentPort } },
    });
  }
  for (let ready = 0; ready < COUNT;) {
    await sleep(2000);
    const { items } = await client.list<KubeObject & { status?: { phase?: string } }>(remoteClusters, {
      namespace: NAMESPACE,
    });
    ready = items.filter(({ status }) => status?.phase === 'Ready').length;
    process.stderr.write(`${String(ready)} of ${String(COUNT)} are ready\n`);
  }
}

function secret(client: KubeClient, name: string, texts: Record<string, string>): Promise<KubeObject> {
  const data = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  const metadata = { name, namespace: NAMESPACE };
  return client.create(wellKnown.secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    type: 'Opaque',
    data,
  });
}

/** One for all: making keys is not what is measured. */
async function rsaKey(): Promise<Record<string, string>> {
  const dir = await mkdtemp(join(tmpdir(), 'dr-syncer-bench-'));
  try {
    const file = join(dir, 'key');
    execFileSync('ssh-keygen', [
      ...['-q', '-t', 'rsa', '-b', '3072', '-m', 'PEM', '-N', '', '-C', 'bench', '-f', file],
    ]);
    return { id_rsa: await readFile(file, 'utf8'), 'id_rsa.pub': await readFile(`${file}.pub`, 'utf8') };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

await main();
