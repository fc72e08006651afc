import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { Identity } from '@dr-syncer/api';
import { senderOptions } from '@dr-syncer/identity';
import type { Peer, PermissionsState, VolumeRef } from '@dr-syncer/ssh';

import { connectMover } from './connect.js';

const START_MS = 60_000;

/** `dr-syncer-agent mover` by itself, with a kubelet's directory of its own. For root. */
export class Mover {
  readonly peer: Peer;
  readonly #dir: string;
  readonly #child: ChildProcess;

  private constructor(peer: Peer, dir: string, child: ChildProcess) {
    this.peer = peer;
    this.#dir = dir;
    this.#child = child;
  }

  /**
   * @param dir its own, short, exists
   * @param helper dr-syncer-attributes
   */
  static async start(dir: string, helper: string): Promise<Mover> {
    const at = (name: string) => join(dir, name);
    for (const name of ['shared', 'private', 'surveys', 'kubelet/pods'])
      await mkdir(at(name), { recursive: true });
    const index = createRequire(import.meta.url).resolve('@dr-syncer/agent');
    const child = spawn(process.execPath, [join(dirname(index), 'main.js'), 'mover'], {
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
        LOG_LEVEL: 'warn',
        SOCKET_DIR: at('shared'),
        PRIVATE_DIR: at('private'),
        KUBELET_DIR: at('kubelet'),
        SURVEY_DIR: at('surveys'),
        ATTRIBUTES_HELPER: helper,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    for (const end = Date.now() + START_MS; ;) {
      try {
        return new Mover(await connectMover(at('shared/mover.sock')), dir, child);
      } catch (err) {
        if (Date.now() > end || child.exitCode !== null)
          throw new Error('the mover does not listen', { cause: err });
        await sleep(50);
      }
    }
  }

  /** Where a volume of this name has to be mounted. */
  static volumePath(dir: string, { podUid, pvName }: VolumeRef): string {
    return join(dir, 'kubelet/pods', podUid, 'volumes/kubernetes.io~csi', pvName, 'mount');
  }

  apply(volume: VolumeRef, identity: Identity): Promise<PermissionsState> {
    return this.peer.request('permissions.apply', { id: 'p', volume, identity }, { timeoutMs: 0 });
  }

  /** A real rsync into the volume, received as the mover does for transfers. @throws Error with rsync's exit code */
  async push(source: string, volume: VolumeRef, identity: Identity): Promise<void> {
    const id = `t-${randomBytes(8).toString('hex')}`;
    const grant = {
      ...{ id, volume, identity, direction: 'write', allowDelete: true, holder: 'test', streams: 1 },
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      preserve: { devices: false, fileCapabilities: false },
    };
    const file = join(this.#dir, `${id}.json`);
    await writeFile(file, JSON.stringify(grant));
    const bridge = fileURLToPath(new URL('bridge.js', import.meta.url));
    const shell = [process.execPath, bridge, join(this.#dir, 'shared/mover.sock'), file].join(' ');
    const options = [
      ...senderOptions(identity, { delete: true, rootModesAgree: false }).options,
      '--filter=- /lost+found',
      '--delete-delay',
      `--rsh=${shell}`,
    ];
    const to = `x:${Mover.volumePath(this.#dir, volume)}`;
    const rsync = spawn('rsync', [...options, `${source}/`, to], { stdio: ['ignore', 'inherit', 'inherit'] });
    const code = await new Promise((resolve) => rsync.once('close', resolve));
    if (code !== 0) throw new Error(`rsync ended with ${String(code)}`);
  }

  async stop(): Promise<void> {
    this.peer.close();
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill();
    await ended;
  }
}
