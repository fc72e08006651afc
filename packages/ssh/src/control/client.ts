import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { CONTROL_COMMAND, DrError, SSH_USER } from '@dr-syncer/api';
import type { Algorithms, Client, ClientChannel, PublicKeyAuthMethod } from 'ssh2';
import type { PrivateKey } from '../keys.js';
import { ssh2 } from '../lazy-libraries.js';
import { fingerprintOfBlob, parsePublicLine, type PublicKey } from '../public-key.js';
import { Peer, type PeerEnd, type PeerOptions } from './peer.js';
import { signingKeyFor } from './signing-key.js';

export interface ControlTarget {
  readonly host: string;
  readonly port: number;
  /** Default `drsyncer`. */
  readonly user?: string;
  readonly privateKey: PrivateKey;
  /** Pinned: `ssh-ed25519 AAAA...` lines, one of which has to be presented. */
  readonly hostKeys: readonly string[];
  /** For connection, handshake, login and command together. Default 15,000. */
  readonly timeoutMs?: number;
  /** Ends the attempt; an open connection is not touched by it. */
  readonly signal?: AbortSignal;
  /** A connection made elsewhere (port forward through an API server) instead of TCP to host and port. */
  readonly socket?: Duplex;
  readonly peer?: PeerOptions;
}

export interface ControlConnection {
  readonly peer: Peer;
  /** Which of the pinned host keys was presented, `SHA256:...`. */
  readonly hostKeyFingerprint: string;
  /** Ends the connection; can be called again. */
  close(): void;
  /** Resolves (never rejects) at the end of the connection. */
  readonly closed: Promise<PeerEnd>;
}

/**
 * Three missed answers end a silent connection. More often than the agent asks of itself (30 s), whose clock begins anew
 * with whatever comes: so one side asks, and not both.
 */
const KEEPALIVE_MS = 25_000;
const KEEPALIVE_COUNT = 3;
const GOODBYE_MS = 2000;

/**
 * Logs in to an agent and opens the control protocol there.
 *
 * @throws DrError HostKeyMismatch, AgentUnreachable, AgentRefusedKey, Timeout, Cancelled; BadRequest for bad pins
 */
export async function connectControl(target: ControlTarget): Promise<ControlConnection> {
  const pins = target.hostKeys.map(parsePin);
  if (pins.length === 0) throw new DrError('BadRequest', 'no host key is pinned');
  if (target.signal?.aborted) throw cancelled();
  const attempt = new Attempt(target, pins);
  try {
    return await within(target, attempt.run());
  } catch (err) {
    attempt.abandon();
    throw err;
  }
}

class Attempt {
  readonly #target: ControlTarget;
  readonly #pins: readonly PublicKey[];
  readonly #client: Client = new (ssh2().Client)();
  /** Our own, because ssh2's `destroy()` leaves a socket alone that is half closed already. */
  readonly #socket: Duplex;
  #presented: Buffer | undefined;
  #failure: DrError | undefined;

  constructor(target: ControlTarget, pins: readonly PublicKey[]) {
    this.#target = target;
    this.#pins = pins;
    this.#socket = target.socket ?? connect({ host: target.host, port: target.port, noDelay: true });
    // For the whole life of the client: an error without a listener would end the process.
    this.#client.on('error', (err: Error & { level?: string }) => {
      this.#failure ??= this.#explain(err);
    });
  }

  async run(): Promise<ControlConnection> {
    await this.#login();
    return this.#established(await this.#openChannel());
  }

  abandon(): void {
    this.#socket.destroy();
  }

  async #login(): Promise<void> {
    const { user = SSH_USER, privateKey } = this.#target;
    const auth: PublicKeyAuthMethod = { type: 'publickey', username: user, key: signingKeyFor(privateKey) };
    await new Promise<void>((resolve, reject) => {
      this.#client.once('ready', resolve);
      this.#client.once('error', () => reject(this.#reason()));
      this.#client.once('close', () => reject(this.#reason()));
      this.#client.connect({
        // ssh2 takes any duplex stream, its types say Readable.
        sock: this.#socket,
        username: user,
        authHandler: [auth],
        algorithms: algorithmsFor(this.#pins),
        hostVerifier: (key: Buffer) => this.#verifyHost(key),
        // The time limit is our own, so that it covers all of the attempt.
        readyTimeout: 0,
        keepaliveInterval: KEEPALIVE_MS,
        keepaliveCountMax: KEEPALIVE_COUNT,
      });
    });
  }

  async #openChannel(): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      this.#client.once('close', () => reject(this.#reason()));
      const opened = (err: Error | undefined, channel: ClientChannel): void => {
        if (!err) resolve(channel);
        else
          reject(new DrError('AgentRefusedKey', 'the agent does not give the control protocol to this key'));
      };
      try {
        this.#client.exec(CONTROL_COMMAND, opened);
      } catch {
        // The agent has left with its answer to the login: its keys changed at that moment.
        reject(this.#reason());
      }
    });
  }

  #established(channel: ClientChannel): ControlConnection {
    // Nothing is expected there, but unread data would fill the channel's window.
    channel.stderr.resume();
    const peer = new Peer(channel, this.#target.peer);
    const ended = new Promise<void>((resolve) => this.#client.once('close', resolve));
    const closed = Promise.all([peer.closed, ended]).then(([end]) => {
      const error = this.#failure ?? end.error;
      return error ? { error } : {};
    });
    void ended.then(() => peer.close());
    void peer.closed.then(() => this.#leave(ended));
    return {
      peer,
      hostKeyFingerprint: fingerprintOfBlob(this.#presented ?? Buffer.alloc(0)),
      close: () => peer.close(),
      closed,
    };
  }

  /** An orderly goodbye, which a dead network never answers. */
  #leave(ended: Promise<void>): void {
    const timer = setTimeout(() => this.#socket.destroy(), GOODBYE_MS);
    void ended.then(() => clearTimeout(timer));
    this.#client.end();
  }

  #verifyHost(key: Buffer): boolean {
    this.#presented = key;
    if (this.#pins.some((pin) => pin.blob.equals(key))) return true;
    this.#failure = this.#mismatch(`presented ${fingerprintOfBlob(key)}`);
    return false;
  }

  #mismatch(what: string): DrError {
    const pinned = this.#pins.map((pin) => fingerprintOfBlob(pin.blob)).join(', ');
    return new DrError('HostKeyMismatch', `${this.#where()} ${what}; pinned: ${pinned}`);
  }

  #explain(err: Error & { level?: string }): DrError {
    if (err.level === 'client-authentication') {
      return new DrError(
        'AgentRefusedKey',
        `${this.#where()} refused the key ${this.#target.privateKey.fingerprint}`,
      );
    }
    // Only types that are pinned are offered, so this is a server without any of the pinned keys.
    if (/no matching host key/i.test(err.message)) return this.#mismatch('has no host key of a pinned type');
    return new DrError('AgentUnreachable', `${this.#where()}: ${err.message}`, { cause: err });
  }

  #reason(): DrError {
    return this.#failure ?? new DrError('AgentUnreachable', `${this.#where()} closed the connection`);
  }

  #where(): string {
    return `${this.#target.host}:${this.#target.port}`;
  }
}

/** AES-GCM only, no SHA-1, and only host keys of the types that are pinned. */
function algorithmsFor(pins: readonly PublicKey[]): Algorithms {
  const types = new Set(pins.map((pin) => pin.type));
  return {
    kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256', 'ecdh-sha2-nistp384'],
    serverHostKey: [
      ...(types.has('ssh-ed25519') ? (['ssh-ed25519'] as const) : []),
      ...(types.has('ssh-rsa') ? (['rsa-sha2-512', 'rsa-sha2-256'] as const) : []),
    ],
    cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com'],
    // Not used with GCM, but the negotiation wants a common one.
    hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
    compress: ['none'],
  };
}

/** `work`, unless the signal or the time limit comes first. */
async function within<T>(target: ControlTarget, work: Promise<T>): Promise<T> {
  const { signal, timeoutMs = 15_000, host, port } = target;
  const { promise, reject } = rejectable();
  const onAbort = () => reject(cancelled());
  const onTimeout = () =>
    reject(new DrError('AgentUnreachable', `${host}:${port}: no login within ${timeoutMs} ms`));
  const timer = setTimeout(onTimeout, timeoutMs);
  signal?.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function cancelled(): DrError {
  return new DrError('Cancelled', 'the connection was cancelled');
}

function rejectable(): { promise: Promise<never>; reject: (reason: DrError) => void } {
  let reject: (reason: DrError) => void = () => undefined;
  const promise = new Promise<never>((_, fail) => {
    reject = fail;
  });
  return { promise, reject };
}

function parsePin(line: string): PublicKey {
  try {
    return parsePublicLine(line);
  } catch (err) {
    throw new DrError('BadRequest', 'a pinned host key is not usable', { cause: err });
  }
}
