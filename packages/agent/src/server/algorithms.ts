import type { SshAlgorithms } from '@dr-syncer/ssh';
import type { Algorithms } from 'ssh2';

/**
 * The list as ssh2 takes it. SHA-1 host key signatures, compression and CBC cannot be switched on. The MACs are there
 * because the protocol wants some; none of the ciphers uses them.
 */
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
