import { createRequire } from 'node:module';

import type { Logger } from '@dr-syncer/runtime';

/**
 * Says loudly when ssh2's native addon is missing: it would fall back to node:crypto without a word, at half the
 * speed (a cipher object for every packet).
 */
export function warnWithoutNativeCrypto(logger: Logger): void {
  if (hasNativeCrypto()) return;
  logger.error('ssh2 runs without its native addon: transfers have half their speed and twice the CPU');
}

export function hasNativeCrypto(): boolean {
  try {
    const { bindingAvailable } = createRequire(import.meta.url)('ssh2/lib/protocol/crypto.js') as {
      bindingAvailable?: unknown;
    };
    return bindingAvailable === true;
  } catch {
    return false;
  }
}
