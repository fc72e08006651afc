/** Whose an object at the destination is, by its label. */
export type Holder = 'us' | 'another Replication' | 'nobody of DR-Syncer';

/** What the source and the rules want of one object. */
export type Want =
  | { readonly kind: 'object'; readonly hash: string }
  /** It is there in the source, and the rules leave it out. */
  | { readonly kind: 'excluded' }
  /** It is not there in the source. */
  | { readonly kind: 'gone' };

export function isSameWant(a: Want, b: Want): boolean {
  return a.kind === b.kind && (a.kind !== 'object' || b.kind !== 'object' || a.hash === b.hash);
}

/** What is at the destination. */
export interface Present {
  readonly holder: Holder;
  readonly hash: string | undefined;
  readonly deleting: boolean;
  readonly marked: boolean;
  /** Our fields are not as we left them. */
  readonly drifted: boolean;
}

export type Decision =
  /** Both ends are as they should be. */
  | 'leave'
  /** Neither end has it, or it is not ours and not wanted. */
  | 'forget'
  | 'create'
  | 'update'
  /** Someone else has changed it: make it right. */
  | 'repair'
  /** Someone else has changed it: say so. */
  | 'report'
  /** It is in the way, and not ours. */
  | 'refuse'
  /** It is being deleted at the destination; afterwards it is made again. */
  | 'wait'
  /** It is ours and its source is gone; it stays. */
  | 'keep'
  | 'prune';

export interface Rules {
  readonly drift: 'Repair' | 'Report';
  readonly prune: boolean;
}

/** What is to be done about one object. Pure; doing it is the engine's matter. */
export function decide(want: Want, present: Present | undefined, rules: Rules): Decision {
  if (want.kind === 'object') return bring(want.hash, present, rules);
  if (present === undefined || present.holder !== 'us') return 'forget';
  if (want.kind === 'excluded') return 'keep';
  if (present.deleting) return 'forget';
  return rules.prune ? 'prune' : 'keep';
}

function bring(hash: string, present: Present | undefined, rules: Rules): Decision {
  if (present === undefined) return 'create';
  if (present.deleting) return 'wait';
  if (present.holder !== 'us') return 'refuse';
  if (present.hash !== hash || present.marked) return 'update';
  if (!present.drifted) return 'leave';
  return rules.drift === 'Repair' ? 'repair' : 'report';
}

/** Whether it means a write of the object as the source is. */
export function isWrite(decision: Decision): boolean {
  return decision === 'create' || decision === 'update' || decision === 'repair';
}
