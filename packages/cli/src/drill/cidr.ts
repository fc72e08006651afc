import { isIP } from 'node:net';

import { InvalidArgumentError } from 'commander';

/** @returns the same text @throws InvalidArgumentError unless it is an address with a prefix length */
export function parseCidr(text: string): string {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const longest = { 4: 32, 6: 128 }[isIP(address)] ?? -1;
  if (rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= longest) return text;
  throw new InvalidArgumentError('Use an address with a prefix length, like 10.0.0.0/8.');
}
