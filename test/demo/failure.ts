import type { Kubectl } from './kubectl.js';

/** A kubectl command whose output shows why something hangs. */
export interface Look {
  readonly at: Kubectl;
  readonly args: readonly string[];
}

/** The demo can't go on. The message is for people; `looks` says where to look. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
  readonly looks: readonly Look[];

  constructor(message: string, looks: readonly Look[] = [], options?: ErrorOptions) {
    super(message, options);
    this.looks = looks;
  }
}

const MAX_LINES = 40;

/** Runs the looks of a failure; the last lines of each, as text blocks under their command. */
export async function explain(failure: DemoFailure): Promise<string[]> {
  const blocks: string[] = [];
  for (const { at, args } of failure.looks) {
    const output = await at.run(args).catch((error: unknown) => String(error));
    const lines = output.trimEnd().split('\n').slice(-MAX_LINES);
    blocks.push([`--- ${at.cluster} cluster: kubectl ${args.join(' ')}`, ...lines].join('\n'));
  }
  return blocks;
}

export function describeLook(at: Kubectl, namespace: string, kind: string, name: string): Look {
  return { at, args: ['describe', kind, name, '--namespace', namespace] };
}

/** Events of a namespace, the newest last. */
export function eventsLook(at: Kubectl, namespace: string): Look {
  return { at, args: ['get', 'events', '--namespace', namespace, '--sort-by=.metadata.creationTimestamp'] };
}

export function podsLook(at: Kubectl, namespace: string): Look {
  return { at, args: ['get', 'pods,pvc', '--namespace', namespace, '-o', 'wide'] };
}
