import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, openSync, closeSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from './api-client.js';
import { auditPolicy } from './audit-policy.js';
import { ensureKubeBinaries } from './binary.js';
import { makeKubeconfig } from './kubeconfig.js';
import { apiServerIdentityFlags, auditFlags } from './local/programs.js';
import { Pki } from './pki.js';
import { writeAtomically } from './process/files.js';
import { readProcess } from './process/proc.js';
import { waitFor } from './process/wait.js';
import { readSettings } from './settings.js';

/** etcd and an API server, with no node and no controller: namespaces are not emptied, no pod ever runs. */
export interface ApiServer {
  readonly kubeconfigPath: string;
  /** As cluster admin. */
  readonly kubeconfig: string;
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly auditLogPath: string;
  /** Ends both programs and removes their data. */
  stop(): Promise<void>;
}

/** Starts one on free ports of the loopback, within seconds. It ends with this process, however that ends. */
export async function startApiServer({ name = 'api' } = {}): Promise<ApiServer> {
  const bin = await ensureKubeBinaries(readSettings(), (line) => process.stderr.write(`${line}\n`));
  const directory = await makeDirectory(name);
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(endChild));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const [etcdPort, peerPort, apiPort] = await freePorts(3);
    const url = `https://127.0.0.1:${String(apiPort)}`;
    const pki = await makePki(join(directory, 'pki'), name);
    const kubeconfigPath = join(directory, 'kubeconfig');
    const kubeconfig = await makeKubeconfig(pki, name, url, 'admin');
    await writeAtomically(kubeconfigPath, kubeconfig);
    await writeAtomically(join(directory, 'audit-policy.yaml'), auditPolicy());

    const start = (program: string, flags: readonly string[]): void => {
      children.push(spawnWithUs(join(bin, program), flags, join(directory, `${program}.log`)));
    };
    const etcd = `http://127.0.0.1:${String(etcdPort)}`;
    const peer = `http://127.0.0.1:${String(peerPort)}`;
    start('etcd', [
      ...[`--data-dir=${join(directory, 'etcd')}`, '--unsafe-no-fsync', '--log-level=warn'],
      ...[`--listen-client-urls=${etcd}`, `--advertise-client-urls=${etcd}`, `--listen-peer-urls=${peer}`],
      ...[`--initial-advertise-peer-urls=${peer}`, `--initial-cluster=default=${peer}`],
    ]);
    start('kube-apiserver', [
      ...[`--etcd-servers=${etcd}`, `--secure-port=${String(apiPort)}`, '--bind-address=127.0.0.1'],
      ...[
        '--service-cluster-ip-range=10.98.0.0/16',
        '--authorization-mode=Node,RBAC',
        '--allow-privileged=true',
      ],
      // Nobody makes the ServiceAccounts that this plugin would demand of every pod.
      '--disable-admission-plugins=ServiceAccount',
      ...apiServerIdentityFlags((file) => pki.path(file)),
      ...auditFlags(join(directory, 'audit-policy.yaml'), join(directory, 'audit.log')),
    ]);
    await waitUntilReady(kubeconfig, children, directory);
    return {
      kubeconfigPath,
      kubeconfig,
      url,
      ca: await pki.read('ca.crt'),
      auditLogPath: join(directory, 'audit.log'),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** In memory where that is possible: data that nobody keeps need not touch a disk. */
async function makeDirectory(name: string): Promise<string> {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  for (const entry of await readdir(parent)) {
    // Of a test run that was killed: its programs ended with it, its files could not.
    const owner = /^dr-syncer-api-(\d+)-/.exec(entry)?.[1];
    if (owner !== undefined && readProcess(Number(owner)) === undefined) {
      await rm(join(parent, entry), { recursive: true, force: true });
    }
  }
  return mkdtemp(join(parent, `dr-syncer-api-${process.pid}-${name}-`));
}

async function makePki(directory: string, name: string): Promise<Pki> {
  const pki = new Pki(directory);
  await pki.ensureAuthority(name);
  const names = ['IP:127.0.0.1', 'DNS:localhost', 'DNS:kubernetes.default.svc'];
  await Promise.all([
    pki.ensure({ name: 'apiserver', commonName: 'kube-apiserver', names }),
    pki.ensure({ name: 'admin', commonName: 'admin', organization: 'system:masters' }),
  ]);
  return pki;
}

async function waitUntilReady(
  kubeconfig: string,
  children: readonly ChildProcess[],
  directory: string,
): Promise<void> {
  const api = new ApiClient(kubeconfig);
  try {
    await waitFor('API server', async () => {
      if (children.some(({ exitCode }) => exitCode !== null)) return 'ended';
      return api.get<string>('/readyz');
    });
    if (children.every(({ exitCode }) => exitCode === null)) return;
  } finally {
    api.close();
  }
  const log = await readFile(join(directory, 'kube-apiserver.log'), 'utf8');
  throw new Error(`etcd or kube-apiserver ended at its start: ${log.slice(-2000)}`);
}

/** A child that the kernel kills when we die (PR_SET_PDEATHSIG). */
function spawnWithUs(program: string, flags: readonly string[], log: string): ChildProcess {
  const output = openSync(log, 'a');
  const args = ['--pdeathsig', 'KILL', '--', program, ...flags];
  const child = spawn('setpriv', args, { stdio: ['ignore', output, output] });
  child.on('error', () => undefined); // exitCode and log tell
  child.unref();
  closeSync(output);
  return child;
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.ref();
  child.kill('SIGKILL'); // nothing that it would still write is wanted
  await ended;
}

/** Held all at once, so that they differ; given back before the programs bind them. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(
        (server) =>
          new Promise<number>((resolve, reject) => {
            server.on('error', reject);
            server.listen(0, '127.0.0.1', () => {
              const address = server.address();
              resolve(typeof address === 'object' && address !== null ? address.port : 0);
            });
          }),
      ),
    );
  } finally {
    for (const server of servers) server.close();
  }
}
