import { isDeepStrictEqual } from 'node:util';

import { DrError, SSH_USER } from '@dr-syncer/api';
import {
  type AuthorizedKey,
  type Grant,
  type Params,
  parseAuthorizedKeys,
  renderAuthorizedKey,
  type Result,
} from '@dr-syncer/ssh';

import type { AuditLog } from '../audit/audit-log.js';
import { identityFields } from '../audit/identity-fields.js';
import type { KeyRing } from '../server/key-ring.js';
import type { SshMetrics } from '../server/metrics.js';
import type { Fence } from './fence.js';
import type { MoverLink } from './mover-link.js';
import { Pacer } from './pacer.js';

export interface GrantsDeps {
  readonly mover: Pick<MoverLink, 'request' | 'onLost'>;
  readonly keys: KeyRing;
  readonly metrics: SshMetrics;
  readonly audit: AuditLog;
  readonly fence: Pick<Fence, 'check' | 'isFenced'>;
  /** Grants that may be open at a time. */
  readonly max: number;
  readonly now: () => Date;
  /** Ends the connections whose key has gone. */
  readonly onRemoved: () => void;
}

interface OpenGrant {
  /** Fingerprint of the key that asked for it last. */
  by: string;
  readonly grant: Grant;
  readonly line: string;
  readonly key: AuthorizedKey;
  readonly path: string;
  readonly timer: NodeJS.Timeout;
  readonly pacer?: Pacer;
}

type CloseReason = 'Closed' | 'Expired' | 'Replaced' | 'MoverLost' | 'Fenced' | 'KeyRevoked' | 'Shutdown';

/** A transfer that has not begun in a week never will; also within what a timer can hold. */
const MAX_LIFETIME_MS = 7 * 86_400_000;

function writesTo({ direction, volume }: Grant, fence: GrantsDeps['fence']): boolean {
  return direction === 'write' && fence.isFenced(volume.pvName);
}

/** What the mover needs to know of a grant: not who may use it, but what with. */
function receiverOf(grant: Grant): Params<'receivers.open'> {
  const { id, volume, direction, allowDelete, expiresAt, identity, idMap, preserve, holder, streams } = grant;
  const common = { id, volume, direction, allowDelete, expiresAt, identity, preserve, holder, streams };
  return { ...common, ...(idMap && { idMap }) };
}

/**
 * The keys that the controller gives out, each for one transfer: a line of authorized_keys that is there for a while.
 * They live as long as this process and the mover's; after a restart of either the next run opens new ones.
 */
export class Grants {
  readonly #deps: GrantsDeps;
  readonly #open = new Map<string, OpenGrant>();
  /** Opening takes time: the same id must not be opened twice meanwhile. */
  readonly #opening = new Set<string>();

  constructor(deps: GrantsDeps) {
    this.#deps = deps;
    deps.mover.onLost(() => this.closeAll('MoverLost'));
  }

  /**
   * Has the mover fix directory and identity, then lets the key in. The same grant again is answered as before, so an
   * answer that was lost can be asked for again; another one with the same id takes its place.
   *
   * @param by fingerprint of the key that asks
   * @throws DrError VolumeFenced, BadRequest, or what the mover says
   */
  async open(grant: Grant, by: string, signal: AbortSignal): Promise<Result<'grants.open'>> {
    this.#checkFence(grant);
    const present = this.#open.get(grant.id);
    if (present !== undefined && isDeepStrictEqual(present.grant, grant)) {
      present.by = by;
      return { path: present.path, user: SSH_USER };
    }
    if (this.#opening.has(grant.id)) throw new DrError('Busy', 'this grant is being opened');
    const left = this.#checkLifetime(grant);
    if (present === undefined && this.#open.size + this.#opening.size >= this.#deps.max) {
      this.#deps.metrics.limitHit('grants');
      throw new DrError('Busy', `${this.#deps.max} grants are open`);
    }
    this.#opening.add(grant.id);
    try {
      if (present !== undefined) await this.close(grant.id, 'Replaced');
      return await this.#install(grant, by, left, signal);
    } finally {
      this.#opening.delete(grant.id);
    }
  }

  /** False: there is no such grant (any more). Its running sessions are ended. */
  async close(id: string, reason: CloseReason = 'Closed'): Promise<boolean> {
    if (!this.#remove(id, reason)) return false;
    // The line is gone, so nothing new starts; a mover that is gone has closed it itself.
    await this.#deps.mover.request('receivers.close', { id }).catch(() => undefined);
    return true;
  }

  /** False: there is no such grant, or it was opened without a rate. */
  pace(id: string, bytesPerSecond: number): boolean {
    const pacer = this.#open.get(id)?.pacer;
    if (pacer === undefined) return false;
    pacer.bytesPerSecond = bytesPerSecond;
    return true;
  }

  /** What holds the streams of a grant to its rate; undefined: they have none. */
  pacerOf(id: string): Pacer | undefined {
    return this.#open.get(id)?.pacer;
  }

  list(): Result<'grants.list'> {
    const grants = [...this.#open.values()].map(({ grant, line }) => ({
      id: grant.id,
      line,
      expiresAt: grant.expiresAt,
    }));
    return { grants };
  }

  /** Ends what writes to volumes that are fenced by now. */
  async closeFenced(): Promise<void> {
    const fenced = [...this.#open.values()].filter(({ grant }) => writesTo(grant, this.#deps.fence));
    await Promise.all(fenced.map(({ grant }) => this.close(grant.id, 'Fenced')));
  }

  /** Ends what a key opened that has been revoked. @returns how many there were */
  async closeOpenedBy(fingerprint: string): Promise<number> {
    const ids = [...this.#open].filter(([, { by }]) => by === fingerprint).map(([id]) => id);
    await Promise.all(ids.map((id) => this.close(id, 'KeyRevoked')));
    return ids.length;
  }

  closeAll(reason: CloseReason): void {
    for (const id of [...this.#open.keys()]) this.#remove(id, reason);
  }

  async #install(
    grant: Grant,
    by: string,
    lifetimeMs: number,
    signal: AbortSignal,
  ): Promise<Result<'grants.open'>> {
    const { path } = await this.#deps.mover.request('receivers.open', receiverOf(grant), { signal });
    try {
      // Fenced while the mover was asked.
      this.#checkFence(grant);
      const { line, key } = this.#render(grant, path);
      this.#deps.keys.addGrant({ id: grant.id, allowDevices: grant.preserve.devices }, key);
      const timer = setTimeout(() => void this.close(grant.id, 'Expired'), lifetimeMs);
      timer.unref();
      const { bytesPerSecond } = grant;
      const pacer = bytesPerSecond === undefined ? {} : { pacer: new Pacer(bytesPerSecond) };
      this.#open.set(grant.id, { by, grant, line, key, path, timer, ...pacer });
      this.#deps.metrics.grants.set(this.#open.size);
      this.#record('opened', grant, key, { path });
      return { path, user: SSH_USER };
    } catch (err) {
      await this.#deps.mover.request('receivers.close', { id: grant.id }).catch(() => undefined);
      throw err;
    }
  }

  /** The line is read back, so what is enforced is what is listed. */
  #render(grant: Grant, path: string): { line: string; key: AuthorizedKey } {
    const line = renderAuthorizedKey({
      publicKey: grant.publicKey,
      command: { kind: 'confined', direction: grant.direction, allowDelete: grant.allowDelete, dir: path },
      from: grant.from,
      expiresAt: new Date(grant.expiresAt),
      comment: grant.id,
    });
    const { keys, problems } = parseAuthorizedKeys(line, this.#deps.now());
    const [key] = keys;
    if (key === undefined || problems.length > 0) {
      throw new DrError(
        'BadRequest',
        problems[0]?.message ?? 'the grant is not usable as a line of authorized_keys',
      );
    }
    // The first line that has a key is the one that counts: a second meaning for it would never be looked at.
    if (this.#deps.keys.has(key.blob)) throw new DrError('BadRequest', 'the key is in use already');
    return { line, key };
  }

  #checkFence(grant: Grant): void {
    if (grant.direction === 'write') this.#deps.fence.check(grant.volume.pvName);
  }

  #checkLifetime(grant: Grant): number {
    const left = Date.parse(grant.expiresAt) - this.#deps.now().getTime();
    if (left <= 0) throw new DrError('BadRequest', 'the grant has expired already');
    if (left > MAX_LIFETIME_MS) throw new DrError('BadRequest', 'a grant lasts a week at most');
    return left;
  }

  #remove(id: string, reason: CloseReason): boolean {
    const open = this.#open.get(id);
    if (open === undefined) return false;
    clearTimeout(open.timer);
    this.#open.delete(id);
    this.#deps.keys.removeGrant(open.key);
    this.#deps.metrics.grants.set(this.#open.size);
    this.#record('closed', open.grant, open.key, { reason });
    this.#deps.onRemoved();
    return true;
  }

  #record(outcome: string, grant: Grant, key: AuthorizedKey, more: Record<string, string>): void {
    this.#deps.audit.record('grant', {
      outcome,
      grant: grant.id,
      fingerprint: key.fingerprint,
      direction: grant.direction,
      allow_delete: grant.allowDelete,
      pod_uid: grant.volume.podUid,
      pv: grant.volume.pvName,
      ...identityFields(grant.identity, grant.origins),
      expires_at: grant.expiresAt,
      ...more,
    });
  }
}
