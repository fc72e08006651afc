import { isIPv6 } from 'node:net';

/** `::ffff:192.0.2.1`, as a dual-stack socket reports an IPv4 peer, is the IPv4 address. A zone index is dropped. */
export function normalizeAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address.replace(/%.*$/, '');
}

/**
 * What the limits per source count by: an IPv4 address, or the /64 of an IPv6 address, because whoever has one address
 * of a /64 usually has them all.
 */
export function sourceKey(address: string): string {
  const plain = normalizeAddress(address);
  if (!isIPv6(plain)) return plain;
  return `${expandIPv6(plain).slice(0, 4).join(':')}::/64`;
}

function expandIPv6(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = groups(tail ?? '');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(missing).fill('0'), ...right].map((g) =>
    g.replace(/^0+(?=.)/, '').toLowerCase(),
  );
}
