import { refusalTable, type RefusalCode } from '@dr-syncer/ssh';

/** Refusals of the server itself; those of the rsync request grammar are in `@dr-syncer/ssh`. */
const table = {
  ShellRefused: 'A shell was asked for; keys run their forced command only.',
  PtyRefused: 'A terminal was asked for.',
  SubsystemRefused: 'A subsystem (sftp included) was asked for.',
  EnvironmentRefused: 'A variable of the environment was sent.',
  X11Refused: 'X11 forwarding was asked for.',
  AgentRefused: 'Forwarding of the SSH agent was asked for.',
  SignalRefused: 'A signal for the command was sent.',
  ForwardingRefused: 'Forwarding of TCP or Unix-domain connections was asked for.',
  SecondChannel: 'A connection has one channel and runs one command.',
  PacketSizeRefused: 'The client announced a packet size with which no session can be served.',
  ControlOnly: 'The key opens the control protocol, and something else was asked for.',
  ControlNotAvailable: 'This server does not speak the control protocol (stand-alone mode).',
  VolumeNotAvailable: 'The directory of the key is not a volume that this server can open.',
  GrantNotFound: 'The key is for a grant that has been withdrawn or has expired.',
  StartFailed: 'rsync could not be started; the log of the agent says why.',
} as const satisfies Record<string, string>;

export type ServerRefusalCode = keyof typeof table | RefusalCode;

/** Code to meaning: the label values of `dr_syncer_ssh_refused_commands_total` and the audit log's `code`. */
export const serverRefusalTable: Readonly<Record<ServerRefusalCode, string>> = { ...table, ...refusalTable };

/** Why something that was asked for is not run. `message` may be shown to the peer. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: ServerRefusalCode;

  constructor(
    code: ServerRefusalCode,
    message: string = serverRefusalTable[code],
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.code = code;
  }
}
