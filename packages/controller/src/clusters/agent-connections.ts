import { DrError, SSH_USER } from '@dr-syncer/api';
import { connectControl, type ControlConnection, type Peer, type PrivateKey } from '@dr-syncer/ssh';

import type { LoginAs } from '../rotation/rotated-agents.js';
import type { Reach } from './reach/reach.js';

export interface AgentConnectionsOptions {
  readonly reach: Reach;
  readonly key: PrivateKey;
  /** The pins as they are in the agents' cluster now; another controller may have replaced them. */
  readonly readPins: (signal: AbortSignal) => Promise<readonly string[]>;
}

/** So long what was begun on a connection of a replaced key may take. */
const WIND_UP_MS = 10_000;
const LOOK_MS = 50;

/**
 * One control connection to each agent that is needed, shared by all who ask. One that ends is forgotten and made anew
 * by whoever asks next.
 */
export class AgentConnections {
  readonly #options: AgentConnectionsOptions;
  readonly #open = new Map<string, Promise<ControlConnection>>();
  readonly #windingUp = new Set<Promise<void>>();
  #key: PrivateKey;
  #pins: readonly string[] = [];

  constructor(options: AgentConnectionsOptions) {
    this.#options = options;
    this.#key = options.key;
  }

  get pins(): readonly string[] {
    return this.#pins;
  }

  pin(hostKeys: readonly string[]): void {
    this.#pins = hostKeys;
  }

  /** For new connections. Those of another key get nothing new to do, and end when what they do is done. */
  use(key: PrivateKey): void {
    if (key.fingerprint === this.#key.fingerprint) return;
    this.#key = key;
    for (const connecting of this.#open.values()) {
      const ending = windUp(connecting);
      this.#windingUp.add(ending);
      void ending.finally(() => this.#windingUp.delete(ending));
    }
    this.#open.clear();
  }

  /** Resolves when no connection of a replaced key is left: within about ten seconds. */
  async settled(): Promise<void> {
    await Promise.all(this.#windingUp);
  }

  /** @throws DrError AgentUnreachable, AgentRefusedKey, HostKeyMismatch, Timeout */
  async peer(node: string, signal: AbortSignal): Promise<Peer> {
    let connecting = this.#open.get(node);
    if (connecting === undefined) {
      connecting = this.#connect(node, signal);
      this.#open.set(node, connecting);
      const made = connecting;
      const forget = () => {
        if (this.#open.get(node) === made) this.#open.delete(node);
      };
      connecting.then((connection) => connection.closed.then(forget), forget);
    }
    return (await connecting).peer;
  }

  /** One that is nobody else's. @throws DrError */
  login(node: string, as: LoginAs, signal: AbortSignal): Promise<ControlConnection> {
    const { privateKey = this.#key, hostKeys = this.#pins, timeoutMs } = as;
    return this.#options.reach.control(
      node,
      (route) => connectControl({ ...route, user: SSH_USER, privateKey, hostKeys, timeoutMs, signal }),
      signal,
    );
  }

  close(): void {
    for (const connecting of this.#open.values()) {
      connecting.then(
        (connection) => connection.close(),
        () => undefined,
      );
    }
    this.#open.clear();
  }

  async #connect(node: string, signal: AbortSignal): Promise<ControlConnection> {
    const privateKey = this.#key;
    const with_ = (hostKeys: readonly string[]) =>
      this.#options.reach.control(
        node,
        (route) => connectControl({ ...route, user: SSH_USER, privateKey, hostKeys }),
        signal,
      );
    const pins = this.#pins;
    try {
      return await with_(pins);
    } catch (err) {
      if (!(err instanceof DrError) || err.code !== 'HostKeyMismatch') throw err;
      // Replaced meanwhile, by whoever else has a standby there: the API server knows.
      const now = await this.#options.readPins(signal);
      if (now.join() === pins.join()) throw err;
      this.#pins = now;
      return with_(now);
    }
  }
}

async function windUp(connecting: Promise<ControlConnection>): Promise<void> {
  const connection = await connecting.catch(() => undefined);
  if (connection === undefined) return;
  const until = performance.now() + WIND_UP_MS;
  while (connection.peer.awaited > 0 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  connection.close();
  await connection.closed;
}
