import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2';
import type { PrivateKey } from '../keys.js';

export interface TestServerOptions {
  readonly hostKeys: readonly PrivateKey[];
  /** Public half, wire format, of the one key that may log in. */
  readonly clientKey: Buffer;
  readonly onExec: (channel: ServerChannel, command: string) => void;
  readonly refuseExec?: boolean;
  /** Says goodbye as soon as the client is in. */
  readonly endAtLogin?: boolean;
}

export interface TestServer {
  readonly port: number;
  /** `algorithm hash` of each signature that was verified. */
  readonly logins: string[];
  readonly connections: Set<Connection>;
  close(): Promise<void>;
}

/** As little of an SSH server as clients need: one key, exec only. For tests. */
export async function startTestServer(options: TestServerOptions): Promise<TestServer> {
  const logins: string[] = [];
  const connections = new Set<Connection>();
  const hostKeys = options.hostKeys.map((key) => key.exportText());
  const server = new ssh2.Server({ hostKeys }, (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => undefined);
    connection.on('authentication', (ctx) => authenticate(ctx, options.clientKey, logins));
    connection.on('ready', () => {
      if (options.endAtLogin) connection.end();
    });
    connection.on('session', (accept) => {
      const session = accept();
      session.on('exec', (acceptExec, reject, { command }) => {
        if (options.refuseExec) reject();
        else options.onExec(acceptExec(), command);
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    logins,
    connections,
    close: async () => {
      for (const connection of connections) connection.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function authenticate(ctx: AuthContext, clientKey: Buffer, logins: string[]): void {
  if (ctx.method !== 'publickey' || !ctx.key.data.equals(clientKey)) {
    ctx.reject(['publickey']);
    return;
  }
  if (!ctx.signature) {
    ctx.accept();
    return;
  }
  const key = ssh2.utils.parseKey(ctx.key.data);
  if (key instanceof Error || !ctx.blob || !key.verify(ctx.blob, ctx.signature, ctx.hashAlgo)) {
    ctx.reject();
    return;
  }
  logins.push(`${ctx.key.algo} ${ctx.hashAlgo ?? '-'}`);
  ctx.accept();
}
