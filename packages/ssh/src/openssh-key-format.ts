import { wireString, wireUint32 } from './ssh-wire.js';

/** Cipher "none" has a block size of 8 (OpenSSH PROTOCOL.key). */
const BLOCK = 8;

/**
 * An unencrypted ed25519 key as OpenSSH writes it (OpenSSH PROTOCOL.key): the only text form of ed25519 that both ssh2
 * and every OpenSSH read.
 *
 * `seed` and `publicKey` have 32 bytes. `check`: 4 random bytes.
 */
export function encodeOpensshEd25519(key: {
  seed: Buffer;
  publicKey: Buffer;
  comment: string;
  check: Buffer;
}): string {
  const type = wireString('ssh-ed25519');
  const publicKey = wireString(key.publicKey);
  const secret = Buffer.concat([
    key.check,
    key.check,
    type,
    publicKey,
    wireString(Buffer.concat([key.seed, key.publicKey])),
    wireString(key.comment),
  ]);
  const padding = Buffer.from(Array.from({ length: -secret.length & (BLOCK - 1) }, (_, i) => i + 1));
  const whole = Buffer.concat([
    Buffer.from('openssh-key-v1\0', 'latin1'),
    wireString('none'),
    wireString('none'),
    wireString(''),
    wireUint32(1),
    wireString(Buffer.concat([type, publicKey])),
    wireString(Buffer.concat([secret, padding])),
  ]);
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join(
    '\n',
  );
}
