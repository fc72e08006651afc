import type { Logger } from '@dr-syncer/runtime';

import type { AuditLog } from '../audit/audit-log.js';
import type { KeyRing } from '../server/key-ring.js';
import type { Grants } from './grants.js';
import type { MoverLink } from './mover-link.js';

export interface RevocationDeps {
  readonly keys: Pick<KeyRing, 'revoke' | 'onRevoked'>;
  readonly grants: Pick<Grants, 'closeOpenedBy'>;
  readonly mover: Pick<MoverLink, 'request'>;
  readonly audit: AuditLog;
  readonly logger: Logger;
  /** Ends the sessions whose key is not accepted any more. */
  readonly endSessions: () => void;
}

/** Transfers whose beginner is remembered; movers keep fewer. */
const MAX_REMEMBERED = 4096;
/** So long the answer may take to leave, before the session that asked is ended with all that is of its key. */
const ANSWER_MS = 20;

/**
 * What ends with a key, whether the file says that it is revoked or its own session: the grants that it opened and the
 * transfers that it began. Its sessions end as those of every key that is no longer let in.
 */
export class Revocation {
  readonly #deps: RevocationDeps;
  /** Fingerprint by transfer. */
  readonly #beganBy = new Map<string, string>();

  constructor(deps: RevocationDeps) {
    this.#deps = deps;
    deps.keys.onRevoked((fingerprint) => {
      setTimeout(() => void this.#end(fingerprint), ANSWER_MS);
    });
  }

  /** A transfer was prepared by a session of this key. */
  began(id: string, fingerprint: string): void {
    this.#beganBy.delete(id);
    this.#beganBy.set(id, fingerprint);
    if (this.#beganBy.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#beganBy.keys()) {
      this.#beganBy.delete(oldest);
      break;
    }
  }

  /** Refuses the key from this moment on; what it began ends right after. */
  revoke(fingerprint: string): Record<string, never> {
    this.#deps.keys.revoke(fingerprint);
    return {};
  }

  async #end(fingerprint: string): Promise<void> {
    this.#deps.endSessions();
    const [grants, transfers] = await Promise.all([
      this.#deps.grants.closeOpenedBy(fingerprint),
      this.#cancelTransfers(fingerprint),
    ]);
    this.#deps.audit.record('key', { outcome: 'revoked', fingerprint, grants, transfers });
  }

  /**
   * Those of the key, and those of which it is not known who began them: this container may have been restarted since,
   * and a transfer that is cut is tried again.
   */
  async #cancelTransfers(fingerprint: string): Promise<number> {
    const { mover } = this.#deps;
    try {
      const { transfers } = await mover.request('transfers.list', {});
      const running = transfers.filter(({ phase }) => phase !== 'Succeeded' && phase !== 'Failed');
      const its = running.filter(({ id }) => (this.#beganBy.get(id) ?? fingerprint) === fingerprint);
      await Promise.all(its.map(({ id }) => mover.request('transfers.cancel', { id })));
      return its.length;
    } catch (err) {
      // Without a mover nothing goes on; it starts without transfers.
      this.#deps.logger.warn('transfers of a revoked key could not be ended', { err });
      return 0;
    }
  }
}
