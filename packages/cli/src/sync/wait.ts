import type { ReplicationStatus } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { keyOf, type KubeClient, type KubeObject, Reflector, sleep } from '@dr-syncer/kube';

import { TimeoutFailure } from '../failure.js';
import { changes } from '../live/changes.js';
import { LiveLines, paintFor } from '../screen.js';
import type { StatusReport } from '../status/report.js';
import { statusText } from '../status/rows.js';
import { replicationView } from '../status/view.js';
import type { Surroundings } from '../surroundings.js';
import { type Answer, answerTo, type Requested } from './request.js';

export interface WaitOptions {
  readonly requested: readonly Requested[];
  /** All in this namespace. */
  readonly namespace: string;
  /** How long it may last, and how long until a sync has begun (s); undefined: as long as it takes. */
  readonly timeoutS: number | undefined;
  readonly startTimeoutS: number;
}

export type Ended = Extract<Answer, { state: 'ended' }>;

const REDRAW_MS = 1_000;

/**
 * Follows syncs until all of those asked for have ended, and shows on the way what happens: a text that changes on a
 * terminal, otherwise a line for each news.
 *
 * @returns the answers by `namespace/name`
 * @throws TimeoutFailure, which says what has not ended and why as far as the status tells
 */
export async function waitForSyncs(
  around: Surroundings,
  client: KubeClient,
  options: WaitOptions,
): Promise<ReadonlyMap<string, Ended>> {
  const { signal } = around;
  const { namespace, requested } = options;
  const reflector = new Reflector({ client, resource: replications, namespace });
  const show = around.errScreen === undefined ? tellNews(around) : redraw(around, around.errScreen);
  const began = performance.now();
  const started = new Set<string>();
  reflector.start(signal);
  try {
    await reflector.synced;
    for (;;) {
      const seen = requested.map((one) => {
        const key = `${one.namespace}/${one.name}`;
        const object = reflector.store.get(key);
        return { key, object, answer: answerTo(one, object) };
      });
      for (const { key, answer } of seen) if (answer.state !== 'waiting') started.add(key);
      show.now(seen.flatMap(({ object }) => object ?? []));
      const ended = seen.flatMap(({ key, answer }) =>
        answer.state === 'ended' ? [[key, answer] as const] : [],
      );
      if (ended.length === seen.length) return new Map(ended);
      const late = lateness(
        options,
        (performance.now() - began) / 1000,
        seen.every(({ key }) => started.has(key)),
      );
      if (late !== undefined) throw new TimeoutFailure(overdue(late, seen));
      await Promise.race([sleep(REDRAW_MS, signal), changed(reflector, signal)]);
    }
  } finally {
    show.end();
    await reflector.close();
  }
}

interface Seen {
  readonly key: string;
  readonly object: KubeObject | undefined;
  readonly answer: Answer;
}

function lateness(
  { timeoutS, startTimeoutS }: WaitOptions,
  seconds: number,
  begun: boolean,
): string | undefined {
  if (timeoutS !== undefined && seconds > timeoutS) return `not ended within ${timeoutS} s`;
  return !begun && seconds > startTimeoutS ? `not begun within ${startTimeoutS} s` : undefined;
}

function overdue(late: string, seen: readonly Seen[]): string {
  const left = seen.filter(({ answer }) => answer.state !== 'ended');
  const texts = left.map(({ key, object, answer }) => {
    const { phase, conditions } = (object?.['status'] ?? {}) as ReplicationStatus;
    const ready = conditions?.find(({ type }) => type === 'Ready');
    const why =
      answer.state === 'waiting' && ready !== undefined ? `, ${ready.reason}: ${ready.message}` : '';
    return `${key} (${phase ?? 'no status: is the controller running?'}${why})`;
  });
  return `${late}: ${texts.join('; ')}. What was asked for stays asked for.`;
}

/** Resolves with the next change of what is followed. */
async function changed(reflector: Reflector, signal: AbortSignal): Promise<void> {
  let unsubscribe = (): void => undefined;
  try {
    await new Promise<void>((resolve) => {
      // Those that are there already are reported before `subscribe` returns.
      let isNews = false;
      const news = () => {
        if (isNews) resolve();
      };
      unsubscribe = reflector.subscribe({ added: news, updated: news, deleted: news });
      isNews = true;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    unsubscribe();
  }
}

interface Show {
  now(objects: readonly KubeObject[]): void;
  end(): void;
}

function tellNews(around: Surroundings): Show {
  const before = new Map<string, ReplicationStatus | undefined>();
  return {
    now: (objects) => {
      for (const object of objects) {
        const key = keyOf(object);
        const status = object['status'] as ReplicationStatus | undefined;
        // What was before this request is no news.
        const news = before.has(key) || status?.phase === 'Running' ? changes(before.get(key), status) : [];
        before.set(key, status);
        around.err(news.map((line) => `${key} ${line}\n`).join(''));
      }
    },
    end: () => undefined,
  };
}

function redraw(around: Surroundings, screen: NonNullable<Surroundings['errScreen']>): Show {
  const live = new LiveLines(screen, (text) => around.err(text));
  const paint = paintFor(screen, around);
  return {
    now: (objects) => {
      const now = new Date();
      const views = objects.map((object) => replicationView(object, now));
      const report: StatusReport = { replications: views, remoteClusters: [], standbys: [] };
      live.show(statusText(report, now, paint).trimEnd().split('\n'));
    },
    end: () => live.clear(),
  };
}
