import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import type { Params } from '@dr-syncer/ssh';

import { connectMover, connectSocket } from './connect.js';

/**
 * The remote shell of an rsync that sends into a volume of a mover, without SSH between them:
 * `rsync --rsh='node bridge.js CONTROL_SOCKET GRANT_FILE' ... x:PATH`.
 */
const [socketPath = '', grantFile = '', , ...command] = process.argv.slice(2);
const grant = JSON.parse(readFileSync(grantFile, 'utf8')) as Params<'receivers.open'>;
const mover = await connectMover(socketPath);
await mover.request('receivers.open', grant);
const exited = new Promise<void>((resolve) => {
  mover.on('receiver.exit', ({ stderr }) => {
    process.stderr.write(stderr);
    resolve();
  });
});
// The first word is `rsync`.
const { socket } = await mover.request('receivers.start', { id: grant.id, argv: command.slice(1) });
const receiver = await connectSocket(socket);
process.stdin.pipe(receiver);
receiver.pipe(process.stdout);
await Promise.all([exited, once(receiver, 'end')]);
// rsync closes its end only when this process has ended.
process.stdin.destroy();
await mover.request('receivers.close', { id: grant.id });
mover.close();
