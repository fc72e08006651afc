import { chmod } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { answerAgentMessage, MAX_AGENT_MESSAGE } from './key-agent-protocol.js';
import type { TransferKey } from './keys.js';

/** One ssh makes one connection; a few more leave room for a new attempt while the old one ends. */
const MAX_CONNECTIONS = 8;
const IDLE_MS = 60_000;

/**
 * An ssh-agent that holds one key and can only name it and sign with it. OpenSSH's client reaches it through
 * `IdentityAgent=PATH`, so the private half never leaves this process and never touches a disk.
 */
export class KeyAgentServer {
  readonly #key: TransferKey;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(key: TransferKey) {
    this.#key = key;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * `path`: of the unix socket, made with mode 0600. Its directory has to be private: between its making and the
   * change of mode the socket has the mode of the umask.
   *
   * @throws the error of listen(2), for example EADDRINUSE
   */
  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    await chmod(path, 0o600);
  }

  /** Ends every connection and removes the socket. Can be called at any time, and again. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // The client may be gone at any moment; there is nobody to tell.
    socket.on('error', () => socket.destroy());
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 4) {
        const length = pending.readUInt32BE();
        if (length === 0 || length > MAX_AGENT_MESSAGE || socket.writableNeedDrain) {
          socket.destroy();
          return;
        }
        if (pending.length < 4 + length) return;
        socket.write(answerAgentMessage(pending.subarray(4, 4 + length), this.#key));
        pending = pending.subarray(4 + length);
      }
    });
  }
}
