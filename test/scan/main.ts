import { execFile } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { finished } from 'node:stream/promises';

import { ClusterWatch, type Sink, watchProcesses } from './watch.js';

/**
 * Reads along while the end-to-end tests run, until SIGTERM: what every Secret of both clusters held, and all logs,
 * objects and process arguments. Then it says whether something of the first was in the second; exit status 1 if so.
 */
const MARK = 'PRIVATE KEY-----';

async function main(): Promise<void> {
  const kubeconfigs = { source: env['SOURCE_KUBECONFIG'], remote: env['REMOTE_KUBECONFIG'] };
  const dir = await mkdtemp(join(tmpdir(), 'dr-syncer-scan-'));
  const stop = new AbortController();
  // Each log that is followed listens.
  setMaxListeners(0, stop.signal);
  process.once('SIGTERM', () => stop.abort());
  try {
    const texts = createWriteStream(join(dir, 'texts'), { mode: 0o600 });
    const words = new Set<string>();
    let seen = 0;
    const sink: Sink = {
      seen: (where, text) => {
        seen += 1;
        texts.write(
          `${text
            .split('\n')
            .map((line) => `${where}\t${line}`)
            .join('\n')}\n`,
        );
      },
      secret: (word) => words.add(word),
    };
    const clusters = Object.entries(kubeconfigs).map(([name, path]) => {
      if (path === undefined) throw new Error('SOURCE_KUBECONFIG and REMOTE_KUBECONFIG have to be set');
      return new ClusterWatch(name, path, sink, stop.signal).run();
    });
    await Promise.all([...clusters, watchProcesses(sink, stop.signal)]);
    texts.end();
    await finished(texts);
    await writeFile(join(dir, 'words'), `${[MARK, ...words].join('\n')}\n`, { mode: 0o600 });
    report(await places(dir), words.size, seen);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Where a word was seen; the words themselves go through files, and are not said. */
function places(dir: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const args = ['-F', '-f', join(dir, 'words'), join(dir, 'texts')];
    execFile('grep', args, { encoding: 'latin1', maxBuffer: 1 << 30 }, (error, stdout) => {
      // 1: nothing found.
      if (error !== null && error.code !== 1) reject(new Error(`grep ended with ${String(error.code)}`));
      else resolve(stdout.split('\n').filter((line) => line !== ''));
    });
  });
}

function report(found: readonly string[], words: number, seen: number): void {
  const counts = new Map<string, number>();
  for (const line of found) {
    const where = line.split('\t')[0] ?? '';
    counts.set(where, (counts.get(where) ?? 0) + 1);
  }
  for (const [where, count] of counts) process.stdout.write(`secret words in ${where}: ${count} lines\n`);
  process.stdout.write(`looked for ${words} words of Secrets in ${seen} texts: found in ${found.length}\n`);
  // Without either it has seen nothing of the tests.
  if (found.length > 0 || words === 0 || seen === 0) process.exitCode = 1;
}

await main();
