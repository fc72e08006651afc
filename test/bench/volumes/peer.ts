import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { run } from '../../cluster/process/run.js';
import type { TestNode } from '../../cluster/index.js';

export const PEER_PORT = 2322;

/** Plain rsync over OpenSSH from node to node, between any two directories of theirs. */
export class Peer {
  readonly #from: TestNode;
  readonly #to: TestNode;
  readonly #dir: string;
  readonly #sshd: Promise<unknown>;
  readonly #abort: AbortController;

  private constructor(
    from: TestNode,
    to: TestNode,
    dir: string,
    sshd: Promise<unknown>,
    abort: AbortController,
  ) {
    this.#from = from;
    this.#to = to;
    this.#dir = dir;
    this.#sshd = sshd;
    this.#abort = abort;
  }

  static async start(from: TestNode, to: TestNode): Promise<Peer> {
    // Nodes share /tmp of this machine.
    const dir = await mkdtemp(join(tmpdir(), 'dr-syncer-bench-peer-'));
    for (const name of ['client', 'host']) {
      await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)]);
    }
    await writeFile(join(dir, 'authorized_keys'), await readFile(join(dir, 'client.pub')));
    const config = [
      `Port ${PEER_PORT}`,
      `HostKey ${join(dir, 'host')}`,
      `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
      `PidFile ${join(dir, 'pid')}`,
      'UsePAM no',
      'StrictModes no',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'Ciphers aes128-gcm@openssh.com',
    ];
    await writeFile(join(dir, 'sshd_config'), config.join('\n'));
    await to.exec(['mkdir', '-p', '/run/sshd']);
    const abort = new AbortController();
    const sshd = to.exec(['/usr/sbin/sshd', '-D', '-e', '-f', join(dir, 'sshd_config')], {
      signal: abort.signal,
    });
    sshd.catch(() => undefined);
    const peer = new Peer(from, to, dir, sshd, abort);
    try {
      await peer.#untilThere();
      return peer;
    } catch (err) {
      await peer.stop();
      throw err;
    }
  }

  /** @returns seconds. @param via where to connect instead of the node itself */
  async rsync(
    source: string,
    destination: string,
    via: { readonly host: string; readonly port: number } = { host: this.#to.address, port: PEER_PORT },
  ): Promise<number> {
    const began = performance.now();
    await this.#from.exec([
      ...['rsync', '-aHAXS', '--numeric-ids', '--delete', '-e', this.#ssh(via.port)],
      ...[`${source}/`, `root@${via.host}:${destination}/`],
    ]);
    return (performance.now() - began) / 1000;
  }

  async stop(): Promise<void> {
    // The end of what led into the node is not the end of what runs there.
    const pid = await readFile(join(this.#dir, 'pid'), 'utf8').catch(() => undefined);
    if (pid !== undefined) await this.#to.exec(['kill', pid.trim()]);
    this.#abort.abort();
    await this.#sshd.catch(() => undefined);
    await rm(this.#dir, { recursive: true, force: true });
  }

  #ssh(port: number): string {
    const options = [
      ...['IdentitiesOnly=yes', 'IdentityAgent=none', 'BatchMode=yes', 'Ciphers=aes128-gcm@openssh.com'],
      ...['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'],
    ];
    return ['ssh', '-F', 'none', '-p', String(port), '-i', join(this.#dir, 'client')]
      .concat(options.flatMap((option) => ['-o', option]))
      .join(' ');
  }

  async #untilThere(): Promise<void> {
    const [ssh = '', ...args] = this.#ssh(PEER_PORT).split(' ');
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#from.exec([ssh, ...args, `root@${this.#to.address}`, 'true']);
        return;
      } catch (err) {
        if (attempt === 20) throw err;
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
  }
}
