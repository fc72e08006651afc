import { type MetricFamily } from '@dr-syncer/runtime';
import {
  type Handlers,
  Peer,
  PROTOCOL_VERSION,
  type PermissionsState,
  type TransferState,
} from '@dr-syncer/ssh';

import type { AuditLog } from '../audit/audit-log.js';
import { identityFields } from '../audit/identity-fields.js';
import type { ControlService } from '../server/connection.js';
import type { KeyRing } from '../server/key-ring.js';
import type { Grants } from './grants.js';
import type { MoverLink } from './mover-link.js';
import { probePort } from './port-probe.js';
import type { Revocation } from './revocation.js';

export interface ControlDeps {
  readonly audit: AuditLog;
  readonly mover: MoverLink;
  readonly grants: Grants;
  readonly keys: Pick<KeyRing, 'opensControl'>;
  readonly revocation: Revocation;
  /** Fingerprints of the keys that the server shows. */
  readonly hostKeys: () => readonly string[];
  /** Of this process. */
  readonly metrics: () => Promise<MetricFamily[]>;
  readonly nodeName: string;
  readonly version: string;
  readonly startedAt: Date;
  readonly now: () => Date;
}

/**
 * Sends the newest state only: while one is on its way to a controller that reads slowly, those that come replace each
 * other, so what waits is one state and not a list of them.
 */
class LatestState<T> {
  readonly #send: (state: T) => Promise<unknown>;
  #next: T | undefined;
  #sending = false;

  constructor(send: (state: T) => Promise<unknown>) {
    this.#send = send;
  }

  offer(state: T): void {
    this.#next = state;
    if (!this.#sending) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#sending = true;
    while (this.#next !== undefined) {
      const state = this.#next;
      this.#next = undefined;
      await this.#send(state);
    }
    this.#sending = false;
  }
}

/**
 * What the controller may ask for. Grants are this container's own; everything that touches volumes is the mover's and
 * is passed on to it. The mover's other methods (`receivers.*`) are not reachable from here.
 */
/** @param by fingerprint of the key that the session has logged in with */
function handlersFor(deps: ControlDeps, peer: Peer, by: string): Handlers {
  const { mover, grants, keys, revocation } = deps;
  return {
    hello: async (_params, { signal }) => ({
      ...(await mover.request('hello', {}, { signal })),
      protocol: PROTOCOL_VERSION,
      version: deps.version,
      node: deps.nodeName,
      startedAt: deps.startedAt.toISOString(),
      now: deps.now().toISOString(),
    }),
    metrics: async (_params, { signal }) => {
      const [own, ofMover] = await Promise.all([
        deps.metrics(),
        // Without a mover there is still this container to see.
        mover.request('metrics', {}, { signal }).then(
          ({ families }) => families,
          () => [],
        ),
      ]);
      return { families: [...own, ...ofMover] };
    },
    'keys.check': ({ fingerprints }) => ({
      accepted: fingerprints.filter((fingerprint) => keys.opensControl(fingerprint)),
      hostKeys: [...deps.hostKeys()],
    }),
    'keys.revoke': () => revocation.revoke(by),
    'ports.probe': ({ host, port }, { signal }) => probePort(host, port, signal),
    'volumes.locate': (params, { signal }) => mover.request('volumes.locate', params, { signal }),
    'volumes.measure': (params, { signal }) =>
      mover.request('volumes.measure', params, { signal, timeoutMs: 0 }),
    'volumes.survey': (params, { signal }) =>
      mover.request('volumes.survey', params, { signal, timeoutMs: 0 }),
    'surveys.keep': (params, { signal }) => mover.request('surveys.keep', params, { signal }),
    'grants.open': (grant, { signal }) => grants.open(grant, by, signal),
    'grants.close': async ({ id }) => ({ closed: await grants.close(id) }),
    'grants.pace': ({ id, bytesPerSecond }) => ({ paced: grants.pace(id, bytesPerSecond) }),
    'grants.list': () => grants.list(),
    'transfers.prepare': async (params, { signal }) => {
      const answer = await mover.request('transfers.prepare', params, { signal });
      revocation.began(params.id, by);
      deps.audit.record('transfer', {
        outcome: 'prepared',
        transfer: params.id,
        pod_uid: params.volume.podUid,
        pv: params.volume.pvName,
        ...identityFields(params.identity, params.origins),
      });
      return answer;
    },
    'transfers.start': (params, { signal }) => mover.request('transfers.start', params, { signal }),
    'transfers.get': (params, { signal }) => mover.request('transfers.get', params, { signal }),
    'transfers.list': (params, { signal }) => mover.request('transfers.list', params, { signal }),
    'transfers.cancel': (params, { signal }) => mover.request('transfers.cancel', params, { signal }),
    'transfers.forget': (params, { signal }) => mover.request('transfers.forget', params, { signal }),
    'permissions.apply': async (params, { signal }) => {
      const latest = new LatestState<PermissionsState>((state) => peer.emit('permissions', state));
      const stop = mover.on('permissions', (state) => {
        if (state.id === params.id) latest.offer(state);
      });
      try {
        return await mover.request('permissions.apply', params, { signal, timeoutMs: 0 });
      } finally {
        stop();
      }
    },
    'transfers.watch': async (params, { signal }) => {
      const latest = new LatestState<TransferState>((state) => peer.emit('transfer', state));
      const stop = mover.on('transfer', (state) => {
        if (state.id === params.id) latest.offer(state);
      });
      try {
        return await mover.request('transfers.watch', params, { signal, timeoutMs: 0 });
      } finally {
        stop();
      }
    },
  };
}

/** Serves the control protocol to whoever holds a key with that forced command. */
export function controlService(deps: ControlDeps): ControlService {
  return async (channel, { signal, fingerprint }) => {
    const peer = new Peer(channel);
    peer.handle(handlersFor(deps, peer, fingerprint));
    const close = () => peer.close();
    signal.addEventListener('abort', close, { once: true });
    try {
      await peer.closed;
    } finally {
      signal.removeEventListener('abort', close);
    }
  };
}
