import type { Logger } from '@dr-syncer/runtime';

import { type HostKey, readHostKeys } from './host-keys.js';
import { type KeyRing, readAuthorizedKeys } from './key-ring.js';
import type { SshMetrics } from './metrics.js';
import { type FileText, WatchedFiles } from './watched-file.js';

export interface KeyFilesOptions {
  readonly authorizedKeysFile: string;
  readonly hostKeyFiles: readonly string[];
  readonly keys: KeyRing;
  readonly metrics: SshMetrics;
  readonly logger: Logger;
  readonly now: () => Date;
  /** Other intervals than the default ones, for tests. */
  readonly settleMs?: number;
  readonly pollMs?: number;
}

/** Who wants to know of keys that have changed after the start. */
export interface KeyFilesListener {
  setHostKeys(keys: readonly HostKey[]): void;
  revalidate(): void;
}

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The files with authorized keys and host keys, followed as they change. A change is applied as a whole or, when the
 * file is broken, not at all: the keys that were last good stay, and a metric and the log tell.
 */
export class KeyFiles {
  readonly #options: KeyFilesOptions;
  readonly #authorized: WatchedFiles;
  readonly #host: WatchedFiles;
  #listener: KeyFilesListener | undefined;
  #hostKeys: HostKey[] = [];

  constructor(options: KeyFilesOptions) {
    this.#options = options;
    const timing = {
      maxBytes: MAX_FILE_BYTES,
      ...(options.settleMs === undefined ? {} : { settleMs: options.settleMs }),
      ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
    };
    this.#authorized = new WatchedFiles({
      ...timing,
      paths: [options.authorizedKeysFile],
      onChange: ([file]) => this.#applyAuthorized(file),
    });
    this.#host = new WatchedFiles({
      ...timing,
      paths: options.hostKeyFiles,
      onChange: (files) => this.#applyHost(files),
    });
  }

  /**
   * Reads all files and begins to watch them. Without authorized keys the server starts and lets nobody in; without
   * host keys it cannot start.
   *
   * @throws Error when there is no usable host key
   */
  async start(): Promise<readonly HostKey[]> {
    await this.#authorized.start();
    await this.#host.start();
    if (this.#hostKeys.length === 0) {
      this.close();
      throw new Error('no usable host key; see the log for the reason');
    }
    return this.#hostKeys;
  }

  follow(listener: KeyFilesListener): void {
    this.#listener = listener;
  }

  close(): void {
    this.#authorized.close();
    this.#host.close();
  }

  #applyAuthorized(file: FileText | undefined): void {
    const { keys, metrics, logger, now, authorizedKeysFile } = this.#options;
    const parsed =
      file === undefined || 'error' in file
        ? { broken: file?.error ?? 'not read' }
        : readAuthorizedKeys(file.text, now());
    if ('broken' in parsed) {
      metrics.keyFileReloads.inc({ file: 'authorized_keys', outcome: 'kept' });
      logger.error('authorized_keys is broken, the last good one stays in force', {
        file: authorizedKeysFile,
        reason: parsed.broken,
      });
      return;
    }
    keys.setStatic(parsed);
    metrics.keyFileReloads.inc({ file: 'authorized_keys', outcome: 'applied' });
    metrics.keyFileProblems.set(parsed.problems.length);
    for (const problem of parsed.problems) {
      logger.warn('authorized_keys has a line that is not used', { file: authorizedKeysFile, ...problem });
    }
    logger.info('authorized_keys applied', { file: authorizedKeysFile, keys: parsed.keys.length });
    this.#listener?.revalidate();
  }

  #applyHost(files: readonly FileText[]): void {
    const { metrics, logger } = this.#options;
    try {
      this.#hostKeys = readHostKeys(files);
    } catch (err) {
      metrics.keyFileReloads.inc({ file: 'host_keys', outcome: 'kept' });
      logger.error('host keys are broken, the last good ones stay in force', { err });
      return;
    }
    metrics.keyFileReloads.inc({ file: 'host_keys', outcome: 'applied' });
    logger.info('host keys applied', { fingerprints: this.#hostKeys.map((key) => key.fingerprint) });
    this.#listener?.setHostKeys(this.#hostKeys);
  }
}
