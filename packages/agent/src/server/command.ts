import { CONTROL_COMMAND } from '@dr-syncer/api';
import { parseRsyncServerArgs, RequestRefused, tokenizeCommand } from '@dr-syncer/ssh';

import type { AcceptedKey } from './authentication.js';
import type { ReceiverTarget } from './receiver.js';
import { Refused } from './refusals.js';

/** What a login runs. */
export type Command =
  | { readonly kind: 'control' }
  | { readonly kind: 'rsync'; readonly target: ReceiverTarget; readonly argv: readonly string[] };

const MAX_WORDS = 128;

/**
 * Forced command and request to what is run.
 *
 * @param requestBytes longest request that is looked at
 * @throws Refused
 */
export function planCommand(match: AcceptedKey, requested: string, requestBytes: number): Command {
  const forced = match.key.options.command;
  const grant = match.grant === undefined ? {} : { grantId: match.grant.id };
  switch (forced.kind) {
    case 'control':
      // Whoever holds this key and asks for something else is not the controller: stricter than OpenSSH, which would
      // run the forced command anyway.
      if (requested !== CONTROL_COMMAND) throw new Refused('ControlOnly');
      return { kind: 'control' };
    case 'literal':
      // OpenSSH's meaning: this runs, whatever was asked.
      return {
        kind: 'rsync',
        target: { ...grant, dir: forced.argv.at(-1) ?? '', confined: false },
        argv: forced.argv.slice(1),
      };
    case 'confined': {
      const request = refusing(() => {
        const words = tokenizeCommand(requested, { maxBytes: requestBytes, maxWords: MAX_WORDS });
        return parseRsyncServerArgs(words, {
          direction: forced.direction,
          allowDelete: forced.allowDelete,
          path: forced.dir,
          allowDevices: match.grant?.allowDevices ?? false,
        });
      });
      return { kind: 'rsync', target: { ...grant, dir: forced.dir, confined: true }, argv: request.argv };
    }
  }
}

function refusing<T>(parse: () => T): T {
  try {
    return parse();
  } catch (err) {
    if (err instanceof RequestRefused) throw new Refused(err.code, err.message, { cause: err });
    throw err;
  }
}
