import ssh2 from 'ssh2';

import { fingerprintSha256, parsePrivateKey } from '@dr-syncer/ssh';

import type { FileText } from './watched-file.js';

export interface HostKey {
  /** PEM or OpenSSH format, as ssh2 reads it. */
  readonly exportText: () => string;
  readonly fingerprint: string;
  readonly type: string;
}

/**
 * The host keys of the files, at most one of each type (ed25519, RSA).
 *
 * @throws Error that names the file's number, never its content.
 */
export function readHostKeys(files: readonly FileText[]): HostKey[] {
  const keys = files.map((file, index) => {
    if ('error' in file) throw new Error(`host key ${index + 1} cannot be read: ${file.error}`);
    const key = parsePrivateKey(file.text);
    const readable = ssh2.utils.parseKey(key.exportText());
    if (readable instanceof Error)
      throw new Error(`host key ${index + 1} is not in a format that ssh2 reads`);
    return { exportText: () => key.exportText(), fingerprint: fingerprintSha256(key.blob), type: key.type };
  });
  if (keys.length === 0) throw new Error('no host key');
  // ssh2 offers them in this order; verifying and making ed25519 signatures is cheap for both sides.
  return keys.sort((a, b) => a.type.localeCompare(b.type));
}
