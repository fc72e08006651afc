import { isRecord } from '../status-response.js';
import { FrameError } from './frames.js';

/** Channels of `v4.channel.k8s.io` for a command (kubelet `remotecommand/websocket.go`): first byte of each message. */
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const MAX_STATUS = 16 * 1024;
const MAX_MESSAGE = 300;

/** How a command in a container has ended. */
export type ExecEnd =
  /** 0 to 255. */
  | { readonly kind: 'Exited'; readonly exitCode: number }
  /** The container's runtime could not start it, or lost it: why, in its words, one line. */
  | { readonly kind: 'NotRun'; readonly message: string };

/** Takes in what the kubelet says of a command. What the command writes is dropped: it is its container's own. */
export class ExecReader {
  #channel = -1;
  #status = '';

  /** @throws FrameError */
  data(first: boolean, payload: Buffer): void {
    let content = payload;
    if (first) {
      this.#channel = payload[0] ?? -1;
      content = payload.subarray(1);
    }
    if (this.#channel === STATUS) this.#take(content);
    else if (this.#channel !== STDOUT && this.#channel !== STDERR) {
      throw new FrameError('a message for a channel that is not open');
    }
  }

  #take(content: Buffer): void {
    if (this.#status.length + content.length > MAX_STATUS) throw new FrameError('the status is too long');
    this.#status += content.toString('utf8');
  }

  /** Undefined: the kubelet has not said it. */
  get end(): ExecEnd | undefined {
    return this.#status === '' ? undefined : execEndOf(this.#status);
  }
}

/** From the `meta/v1 Status` that comes last. Pure. */
export function execEndOf(text: string): ExecEnd {
  let status: unknown;
  try {
    status = JSON.parse(text);
  } catch {
    return { kind: 'NotRun', message: oneLine(text) };
  }
  if (!isRecord(status)) return { kind: 'NotRun', message: 'no status' };
  if (status['status'] === 'Success') return { kind: 'Exited', exitCode: 0 };
  const exitCode = exitCodeOf(status);
  if (exitCode !== undefined) return { kind: 'Exited', exitCode };
  const { message } = status;
  return { kind: 'NotRun', message: typeof message === 'string' ? oneLine(message) : 'no message' };
}

function exitCodeOf({ reason, details }: Record<string, unknown>): number | undefined {
  if (reason !== 'NonZeroExitCode' || !isRecord(details) || !Array.isArray(details['causes']))
    return undefined;
  const cause = (details['causes'] as unknown[]).find((one) => isRecord(one) && one['reason'] === 'ExitCode');
  const code = isRecord(cause) ? Number(cause['message']) : Number.NaN;
  return Number.isInteger(code) ? code : undefined;
}

function oneLine(text: string): string {
  const clean = text.replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return clean.length > MAX_MESSAGE ? `${clean.slice(0, MAX_MESSAGE - 3)}...` : clean;
}
