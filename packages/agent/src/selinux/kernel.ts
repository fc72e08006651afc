import { open, readFile } from 'node:fs/promises';

import { DrError } from '@dr-syncer/api';

import { canonicalContext } from './context.js';

export interface SelinuxPaths {
  /** Default /proc/filesystems. */
  readonly filesystems?: string;
  /** Default /sys/fs/selinux/context; a container mostly has none. */
  readonly contextFile?: string;
}

/** What the node's kernel says about SELinux. */
export class SelinuxKernel {
  /** The kernel was started with SELinux. */
  readonly enabled: boolean;
  readonly #contextFile: string;

  constructor(enabled: boolean, contextFile = '/sys/fs/selinux/context') {
    this.enabled = enabled;
    this.#contextFile = contextFile;
  }

  /**
   * As libselinux finds it out (is_selinux_enabled): the kernel knows the file system selinuxfs if SELinux runs. Whether
   * it is mounted says nothing in a container, where it never is.
   */
  static async find(paths: SelinuxPaths = {}): Promise<SelinuxKernel> {
    const filesystems = await readFile(paths.filesystems ?? '/proc/filesystems', 'utf8').catch(() => '');
    return new SelinuxKernel(/^nodev\tselinuxfs$/m.test(filesystems), paths.contextFile);
  }

  /**
   * The kernel's spelling of a context, from the kernel where it can be asked and else by its rules.
   *
   * @throws DrError IdentityRefused when it is none, or the policy of the node does not know it
   */
  async canonical(context: string): Promise<string> {
    const byRule = canonicalContext(context);
    if (byRule === undefined) throw refused(context, 'is no SELinux context');
    const asked = await this.#ask(byRule);
    return asked ?? byRule;
  }

  /** Undefined: there is nobody to ask. Writing a context to the file has it checked; what is read then is canonical. */
  async #ask(context: string): Promise<string | undefined> {
    const handle = await open(this.#contextFile, 'r+').catch(() => undefined);
    if (handle === undefined) return undefined;
    try {
      await handle.write(`${context}\0`);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
      return buffer.toString('latin1', 0, bytesRead).replace(/\0$/, '');
    } catch (err) {
      throw refused(context, 'is not known to the SELinux policy of the node', err);
    } finally {
      await handle.close();
    }
  }
}

function refused(context: string, why: string, cause?: unknown): DrError {
  return new DrError('IdentityRefused', `the label ${JSON.stringify(context)} ${why}`, { cause });
}
