import { execFile } from 'node:child_process';
import { chmod, chown } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * @param mode what the owner may do, once it belongs to `uid`
 * @throws the error of mkfifo(1), chown(2)
 */
export async function makeFifo(path: string, uid: number, gid: number, mode: number): Promise<void> {
  await run('mkfifo', ['-m', '0600', path], { env: { PATH: '/usr/bin:/bin' } });
  await chown(path, uid, gid);
  await chmod(path, mode);
}
