import { type AddressInfo, createServer, type Server as TcpServer, type Socket } from 'node:net';

import ssh2, { type Server as Ssh2Server } from 'ssh2';

import { Admission } from './admission.js';
import type { SshAlgorithms } from '@dr-syncer/ssh';

import { ssh2Algorithms } from './algorithms.js';
import { type ConnectionDeps, SshConnection } from './connection.js';
import type { HostKey } from './host-keys.js';
import { normalizeAddress, sourceKey } from './source-address.js';
import { WindowBudget } from './window.js';

export interface SshServerOptions extends Omit<ConnectionDeps, 'admission' | 'budget'> {
  readonly algorithms: SshAlgorithms;
  readonly hostKeys: readonly HostKey[];
}

const SWEEP_MS = 1_000;
/** What the server calls itself; the version of a library is nobody's business. */
const IDENT = 'dr-syncer';

/**
 * The one open port: a TCP server of our own in front, which counts and drops, and ssh2 behind it for the protocol.
 */
export class SshServer {
  readonly #options: SshServerOptions;
  readonly #deps: ConnectionDeps;
  readonly #admission: Admission;
  readonly #connections = new Map<string, SshConnection>();
  readonly #tcp: TcpServer;
  #ssh: Ssh2Server;
  #hostKeys: readonly HostKey[];
  #sweep: NodeJS.Timeout | undefined;
  /** Connections so far: numbers them in the audit log. */
  #accepted = 0;

  constructor(options: SshServerOptions) {
    this.#options = options;
    this.#admission = new Admission(options.limits, Date.now());
    const { limits, metrics } = options;
    const budget = new WindowBudget(limits.windowBytesTotal, {
      taken: (bytes) => metrics.receiveWindow.set(bytes),
      refused: () => metrics.limitHit('windowBytesTotal'),
    });
    this.#deps = { ...options, admission: this.#admission, budget };
    this.#hostKeys = options.hostKeys;
    this.#ssh = this.#makeSsh(options.hostKeys);
    this.#tcp = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket));
  }

  /** Port 0 takes a free one; the address that is listened on is returned. */
  async listen(host: string, port: number): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen({ host, port, backlog: 1024 }, () => {
        this.#tcp.off('error', reject);
        resolve();
      });
    });
    // EMFILE and its like: the connection is lost, the server goes on.
    this.#tcp.on('error', (err) => this.#deps.logger.error('listening socket failed', { err }));
    this.#sweep = setInterval(() => this.#sweepAll(), SWEEP_MS);
    return this.#tcp.address() as AddressInfo;
  }

  /** For connections from now on; those that are there keep what they agreed on. */
  setHostKeys(hostKeys: readonly HostKey[]): void {
    this.#hostKeys = hostKeys;
    this.#ssh = this.#makeSsh(hostKeys);
  }

  /** Ends the connections whose login would not be accepted any more, or would mean something else. */
  revalidate(): void {
    const now = this.#deps.now();
    for (const connection of this.#connections.values()) {
      const { accepted, address } = connection;
      if (accepted === undefined) continue;
      const again = this.#deps.keys.decide({ blob: accepted.key.blob, address, now });
      const same =
        again.outcome === 'accepted' &&
        again.grant?.id === accepted.grant?.id &&
        again.key.options.commandText === accepted.key.options.commandText;
      if (!same) connection.close('KeyRemoved');
    }
  }

  /** Those that new connections are shown. */
  get hostKeyFingerprints(): readonly string[] {
    return this.#hostKeys.map(({ fingerprint }) => fingerprint);
  }

  get startups(): number {
    return this.#admission.startups;
  }

  /** Stops listening and ends every connection, with a goodbye. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const closed = new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
    for (const connection of this.#connections.values()) connection.close('shutdown');
    await closed;
  }

  #makeSsh(hostKeys: readonly HostKey[]): Ssh2Server {
    const { limits, algorithms } = this.#options;
    const server = new ssh2.Server({
      hostKeys: hostKeys.map((key) => key.exportText()),
      ident: IDENT,
      algorithms: ssh2Algorithms(algorithms),
      keepaliveInterval: limits.keepalive.seconds * 1000,
      keepaliveCountMax: limits.keepalive.count,
    });
    server.on('connection', (client, info) => {
      const connection = this.#connections.get(socketKey(info.ip, info.port));
      if (connection === undefined) client.end();
      else connection.attach(client);
    });
    return server;
  }

  #accept(socket: Socket): void {
    // Until ssh2 has its own listener: a reset must not end the process.
    socket.on('error', () => undefined);
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    const { metrics } = this.#deps;
    metrics.connections.inc();
    const address = normalizeAddress(remoteAddress);
    const source = sourceKey(remoteAddress);
    const refusal = this.#admission.startup(source);
    if (refusal !== undefined) {
      metrics.limitHit(refusal);
      socket.destroy();
      return;
    }
    this.#accepted += 1;
    const key = socketKey(remoteAddress, remotePort);
    this.#connections.set(
      key,
      new SshConnection(this.#deps, socket, { id: this.#accepted, address, source }),
    );
    metrics.connectionsOpen.inc();
    socket.once('close', () => {
      this.#connections.delete(key);
      metrics.connectionsOpen.dec();
    });
    this.#ssh.injectSocket(socket);
  }

  #sweepAll(): void {
    const now = Date.now();
    for (const connection of this.#connections.values()) connection.sweep(now);
  }
}

function socketKey(address: string, port: number): string {
  return `${address} ${port}`;
}
