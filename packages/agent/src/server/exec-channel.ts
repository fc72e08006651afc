import type { ServerChannel } from 'ssh2';

import { sendableNow } from './window.js';

/** Exit status of a command that is not run: EX_NOPERM of sysexits(3). */
export const EXIT_REFUSED = 77;

/**
 * Says `text` on standard error, then the exit status, then end of file and close. Only what the peer's window takes
 * at once is said: a peer that reads nothing keeps nobody waiting, and a stalled stderr confuses ssh2.
 */
export function finishChannel(
  channel: ServerChannel,
  end: { readonly exitCode: number | null; readonly signal: string | null; readonly stderr: string },
): void {
  const text = Buffer.from(end.stderr);
  if (text.length > 0 && sendableNow(channel) >= text.length) channel.stderr.write(text);
  // The status has to go before end(): ssh2 sends end of file and close together and drops what comes after.
  if (end.exitCode !== null) channel.exit(end.exitCode);
  else channel.exit((end.signal ?? 'SIGTERM').replace(/^SIG/, ''), false, '');
  channel.end();
  // Unread input would keep ssh2 from ever reporting the channel closed.
  channel.resume();
}
