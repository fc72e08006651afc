/**
 * The private parts of ssh2 1.17 that this server relies on, in one place, each with a check that they still are what
 * they were. Everything that uses them has a way to do without, so a new ssh2 can cost speed, never correctness.
 */

/** One direction of a channel (lib/Channel.js). */
interface Flow {
  readonly id: number;
  /** Bytes that may still come in that direction. */
  window: number;
  readonly packetSize: number;
  state: string;
}

/** lib/protocol/Protocol.js */
export interface ProtocolInternals {
  channelWindowAdjust(id: number, bytes: number): void;
  /** Set while keys are being exchanged. */
  readonly _kexinit: unknown;
  _onHandshakeComplete: (...args: unknown[]) => void;
  _kex: { remoteExtInfoEnabled?: boolean } | undefined;
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number;
      alloc(size: number): Uint8Array;
      finalize(p: Uint8Array): Uint8Array;
    };
  };
  readonly _cipher: { encrypt(packet: Uint8Array): void };
}

/** lib/Channel.js */
export interface ChannelInternals {
  readonly incoming: Flow;
  readonly outgoing: Flow;
  readonly _client: { readonly _protocol: ProtocolInternals };
  push(chunk: Buffer | null): boolean;
  _read: () => void;
  /** `push` has said to wait; read by `_read` only. */
  readonly _waitChanDrain: boolean;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isFlow(value: unknown): value is Flow {
  return (
    isObject(value) &&
    typeof value['id'] === 'number' &&
    typeof value['window'] === 'number' &&
    typeof value['packetSize'] === 'number' &&
    typeof value['state'] === 'string'
  );
}

/** The channel's private side, or undefined when this ssh2 is built differently. */
export function channelInternals(channel: unknown): ChannelInternals | undefined {
  if (!isObject(channel) || !isFlow(channel['incoming']) || !isFlow(channel['outgoing'])) return undefined;
  if (typeof channel['_waitChanDrain'] !== 'boolean') return undefined;
  const client = channel['_client'];
  if (!isObject(client)) return undefined;
  const protocol = client['_protocol'];
  if (!isObject(protocol) || typeof protocol['channelWindowAdjust'] !== 'function') return undefined;
  if (!('_kexinit' in protocol)) return undefined;
  return channel as unknown as ChannelInternals;
}

/** The protocol of a client connection that has not exchanged keys yet, or undefined. */
export function protocolInternals(client: unknown): ProtocolInternals | undefined {
  const protocol = isObject(client) ? client['_protocol'] : undefined;
  if (!isObject(protocol) || typeof protocol['_onHandshakeComplete'] !== 'function') return undefined;
  const rw = protocol['_packetRW'];
  const write = isObject(rw) ? rw['write'] : undefined;
  if (!isObject(write) || typeof write['alloc'] !== 'function' || typeof write['finalize'] !== 'function') {
    return undefined;
  }
  const cipher = protocol['_cipher'];
  if (!isObject(cipher) || typeof cipher['encrypt'] !== 'function') return undefined;
  return protocol as unknown as ProtocolInternals;
}

/** Packet size that the client of an accepted session announced (lib/server.js `Session._chanInfo`). */
export function announcedPacketSize(session: unknown): number | undefined {
  const info = isObject(session) ? session['_chanInfo'] : undefined;
  const outgoing = isObject(info) ? info['outgoing'] : undefined;
  return isFlow(outgoing) ? outgoing.packetSize : undefined;
}

/** Keys are being exchanged on this connection. False, too, when this ssh2 is built differently. */
export function isExchangingKeys(client: unknown): boolean {
  const protocol = isObject(client) ? client['_protocol'] : undefined;
  return isObject(protocol) && protocol['_kexinit'] !== undefined;
}
