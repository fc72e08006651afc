import { z } from 'zod';

/**
 * What may be agreed on: authenticated encryption and hashes of SHA-2 only, whatever ssh2 would also do. With GCM
 * alone on offer OpenSSH's client takes AES-GCM instead of its first choice ChaCha20, which costs a third of the
 * throughput. Set by the variable SSH_ALGORITHMS.
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
