import { Counter, Gauge, type Registry } from 'prom-client';

import { type AuthFailure, authFailureTable } from './authentication.js';
import type { LimitHit } from './limit-hits.js';

type Direction = 'received' | 'sent';

/** Metrics of the SSH server. One set a registry. */
export class SshMetrics {
  readonly connections: Counter;
  readonly connectionsOpen: Gauge;
  readonly unauthorizedAttempts: Counter<'reason'>;
  readonly authFailures: Counter<'reason'>;
  readonly receiveWindow: Gauge;
  readonly sessionsActive: Gauge<'kind'>;
  readonly bytes: Counter<'direction'>;
  readonly refusedCommands: Counter<'code'>;
  readonly windowStalls: Counter<'direction'>;
  readonly grants: Gauge;
  readonly fencedVolumes: Gauge;
  readonly fence: Gauge<'digest'>;
  readonly keyFileReloads: Counter<'file' | 'outcome'>;
  readonly keyFileProblems: Gauge;
  readonly #limitHits: Counter<'limit'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const name = (suffix: string) => `dr_syncer_ssh_${suffix}`;
    this.connections = new Counter({
      name: name('connections_total'),
      help: 'TCP connections accepted',
      registers,
    });
    this.connectionsOpen = new Gauge({
      name: name('connections_open'),
      help: 'TCP connections open now',
      registers,
    });
    this.unauthorizedAttempts = new Counter({
      name: name('unauthorized_attempts_total'),
      help: 'Connections that tried to log in and ended without a login, by the last reason',
      labelNames: ['reason'],
      registers,
    });
    this.authFailures = new Counter({
      name: name('auth_failures_total'),
      help: 'Login messages refused',
      labelNames: ['reason'],
      registers,
    });
    // From 0 on: a series that begins with 1 has not increased, says rate(), and the first attempt would go unnoticed.
    for (const reason of Object.keys(authFailureTable) as AuthFailure[]) {
      this.unauthorizedAttempts.inc({ reason }, 0);
      this.authFailures.inc({ reason }, 0);
    }
    this.#limitHits = new Counter({
      name: name('limit_hits_total'),
      help: 'Connections dropped or ended by a limit, and what one cut off',
      labelNames: ['limit'],
      registers,
    });
    this.sessionsActive = new Gauge({
      name: name('sessions_active'),
      help: 'Commands running',
      labelNames: ['kind'],
      registers,
    });
    this.bytes = new Counter({
      name: name('bytes_total'),
      help: 'Bytes of commands, before encryption',
      labelNames: ['direction'],
      registers,
    });
    this.refusedCommands = new Counter({
      name: name('refused_commands_total'),
      help: 'Requests refused after login',
      labelNames: ['code'],
      registers,
    });
    this.windowStalls = new Counter({
      name: name('window_stalls_total'),
      help: 'Times a transfer waited: for the peer to take data (sent), for rsync to take it (received)',
      labelNames: ['direction'],
      registers,
    });
    this.fencedVolumes = new Gauge({
      name: name('fenced_volumes'),
      help: 'Volumes that take no data because their standby is active',
      registers,
    });
    this.fence = new Gauge({
      name: name('fence'),
      help: 'Always 1; the label says which set of volumes is fenced, or that the file is broken',
      labelNames: ['digest'],
      registers,
    });
    this.receiveWindow = new Gauge({
      name: name('receive_window_bytes'),
      help: 'What receive windows have grown by, all sessions together',
      registers,
    });
    this.grants = new Gauge({ name: name('grants'), help: 'Grants open', registers });
    this.keyFileReloads = new Counter({
      name: name('key_file_reloads_total'),
      help: 'Times a file with keys was read again: applied, or kept as it was because the new one is broken',
      labelNames: ['file', 'outcome'],
      registers,
    });
    this.keyFileProblems = new Gauge({
      name: name('authorized_keys_problems'),
      help: 'Lines of the authorized_keys file that are not used',
      registers,
    });
  }

  limitHit(limit: LimitHit): void {
    this.#limitHits.inc({ limit });
  }

  /** Counters of one direction, looked up once: a transfer counts every chunk. */
  meter(direction: Direction): { bytes(count: number): void; stalled(): void } {
    const bytes = this.bytes.labels({ direction });
    const stalls = this.windowStalls.labels({ direction });
    return { bytes: (count) => bytes.inc(count), stalled: () => stalls.inc() };
  }
}
