import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: unknown;
}

export interface RunOptions {
  /** Written to standard input. */
  readonly input?: string;
  /** Milliseconds until kubectl is ended; 60 s when not given. */
  readonly timeoutMs?: number;
}

const MAX_OUTPUT_BYTES = 256 << 20;

/** kubectl ended badly. The message has what it wrote; its arguments never hold a secret, those go through stdin. */
export class KubectlError extends Error {
  override readonly name = 'KubectlError';
}

/** kubectl for one cluster: the demo looks at the clusters through the tool that its users know, and nothing of ours. */
export class Kubectl {
  /** Name for people: "source" or "remote". */
  readonly cluster: string;
  readonly #kubeconfig: string;
  readonly #signal: AbortSignal;

  constructor(options: { cluster: string; kubeconfig: string; signal: AbortSignal }) {
    this.cluster = options.cluster;
    this.#kubeconfig = options.kubeconfig;
    this.#signal = options.signal;
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Standard output of `kubectl ARGS`. Throws KubectlError, or AbortError when the demo is stopped. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { input, timeoutMs = 60_000 } = options;
    return await new Promise((resolve, reject) => {
      const child = execFile(
        'kubectl',
        ['--kubeconfig', this.#kubeconfig, ...args],
        { encoding: 'utf8', maxBuffer: MAX_OUTPUT_BYTES, timeout: timeoutMs, signal: this.#signal },
        (error, stdout, stderr) => {
          if (error === null) resolve(stdout);
          else if (this.#signal.aborted) reject(new DOMException('The demo was stopped', 'AbortError'));
          else
            reject(
              new KubectlError(
                this.#describe(args, error.killed === true, timeoutMs, stderr || error.message),
              ),
            );
        },
      );
      // kubectl may end before it has read everything; its exit status tells the story then.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input ?? '');
    });
  }

  #describe(args: readonly string[], killed: boolean, timeoutMs: number, output: string): string {
    const ending = killed ? `did not end within ${timeoutMs / 1000} s` : 'failed';
    return `kubectl ${args.slice(0, 8).join(' ')} (${this.cluster} cluster) ${ending}: ${output.trim()}`;
  }

  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.run([...args, '-o', 'json'])) as T;
  }

  /** The object, or undefined when there is none. */
  async find(kind: string, name: string, namespace?: string): Promise<KubeObject | undefined> {
    const place = namespace === undefined ? [] : ['--namespace', namespace];
    const text = await this.run(['get', kind, name, ...place, '--ignore-not-found', '-o', 'json']);
    return text.trim() === '' ? undefined : (JSON.parse(text) as KubeObject);
  }

  /** Those of the objects that there are, by `Kind/name`. */
  async findAll(names: readonly string[], namespace: string): Promise<ReadonlyMap<string, KubeObject>> {
    const text = await this.run([
      'get',
      ...names,
      '--namespace',
      namespace,
      '--ignore-not-found',
      '-o',
      'json',
    ]);
    if (text.trim() === '') return new Map();
    const answer = JSON.parse(text) as KubeObject & { readonly items?: readonly KubeObject[] };
    // kubectl prints a single object as itself.
    return new Map((answer.items ?? [answer]).map((each) => [`${each.kind}/${each.metadata.name}`, each]));
  }

  /** By server-side apply: the other kind would repeat a Secret's content in an annotation. */
  async apply(objects: readonly KubeObject[]): Promise<void> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    await this.run(
      ['apply', '--server-side', '--force-conflicts', '--field-manager=dr-syncer-demo', '-f', '-'],
      { input: JSON.stringify(list) },
    );
  }

  /**
   * Events of the API server's own watch of `path` (such as `/api/v1/namespaces/x/pods?fieldSelector=...`), the
   * present state first. Ends when the server ends it, which it does every few minutes.
   */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent, void, undefined> {
    const url = `${path}${path.includes('?') ? '&' : '?'}watch=true`;
    const child = spawn('kubectl', ['--kubeconfig', this.#kubeconfig, 'get', '--raw', url], {
      stdio: ['ignore', 'pipe', 'ignore'],
      signal: AbortSignal.any([signal, this.#signal]),
    });
    const lines = createInterface({ input: child.stdout });
    child.on('error', () => lines.close());
    try {
      for await (const line of lines) {
        if (line !== '') yield JSON.parse(line) as WatchEvent;
      }
    } finally {
      child.kill();
    }
  }
}
