import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** Gets standard error line by line instead of collecting it. */
  readonly onStderrLine?: (line: string) => void;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that ended with a status other than 0. The message carries the end of its standard error. */
export class RunError extends Error {
  readonly status: string;
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: readonly string[], status: string, stdout: string, stderr: string) {
    super(`${command.slice(0, 8).join(' ')}: ${status}: ${(stderr || stdout).trim().slice(-2000)}`);
    this.name = 'RunError';
    this.status = status;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/**
 * Runs a command without a shell and gives its output.
 * @throws RunError when it can't start or its exit status is not 0
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const words = [command, ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      signal: options.signal,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr = new StderrLines(options.onStderrLine);
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin?.on('error', () => undefined); // EPIPE: the exit status says more
    child.stdin?.end(options.input);
    child.on('error', (error) => reject(new RunError(words, error.message, '', stderr.text())));
    child.on('close', (code, signal) => {
      const out = Buffer.concat(stdout).toString();
      if (code === 0) resolve({ stdout: out, stderr: stderr.text() });
      else reject(new RunError(words, signal ?? `exit status ${String(code)}`, out, stderr.text()));
    });
  });
}

/** Standard error, kept whole and cut into lines for whoever shows progress. */
class StderrLines {
  readonly #chunks: Buffer[] = [];
  readonly #onLine: ((line: string) => void) | undefined;
  #rest = '';

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    if (this.#onLine === undefined) return;
    const lines = (this.#rest + chunk.toString()).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
