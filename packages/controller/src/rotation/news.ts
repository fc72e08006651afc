import type { Transition } from './machine.js';
import type { RotatedKeys } from './key-rotation.js';

export interface NewsItem {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Fingerprints for people. */
export interface Names {
  readonly current: string;
  readonly next?: string | undefined;
  readonly previous?: string | undefined;
  readonly revoked?: string | undefined;
}

export interface RotationNewsOptions<K> {
  /** For sentences: "SSH key", "host keys". */
  readonly what: string;
  readonly names: (keys: K) => Names;
  readonly tell: (item: NewsItem) => void;
}

/** Waiting is no news before this. */
const NEWS_AFTER_MS = 30_000;
const NAMED = 10;

/** Says what people want to know of a rotation: its start, its end, what holds it up. */
export class RotationNews<K extends RotatedKeys> {
  readonly #options: RotationNewsOptions<K>;
  /** What was told last of waiting. */
  #told: string | undefined;

  constructor(options: RotationNewsOptions<K>) {
    this.#options = options;
  }

  took(transition: Transition, before: K, after: K, without: readonly string[]): void {
    const { what, names, tell } = this.#options;
    const [was, is] = [names(before), names(after)];
    const item = tellings[transition]({
      what,
      was,
      is,
      without: without.length === 0 ? '' : listed(without),
    });
    if (item !== undefined) tell(item);
  }

  waits(keys: K, nodes: readonly string[], now: Date): void {
    const { phase, since } = keys.record;
    const told = `${phase} ${since.toISOString()}`;
    if (nodes.length === 0 || now.getTime() - since.getTime() < NEWS_AFTER_MS || this.#told === told) return;
    this.#told = told;
    const { what } = this.#options;
    const doing = phase === 'Idle' || phase === 'Revoking' ? 'Revocation' : 'Rotation';
    const message = `${doing} of the ${what} (${phase}) waits for ${listed(nodes)}.`;
    this.#options.tell({ type: 'Warning', reason: `Key${doing}Waiting`, message });
  }

  interrupted(why: string): void {
    const message = `The rotation of the ${this.#options.what} was broken off: ${why}.`;
    if (this.#told === message) return;
    this.#told = message;
    this.#options.tell({ type: 'Warning', reason: 'KeyRotationInterrupted', message });
  }

  failed(message: string): void {
    if (this.#told === message) return;
    this.#told = message;
    const text = `The rotation of the ${this.#options.what} cannot go on: ${message}`;
    this.#options.tell({ type: 'Warning', reason: 'KeyRotationFailed', message: text });
  }
}

interface Step {
  readonly what: string;
  readonly was: Names;
  readonly is: Names;
  /** Nodes that were not waited for, as text; empty: none. */
  readonly without: string;
}

const tellings: Readonly<Record<Transition, (step: Step) => NewsItem | undefined>> = {
  stage: ({ what, is }) => ({
    ...{ type: 'Normal', reason: 'KeyRotationStarted' },
    message: `Replacing the ${what} ${is.current} by ${is.next ?? ''}.`,
  }),
  switch: () => undefined,
  retire: () => undefined,
  finish: ({ what, was, is, without }) => ({
    ...{ type: without === '' ? 'Normal' : 'Warning', reason: 'KeyRotated' },
    message:
      `In use now: the ${what} ${is.current}. Refused: ${was.previous ?? 'the previous'}.` +
      (without === '' ? '' : ` Not waited for: ${without}, where the new keys arrive with the Secret.`),
  }),
  revoke: ({ what, was, is }) => ({
    ...{ type: 'Warning', reason: 'KeyRevoked' },
    message: `The ${what} ${was.current} is revoked, and what was begun with it ends. In its place: ${is.current}.`,
  }),
  contain: ({ what, was, without }) =>
    without === ''
      ? undefined
      : {
          ...{ type: 'Warning', reason: 'KeyRevocationUnconfirmed' },
          message: `The revoked ${what} ${was.revoked ?? ''} is refused wherever agents answer. Not confirmed by: ${without}.`,
        },
  clear: ({ what, was }) => ({
    ...{ type: 'Normal', reason: 'KeyRevocationConfirmed' },
    message: `The revoked ${what} ${was.revoked ?? ''} is refused by every agent.`,
  }),
};

function listed(nodes: readonly string[]): string {
  const more = nodes.length > NAMED ? ` and ${nodes.length - NAMED} more` : '';
  return `${nodes.length === 1 ? 'node' : 'nodes'} ${nodes.slice(0, NAMED).join(', ')}${more}`;
}
