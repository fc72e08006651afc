import type { ParsedKey } from 'ssh2';
import { DrError } from '@dr-syncer/api';
import type { PrivateKey } from '../keys.js';
import { ssh2 } from '../lazy-libraries.js';

/**
 * A key as ssh2's client takes it, which signs with SHA-2 only: without the server's list of algorithms ssh2 would fall
 * back to `ssh-rsa`, which is RSA with SHA-1.
 */
export function signingKeyFor(privateKey: PrivateKey): ParsedKey {
  const key = ssh2().utils.parseKey(privateKey.exportText());
  if (key instanceof Error) throw new DrError('KeyInvalid', 'the key cannot be read by the SSH client');
  if (privateKey.type !== 'ssh-rsa') return key;
  const sign = key.sign.bind(key);
  key.sign = (data, hash) => {
    if (hash !== 'sha256' && hash !== 'sha512') throw new Error('the server wants a signature with SHA-1');
    return sign(data, hash);
  };
  return key;
}
