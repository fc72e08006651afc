import type { Identity } from '@dr-syncer/api';

type Capability = Identity['capabilities'][number];

/** Bit numbers of linux/capability.h. */
const bits: Readonly<Record<Capability, number>> = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  DAC_READ_SEARCH: 2,
  FOWNER: 3,
  FSETID: 4,
  MKNOD: 27,
  SETFCAP: 31,
};

/** The set as /proc/PID/status shows it: 16 hexadecimal digits. */
export function capabilityMask(capabilities: readonly Capability[]): string {
  const mask = capabilities.reduce((sum, name) => sum | (1n << BigInt(bits[name])), 0n);
  return mask.toString(16).padStart(16, '0');
}
