import { createHash } from 'node:crypto';

import { DrError } from '@dr-syncer/api';
import type { Logger } from '@dr-syncer/runtime';

import type { SshMetrics } from '../server/metrics.js';
import { type FileText, WatchedFiles } from '../server/watched-file.js';

export interface FenceOptions {
  /** One PV name a line; blank lines and those that begin with # are skipped. Absent: nothing is fenced. */
  readonly file: string;
  readonly metrics: Pick<SshMetrics, 'fence' | 'fencedVolumes'>;
  readonly logger: Logger;
  /** Called when what is fenced has changed. */
  readonly onChange: () => void;
  readonly settleMs?: number;
}

const MAX_FILE_BYTES = 1024 * 1024;
const PV_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * Volumes that nobody may write to from outside, because the standby that they belong to has been started. Whoever has
 * the cluster of the standby puts them there (a ConfigMap, mounted), so it works when the source cluster is gone, and
 * goes on working when it returns and knows nothing of it.
 *
 * A file that is there and can't be read as it should fences everything: better a standby that gets old than one that
 * is overwritten while it is in use.
 */
export class Fence {
  readonly #options: FenceOptions;
  readonly #file: WatchedFiles;
  #volumes: ReadonlySet<string> = new Set();
  #broken: string | undefined;

  constructor(options: FenceOptions) {
    this.#options = options;
    this.#file = new WatchedFiles({
      paths: [options.file],
      maxBytes: MAX_FILE_BYTES,
      onChange: ([file]) => this.#apply(file),
      ...(options.settleMs !== undefined && { settleMs: options.settleMs }),
    });
  }

  /** Reads the file; afterwards it is followed. */
  async start(): Promise<void> {
    await this.#file.start();
  }

  close(): void {
    this.#file.close();
  }

  isFenced(pvName: string): boolean {
    return this.#broken !== undefined || this.#volumes.has(pvName);
  }

  /** @throws DrError VolumeFenced */
  check(pvName: string): void {
    if (!this.isFenced(pvName)) return;
    const why =
      this.#broken === undefined ? 'its standby is active' : `the fence can't be read: ${this.#broken}`;
    throw new DrError('VolumeFenced', `volume ${pvName} takes no data: ${why}`);
  }

  #apply(file: FileText | undefined): void {
    const { logger, metrics, onChange } = this.#options;
    const read = readFence(file);
    this.#broken = 'broken' in read ? read.broken : undefined;
    this.#volumes = 'broken' in read ? new Set() : read.volumes;
    if (this.#broken === undefined) logger.info('fence applied', { volumes: this.#volumes.size });
    else logger.error('fence is broken: no volume takes data until it is repaired', { reason: this.#broken });
    metrics.fencedVolumes.set(this.#volumes.size);
    metrics.fence.reset();
    metrics.fence.set({ digest: this.#broken === undefined ? fenceDigest(this.#volumes) : 'broken' }, 1);
    onChange();
  }
}

/** Says which volumes are fenced, so that whoever fenced them can see when an agent has them. */
export function fenceDigest(volumes: ReadonlySet<string>): string {
  return createHash('sha256')
    .update([...volumes].sort().join('\n'))
    .digest('hex')
    .slice(0, 16);
}

function readFence(
  file: FileText | undefined,
): { readonly volumes: ReadonlySet<string> } | { readonly broken: string } {
  // The ConfigMap is optional.
  if (file === undefined || ('error' in file && file.code === 'ENOENT')) return { volumes: new Set() };
  if ('error' in file) return { broken: file.error };
  const lines = file.text.split('\n').map((line) => line.trim());
  const names = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const wrong = lines.findIndex((line) => line !== '' && !line.startsWith('#') && !PV_NAME.test(line));
  if (wrong !== -1) return { broken: `line ${wrong + 1} is not the name of a PersistentVolume` };
  return { volumes: new Set(names) };
}
