import { annotation } from '@dr-syncer/api';
import type { KubeObject } from '@dr-syncer/kube';
import { z } from 'zod';

/**
 * What is remembered of a copy, on its claim at the destination: there it belongs to the copy, outlives Replication and
 * controller, and can be read when the source is gone.
 */
const copyRecord = z.object({
  /** The source's PersistentVolume, and its `rootId`. */
  pv: z.string().optional(),
  root: z.string().optional(),
  /** Counted by rsync in the last good transfer. */
  counts: z.object({ files: z.number(), bytes: z.number() }).optional(),
  /** A verification has found the copy to differ: the next transfer compares by content. */
  differs: z.boolean().optional(),
  /** The first run that the guard stopped for this reason, until one is good again. */
  stopped: z.object({ run: z.string(), code: z.string() }).optional(),
  /** The same of data on its way back: who confirms the one has not confirmed the other. */
  reverseStopped: z.object({ run: z.string(), code: z.string() }).optional(),
});
export type CopyRecord = z.infer<typeof copyRecord>;

/** Undefined: there is none, or nothing that can be read. */
export function readCopyRecord(claim: KubeObject): CopyRecord | undefined {
  const text = claim.metadata.annotations?.[annotation.volumeCopy];
  if (text === undefined) return undefined;
  try {
    return copyRecord.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export function copyRecordText(record: CopyRecord): string {
  return JSON.stringify(record);
}
