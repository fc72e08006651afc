import { DrError } from '@dr-syncer/api';
import type { ControlConnection, KeyNotice, Peer, PrivateKey } from '@dr-syncer/ssh';

import type { AgentReport } from './machine.js';

/** What the controller trusts agents by, and they it. */
export interface Credentials {
  /** Logs in from now on. */
  readonly key: PrivateKey;
  /** What the agents' authorized_keys let in. */
  readonly accepted: readonly PrivateKey[];
  readonly notices: readonly KeyNotice[];
}

export interface LoginAs {
  /** Default: the current key. */
  readonly privateKey?: PrivateKey;
  /** Default: those that are pinned now. */
  readonly hostKeys?: readonly string[];
  readonly timeoutMs: number;
}

/** The agents of one cluster, as far as their keys go. */
export interface RotatedAgents {
  /** Nodes with an agent, ready or not. */
  nodes(signal: AbortSignal): Promise<readonly string[]>;
  /** For new connections. Those of another key are not used for anything new, and end when what they do is done. */
  trust(credentials: Credentials): void;
  pin(hostKeys: readonly string[]): void;
  /** Writes what the agents' authorized_keys have to say, and has kubelets bring it and the host keys. */
  publishKeys(signal: AbortSignal): Promise<unknown>;
  /** Resolves when no connection of an earlier key is left. */
  settled(): Promise<void>;
  /** The shared connection, made with the current key. @throws DrError */
  peer(node: string, signal: AbortSignal): Promise<Peer>;
  /** A connection of its own. @throws DrError */
  login(node: string, as: LoginAs, signal: AbortSignal): Promise<ControlConnection>;
}

/** Of one probe; a node that answers badly is one that answers. */
export const PROBE_MS = 8_000;
/** So long a node that did not answer is not asked again: its silence would hold up the others. */
const SILENCE_MS = 5_000;

export type Answers = Omit<AgentReport, 'node' | 'answers'>;

const nothing: Answers = {
  ...{ knowsNext: false, provesCurrent: false, refusesPrevious: false, refusesRevoked: false },
};

/** Asks agents, remembering who was silent a moment ago and what was proven of whom. */
export class Survey {
  readonly #silentUntil = new Map<string, number>();
  readonly #proven = new Set<string>();

  /** @param answers fails with a DrError when the node cannot be spoken to */
  async report(node: string, answers: () => Promise<Partial<Answers>>): Promise<AgentReport> {
    const silent = { ...nothing, node, answers: false };
    if (performance.now() < (this.#silentUntil.get(node) ?? Number.NEGATIVE_INFINITY)) return silent;
    this.#silentUntil.delete(node);
    try {
      return { ...nothing, ...(await answers()), node, answers: true };
    } catch (err) {
      if (!(err instanceof DrError)) throw err;
      if (!isSilence(err)) return { ...nothing, node, answers: true };
      this.#silentUntil.set(node, performance.now() + SILENCE_MS);
      return silent;
    }
  }

  /** Once true, it is not asked again. @param fact says what of whom */
  async once(fact: string, prove: () => Promise<boolean>): Promise<boolean> {
    if (this.#proven.has(fact)) return true;
    const holds = await prove();
    if (holds) this.#proven.add(fact);
    return holds;
  }

  /** What was proven is of no use any more. */
  forget(): void {
    this.#proven.clear();
  }
}

function isSilence({ code }: DrError): boolean {
  return ['AgentUnreachable', 'AgentNotReady', 'Timeout'].includes(code);
}

/** False for the one code, true when the work succeeded. @throws any other error */
export async function succeedsUnless(code: DrError['code'], work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (err) {
    if (err instanceof DrError && err.code === code) return false;
    throw err;
  }
}
