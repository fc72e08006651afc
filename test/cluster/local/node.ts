import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { clusterAsset } from '../paths.js';
import { endProcess, findProcesses, type ProcessInfo } from '../process/proc.js';
import { run, type RunOptions } from '../process/run.js';
import { waitFor } from '../process/wait.js';
import { removeCgroups } from './cgroups.js';
import type { NodePlan } from './plan.js';

/**
 * One node: a set of namespaces held by `node-init.sh`, and the programs in it. Whether a node or a program
 * runs is read from /proc each time; nothing is remembered that could become wrong.
 */
export class LocalNode {
  readonly plan: NodePlan;

  constructor(plan: NodePlan) {
    this.plan = plan;
  }

  /** The node's first process, found by its command line, which names the node's directory. */
  init(): ProcessInfo | undefined {
    return this.#inits()[0];
  }

  /** Also one that another checkout of this repository has started. */
  #inits(): ProcessInfo[] {
    return findProcesses(
      ({ argv, innerPid }) =>
        innerPid === 1 && basename(argv[1] ?? '') === 'node-init.sh' && argv[2] === this.plan.directory,
    );
  }

  /** Starts the node's first process, or leaves the one that runs. */
  async ensureInit(): Promise<ProcessInfo> {
    const running = this.init();
    if (running !== undefined && existsSync(join(this.plan.directory, 'prepared'))) return running;
    if (running !== undefined) await endProcess(running, 0);

    const { directory, name } = this.plan;
    await rm(join(directory, 'prepared'), { force: true });
    await this.#forgetFormerLife();
    for (const path of ['root/etc', 'log', 'volumes'])
      await mkdir(join(directory, path), { recursive: true });
    await writeFile(join(directory, 'root/etc/hosts'), `127.0.0.1 localhost\n${this.plan.address} ${name}\n`);
    this.#spawn('init', 'unshare', [
      ...['--mount', '--net', '--uts', '--pid', '--fork', '--'],
      ...['/bin/bash', clusterAsset('local/node-init.sh'), directory, name],
    ]);
    return waitFor(`node ${name}, see ${this.logPath('init')}`, () => {
      const found = existsSync(join(directory, 'prepared')) ? this.init() : undefined;
      return Promise.resolve(found);
    });
  }

  /** Ends the node with everything in it. */
  async end(): Promise<void> {
    for (const init of this.#inits()) await endProcess(init, 0);
    await this.#forgetFormerLife();
  }

  /** Runs a command in the node's namespaces. */
  async exec(command: readonly string[], options: RunOptions = {}): Promise<string> {
    const { stdout } = await run('nsenter', [...this.#enter(), ...command], options);
    return stdout;
  }

  /** A program of the node by name, such as `kubelet`; pods have pid namespaces of their own. */
  program(name: string): ProcessInfo | undefined {
    const init = this.init();
    if (init === undefined) return undefined;
    return findProcesses(
      ({ argv, pidNamespace }) => pidNamespace === init.pidNamespace && basename(argv[0] ?? '') === name,
    )[0];
  }

  /** Starts a program in the background, unless one of this name runs. @returns whether it was started */
  ensureProgram(argv: readonly [string, ...string[]]): boolean {
    const name = basename(argv[0]);
    if (this.program(name) !== undefined) return false;
    this.#spawn(name, 'nsenter', [...this.#enter(), ...argv]);
    return true;
  }

  async stopProgram(name: string, graceMs?: number): Promise<void> {
    const found = this.program(name);
    if (found !== undefined) await endProcess(found, graceMs);
  }

  logPath(program: string): string {
    return join(this.plan.directory, 'log', `${program}.log`);
  }

  /** What a reboot would wipe: sockets and pids below /run, and the cgroups of containers that were killed. */
  async #forgetFormerLife(): Promise<void> {
    const run = join(this.plan.directory, 'root/run');
    const tasks = join(run, 'containerd/io.containerd.runtime.v2.task/k8s.io');
    await removeCgroups('k8s.io', await readdir(tasks).catch(() => []));
    await rm(run, { recursive: true, force: true });
  }

  #enter(): string[] {
    const init = this.init();
    if (init === undefined) throw new Error(`node ${this.plan.name} does not run`);
    return ['--target', String(init.pid), '--mount', '--net', '--uts', '--pid', '--'];
  }

  /** In a session of its own: it outlives us, and a Ctrl-C for us is none for it. */
  #spawn(log: string, command: string, args: readonly string[]): void {
    const output = openSync(this.logPath(log), 'a');
    const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' };
    const child = spawn(command, args, { detached: true, stdio: ['ignore', output, output], cwd: '/', env });
    child.on('error', () => undefined); // whoever waits for the program reports it, with the log's path
    child.unref();
    closeSync(output);
  }
}
