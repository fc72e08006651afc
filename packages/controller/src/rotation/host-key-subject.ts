import type { KubeClient } from '@dr-syncer/kube';

import type { KeySecret } from './client-keys.js';
import { type HostKeys, hostKeyEntries, newHostKeyEntries, pinsOf, readHostKeys } from './host-keys.js';
import type { MakesKeys } from './key-maker.js';
import type { Questions, RotationSubject } from './key-rotation.js';
import { changeEntries, findOrCreate, type SecretRef } from './key-secret.js';
import type { AgentReport, Transition } from './machine.js';
import type { Trigger } from './record.js';
import { PROBE_MS, type RotatedAgents, succeedsUnless, Survey } from './rotated-agents.js';

export interface HostKeySubjectOptions {
  /** Of the cluster of the agents: private host keys are nowhere else. */
  readonly client: KubeClient;
  readonly at: SecretRef;
  readonly agents: RotatedAgents;
  readonly maker: MakesKeys;
  readonly now?: () => Date;
}

export interface LoadedHostKeys extends HostKeys {
  readonly secret: KeySecret;
}

const WHOSE = 'dr-syncer-agent';

/** The agents' host keys. Those who connect have to know the next ones before an agent shows them. */
export class HostKeySubject implements RotationSubject<LoadedHostKeys> {
  readonly #options: HostKeySubjectOptions;
  readonly #survey = new Survey();

  constructor(options: HostKeySubjectOptions) {
    this.#options = options;
  }

  /** @throws DrError KeyInvalid; KubeError */
  async load(signal: AbortSignal): Promise<LoadedHostKeys> {
    const { client, at, maker } = this.#options;
    const first = async () => newHostKeyEntries(await maker.hostKeys(WHOSE, signal), this.#now());
    return this.#read(await findOrCreate(client, at, first, signal));
  }

  async advance(
    keys: LoadedHostKeys,
    transition: Transition,
    trigger: Trigger,
    signal: AbortSignal,
  ): Promise<LoadedHostKeys> {
    const { client, maker } = this.#options;
    const fresh = () => maker.hostKeys(WHOSE, signal);
    const entries = await hostKeyEntries(keys.secret, keys, transition, { now: this.#now(), trigger, fresh });
    const written = this.#read(await changeEntries(client, keys.secret, entries, signal));
    this.#survey.forget();
    return written;
  }

  async publish(keys: LoadedHostKeys, signal: AbortSignal): Promise<void> {
    const { agents } = this.#options;
    agents.pin(pinsOf(keys));
    await agents.publishKeys(signal);
  }

  nodes(signal: AbortSignal): Promise<readonly string[]> {
    return this.#options.agents.nodes(signal);
  }

  ask(node: string, keys: LoadedHostKeys, questions: Questions, signal: AbortSignal): Promise<AgentReport> {
    const { current, previous = [] } = keys;
    return this.#survey.report(node, async () => {
      const [provesCurrent, showsPrevious] = await Promise.all([
        questions.provesCurrent && this.#showsAll(node, current, signal),
        questions.refusesPrevious && this.#shows(node, previous, signal),
      ]);
      // Agents have no part in it: those who connect read the next keys where the present ones are.
      return { knowsNext: true, provesCurrent, refusesPrevious: questions.refusesPrevious && !showsPrevious };
    });
  }

  /** Each of them, by a login that takes no other. */
  #showsAll(node: string, lines: readonly string[], signal: AbortSignal): Promise<boolean> {
    return this.#survey.once(`${node} shows ${lines.join()}`, async () => {
      const shown = await Promise.all(lines.map((line) => this.#shows(node, [line], signal)));
      return shown.every(Boolean);
    });
  }

  #shows(node: string, hostKeys: readonly string[], signal: AbortSignal): Promise<boolean> {
    return succeedsUnless('HostKeyMismatch', async () => {
      const connection = await this.#options.agents.login(node, { hostKeys, timeoutMs: PROBE_MS }, signal);
      connection.close();
    });
  }

  #read(secret: KeySecret): LoadedHostKeys {
    return { ...readHostKeys(secret), secret };
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }
}
