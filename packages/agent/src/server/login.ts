import type { AuthContext, AuthenticationType } from 'ssh2';

import type { AuditLog } from '../audit/audit-log.js';
import { type AcceptedKey, type AuthFailure, judgeLogin, type LoginMessage } from './authentication.js';
import type { KeyRing } from './key-ring.js';
import type { LimitHit } from './limit-hits.js';
import type { SshLimits } from '@dr-syncer/ssh';
import type { SshMetrics } from './metrics.js';

export interface LoginDeps {
  readonly user: string;
  readonly keys: KeyRing;
  readonly limits: SshLimits;
  readonly metrics: SshMetrics;
  readonly audit: AuditLog;
  readonly now: () => Date;
}

type OnLoginLimit = (limit: Extract<LimitHit, 'authAttempts' | 'authRequests'>) => void;

const METHODS: AuthenticationType[] = ['publickey'];

/** Dialogue of one connection up to its login. */
export class Login {
  readonly #deps: LoginDeps;
  readonly #address: string;
  readonly #onLimit: OnLoginLimit;
  #requests = 0;
  #failures = 0;
  #lastFailure: AuthFailure | undefined;
  #accepted: AcceptedKey | undefined;

  constructor(deps: LoginDeps, address: string, onLimit: OnLoginLimit) {
    this.#deps = deps;
    this.#address = address;
    this.#onLimit = onLimit;
  }

  get accepted(): AcceptedKey | undefined {
    return this.#accepted;
  }

  /** Why the last attempt failed; undefined when there was none, as with a port check. */
  get lastFailure(): AuthFailure | undefined {
    return this.#lastFailure;
  }

  /**
   * Answers one login message.
   *
   * @param admit asked last, when all is well: may still say that there are too many connections
   */
  answer(context: AuthContext, admit: (match: AcceptedKey) => boolean): void {
    const { limits, keys, user, now } = this.#deps;
    this.#requests += 1;
    if (this.#requests > limits.authRequests) {
      context.reject(METHODS);
      this.#onLimit('authRequests');
      return;
    }
    const verdict = judgeLogin(loginMessage(context), {
      user,
      address: this.#address,
      now: now(),
      decide: (presented) => keys.decide(presented),
    });
    switch (verdict.outcome) {
      case 'none':
        context.reject(METHODS);
        break;
      case 'signatureWanted':
        context.accept();
        break;
      case 'failed':
        this.#fail(context, verdict);
        break;
      case 'accepted':
        this.#succeed(context, verdict.match, admit);
        break;
    }
  }

  #succeed(context: AuthContext, match: AcceptedKey, admit: (match: AcceptedKey) => boolean): void {
    if (!admit(match)) {
      context.reject(METHODS);
      return;
    }
    this.#accepted = match;
    this.#deps.audit.record('authentication', {
      msg: 'Authenticated',
      outcome: 'success',
      user: context.username,
      fingerprint: match.key.fingerprint,
      grant: match.grant?.id,
    });
    context.accept();
  }

  #fail(context: AuthContext, failure: { reason: AuthFailure; fingerprint?: string }): void {
    this.#failures += 1;
    this.#lastFailure = failure.reason;
    this.#deps.metrics.authFailures.inc({ reason: failure.reason });
    this.#deps.audit.record('authentication', {
      msg: 'Failed authentication',
      outcome: 'failure',
      reason: failure.reason,
      user: context.username.slice(0, 64),
      method: context.method,
      fingerprint: failure.fingerprint,
    });
    context.reject(METHODS);
    if (this.#failures >= this.#deps.limits.authAttempts) this.#onLimit('authAttempts');
  }
}

function loginMessage(context: AuthContext): LoginMessage {
  const { username, method } = context;
  if (context.method !== 'publickey') return { username, method };
  const { key, signature, blob, hashAlgo } = context;
  return { username, method, key, signature, blob, hashAlgo };
}
