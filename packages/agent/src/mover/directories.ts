import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface MoverDirectories {
  readonly controlSocket: string;
  /** Sockets of receivers. */
  readonly runs: string;
  /** Directories of transfers. */
  readonly jobs: string;
  /** Where processes wait to be let through. */
  readonly gates: string;
  /** Where receivers write down what they change. */
  readonly pipes: string;
  /** States of transfers: what the process before has left there stays. */
  readonly states: string;
}

/**
 * Makes the directories, without what an earlier process of this container left there. Both given directories exist; a
 * volume that is an emptyDir comes open to everybody.
 *
 * @param socketDir shared with the `ssh` container, whose group may look into it and make nothing in it
 * @param privateDir of the mover alone; the processes of transfers may go through it and not list it
 */
export async function prepareDirectories(
  socketDir: string,
  privateDir: string,
  gid: number,
): Promise<MoverDirectories> {
  const directories = {
    controlSocket: join(socketDir, 'mover.sock'),
    runs: join(socketDir, 'runs'),
    jobs: join(privateDir, 'jobs'),
    gates: join(privateDir, 'gates'),
    pipes: join(privateDir, 'pipes'),
    states: join(privateDir, 'states'),
  };
  await rm(directories.controlSocket, { force: true });
  for (const dir of [directories.runs, directories.jobs, directories.gates, directories.pipes]) {
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir);
  }
  for (const dir of [socketDir, directories.runs]) {
    await chown(dir, 0, gid);
    await chmod(dir, 0o750);
  }
  for (const dir of [privateDir, directories.jobs, directories.gates, directories.pipes]) {
    await chown(dir, 0, 0);
    await chmod(dir, 0o711);
  }
  return directories;
}
