import { readFileSync } from 'node:fs';

import { answer } from './answer.js';
import { judge } from './judge.js';
import { parseVectors } from './vector.js';

/** `main.js FILE`: runs the vectors of a file; the exit code is 1 when one fails. */
function main(argv: readonly string[]): void {
  const [file] = argv;
  if (file === undefined) throw new Error('usage: main.js FILE');
  const counts = { passed: 0, stricter: 0, failed: 0, notCovered: 0 };
  for (const vector of parseVectors(readFileSync(file, 'utf8'))) {
    const ours = answer(vector);
    if (ours === null) {
      counts.notCovered++;
      continue;
    }
    const verdict = judge(vector, ours);
    counts[verdict.result]++;
    if (verdict.result === 'failed') console.log(`${vector.id} ${vector.op} failed: ${verdict.detail}`);
    if (verdict.result === 'stricter')
      console.log(`${vector.id} ${vector.op} stricter, ${verdict.rule}: ${verdict.detail}`);
  }
  const { passed, stricter, failed, notCovered } = counts;
  console.log(`vectors: ${passed} passed, ${stricter} stricter, ${failed} failed, ${notCovered} not covered`);
  if (failed > 0) process.exitCode = 1;
}

main(process.argv.slice(2));
