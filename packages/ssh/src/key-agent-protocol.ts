import type { TransferKey } from './keys.js';
import { WireReader, wireString, wireUint32 } from './ssh-wire.js';

/** Message numbers of draft-miller-ssh-agent, section 6.1. */
const FAILURE = 5;
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;

/** OpenSSH's client asks with a few hundred bytes; a signed blob stays far below this. */
export const MAX_AGENT_MESSAGE = 16 * 1024;

/**
 * Answers one message (without its length) for a key. Whatever is not a question for the key or a signature with it,
 * extensions such as session-bind among it, is answered with failure.
 */
export function answerAgentMessage(message: Buffer, key: TransferKey): Buffer {
  try {
    return answer(new WireReader(message), key) ?? frame(FAILURE);
  } catch (err) {
    if (err instanceof RangeError) return frame(FAILURE);
    throw err;
  }
}

function answer(message: WireReader, key: TransferKey): Buffer | undefined {
  const type = message.uint8();
  if (type === REQUEST_IDENTITIES) {
    return frame(IDENTITIES_ANSWER, wireUint32(1), wireString(key.blob), wireString(key.comment));
  }
  if (type !== SIGN_REQUEST || !message.string().equals(key.blob)) return undefined;
  // The flags that follow choose a hash for RSA; ed25519 has none.
  const signature = key.sign(message.string());
  return frame(SIGN_RESPONSE, wireString(Buffer.concat([wireString('ssh-ed25519'), wireString(signature)])));
}

function frame(type: number, ...fields: Buffer[]): Buffer {
  return wireString(Buffer.concat([Buffer.of(type), ...fields]));
}
