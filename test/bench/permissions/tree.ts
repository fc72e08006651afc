import { closeSync, mkdirSync, openSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

const FAN = 100;

/** Empty files in two levels of directories, a hundred each, all with the same time. Always the same names. */
export async function makeTree(root: string, files: number): Promise<void> {
  const time = new Date('2026-01-01T00:00:00Z');
  for (let made = 0, top = 0; made < files; top++) {
    for (let middle = 0; middle < FAN && made < files; middle++) {
      const dir = join(root, `d${top}`, `e${middle}`);
      mkdirSync(dir, { recursive: true, mode: 0o755 });
      for (let i = 0; i < FAN && made < files; i++, made++) {
        const path = join(dir, `f${i}`);
        closeSync(openSync(path, 'w', 0o644));
        utimesSync(path, time, time);
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
