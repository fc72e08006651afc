import { annotation, type Replication } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';

import type { VolumeRunKind } from './due.js';

/** By what each is asked for, and where the status answers. */
export const volumeRuns = {
  Reverse: { key: annotation.reverseSync, field: 'reverseSync' },
  ReverseCheck: { key: annotation.reverseCheck, field: 'reverseCheck' },
  Drill: { key: annotation.drill, field: 'drill' },
} as const satisfies Record<VolumeRunKind, { key: string; field: string }>;

const kinds = ['Reverse', 'ReverseCheck', 'Drill'] as const;

export interface VolumeRequest {
  readonly kind: VolumeRunKind;
  /** Value of the annotation. */
  readonly id: string;
  /** Only its annotation is left: the process ended before that was taken off. */
  readonly answered: boolean;
}

/** What is asked for about the volumes besides syncs, in the order of its turn; an empty value asks for nothing. Pure. */
export function volumeRequests(
  { metadata }: KubeObject,
  { status }: Pick<Replication, 'status'>,
): VolumeRequest[] {
  return kinds.flatMap((kind) => {
    const { key, field } = volumeRuns[kind];
    const id = metadata.annotations?.[key];
    if (id === undefined || id === '') return [];
    const last = status?.[field];
    return [{ kind, id, answered: last?.request === id && last.phase !== 'Running' }];
  });
}
