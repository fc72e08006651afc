import type { RotatedKeys, RotationSubject, Transition } from '@dr-syncer/controller';

/** The controller was killed. */
export class Crash extends Error {}

export const moments = ['before it is written', 'once it is written', 'once agents are told'] as const;

/** A subject whose controller is killed at one moment of the first transition of a kind. */
export function crashingAt<K extends RotatedKeys>(
  subject: RotationSubject<K>,
  transition: Transition,
  moment: (typeof moments)[number],
): RotationSubject<K> & { readonly crashed: boolean } {
  let [crashed, taken] = [false, false];
  const crash = (): never => {
    crashed = true;
    throw new Crash(`${transition}, ${moment}`);
  };
  return {
    get crashed() {
      return crashed;
    },
    load: (signal) => subject.load(signal),
    nodes: (signal) => subject.nodes(signal),
    ask: (...args) => subject.ask(...args),
    advance: async (keys, next, trigger, signal) => {
      const its = next === transition && !crashed;
      if (its && moment === 'before it is written') crash();
      const advanced = await subject.advance(keys, next, trigger, signal);
      if (its && moment === 'once it is written') crash();
      taken = its;
      return advanced;
    },
    publish: async (keys, signal) => {
      await subject.publish(keys, signal);
      if (taken && moment === 'once agents are told') crash();
    },
  };
}
