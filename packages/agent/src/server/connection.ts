import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { Connection, ServerChannel } from 'ssh2';

import type { Logger } from '@dr-syncer/runtime';
import { RequestRefused } from '@dr-syncer/ssh';

import type { AuditFields, AuditLog } from '../audit/audit-log.js';
import type { Admission } from './admission.js';
import { USER_SIGNATURE_ALGORITHMS } from './algorithms.js';
import type { AcceptedKey } from './authentication.js';
import { guardConnection } from './channel-guard.js';
import { type Command, planCommand } from './command.js';
import { EXIT_REFUSED, finishChannel } from './exec-channel.js';
import { announceSignatureAlgorithms } from './ext-info.js';
import type { KeyRing } from './key-ring.js';
import type { SshLimits } from '@dr-syncer/ssh';
import type { LimitHit } from './limit-hits.js';
import { Login } from './login.js';
import type { SshMetrics } from './metrics.js';
import type { ReceiverBackend } from './receiver.js';
import { Refused, type ServerRefusalCode } from './refusals.js';
import { RoundTrip } from './round-trip.js';
import { RsyncSession, type SessionEnd } from './rsync-session.js';
import { isExchangingKeys } from './ssh2-internals.js';
import { guardReceiveWindow, type WindowBudget } from './window.js';

/** Serves the control protocol on a channel until it or the signal ends. */
export type ControlService = (
  channel: Duplex,
  caller: { readonly fingerprint: string; readonly address: string; readonly signal: AbortSignal },
) => Promise<void>;

export interface ConnectionDeps {
  readonly user: string;
  readonly keys: KeyRing;
  readonly limits: SshLimits;
  readonly metrics: SshMetrics;
  readonly audit: AuditLog;
  readonly logger: Logger;
  readonly admission: Admission;
  readonly budget: WindowBudget;
  readonly receivers: ReceiverBackend;
  /** Absent: stand-alone mode. */
  readonly control?: ControlService;
  readonly now: () => Date;
}

/** How long a connection may take to end by itself before its socket is destroyed. */
const LINGER_MS = 5_000;
const MAX_TIMER_MS = 2 ** 31 - 1;
const LOGGED_COMMAND = 1024;

/** One client, from its TCP connection to its end. */
export class SshConnection {
  readonly #deps: ConnectionDeps;
  readonly #socket: Socket;
  readonly #address: string;
  readonly #source: string;
  readonly #audit: AuditLog;
  readonly #login: Login;
  readonly #roundTrip = new RoundTrip();
  readonly #abort = new AbortController();
  readonly #startedAt = Date.now();
  readonly #timers = new Set<NodeJS.Timeout>();
  #stage: NodeJS.Timeout | undefined;
  #client: Connection | undefined;
  #session: RsyncSession | undefined;
  #starting = true;
  #refusals = 0;
  #rekeys = 0;
  #rekeyingSince: number | undefined;
  #endReason: string | undefined;

  constructor(
    deps: ConnectionDeps,
    socket: Socket,
    peer: { readonly id: number; readonly address: string; readonly source: string },
  ) {
    this.#deps = deps;
    this.#socket = socket;
    this.#address = peer.address;
    this.#source = peer.source;
    this.#audit = {
      record: (event, fields) =>
        deps.audit.record(event, { connection: peer.id, remote_addr: peer.address, ...fields }),
    };
    this.#login = new Login({ ...deps, audit: this.#audit }, peer.address, (limit) => this.#limit(limit));
    this.#nextStage(deps.limits.loginGraceSeconds, 'loginGrace');
    this.#audit.record('connection', {});
    socket.once('close', () => this.#closed());
    socket.on('data', () => this.#checkSendBuffer());
  }

  get accepted(): AcceptedKey | undefined {
    return this.#login.accepted;
  }

  get address(): string {
    return this.#address;
  }

  /** ssh2 has read the client's introduction; keys are exchanged next. */
  attach(client: Connection): void {
    const { deps } = { deps: this.#deps };
    this.#client = client;
    // Without a listener, garbage from anybody would end the process ("Bad packet length").
    client.on('error', (err) => this.#failed(err));
    const refusal = deps.admission.handshake(this.#source, Date.now());
    if (refusal !== undefined) {
      this.#limit(refusal);
      return;
    }
    announceSignatureAlgorithms(client, USER_SIGNATURE_ALGORITHMS);
    client.on('authentication', (context) => {
      this.#roundTrip.heard();
      this.#login.answer(context, (match) => this.#admit(match));
      this.#roundTrip.answered();
    });
    client.on('ready', () => this.#ready());
    client.on('rekey', () => this.#rekeyed());
    guardConnection(client, {
      refused: (code) => this.#refused(code),
      unusable: (code) => {
        this.#refused(code);
        this.close(code);
      },
      command: (accept, requested) => this.#command(accept(), requested),
    });
  }

  /** Ends it: rsync is ended first, then the client is told, then the socket goes. */
  close(reason: string): void {
    if (this.#endReason !== undefined) return;
    this.#endReason = reason;
    this.#abort.abort(new Error(reason));
    this.#client?.end();
    this.#socket.destroySoon();
    this.#later(LINGER_MS, () => this.#socket.destroy());
  }

  /** Looked at once a second by the server. */
  sweep(now: number): void {
    this.#checkSendBuffer();
    if (!this.#starting && isExchangingKeys(this.#client)) {
      this.#rekeyingSince ??= now;
      // Whatever is to be sent waits in ssh2 meanwhile, so a key exchange must not be left hanging.
      if (now - this.#rekeyingSince > this.#deps.limits.loginGraceSeconds * 1000) this.#limit('rekey');
    } else {
      this.#rekeyingSince = undefined;
    }
  }

  #admit(match: AcceptedKey): boolean {
    const refusal = this.#deps.admission.connection(match.key.fingerprint);
    if (refusal === undefined) {
      this.#endStartup();
      return true;
    }
    this.#limit(refusal);
    return false;
  }

  #ready(): void {
    const { limits, now } = this.#deps;
    this.#nextStage(limits.commandGraceSeconds, 'commandGrace');
    const expiresAt = this.accepted?.key.options.expiresAt;
    if (expiresAt === undefined) return;
    const left = expiresAt.getTime() - now().getTime();
    this.#later(Math.min(left, MAX_TIMER_MS), () => this.close('Expired'));
  }

  #command(channel: ServerChannel, requested: string): void {
    clearTimeout(this.#stage);
    const match = this.accepted;
    if (match === undefined) return;
    guardReceiveWindow(channel, () => this.#limit('receiveWindow'));
    channel.on('error', () => this.close('channel'));
    void this.#run(channel, match, requested);
  }

  async #run(channel: ServerChannel, match: AcceptedKey, requested: string): Promise<void> {
    const { limits, metrics } = this.#deps;
    const audit = this.#audit;
    const who = this.#fields(match, requested);
    let kind: Command['kind'] | undefined;
    try {
      const command = planCommand(match, requested, limits.requestBytes);
      kind = command.kind;
      metrics.sessionsActive.inc({ kind });
      const startedAt = Date.now();
      const end =
        command.kind === 'control'
          ? await this.#control(channel, match, who)
          : await this.#rsync(channel, command, who);
      audit.record('end', { ...who, ...end, duration_ms: Date.now() - startedAt, reason: this.#endReason });
    } catch (err) {
      this.#refuseCommand(channel, who, err);
    } finally {
      if (kind !== undefined) metrics.sessionsActive.dec({ kind });
      this.#nextStage(LINGER_MS / 1000, 'linger');
    }
  }

  async #control(channel: ServerChannel, match: AcceptedKey, who: AuditFields): Promise<object> {
    const { control } = this.#deps;
    if (control === undefined) throw new Refused('ControlNotAvailable');
    this.#audit.record('command', { ...who, decision: 'allowed', kind: 'control' });
    await control(channel, {
      fingerprint: match.key.fingerprint,
      address: this.#address,
      signal: this.#abort.signal,
    });
    if (!this.#abort.signal.aborted) finishChannel(channel, { exitCode: 0, signal: null, stderr: '' });
    return {};
  }

  async #rsync(
    channel: ServerChannel,
    command: Extract<Command, { kind: 'rsync' }>,
    who: AuditFields,
  ): Promise<object> {
    const { limits, metrics, budget, receivers, logger } = this.#deps;
    const signal = this.#abort.signal;
    const receiver = await receivers.start(command.target, command.argv, signal);
    this.#audit.record('command', { ...who, decision: 'allowed', kind: 'rsync' });
    const session = new RsyncSession({
      channel,
      socket: this.#socket,
      limits,
      metrics,
      budget,
      line: {
        max: Math.min(limits.windowBytes, this.#roundTrip.usefulWindow()),
        roundTripMs: this.#roundTrip.shortest,
      },
      signal,
      onLimit: (limit) => this.#limit(limit),
    });
    this.#session = session;
    const end: SessionEnd = await session.run(receiver);
    logger.debug('rsync ended', { remote: this.#address, ...end });
    return { exit_code: end.exitCode, signal: end.signal, bytes_in: end.received, bytes_out: end.sent };
  }

  #refuseCommand(channel: ServerChannel, who: AuditFields, err: unknown): void {
    if (this.#abort.signal.aborted) return;
    const refused = err instanceof Refused ? err : new Refused('StartFailed', undefined, { cause: err });
    // What the client did wrong is in the audit log; this is for what went wrong here.
    if (refused.cause !== undefined && !(refused.cause instanceof RequestRefused)) {
      this.#deps.logger.warn('command not started', {
        code: refused.code,
        remote: this.#address,
        err: refused.cause,
      });
    }
    this.#deps.metrics.refusedCommands.inc({ code: refused.code });
    this.#audit.record('command', { ...who, decision: 'refused', code: refused.code });
    const stderr = `dr-syncer: refused: ${refused.code}: ${refused.message}\n`;
    finishChannel(channel, { exitCode: EXIT_REFUSED, signal: null, stderr });
  }

  #refused(code: ServerRefusalCode): void {
    this.#deps.metrics.refusedCommands.inc({ code });
    // Debian's ssh_config sends LANG with every session: counted, but not an event for the audit log.
    if (code === 'EnvironmentRefused') return;
    this.#audit.record('request', { ...this.#fields(this.accepted), decision: 'refused', code });
    this.#refusals += 1;
    if (this.#refusals >= this.#deps.limits.refusals) this.#limit('refusals');
  }

  #fields(match: AcceptedKey | undefined, command?: string): AuditFields {
    return {
      user: this.#deps.user,
      fingerprint: match?.key.fingerprint,
      grant: match?.grant?.id,
      command: command?.slice(0, LOGGED_COMMAND),
    };
  }

  #rekeyed(): void {
    this.#rekeys += 1;
    const moved = this.#socket.bytesRead + this.#socket.bytesWritten;
    if (this.#rekeys > this.#deps.limits.rekeys + moved / 2 ** 20) this.#limit('rekeys');
    else this.#session?.rekeyed();
  }

  #checkSendBuffer(): void {
    if (this.#socket.writableLength > this.#deps.limits.sendBufferMaxBytes) {
      this.#limit('sendBuffer');
      this.#socket.destroy();
    }
  }

  #limit(limit: LimitHit | 'linger'): void {
    if (this.#endReason !== undefined) return;
    if (limit !== 'linger') this.#deps.metrics.limitHit(limit);
    this.close(limit);
  }

  #failed(err: Error): void {
    this.#deps.logger.debug('connection failed', { remote: this.#address, err });
    // As ssh2 says that keepalives were not answered.
    if ('level' in err && err.level === 'client-timeout') this.#limit('keepalive');
    else this.close('protocol');
  }

  #nextStage(seconds: number, limit: LimitHit | 'linger'): void {
    clearTimeout(this.#stage);
    if (this.#endReason !== undefined || this.#socket.destroyed) return;
    this.#stage = setTimeout(() => this.#limit(limit), seconds * 1000);
  }

  #later(ms: number, action: () => void): void {
    const timer = setTimeout(action, ms);
    this.#timers.add(timer);
  }

  #endStartup(): void {
    if (!this.#starting) return;
    this.#starting = false;
    this.#deps.admission.endStartup(this.#source);
  }

  #closed(): void {
    clearTimeout(this.#stage);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#endReason ??= 'client';
    this.#abort.abort(new Error(this.#endReason));
    this.#endStartup();
    const { accepted } = this;
    if (accepted !== undefined) this.#deps.admission.endConnection(accepted.key.fingerprint);
    else if (this.#login.lastFailure !== undefined && this.#login.lastFailure !== 'Retired') {
      this.#deps.metrics.unauthorizedAttempts.inc({ reason: this.#login.lastFailure });
    }
    this.#audit.record('disconnect', {
      fingerprint: accepted?.key.fingerprint,
      reason: this.#endReason,
      bytes_in: this.#socket.bytesRead,
      bytes_out: this.#socket.bytesWritten,
      duration_ms: Date.now() - this.#startedAt,
    });
  }
}
