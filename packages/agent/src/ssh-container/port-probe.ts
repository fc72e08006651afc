import { connect } from 'node:net';

import type { Result } from '@dr-syncer/ssh';

const TIMEOUT_MS = 5_000;
/** RFC 4253, section 4.2: how every SSH server greets; other lines may come before. */
const GREETING = /^SSH-(2\.0|1\.99)-/m;
const MAX_BYTES = 8_192;

/** Whether an SSH server greets at this address. Nothing is sent. */
export async function probePort(
  host: string,
  port: number,
  signal: AbortSignal,
  timeoutMs = TIMEOUT_MS,
): Promise<Result<'ports.probe'>> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const socket = connect({ host, port, signal: AbortSignal.any([signal, timeout]) });
  const seen = { open: false, text: '' };
  socket.once('connect', () => (seen.open = true));
  try {
    for await (const chunk of socket) {
      seen.text += (chunk as Buffer).toString('latin1');
      if (GREETING.test(seen.text)) return { ssh: true };
      if (seen.text.length > MAX_BYTES) break;
    }
    return { ssh: false, problem: 'something else than an SSH server answers' };
  } catch (err) {
    signal.throwIfAborted();
    if (timeout.aborted) {
      const what = seen.open ? 'the port is open, and no SSH server greets' : 'no answer';
      return { ssh: false, problem: `${what} within ${timeoutMs / 1000} s` };
    }
    const { code = 'unknown error' } = err as NodeJS.ErrnoException;
    return { ssh: false, problem: code };
  } finally {
    socket.destroy();
  }
}
