import { randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { z } from 'zod';

/** Which volume a survey was of. */
const volumeFields = { pv: z.string(), rootId: z.string() };
const lastSchema = z.object({ ...volumeFields, takenAt: z.string(), settled: z.number() });
const keptSchema = z.object({
  ...volumeFields,
  conditions: z.string(),
  copyDigest: z.string(),
  fullAt: z.string(),
});
export type LastSurvey = z.infer<typeof lastSchema>;
export type KeptSurvey = z.infer<typeof keptSchema>;

const KEY_BYTES = 16;
const HASH_BYTES = 16;
const SHARD = 'shard-';
/** Below the limit of the directory's volume, which ends the pod when it is passed: the longest idle go first. */
const DEFAULT_MAX_BYTES = 1 << 30;

/**
 * What surveys saw, for each holder of a transfer: `last` of the last one, `kept` of the last one whose copy is whole.
 * Sets hold hashes with a key that never leaves the directory; names are in files that root alone can open. Losing any of
 * it costs a full comparison and nothing else.
 */
export class SurveyStore {
  readonly key: Buffer;
  readonly #dir: string;
  readonly #maxBytes: number;

  private constructor(dir: string, key: Buffer, maxBytes: number) {
    this.#dir = dir;
    this.key = key;
    this.#maxBytes = maxBytes;
  }

  /** @param dir exists; what an earlier process left in it is taken over */
  static async open(dir: string, maxBytes = DEFAULT_MAX_BYTES): Promise<SurveyStore> {
    await chown(dir, 0, 0);
    await chmod(dir, 0o700);
    await mkdir(join(dir, 'surveys'), { recursive: true, mode: 0o700 });
    const keyFile = join(dir, 'key');
    const present = await readFile(keyFile).catch(() => undefined);
    if (present?.length === KEY_BYTES) {
      const store = new SurveyStore(join(dir, 'surveys'), present, maxBytes);
      // Of transfers that ended with the process before.
      for (const holder of await readdir(store.#dir)) await store.removeShards(holder);
      return store;
    }
    // With another key nothing that is there means anything.
    await rm(join(dir, 'surveys'), { recursive: true, force: true });
    await mkdir(join(dir, 'surveys'), { mode: 0o700 });
    const key = randomBytes(KEY_BYTES);
    await writeFile(keyFile, key, { mode: 0o600 });
    return new SurveyStore(join(dir, 'surveys'), key, maxBytes);
  }

  last(holder: string): Promise<LastSurvey | undefined> {
    return this.#read(holder, 'last', lastSchema);
  }

  kept(holder: string): Promise<KeptSurvey | undefined> {
    return this.#read(holder, 'kept', keptSchema);
  }

  /** Of the last or the kept survey; the caller closes it. @throws the error of open(2) */
  openSet(holder: string, which: 'last' | 'kept'): Promise<FileHandle> {
    return open(this.#path(holder, `${which}.set`), 'r');
  }

  /** What the last survey named; the caller closes it. @throws the error of open(2) */
  openNames(holder: string, which: 'last' | 'sample' = 'last'): Promise<FileHandle> {
    return open(this.#path(holder, `${which}.names`), 'r');
  }

  /** To be written, and read from the beginning by another `openNames`. */
  async beginSample(holder: string): Promise<FileHandle> {
    await mkdir(join(this.#dir, holder), { recursive: true, mode: 0o700 });
    return open(this.#path(holder, 'sample.names'), 'w+', 0o600);
  }

  /** Empty lists of what the streams of a transfer send, to be read from the beginning by `openShard`. */
  async beginShards(holder: string, count: number): Promise<FileHandle[]> {
    await this.removeShards(holder);
    await mkdir(join(this.#dir, holder), { recursive: true, mode: 0o700 });
    const files: FileHandle[] = [];
    try {
      for (let index = 0; index < count; index += 1)
        files.push(await open(this.#path(holder, `${SHARD}${index}`), 'wx', 0o600));
      return files;
    } catch (err) {
      for (const file of files) await file.close();
      throw err;
    }
  }

  /** The caller closes it. @throws the error of open(2) */
  openShard(holder: string, index: number): Promise<FileHandle> {
    return open(this.#path(holder, `${SHARD}${index}`), 'r');
  }

  async removeShards(holder: string): Promise<void> {
    const names = await readdir(join(this.#dir, holder)).catch(() => []);
    for (const name of names) if (name.startsWith(SHARD)) await rm(this.#path(holder, name), { force: true });
  }

  /** Two files for a survey to write into, which take the place of the last one's with `finish`. */
  async begin(holder: string): Promise<{ set: FileHandle; names: FileHandle }> {
    await this.#makeRoom(holder);
    await mkdir(join(this.#dir, holder), { recursive: true, mode: 0o700 });
    // Whoever is interrupted from here on leaves none.
    for (const name of ['last.json', 'last.set', 'last.names'])
      await rm(this.#path(holder, name), { force: true });
    const set = await open(this.#path(holder, 'last.set'), 'wx', 0o600);
    try {
      return { set, names: await open(this.#path(holder, 'last.names'), 'wx', 0o600) };
    } catch (err) {
      await set.close();
      throw err;
    }
  }

  async finish(holder: string, survey: LastSurvey): Promise<void> {
    await this.#write(holder, 'last', survey);
  }

  /** The last survey becomes the one that is kept, without what was too fresh for that. */
  async keep(holder: string, survey: KeptSurvey, { settled }: LastSurvey): Promise<void> {
    await rm(this.#path(holder, 'kept.json'), { force: true });
    await truncate(this.#path(holder, 'last.set'), settled * HASH_BYTES);
    await rename(this.#path(holder, 'last.set'), this.#path(holder, 'kept.set'));
    for (const name of ['last.json', 'last.names']) await rm(this.#path(holder, name), { force: true });
    await this.#write(holder, 'kept', survey);
  }

  async #read<T>(holder: string, which: 'last' | 'kept', schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await readFile(this.#path(holder, `${which}.json`), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return schema.safeParse(JSON.parse(text)).data;
    } catch {
      return undefined;
    }
  }

  async #write(holder: string, which: 'last' | 'kept', survey: LastSurvey | KeptSurvey): Promise<void> {
    const path = this.#path(holder, `${which}.json`);
    await writeFile(`${path}.new`, JSON.stringify(survey), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  async #makeRoom(holder: string): Promise<void> {
    const found = await Promise.all((await readdir(this.#dir)).map((name) => this.#sizeOf(name)));
    found.sort((a, b) => a.usedAt - b.usedAt);
    let total = found.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { name, bytes } of found) {
      if (total <= this.#maxBytes) break;
      if (name === holder) continue;
      await rm(join(this.#dir, name), { recursive: true, force: true });
      total -= bytes;
    }
    await utimes(join(this.#dir, holder), new Date(), new Date()).catch(() => undefined);
  }

  async #sizeOf(name: string): Promise<{ name: string; bytes: number; usedAt: number }> {
    const files = await readdir(join(this.#dir, name)).catch(() => []);
    const sizes = await Promise.all(files.map((file) => stat(join(this.#dir, name, file)).catch(noFile)));
    const { mtimeMs } = await stat(join(this.#dir, name)).catch(noFile);
    return { name, usedAt: mtimeMs, bytes: sizes.reduce((sum, { size }) => sum + size, 0) };
  }

  #path(holder: string, name: string): string {
    return join(this.#dir, holder, name);
  }
}

const noFile = () => ({ size: 0, mtimeMs: 0 });
