import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

export type FileText =
  | { readonly text: string }
  /** `code`: errno's name, where it was one. */
  | { readonly error: string; readonly code?: string };

/** Reads at most `maxBytes`; a longer file is an error. */
export async function readBounded(path: string, maxBytes: number): Promise<FileText> {
  try {
    const handle = await open(path, 'r');
    try {
      const buffer = Buffer.alloc(maxBytes + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
        length += bytesRead;
        if (bytesRead === 0 || length > maxBytes) break;
      }
      if (length > maxBytes) return { error: `longer than ${maxBytes} bytes` };
      return { text: buffer.toString('utf8', 0, length) };
    } finally {
      await handle.close();
    }
  } catch (err) {
    const code = (err as NodeJS.ErrnoException).code;
    return { error: err instanceof Error ? err.message : String(err), ...(code !== undefined && { code }) };
  }
}

export interface WatchedFilesOptions {
  readonly paths: readonly string[];
  readonly maxBytes: number;
  /** All files together, in the order of `paths`; called again when the text of one has changed. */
  readonly onChange: (files: readonly FileText[]) => void;
  readonly settleMs?: number;
  readonly pollMs?: number;
}

/**
 * Tells of changed files. Their directories are watched, not the files: a Secret's mount is changed by swapping the
 * symbolic link `..data` beside them, and editors rename. A slow poll covers file systems that report nothing.
 */
export class WatchedFiles {
  readonly #options: WatchedFilesOptions;
  readonly #watchers: FSWatcher[] = [];
  #poll: NodeJS.Timeout | undefined;
  #settle: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  #closed = false;

  constructor(options: WatchedFilesOptions) {
    this.#options = options;
  }

  /** Reads once, reports, and goes on watching until `close`. */
  async start(): Promise<void> {
    await this.check();
    for (const dir of new Set(this.#options.paths.map((path) => dirname(path)))) this.#watch(dir);
    this.#poll = setInterval(() => void this.check(), this.#options.pollMs ?? 60_000);
    this.#poll.unref();
  }

  /** Reads now and reports if anything is different. */
  async check(): Promise<void> {
    const { paths, maxBytes, onChange } = this.#options;
    const files = await Promise.all(paths.map((path) => readBounded(path, maxBytes)));
    // A hash, because one of them may be a private key.
    const seen = createHash('sha256').update(JSON.stringify(files)).digest('hex');
    if (this.#closed || seen === this.#seen) return;
    this.#seen = seen;
    onChange(files);
  }

  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.close();
    clearInterval(this.#poll);
    clearTimeout(this.#settle);
  }

  #watch(dir: string): void {
    try {
      const watcher = watch(dir, { persistent: false }, () => this.#soon());
      // The directory may go away; the poll goes on.
      watcher.on('error', () => watcher.close());
      this.#watchers.push(watcher);
    } catch {
      // ENOSPC (inotify watches) or ENOENT: the poll is slower but sees it too.
    }
  }

  /** A swap is several events; the last of them counts. */
  #soon(): void {
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => void this.check(), this.#options.settleMs ?? 100);
  }
}
