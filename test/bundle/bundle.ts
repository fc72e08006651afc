import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Bundle {
  /** `source.yaml`, `remote-production.yaml`. */
  readonly file: string;
  readonly text: string;
}

/** What the command line installs: source, remote and each overlay, as kubectl renders them. */
export function bundles(manifests: string): Bundle[] {
  const overlays = join(manifests, 'overlays');
  const names = existsSync(overlays) ? readdirSync(overlays) : [];
  const directories = [
    ...['source', 'remote'].map((name) => ({ name, directory: join(manifests, name) })),
    ...names
      .filter((name) => /^(source|remote)-/.test(name))
      .map((name) => ({ name, directory: join(overlays, name) })),
  ];
  return directories.map(({ name, directory }) => ({
    file: `${name}.yaml`,
    text: execFileSync('kubectl', ['kustomize', directory], { encoding: 'utf8', maxBuffer: 16 << 20 }),
  }));
}
