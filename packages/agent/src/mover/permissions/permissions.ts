import { DrError, type Identity } from '@dr-syncer/api';
import type { Logger } from '@dr-syncer/runtime';
import type { Params, PermissionsState, VolumeRef } from '@dr-syncer/ssh';

import type { SelinuxKernel } from '../../selinux/kernel.js';
import { labelOutcome } from '../../selinux/volume-labels.js';
import { untilAborted } from '../../server/until-aborted.js';
import type { VolumeLocator } from '../volumes/locate.js';
import type { OpenVolume } from '../volumes/open-volume.js';
import { AttributeHelper, type HelperDeps, type PassCounts, type PassEnd } from './attribute-helper.js';
import { markerText, type Wanted } from './marker.js';
import { type PassPlan, planPass } from './plan.js';
import { VolumeRecords } from './volume-records.js';
import { watchInto, type WriteWatch, type WriteWatcher } from './write-watch.js';

export interface PermissionsOptions {
  readonly locator: VolumeLocator;
  readonly selinux: SelinuxKernel;
  readonly helper: HelperDeps;
  /** Where receivers find the pipes they write their changes into; every user may enter it. */
  readonly pipesDir: string;
  readonly logger: Logger;
}

/** The sending rsync ends a moment before the receiving one does. */
const WRITERS_END_MS = 30_000;

interface Pass {
  readonly helper: AttributeHelper;
  readonly plan: Exclude<PassPlan, { scope: 'None' }>;
  readonly wanted: Wanted;
  readonly key: string;
  readonly report: (part: Partial<PermissionsState>) => void;
}

/**
 * Gives volumes at the destination what their files should have: group and modes as kubelet does for `fsGroup`, and the
 * SELinux label. Only what transfers have changed, where all changes since the last time are known.
 */
export class Permissions implements WriteWatcher {
  readonly #options: PermissionsOptions;
  readonly #records = new VolumeRecords();
  /** Passes that are under way, to be ended when a transfer begins. */
  readonly #passes = new Map<string, AbortController>();

  constructor(options: PermissionsOptions) {
    this.#options = options;
  }

  async watch(ref: VolumeRef, volume: OpenVolume, identity: Identity): Promise<WriteWatch> {
    const { helper, pipesDir } = this.#options;
    const key = VolumeRecords.key(ref, volume);
    this.#passes.get(key)?.abort(new DrError('Cancelled', 'a transfer into the volume has begun'));
    return this.#records.inTurn(key, async () => {
      const signal = AbortSignal.timeout(WRITERS_END_MS);
      const process = await AttributeHelper.start(helper, await targetOf(volume), {}, signal);
      try {
        const { marker } = await process.probe();
        if (marker !== undefined) await process.removeMarker();
        // A marker is newer than what is remembered. Without one, what is remembered goes on.
        const known = marker === undefined ? this.#records.get(key) : undefined;
        return await watchInto(known ?? this.#records.start(key, marker), pipesDir, identity);
      } finally {
        await process.close();
      }
    });
  }

  /**
   * @param onState gets the counts as they grow
   * @param signal ends it; what was changed stays, and the next pass knows that this one did not get to its end
   * @throws DrError VolumeNotFound, VolumeReadOnly, SELinuxContextMismatch, PermissionsIncomplete, IdentityRefused,
   *   Busy; the signal's reason
   */
  async apply(
    { id, volume: ref, identity }: Params<'permissions.apply'>,
    onState: (state: PermissionsState) => void,
    signal: AbortSignal,
  ): Promise<PermissionsState> {
    const volume = await this.#options.locator.open(ref);
    try {
      if (volume.readOnly) throw new DrError('VolumeReadOnly', `${volume.path} is mounted read-only`);
      const key = VolumeRecords.key(ref, volume);
      return await this.#records.inTurn(key, () =>
        this.#applyInTurn({ id, identity, volume, key }, onState, signal),
      );
    } finally {
      await volume.close();
    }
  }

  async #applyInTurn(
    job: { id: string; identity: Identity; volume: OpenVolume; key: string },
    onState: (state: PermissionsState) => void,
    outer: AbortSignal,
  ): Promise<PermissionsState> {
    const { id, identity, volume, key } = job;
    const { helper, selinux, logger } = this.#options;
    const began = performance.now();
    const abort = new AbortController();
    const signal = AbortSignal.any([outer, abort.signal]);
    signal.throwIfAborted();
    this.#passes.set(key, abort);
    try {
      await this.#writersEnded(key, signal);
      const label =
        identity.seLinuxLabel === undefined ? undefined : await selinux.canonical(identity.seLinuxLabel);
      const outcome = labelOutcome(label, selinux.enabled, volume.mount);
      const wanted: Wanted = {
        ...(identity.fsGroup === undefined ? {} : { fsGroup: identity.fsGroup }),
        ...(label === undefined || outcome !== 'Labelled' ? {} : { label }),
      };
      let state = initialState(id, outcome);
      const report = (part: Partial<PermissionsState>) => {
        state = { ...state, ...part, seconds: (performance.now() - began) / 1000 };
        onState(state);
      };
      if (wanted.fsGroup !== undefined || wanted.label !== undefined) {
        await volume.assertMounted();
        const process = await AttributeHelper.start(helper, await targetOf(volume), wanted, signal);
        try {
          await this.#run(process, { wanted, identity, key, report });
        } finally {
          await process.close();
        }
      } else {
        report({ scope: 'None' });
      }
      logger.info('group and labels are as wanted', { ...state });
      return state;
    } finally {
      this.#passes.delete(key);
    }
  }

  async #run(
    helper: AttributeHelper,
    job: Pick<Pass, 'wanted' | 'key' | 'report'> & { identity: Identity },
  ): Promise<void> {
    const { wanted, key, report, identity } = job;
    const record = this.#records.get(key);
    const root = await helper.probe();
    const known = record && { before: record.before, names: record.names.value };
    const plan = planPass(wanted, identity.fsGroupChangePolicy, root, known);
    report({ scope: plan.scope, ...(plan.scope === 'All' ? { reason: plan.reason } : {}) });
    if (plan.scope === 'None') {
      if (record) await this.#finish(helper, wanted, key);
      return;
    }
    // Until the end is reached, whoever comes later must not think that it was.
    if (root.marker !== undefined) await helper.removeMarker();
    const end = await changed({ helper, plan, wanted, key, report });
    // What could not be done is looked at again the next time, by going through everything.
    if (end.linksRefused === 0) await this.#finish(helper, wanted, key);
    else this.#records.start(key, undefined);
  }

  /** All is as wanted. */
  async #finish(helper: AttributeHelper, wanted: Wanted, key: string): Promise<void> {
    // As it is now: the root was the last to be changed.
    const marker = markerText(wanted, await helper.probe());
    try {
      await helper.writeMarker(marker);
      this.#records.forget(key);
    } catch (err) {
      // A file system without such attributes, or one that is full: this process remembers it.
      this.#options.logger.debug('the marker of the volume could not be written', { err });
      this.#records.start(key, marker);
    }
  }

  async #writersEnded(key: string, signal: AbortSignal): Promise<void> {
    const writers = this.#records.get(key)?.writers;
    if (writers === undefined || writers.size === 0) return;
    const patience = AbortSignal.any([signal, AbortSignal.timeout(WRITERS_END_MS)]);
    await Promise.race([Promise.all(writers), untilAborted(patience)]);
    signal.throwIfAborted();
    if (writers.size > 0) throw new DrError('Busy', 'a transfer writes to the volume');
  }
}

/** @throws DrError PermissionsIncomplete */
async function changed({ helper, plan, report }: Pass): Promise<PassEnd> {
  helper.onProgress = (progress) => report(countsOf(progress));
  const end =
    plan.scope === 'All' ? await helper.applyToAll() : await helper.applyTo(withoutRoot(plan.names));
  // The root last: seen from there, nothing has been done yet if this ends before.
  const last = end.failed === 0 && !end.givenUp ? await helper.applyToRoot() : end;
  report({ ...countsOf(last), examples: examplesOf(last) });
  if (last.failed > 0 || last.givenUp) {
    const stopped = last.givenUp ? ', and it was given up' : '';
    throw new DrError(
      'PermissionsIncomplete',
      `${last.failed} of ${last.seen} entries could not be changed${stopped}: ${examplesOf(last).join('; ')}`,
    );
  }
  return last;
}

function* withoutRoot(names: ReadonlySet<string>): Iterable<string> {
  for (const name of names) if (name !== '.') yield name;
}

function countsOf(counts: PassCounts): Partial<PermissionsState> {
  const { seen, groupsChanged, modesChanged, labelsChanged, privilegesDropped } = counts;
  const { linksRefused, otherMounts, vanished, failed } = counts;
  return {
    ...{ seen, groupsChanged, modesChanged, labelsChanged, privilegesDropped },
    ...{ linksRefused, otherMounts, vanished, failed },
  };
}

/** For people: what is no printable character of their language's is not shown. */
function examplesOf({ examples }: PassEnd): string[] {
  return examples.map(({ name, reason }) => {
    const text = Buffer.from(name, 'latin1').toString('utf8');
    return `${text.replace(/[\p{C}\ufffd]/gu, '?')}: ${reason}`;
  });
}

function initialState(id: string, selinux: PermissionsState['selinux']): PermissionsState {
  return {
    id,
    selinux,
    seen: 0,
    groupsChanged: 0,
    modesChanged: 0,
    labelsChanged: 0,
    privilegesDropped: 0,
    linksRefused: 0,
    otherMounts: 0,
    vanished: 0,
    failed: 0,
    examples: [],
    seconds: 0,
  };
}

async function targetOf(volume: OpenVolume): Promise<{
  fd: number;
  partOfLarger: boolean;
  nestedMounts: boolean;
}> {
  return {
    fd: volume.fd,
    partOfLarger: volume.mount.root !== '/',
    nestedMounts: await volume.hasMountsInside(),
  };
}
