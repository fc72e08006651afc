import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { DrError, type Identity } from '@dr-syncer/api';
import { z } from 'zod';

import { StderrTail } from '../../server/stderr-tail.js';
import { endGroupWithLeader, killGroup } from '../process/group.js';
import type { Launcher } from '../process/launcher.js';
import type { RootFacts, Wanted } from './marker.js';

const count = z.number().int().min(0);
const counts = {
  seen: count,
  groupsChanged: count,
  modesChanged: count,
  labelsChanged: count,
  capabilitiesKept: count,
  privilegesDropped: count,
  linksRefused: count,
  otherMounts: count,
  vanished: count,
  failed: count,
};
const answer = z.discriminatedUnion('is', [
  z.object({
    is: z.literal('root'),
    group: z.number(),
    mode: z.number(),
    inode: z.string(),
    fsid: z.string(),
    label: z.string().optional(),
    marker: z.string().optional(),
  }),
  z.object({ is: z.literal('ok') }),
  z.object({ is: z.literal('error'), what: z.string(), errno: z.string() }),
  z.object({ is: z.literal('progress'), ...counts }),
  z.object({
    is: z.literal('done'),
    ...counts,
    givenUp: z.boolean(),
    examples: z.array(z.object({ name: z.string(), reason: z.string() })),
  }),
]);
type Answer = z.infer<typeof answer>;
type AnswerOf<K extends Answer['is']> = Extract<Answer, { is: K }>;

export type PassCounts = Omit<AnswerOf<'progress'>, 'is'>;
export type PassEnd = Omit<AnswerOf<'done'>, 'is'>;

/**
 * What it takes to change the group (CHOWN), mode and label (FOWNER) of somebody else's files, to keep their setgid bits
 * (FSETID) and capabilities (SETFCAP), and to come into every directory and write to the root's attributes.
 */
const HELPER_IDENTITY: Identity = {
  uid: 0,
  gid: 0,
  groups: [0],
  capabilities: ['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'SETFCAP'],
  umask: '0077',
  privileged: true,
};

export interface HelperDeps {
  readonly launcher: Launcher;
  /** dr-syncer-attributes, see `native/` of this package. */
  readonly path: string;
  /** Default: root with what it takes. */
  readonly identity?: Identity;
}

export interface HelperTarget {
  /** Descriptor of the volume's root. */
  readonly fd: number;
  /** Files may have links outside of the volume. */
  readonly partOfLarger: boolean;
  /** Something is mounted below the volume's root. */
  readonly nestedMounts: boolean;
}

type Waiter = { readonly resolve: (value: Answer) => void; readonly reject: (reason: DrError) => void };

/**
 * The process that changes attributes in one volume. It does nothing before it is told to, so it is told once /proc has
 * shown that it is who it should be. One question at a time.
 */
export class AttributeHelper {
  readonly #child: ChildProcess;
  readonly #stderr = new StderrTail(4096);
  readonly #ended: Promise<void>;
  readonly #signal: AbortSignal;
  #waiter: Waiter | undefined;
  #failure: DrError | undefined;
  onProgress: (progress: PassCounts) => void = () => undefined;

  private constructor(child: ChildProcess, signal: AbortSignal) {
    this.#child = child;
    this.#signal = signal;
    child.stderr?.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    // A helper that has ended says why by its exit.
    child.stdin?.on('error', () => undefined);
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => this.#take(line));
    this.#ended = new Promise((resolve) => {
      child.once('error', (err) => {
        this.#fail(new DrError('Internal', `the attribute helper did not start: ${err.message}`));
        resolve();
      });
      child.once('close', (code, by) => {
        const how = `exit code ${String(code)}, signal ${String(by)}: ${this.#stderr.text()}`;
        this.#fail(new DrError('PermissionsIncomplete', `the attribute helper ended early (${how.trim()})`));
        resolve();
      });
    });
  }

  /**
   * @param signal ends it
   * @throws DrError IdentityMismatch, Internal; the signal's reason
   */
  static async start(
    { launcher, path, identity = HELPER_IDENTITY }: HelperDeps,
    { fd, partOfLarger, nestedMounts }: HelperTarget,
    wanted: Wanted,
    signal: AbortSignal,
  ): Promise<AttributeHelper> {
    signal.throwIfAborted();
    const args = [
      ...(wanted.fsGroup === undefined ? [] : [`--fs-group=${wanted.fsGroup}`]),
      ...(wanted.label === undefined ? [] : [`--label=${wanted.label}`]),
      ...(partOfLarger ? ['--count-links'] : []),
      ...(nestedMounts ? ['--nested-mounts'] : []),
    ];
    const child = launcher.launch(identity, path, args, {
      cwd: '/',
      env: { LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'pipe', fd],
      detached: true,
    });
    endGroupWithLeader(child);
    const helper = new AttributeHelper(child, signal);
    const stop = () => killGroup(child);
    signal.addEventListener('abort', stop, { once: true });
    void helper.#ended.then(() => signal.removeEventListener('abort', stop));
    try {
      const comm = path.slice(path.lastIndexOf('/') + 1).slice(0, 15);
      await launcher.verify(child.pid ?? 0, identity, { comm, signal });
      return helper;
    } catch (err) {
      await helper.kill();
      signal.throwIfAborted();
      // Not started at all: that is what is to be said, and not that it could not be looked at.
      throw helper.#failure?.code === 'Internal' ? helper.#failure : err;
    }
  }

  async probe(): Promise<RootFacts> {
    const { group, mode, inode, fsid, label, marker } = await this.#ask('P', 'root');
    return {
      ...{ group, mode, inode, fsid },
      ...(label === undefined ? {} : { label }),
      ...(marker === undefined ? {} : { marker }),
    };
  }

  /** Also where there is none. */
  async removeMarker(): Promise<void> {
    await this.#ask('U', 'ok');
  }

  async writeMarker(text: string): Promise<void> {
    await this.#ask(`M${text}`, 'ok');
  }

  /** All entries but the root. */
  applyToAll(): Promise<PassEnd> {
    return this.#ask('A', 'done');
  }

  /** @param names paths below the root, as Latin-1 */
  async applyTo(names: Iterable<string>): Promise<PassEnd> {
    for (const name of names) await this.#send(`N${name}`);
    return this.#ask('E', 'done');
  }

  /** The counts go on from those before. */
  applyToRoot(): Promise<PassEnd> {
    return this.#ask('R', 'done');
  }

  /** It has nothing more to do. */
  async close(): Promise<void> {
    this.#failure ??= new DrError('Cancelled', 'the attribute helper was closed');
    this.#child.stdin?.end();
    await this.#ended;
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    killGroup(this.#child);
    await this.#ended;
  }

  async #ask<K extends Answer['is']>(command: string, kind: K): Promise<AnswerOf<K>> {
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#waiter = { resolve, reject };
      if (this.#failure) reject(this.#failure);
    });
    // The one below is the one that tells; this keeps the other from being nobody's.
    answered.catch(() => undefined);
    await this.#send(command);
    const got = await answered;
    if (got.is === 'error') {
      throw new DrError('PermissionsIncomplete', `${got.what} of the volume: ${got.errno}`);
    }
    if (got.is !== kind)
      throw new DrError('Internal', `the attribute helper answered ${got.is} to ${command}`);
    return got as AnswerOf<K>;
  }

  async #send(record: string): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { stdin } = this.#child;
    if (stdin === null || stdin.write(Buffer.from(`${record}\0`, 'latin1'))) return;
    const done = new AbortController();
    try {
      await Promise.race([once(stdin, 'drain', { signal: done.signal }), this.#ended]);
    } finally {
      done.abort();
    }
  }

  #take(line: string): void {
    const parsed = answer.safeParse(parseJson(line));
    if (!parsed.success) {
      this.#fail(new DrError('Internal', 'the attribute helper gave no proper answer'));
      killGroup(this.#child);
    } else if (parsed.data.is === 'progress') {
      this.onProgress(parsed.data);
    } else {
      this.#waiter?.resolve(parsed.data);
    }
  }

  #fail(failure: DrError): void {
    this.#failure ??= this.#signal.aborted ? abortError(this.#signal) : failure;
    this.#waiter?.reject(this.#failure);
  }
}

function abortError({ reason }: AbortSignal): DrError {
  return reason instanceof DrError ? reason : new DrError('Cancelled', 'it was cancelled', { cause: reason });
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
