import { protocolInternals, type ProtocolInternals } from './ssh2-internals.js';

const SSH_MSG_EXT_INFO = 7;

function extInfoPayload(algorithms: readonly string[]): Buffer {
  const string = (text: string) => {
    const out = Buffer.alloc(4 + Buffer.byteLength(text));
    out.writeUInt32BE(out.length - 4, 0);
    out.write(text, 4);
    return out;
  };
  const head = Buffer.from([SSH_MSG_EXT_INFO, 0, 0, 0, 1]);
  return Buffer.concat([head, string('server-sig-algs'), string(algorithms.join(','))]);
}

function send(protocol: ProtocolInternals, payload: Buffer): void {
  const writer = protocol._packetRW.write;
  const packet = writer.alloc(payload.length);
  packet.set(payload, writer.allocStart);
  protocol._cipher.encrypt(writer.finalize(packet));
}

/**
 * Tells the client which signatures of user keys are taken (RFC 8308 3.1), instead of ssh2's own message: that one
 * lacks a comma between two names (`ecdsa-sha2-nistp521rsa-sha2-512`, Protocol.js sendExtInfo), so OpenSSH never uses
 * rsa-sha2-512, and it lists SHA-1.
 *
 * To be called before keys are exchanged for the first time. Returns false when this ssh2 is built differently: its
 * own message goes out then, and RSA keys sign with rsa-sha2-256.
 */
export function announceSignatureAlgorithms(client: unknown, algorithms: readonly string[]): boolean {
  const protocol = protocolInternals(client);
  if (protocol === undefined) return false;
  const original = protocol._onHandshakeComplete;
  protocol._onHandshakeComplete = (...args) => {
    protocol._onHandshakeComplete = original;
    // The message has to be the first one under the new keys, and ssh2 sends its own first thing.
    if (protocol._kex?.remoteExtInfoEnabled === true) {
      protocol._kex.remoteExtInfoEnabled = false;
      send(protocol, extInfoPayload(algorithms));
    }
    original(...args);
  };
  return true;
}
