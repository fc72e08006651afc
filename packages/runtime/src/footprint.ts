import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Whether V8 is the one that the flags below were measured with (Node.js 24, as in the image). Another one optimizes as
 * it always does: this is about memory, and nothing depends on it.
 */
function isMeasured(): boolean {
  return Number(process.versions.node.split('.')[0]) >= 24;
}

/**
 * To be called before anything is imported: V8 would optimize what only runs while programs load, for which it brings
 * its compilers into memory. An agent waits most of its life; with this, `startOptimizing` and `releaseMemory` it does
 * so with a third less memory (each process 100 to 68 MiB, Node.js 24.21).
 */
export function deferOptimizing(): void {
  if (isMeasured()) for (const flag of ['--no-opt', '--no-maglev']) setFlagsFromString(flag);
}

/**
 * To be called when the program has started: from here on V8 optimizes, but only what runs as often as the code of a
 * transfer does (thousands of times a second), not that of a health check.
 */
export function startOptimizing(): void {
  if (!isMeasured()) return;
  const counts = ['--invocation-count-for-maglev=2000', '--invocation-count-for-turbofan=20000'];
  for (const flag of [...counts, '--opt', '--maglev']) setFlagsFromString(flag);
}

/**
 * Collects all garbage and gives free memory back, which V8 by itself does not do for a process that has become quiet.
 * Blocks for some ten milliseconds.
 */
export function releaseMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options?: { type: 'major'; flavor: 'last-resort' }) => void;
  setFlagsFromString('--no-expose-gc');
  // An older one takes any options for a collection of young objects.
  if (isMeasured()) collect({ type: 'major', flavor: 'last-resort' });
  else collect();
}

const LOOK_MS = 10_000;
/** Of the time since the last look, up to which the process counts as quiet. */
const QUIET = 0.05;
/** What garbage may come to before it is worth the trouble, which grows with what is kept. */
const GARBAGE_BYTES = 4 * 2 ** 20;
const GARBAGE_SHARE = 0.1;
/** How many times as long as a release took it is left alone after it: they take 0.2 % of a quiet process's time at most. */
const REST_TIMES = 500;

/**
 * Releases memory whenever some has come together and the process is quiet: after the transfers, and every few minutes
 * from what health checks and metrics leave behind. Until the signal is aborted.
 */
export function keepSmall(signal: AbortSignal, lookMs = LOOK_MS): void {
  let smallest = process.memoryUsage.rss();
  const limit = () => smallest + Math.max(GARBAGE_BYTES, smallest * GARBAGE_SHARE);
  let last = performance.eventLoopUtilization();
  let notBefore = 0;
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    const began = performance.now();
    if (utilization > QUIET || began < notBefore || process.memoryUsage.rss() < limit()) return;
    releaseMemory();
    notBefore = began + REST_TIMES * (performance.now() - began);
    smallest = process.memoryUsage.rss();
  }, lookMs);
  timer.unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
