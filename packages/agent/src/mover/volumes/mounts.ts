import { readFile } from 'node:fs/promises';

import { type Mount, parseMountinfo } from './mountinfo.js';

/** The mounts that this process sees now. */
export async function readMounts(): Promise<Mount[]> {
  return parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
}
