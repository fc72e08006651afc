import { isIPv4, isIPv6 } from 'node:net';

/** 4 or 16 bytes. */
export type AddressBytes = readonly number[];

export interface AddressBlock {
  readonly bytes: AddressBytes;
  /** Leading bits that count. */
  readonly prefix: number;
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** IPv4-mapped IPv6 addresses come out as the IPv4 address; a zone (`%eth0`) is dropped. */
export function parseAddress(text: string): AddressBytes | undefined {
  const bytes = rawAddress(text.replace(/%[^%]*$/, ''));
  return bytes && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** An address, or an address and a prefix length with no bit set behind it (as OpenSSH wants it). */
export function parseBlock(text: string): AddressBlock | undefined {
  const match = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text);
  const raw = match?.[1] === undefined ? undefined : rawAddress(match[1]);
  if (!match || !raw) return undefined;
  const prefix = match[2] === undefined ? raw.length * 8 : Number(match[2]);
  if (prefix > raw.length * 8 || !hostBitsClear(raw, prefix)) return undefined;
  if (isMapped(raw) && prefix >= 96) return { bytes: raw.slice(12), prefix: prefix - 96 };
  return { bytes: raw, prefix };
}

export function blockContains(block: AddressBlock, address: AddressBytes): boolean {
  if (block.bytes.length !== address.length) return false;
  return block.bytes.every((byte, i) => {
    const bits = Math.min(8, Math.max(0, block.prefix - i * 8));
    return ((byte ^ (address[i] ?? 0)) & (0xff00 >> bits) & 0xff) === 0;
  });
}

/** What wildcards are compared with: dotted decimal, or the short lower-case form of IPv6 (RFC 5952). */
export function wildcardText(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

function rawAddress(text: string): AddressBytes | undefined {
  if (isIPv4(text)) return text.split('.').map(Number);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = text.split('::');
  const before = groupBytes(head);
  const after = groupBytes(tail ?? '');
  const gap = Array.from({ length: 16 - before.length - after.length }, () => 0);
  return [...before, ...gap, ...after];
}

function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function isMapped(bytes: AddressBytes): boolean {
  return bytes.length === 16 && MAPPED.every((byte, i) => byte === bytes[i]);
}

function hostBitsClear(bytes: AddressBytes, prefix: number): boolean {
  return bytes.every((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefix - i * 8));
    return (byte & (0xff >> bits)) === 0;
  });
}
