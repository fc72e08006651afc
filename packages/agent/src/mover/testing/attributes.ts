import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { run } from '../../server/testing/process.js';

const NATIVE = fileURLToPath(new URL('../../../native/', import.meta.url));

export function attributesHelper(...flags: readonly string[]): Promise<string> {
  return compiled('dr-syncer-attributes', flags);
}

export function surveyProgram(...flags: readonly string[]): Promise<string> {
  return compiled('dr-syncer-survey', flags);
}

/**
 * Compiles one of the native programs, once for each state of their sources.
 *
 * @param flags of the compiler, such as `-fsanitize=address,undefined`
 * @returns path of the program
 */
async function compiled(program: string, flags: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(flags.join(' '));
  for (const name of (await readdir(NATIVE, { recursive: true })).sort()) {
    if (/\.(?:c|h|sh)$/.test(name)) hash.update(await readFile(join(NATIVE, name)));
  }
  const dir = join(tmpdir(), `dr-syncer-native-${hash.digest('hex').slice(0, 16)}`);
  const path = join(dir, program);
  if (existsSync(path)) return path;
  await mkdir(dir, { recursive: true, mode: 0o755 });
  // Workers of a test run may come here at the same time.
  const fresh = `${path}.${process.pid}`;
  const built = await run(join(NATIVE, 'build.sh'), [fresh, ...flags], { timeoutMs: 120_000 });
  if (built.code !== 0) throw new Error(`${program} does not compile:\n${built.stderr}`);
  await rename(fresh, path);
  return path;
}
