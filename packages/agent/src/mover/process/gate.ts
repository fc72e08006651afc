import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { makeFifo } from './fifo.js';

/** How often the other end is tried: it is there within a millisecond or two. */
const TRY_MS = 1;

/**
 * Holds a process back until it is let through.
 *
 * `flock --no-fork FIFO PROGRAM` opens the FIFO for reading, which blocks until somebody opens it for writing (fifo(7)),
 * and then becomes PROGRAM. So between the launcher's exec and the program's there is a moment that lasts as long as we
 * like, in which the process has its final identity and has read nothing from its standard input: whatever a peer has
 * sent by then lies in the kernel. (A process that has been started and stopped by a signal may have read already.)
 */
export class Gate {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param dir may be entered by `uid`; @param uid may open the gate for reading */
  static async make(dir: string, uid: number, gid: number): Promise<Gate> {
    const gate = new Gate(join(dir, `gate-${randomBytes(12).toString('hex')}`));
    await makeFifo(gate.path, uid, gid, 0o400);
    return gate;
  }

  /** What the waiting process is called in /proc. */
  readonly comm = 'flock';

  /** Command line of `program` behind the gate. */
  command(program: string, args: readonly string[]): { program: string; args: string[] } {
    return { program: '/usr/bin/flock', args: ['--no-fork', '--shared', this.path, program, ...args] };
  }

  /** Lets the process through, as soon as it waits there. @throws the signal's reason */
  async open(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      try {
        const handle = await open(this.path, constants.O_WRONLY | constants.O_NONBLOCK);
        await handle.close();
        return;
      } catch (err) {
        // Nobody has opened it for reading yet, see open(2).
        if ((err as NodeJS.ErrnoException).code !== 'ENXIO') throw err;
      }
      await sleep(TRY_MS, undefined, { signal });
    }
  }

  async remove(): Promise<void> {
    await unlink(this.path).catch(() => undefined);
  }
}
