import type { Algorithms } from 'ssh2';
import { z } from 'zod';

/**
 * What may be agreed on: authenticated encryption and hashes of SHA-2 only, whatever ssh2 would also do. With GCM
 * alone on offer OpenSSH's client takes AES-GCM instead of its first choice ChaCha20, which costs a third of the
 * throughput; the MAC list is there because the protocol wants one and is not used with GCM.
 */
export const sshAlgorithmsSchema = z.strictObject({
  kex: z
    .array(
      z.enum([
        'curve25519-sha256',
        'curve25519-sha256@libssh.org',
        'ecdh-sha2-nistp256',
        'ecdh-sha2-nistp384',
      ]),
    )
    .min(1)
    .default([
      'curve25519-sha256',
      'curve25519-sha256@libssh.org',
      'ecdh-sha2-nistp256',
      'ecdh-sha2-nistp384',
    ]),
  cipher: z
    .array(z.enum(['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com']))
    .min(1)
    .default(['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com']),
});

export type SshAlgorithms = z.infer<typeof sshAlgorithmsSchema>;

export const defaultSshAlgorithms: SshAlgorithms = sshAlgorithmsSchema.parse({});

/** The list as ssh2 takes it. SHA-1 host key signatures, compression and CBC cannot be switched on. */
export function ssh2Algorithms(algorithms: SshAlgorithms): Algorithms {
  return {
    kex: algorithms.kex,
    cipher: algorithms.cipher,
    serverHostKey: ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'],
    hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
    compress: ['none'],
  };
}

/** Signature algorithms of user keys, told to clients (RFC 8308 `server-sig-algs`). */
export const USER_SIGNATURE_ALGORITHMS = ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'] as const;
