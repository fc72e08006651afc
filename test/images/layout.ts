import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../cluster/process/files.js';
import { run } from '../cluster/process/run.js';

/**
 * A directory in the OCI image layout (image-spec, image-layout.md). All our images share one, so that a layer
 * is there once, and a node that has a layer already needs not get it again.
 */
export class ImageLayout {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  async has(name: string): Promise<boolean> {
    return (await this.#manifests()).some((manifest) => manifest.annotations?.[refName] === name);
  }

  /** Digests of everything that the image consists of. */
  async blobs(name: string): Promise<string[]> {
    const { digest } = await this.#manifest(name);
    const { config, layers } = await this.#json<Manifest>(this.#blobPath(digest));
    return [digest, config.digest, ...layers.map((layer) => layer.digest)];
  }

  /**
   * Writes an archive with the image for `ctr images import` or `kind load image-archive`.
   * @param present digests that the receiver has, and which are left out
   */
  async pack(name: string, file: string, present: ReadonlySet<string> = new Set()): Promise<void> {
    const manifest = await this.#manifest(name);
    const work = await mkdtemp(`${file}.`);
    try {
      const named = { ...manifest, annotations: { [refName]: name, 'io.containerd.image.name': name } };
      await writeFile(join(work, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
      await writeFile(join(work, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
      // The manifest is always sent: an import reads it first.
      const sent = (await this.blobs(name)).filter(
        (digest) => digest === manifest.digest || !present.has(digest),
      );
      const paths = [...new Set(sent)].map((digest) => `blobs/${digest.replace(':', '/')}`);
      const archive = ['--create', '--file', file, '--directory', work, 'index.json', 'oci-layout'];
      await run('tar', [...archive, '--directory', this.directory, ...paths]);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  /** Forgets the images of one repository except for one, and what no image needs any more. */
  async keepOnly(repository: string, name: string): Promise<void> {
    const kept = (await this.#manifests()).filter(({ annotations }) => {
      const own = annotations?.[refName] ?? '';
      return own === name || !own.startsWith(`${repository}:`);
    });
    await writeAtomically(
      join(this.directory, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: kept }),
    );
    const names = kept.map(({ annotations }) => annotations?.[refName] ?? '');
    const needed = new Set((await Promise.all(names.map((each) => this.blobs(each)))).flat());
    const directory = join(this.directory, 'blobs/sha256');
    for (const blob of await readdir(directory)) {
      if (!needed.has(`sha256:${blob}`)) await rm(join(directory, blob), { recursive: true });
    }
  }

  async #manifest(name: string): Promise<Descriptor> {
    const found = (await this.#manifests()).find(({ annotations }) => annotations?.[refName] === name);
    if (found === undefined) throw new Error(`${this.directory} has no image ${name}`);
    return found;
  }

  async #manifests(): Promise<readonly Descriptor[]> {
    const index = await this.#json<{ manifests: Descriptor[] }>(join(this.directory, 'index.json')).catch(
      () => undefined,
    );
    return index?.manifests ?? [];
  }

  #blobPath(digest: string): string {
    return join(this.directory, 'blobs', digest.replace(':', '/'));
  }

  async #json<T>(path: string): Promise<T> {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  }
}

const refName = 'org.opencontainers.image.ref.name';

interface Descriptor {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}
