import { randomBytes } from 'node:crypto';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuiltImage } from '../../images/images.js';
import { run, type RunOptions } from '../process/run.js';
import type { ComponentName, LocalTestCluster, TestNode } from '../test-cluster.js';
import type { LocalCluster } from './local-cluster.js';
import type { LocalNode } from './node.js';
import { addVolume } from './volumes.js';

/** The view of a local cluster that tests have. @param kubectl path of the program */
export async function localTestCluster(cluster: LocalCluster, kubectl: string): Promise<LocalTestCluster> {
  const { plan, kubeconfigPath } = cluster;
  const stop = async (name: ComponentName, node?: string, graceMs?: number): Promise<void> => {
    await cluster.nodeOf(name, node).stopProgram(name, graceMs);
  };
  const start = async (name: ComponentName, node?: string): Promise<void> => {
    cluster.startProgram(name, node);
    if (name === 'etcd' || name === 'kube-apiserver') await cluster.waitForApi();
  };
  return {
    name: plan.name,
    kubeconfigPath,
    kubeconfig: await cluster.kubeconfig(),
    storageClass: plan.storageClass,
    nodes: cluster.nodes.map(testNode),
    auditLogPath: cluster.auditLogPath,
    get netns() {
      return cluster.nodes.map((node) => `/proc/${node.init()?.pid ?? 0}/ns/net`);
    },
    kubectl: async (args, options = {}) => {
      const { stdout } = await run(kubectl, [`--kubeconfig=${kubeconfigPath}`, ...args], options);
      return stdout;
    },
    importImage: async (image) => {
      await Promise.all(cluster.nodes.map((node) => importImage(node, image)));
    },
    restartComponent: async (name, node) => {
      await stop(name, node);
      await start(name, node);
    },
    stopComponent: stop,
    killComponent: (name, node) => stop(name, node, 0),
    startComponent: start,
    killNode: (name) => cluster.nodeOf('kubelet', name).end(),
    // up() leaves alone what runs.
    startNode: () => cluster.up(),
    addVolumes: (count, options = {}) => addVolumes(cluster, count, options),
  };
}

function testNode(node: LocalNode): TestNode {
  return {
    name: node.plan.name,
    address: node.plan.address,
    rootOf: (path) => {
      const init = node.init();
      if (init === undefined) throw new Error(`node ${node.plan.name} does not run`);
      return join('/proc', String(init.pid), 'root', path);
    },
    exec: (command: readonly string[], options?: RunOptions) => node.exec(command, options),
  };
}

/** Sends the layers that the node lacks: after a change of our code, that is one small one. */
async function importImage(node: LocalNode, image: BuiltImage): Promise<void> {
  const ctr = (...args: string[]): Promise<string> => node.exec(['ctr', '--namespace', 'k8s.io', ...args]);
  const names = (await ctr('images', 'ls', '--quiet')).split('\n');
  if (!names.includes(image.exactName)) {
    const present = new Set((await ctr('content', 'ls', '--quiet')).split('\n'));
    const archive = join(node.plan.directory, `import-${randomBytes(4).toString('hex')}.tar`);
    try {
      await image.layout.pack(image.exactName, archive, present);
      await ctr('images', 'import', archive);
    } finally {
      await rm(archive, { force: true });
    }
  }
  await ctr('images', 'tag', '--force', image.exactName, image.name);
}

/** @param options.limitBytes the volume is a file system of this size of its own: writing more gives ENOSPC */
async function addVolumes(
  cluster: LocalCluster,
  count: number,
  options: { node?: string; size?: string; limitBytes?: number },
): Promise<string[]> {
  const node = cluster.nodeOf('kubelet', options.node);
  return cluster.withApi(async (api) => {
    const names: string[] = [];
    for (let index = 0; index < count; index++) {
      const directory =
        options.limitBytes === undefined ? undefined : await makeFileSystem(node, options.limitBytes);
      names.push(await addVolume(api, cluster.plan, node.plan, options.size ?? '1Gi', directory));
    }
    return names;
  });
}

/** An ext4 in a file, mounted in the node. The kernel frees the loop device when the node ends. */
async function makeFileSystem(node: LocalNode, bytes: number): Promise<string> {
  const base = join(node.plan.directory, 'volumes', `limited-${randomBytes(4).toString('hex')}`);
  await mkdir(base, { recursive: true });
  await writeFile(`${base}.img`, '');
  await truncate(`${base}.img`, bytes);
  await node.exec(['mkfs.ext4', '-q', '-m', '0', `${base}.img`]);
  await node.exec(['mount', '-o', 'loop', `${base}.img`, base]);
  await node.exec(['rmdir', join(base, 'lost+found')]);
  return base;
}
