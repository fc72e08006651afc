import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

import { run } from '../../../cluster/process/run.js';

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const BINARY = 2;
const CLOSE = 8;
const STATUS = 3;

export interface ExecKubelet {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Stands for kubelet where the API server asks it for commands in containers: each runs as a process of this machine, for
 * there is no container. Like kubelet it goes on when the connection is gone.
 */
export async function startExecKubelet(dir: string): Promise<ExecKubelet> {
  const [key, cert] = [join(dir, 'kubelet.key'), join(dir, 'kubelet.crt')];
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=kubelet'],
    ...['-keyout', key, '-out', cert],
  ]);
  const server = createServer({ key: await readFile(key), cert: await readFile(cert) });
  const sockets = new Set<Socket>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => undefined);
    const url = new URL(request.url ?? '', 'https://kubelet');
    if (!url.pathname.startsWith('/exec/')) {
      // Port-forwards end in pods, of which there are none.
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    accept(request, socket);
    execute(url.searchParams.getAll('command'), socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function accept({ headers }: IncomingMessage, socket: Duplex): void {
  const hash = createHash('sha1')
    .update(`${headers['sec-websocket-key'] ?? ''}${GUID}`)
    .digest('base64');
  const lines = [
    ...['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'],
    ...[`Sec-WebSocket-Accept: ${hash}`, 'Sec-WebSocket-Protocol: v4.channel.k8s.io'],
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  // Unread, its end would not be noticed.
  socket.resume();
}

function execute([program = '', ...args]: readonly string[], socket: Duplex): void {
  const end = (status: object): void => {
    socket.write(frame(BINARY, Buffer.concat([Buffer.of(STATUS), Buffer.from(JSON.stringify(status))])));
    socket.end(frame(CLOSE, Buffer.from([0x03, 0xe8])));
  };
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const [channel, output] of [
    [1, child.stdout],
    [2, child.stderr],
  ] as const) {
    output.on('data', (chunk: Buffer) =>
      socket.write(frame(BINARY, Buffer.concat([Buffer.of(channel), chunk]))),
    );
  }
  child.once('error', (err) => end({ status: 'Failure', reason: 'InternalError', message: err.message }));
  child.once('close', (code) => {
    if (code === null || code < 0) return;
    const causes = [{ reason: 'ExitCode', message: String(code) }];
    end(
      code === 0
        ? { status: 'Success' }
        : { status: 'Failure', reason: 'NonZeroExitCode', details: { causes } },
    );
  });
}

/** As a server sends it: not masked. What is written here is short. */
function frame(code: number, payload: Buffer): Buffer {
  if (payload.length < 126) return Buffer.concat([Buffer.from([0x80 | code, payload.length]), payload]);
  const header = Buffer.from([0x80 | code, 126, 0, 0]);
  header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}
