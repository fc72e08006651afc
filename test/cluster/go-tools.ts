import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { withLock } from './process/lock.js';
import { run } from './process/run.js';
import type { Settings } from './settings.js';

const HELM = 'v3.19.0';

/** Path of helm, built from its Go module on first use (two minutes) and kept in the cache by its version. */
export async function ensureHelm(settings: Settings, report: (line: string) => void): Promise<string> {
  const directory = join(settings.cacheDir, 'helm', HELM);
  const program = join(directory, 'helm');
  if (existsSync(program)) return program;
  return withLock(join(settings.cacheDir, 'helm', 'lock'), async () => {
    if (existsSync(program)) return program;
    report(`building helm ${HELM} (once; about two minutes) ...`);
    // Beside its final place, so that an interrupted build never looks complete.
    const fresh = `${directory}.building`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true });
    await run('go', ['install', '-ldflags', '-s -w', `helm.sh/helm/v3/cmd/helm@${HELM}`], {
      env: { ...settings.env, GOBIN: fresh, CGO_ENABLED: '0' },
    });
    await rename(fresh, directory);
    return program;
  });
}

/** Directory with the sources of a Go module, from the module proxy. @param module `path@version` */
export async function goModuleDirectory(module: string, settings: Settings): Promise<string> {
  const { stdout } = await run('go', ['mod', 'download', '-json', module], {
    // Outside of any module, so that no go.mod has a say.
    ...{ cwd: '/', env: { ...settings.env, GOFLAGS: '-mod=mod' } },
  });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
