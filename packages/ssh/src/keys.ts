import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { promisify } from 'node:util';
import { DrError } from '@dr-syncer/api';
import { hasControlCharacter } from './control-characters.js';
import { forge, ssh2 } from './lazy-libraries.js';
import { encodeOpensshEd25519 } from './openssh-key-format.js';
import {
  fingerprintOfBlob,
  MIN_RSA_BITS,
  parsePublicBlob,
  parsePublicLine,
  PublicKeyRefused,
  type PublicKeyType,
} from './public-key.js';
import { Redacted } from './redacted.js';
import { wireString } from './ssh-wire.js';

const generateKeyPairOnThreadPool = promisify(generateKeyPair);

/** PEM of RSA-16384 is about 13 KB; anything much larger is no key. */
const MAX_KEY_TEXT = 32 * 1024;

/** A private key that does not print; only `exportText()` gives the secret away. */
export class PrivateKey extends Redacted {
  readonly type: PublicKeyType;
  /** Modulus size of RSA, 256 for ed25519. */
  readonly bits: number;
  readonly comment: string;
  /** SSH wire format of the public half. */
  readonly blob: Buffer;
  /** `ssh-rsa AAAA... comment`. */
  readonly publicLine: string;
  /** `SHA256:...` */
  readonly fingerprint: string;
  readonly #text: string;

  /** `blob` has to be the public half of `text`: use `parsePrivateKey` for anything that comes from outside. */
  constructor(parts: { text: string; blob: Buffer; comment: string }) {
    super();
    const { type, bits } = parsePublicBlob(parts.blob);
    this.type = type;
    this.bits = bits;
    this.comment = checkComment(parts.comment);
    this.blob = parts.blob;
    this.publicLine = lineOf(type, parts.blob, this.comment);
    this.fingerprint = fingerprintOfBlob(parts.blob);
    this.#text = parts.text;
  }

  /** The secret: PKCS#1 PEM for RSA, OpenSSH's format for ed25519. ssh2 and OpenSSH read both. */
  exportText(): string {
    return this.#text;
  }
}

export type RsaKey = PrivateKey & { readonly type: 'ssh-rsa' };

/** A key pair for one transfer, in memory only. It cannot be exported. */
export class TransferKey extends Redacted {
  readonly comment: string;
  readonly publicLine: string;
  readonly blob: Buffer;
  readonly fingerprint: string;
  readonly #key: KeyObject;

  constructor(key: KeyObject, comment: string) {
    super();
    this.comment = checkComment(comment);
    this.blob = ed25519Blob(key);
    this.publicLine = lineOf('ssh-ed25519', this.blob, this.comment);
    this.fingerprint = fingerprintOfBlob(this.blob);
    this.#key = key;
  }

  /** Raw ed25519 signature, 64 bytes. */
  sign(data: Buffer): Buffer {
    return sign(null, data, this.#key);
  }
}

/** Made on the thread pool; 4096 bits take about a second of a core. `comment` goes into the public line. */
export async function generateRsaKey(bits = 4096, comment = ''): Promise<RsaKey> {
  if (!Number.isInteger(bits) || bits < MIN_RSA_BITS || bits > 8192) {
    throw new RangeError(`RSA keys are made with ${MIN_RSA_BITS} to 8192 bits`);
  }
  const { privateKey } = await generateKeyPairOnThreadPool('rsa', { modulusLength: bits });
  return rsaKey(privateKey, comment);
}

/** A host key for the agent's SSH server; RSA has 4096 bits. */
export async function generateHostKey(type: 'ed25519' | 'rsa', comment = ''): Promise<PrivateKey> {
  return type === 'rsa' ? generateRsaKey(4096, comment) : ed25519Key(generateEd25519(), comment);
}

export function generateTransferKey(comment = ''): TransferKey {
  return new TransferKey(generateEd25519(), comment);
}

function generateEd25519(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

/**
 * RSA of 3072 bits or more or ed25519, without a passphrase, as PKCS#1, PKCS#8 or OpenSSH text. `comment` is used
 * when given; OpenSSH's format brings its own.
 *
 * @throws DrError KeyInvalid; the message never holds any of the text.
 */
export function parsePrivateKey(text: string, comment?: string): PrivateKey {
  if (text.length > MAX_KEY_TEXT) throw keyInvalid('it is too long');
  // Errors of the parsers are not passed on as a cause either: they may quote what they read.
  const opened = openKey(text);
  if (!opened) throw keyInvalid('it cannot be read as an unencrypted private key');
  const { key, ownComment } = opened;
  if (!signs(key)) throw keyInvalid('its parts do not belong together');
  try {
    if (key.asymmetricKeyType === 'rsa') return rsaKey(key, comment ?? ownComment);
    if (key.asymmetricKeyType === 'ed25519') return ed25519Key(key, comment ?? ownComment);
  } catch (err) {
    throw keyInvalid(err instanceof PublicKeyRefused ? err.message : 'it cannot be used');
  }
  throw keyInvalid('it is neither RSA nor ed25519');
}

/** OpenSSL loads RSA keys without looking whether their numbers fit. */
function signs(key: KeyObject): boolean {
  const data = randomBytes(32);
  const hash = key.asymmetricKeyType === 'rsa' ? 'sha256' : null;
  try {
    return verify(hash, data, createPublicKey(key), sign(hash, data, key));
  } catch {
    return false;
  }
}

function openKey(text: string): { key: KeyObject; ownComment: string } | undefined {
  try {
    if (!text.includes('BEGIN OPENSSH PRIVATE KEY')) return { key: createPrivateKey(text), ownComment: '' };
    const parsed = ssh2().utils.parseKey(text);
    if (parsed instanceof Error) return undefined;
    const ownComment = isComment(parsed.comment) ? parsed.comment : '';
    return { key: createPrivateKey(parsed.getPrivatePEM()), ownComment };
  } catch {
    return undefined;
  }
}

function rsaKey(key: KeyObject, comment: string): RsaKey {
  const text = key.export({ type: 'pkcs1', format: 'pem' }) as string;
  const publicPem = createPublicKey(key).export({ type: 'pkcs1', format: 'pem' }) as string;
  const { pki, ssh } = forge();
  const line = ssh.publicKeyToOpenSSH(pki.publicKeyFromPem(publicPem), '');
  const { blob } = parsePublicLine(line);
  return new PrivateKey({ text, blob, comment }) as RsaKey;
}

function ed25519Key(key: KeyObject, comment: string): PrivateKey {
  const seed = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
  const text = encodeOpensshEd25519({ seed, publicKey: ed25519Public(key), comment, check: randomBytes(4) });
  return new PrivateKey({ text, blob: ed25519Blob(key), comment });
}

function ed25519Blob(key: KeyObject): Buffer {
  return Buffer.concat([wireString('ssh-ed25519'), wireString(ed25519Public(key))]);
}

function ed25519Public(key: KeyObject): Buffer {
  return Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url');
}

/** `type base64 comment` for a key. */
export function publicLineOf(key: PrivateKey | TransferKey, comment = key.comment): string {
  return lineOf('type' in key ? key.type : 'ssh-ed25519', key.blob, checkComment(comment));
}

function lineOf(type: PublicKeyType, blob: Buffer, comment: string): string {
  return `${type} ${blob.toString('base64')} ${comment}`.trimEnd();
}

/** @throws RangeError: a comment that is not one printable line would make other lines of a file. */
function checkComment(comment: string): string {
  if (isComment(comment)) return comment;
  throw new RangeError('the comment of a key is one line of at most 256 printable characters');
}

function isComment(comment: string): boolean {
  return comment.length <= 256 && !hasControlCharacter(comment) && comment === comment.trim();
}

/** `SHA256:...` of a key in wire format, or of a public line. @throws DrError KeyInvalid */
export function fingerprintSha256(key: Buffer | string): string {
  try {
    return fingerprintOfBlob(typeof key === 'string' ? parsePublicLine(key).blob : parsePublicBlob(key).blob);
  } catch (err) {
    throw keyInvalid(err instanceof PublicKeyRefused ? err.message : 'it cannot be read');
  }
}

function keyInvalid(reason: string): DrError {
  return new DrError('KeyInvalid', `The key is not usable: ${reason}.`);
}
