import type { Connection, ServerChannel, Session } from 'ssh2';

import type { ServerRefusalCode } from './refusals.js';
import { announcedPacketSize } from './ssh2-internals.js';

export interface GuardCallbacks {
  /** Something was asked for that is never given. */
  readonly refused: (code: ServerRefusalCode) => void;
  /** The session cannot be served at all. */
  readonly unusable: (code: ServerRefusalCode) => void;
  /** The one command of the connection. */
  readonly command: (accept: () => ServerChannel, requested: string) => void;
}

/**
 * Below this no session is served. With a packet size of 0 ssh2's Channel._write would loop for ever, and with 1 it
 * would make a packet of 64 bytes for every byte. OpenSSH announces 32 KiB; RFC 4253 6.1 wants at least that.
 */
const MIN_PACKET_SIZE = 1024;

/** Of all that SSH offers after a login, one session channel with one command is left. */
export function guardConnection(client: Connection, callbacks: GuardCallbacks): void {
  let opened = false;
  client.on('session', (accept, reject) => {
    if (opened) {
      reject();
      callbacks.refused('SecondChannel');
      return;
    }
    opened = true;
    const session = accept();
    if ((announcedPacketSize(session) ?? MIN_PACKET_SIZE) < MIN_PACKET_SIZE) {
      callbacks.unusable('PacketSizeRefused');
      return;
    }
    guardSession(session, callbacks);
  });
  const forwarding = (_accept: unknown, reject: (() => void) | undefined) => {
    reject?.();
    callbacks.refused('ForwardingRefused');
  };
  client.on('tcpip', forwarding);
  client.on('openssh.streamlocal', forwarding);
  client.on('request', forwarding);
}

function guardSession(session: Session, callbacks: GuardCallbacks): void {
  const refuse = (code: ServerRefusalCode) => (_accept: unknown, reject: unknown) => {
    if (typeof reject === 'function') (reject as () => void)();
    callbacks.refused(code);
  };
  session.on('pty', refuse('PtyRefused'));
  session.on('env', refuse('EnvironmentRefused'));
  session.on('x11', refuse('X11Refused'));
  session.on('auth-agent', refuse('AgentRefused'));
  session.on('signal', refuse('SignalRefused'));
  session.on('shell', refuse('ShellRefused'));
  session.on('sftp', refuse('SubsystemRefused'));
  session.on('subsystem', refuse('SubsystemRefused'));
  let started = false;
  session.on('exec', (accept, reject, info) => {
    if (started) {
      reject();
      callbacks.refused('SecondChannel');
      return;
    }
    started = true;
    callbacks.command(accept, info.command);
  });
}
