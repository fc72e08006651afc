import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Identity } from '@dr-syncer/api';
import { KeyAgentServer, knownHostsText, type TransferDestination, type TransferKey } from '@dr-syncer/ssh';

import { groupText, passwdText, type SshFiles } from './ssh-command.js';

/**
 * What the ssh of one transfer needs: the socket of its key, the pinned host keys, the passwd file with its one user.
 * The directory has a name that nobody can guess and belongs to root, so other processes of the same uid neither find
 * nor change it; the socket belongs to the identity and to nobody else.
 */
export class JobFiles implements SshFiles {
  readonly dir: string;
  readonly agentSocket: string;
  readonly knownHosts: string;
  readonly passwd: string;
  readonly group: string;
  readonly #agent: KeyAgentServer;

  private constructor(dir: string, key: TransferKey) {
    this.dir = dir;
    this.agentSocket = join(dir, 'agent');
    this.knownHosts = join(dir, 'known_hosts');
    this.passwd = join(dir, 'passwd');
    this.group = join(dir, 'group');
    this.#agent = new KeyAgentServer(key);
  }

  /** @param parent exists, and every user may enter it; @throws DrError BadRequest, or the error of the file system */
  static async make(
    parent: string,
    key: TransferKey,
    { uid, gid }: Pick<Identity, 'uid' | 'gid'>,
    { host, port, hostKeys }: Pick<TransferDestination, 'host' | 'port' | 'hostKeys'>,
  ): Promise<JobFiles> {
    const files = new JobFiles(join(parent, randomBytes(16).toString('hex')), key);
    const pins = knownHostsText(host, port, hostKeys);
    await mkdir(files.dir, { mode: 0o700 });
    try {
      await writeFile(files.knownHosts, pins);
      await writeFile(files.passwd, passwdText(uid, gid));
      await writeFile(files.group, groupText(gid));
      for (const file of [files.knownHosts, files.passwd, files.group]) await chmod(file, 0o444);
      await files.#agent.listen(files.agentSocket);
      await chown(files.agentSocket, uid, gid);
      await chmod(files.dir, 0o711);
      return files;
    } catch (err) {
      await files.remove();
      throw err;
    }
  }

  async remove(): Promise<void> {
    await this.#agent.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}
