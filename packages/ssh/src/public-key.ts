import { createHash } from 'node:crypto';
import { WireReader } from './ssh-wire.js';

export type PublicKeyType = 'ssh-ed25519' | 'ssh-rsa';

export const MIN_RSA_BITS = 3072;
/** OpenSSH's SSHBUF_MAX_BIGNUM; larger ones only cost time. */
const MAX_RSA_BITS = 16_384;
const MAX_LINE = 16 * 1024;

export interface PublicKey {
  readonly type: PublicKeyType;
  /** SSH wire format (RFC 4253, 6.6; RFC 8709). */
  readonly blob: Buffer;
  /** Size of the modulus; 256 for ed25519. */
  readonly bits: number;
  readonly comment: string;
}

/** Why a public key is not one that this product uses. */
export class PublicKeyRefused extends Error {
  override readonly name = 'PublicKeyRefused';
  readonly reason: 'Malformed' | 'KeyTypeRefused' | 'KeyTooShort';

  constructor(reason: PublicKeyRefused['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Names of key types that begin a public line, used here or not: what tells a key from options. */
export function isKeyTypeName(word: string): boolean {
  return /^(ssh|ecdsa|sk|rsa|webauthn)-[a-z0-9@.-]+$/.test(word);
}

/**
 * `type base64 [comment]`.
 *
 * @throws PublicKeyRefused for anything but ed25519 and RSA of 3072 bits or more.
 */
export function parsePublicLine(line: string): PublicKey {
  if (line.length > MAX_LINE) throw new PublicKeyRefused('Malformed', 'the line is too long');
  const match = /^[ \t]*(\S+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+(.*?))?[ \t\r]*$/.exec(line);
  const [, type = '', encoded = '', comment = ''] = match ?? [];
  if (!match) throw new PublicKeyRefused('Malformed', 'not a key type followed by base64');
  const blob = Buffer.from(encoded, 'base64');
  return { ...parsePublicBlob(blob, type), comment };
}

/** @throws PublicKeyRefused */
export function parsePublicBlob(blob: Buffer, expectedType?: string): Omit<PublicKey, 'comment'> {
  try {
    const reader = new WireReader(blob);
    const type = reader.string().toString('latin1');
    if (expectedType !== undefined && type !== expectedType) {
      throw new PublicKeyRefused('Malformed', 'the key is of another type than the line says');
    }
    if (type === 'ssh-ed25519') return { type, blob, bits: ed25519Bits(reader) };
    if (type === 'ssh-rsa') return { type, blob, bits: rsaBits(reader) };
    throw new PublicKeyRefused('KeyTypeRefused', 'only ssh-ed25519 and ssh-rsa keys are accepted');
  } catch (err) {
    if (err instanceof RangeError) throw new PublicKeyRefused('Malformed', 'the key is cut short');
    throw err;
  }
}

function ed25519Bits(reader: WireReader): number {
  if (reader.string().length !== 32 || reader.left !== 0) {
    throw new PublicKeyRefused('Malformed', 'an ed25519 key has 32 bytes');
  }
  return 256;
}

function rsaBits(reader: WireReader): number {
  const exponent = positiveInteger(reader);
  const modulus = positiveInteger(reader);
  const bits = bitLength(modulus);
  if (reader.left !== 0) throw new PublicKeyRefused('Malformed', 'there is data after the key');
  // 1 would make every signature valid; even ones are no RSA exponents.
  if (bitLength(exponent) < 2 || bitLength(exponent) > 64 || (exponent.at(-1) ?? 0) % 2 === 0) {
    throw new PublicKeyRefused('Malformed', 'the RSA exponent is not usable');
  }
  if (bits < MIN_RSA_BITS) {
    throw new PublicKeyRefused(
      'KeyTooShort',
      `RSA keys need ${MIN_RSA_BITS} bits or more, this one has ${bits}`,
    );
  }
  if (bits > MAX_RSA_BITS) throw new PublicKeyRefused('Malformed', 'the RSA key is too large');
  return bits;
}

/** An mpint in its only form: no leading zeros but the one that keeps it positive. */
function positiveInteger(reader: WireReader): Buffer {
  const bytes = reader.string();
  const [first = 0, second = 0] = bytes;
  if (bytes.length === 0 || first >= 0x80 || (first === 0 && second < 0x80)) {
    throw new PublicKeyRefused('Malformed', 'an integer of the key is not in canonical form');
  }
  return first === 0 ? bytes.subarray(1) : bytes;
}

function bitLength(magnitude: Buffer): number {
  return magnitude.length * 8 - (Math.clz32(magnitude[0] ?? 0) - 24);
}

/** As `ssh-keygen -l` prints it: SHA256 of the wire format, base64 without padding. */
export function fingerprintOfBlob(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
