import { identitySchema } from '@dr-syncer/api';
import { z } from 'zod';

import { id, time } from './fields.js';
import { volumeRefSchema } from './volume-messages.js';

const keptFields = {
  /** Made of all that decides what a transfer does, by the controller. */
  conditions: z.string().max(128),
  /** Digest of the copy after the transfer. */
  copyDigest: z.string().max(64),
};

/** What the entries of a volume are, seen at once. */
export const surveySchema = z.object({
  /** The root directory included, as rsync counts. */
  entries: z.number(),
  files: z.number(),
  directories: z.number(),
  links: z.number(),
  others: z.number(),
  /** Size of all files and links. */
  bytes: z.number(),
  /** Size of the largest regular file. */
  largest: z.number(),
  /**
   * Of path, inode, mode, owner, size, and times of modification and change of every entry, with a key of the agent's own:
   * equal digests of one agent mean that nothing was changed in between.
   */
  digest: z.string(),
  /** All directories could be listed. */
  complete: z.boolean(),
  /**
   * All was seen, and on a file system whose times of change can be relied upon: local ones, and nothing mounted inside.
   */
  reliable: z.boolean(),
  /** Those of `among`. */
  changedAmong: z.array(z.string()).optional(),
  /** What it was compared with; absent: there is nothing to compare with. */
  base: z
    .object({
      /** New, or not as they were, or changed a moment before the one or the other survey. */
      changed: z.number(),
      /** Size of the regular files among them, and of the largest of those. */
      changedBytes: z.number(),
      changedLargest: z.number(),
      removed: z.number(),
      /** All that have changed are named, so that a transfer may go by the names. */
      named: z.boolean(),
      ...keptFields,
      /** When the last transfer began that compared everything. */
      fullAt: time,
    })
    .optional(),
});
export type Survey = z.infer<typeof surveySchema>;

export const surveyMethods = {
  /**
   * Looks at every entry with the eyes of the identity and opens no file. With `compare` it says what is not as it was
   * at an earlier survey for that holder, and keeps what it saw for `transfers.start` and the next survey.
   */
  'volumes.survey': {
    params: z.strictObject({
      volume: volumeRefSchema,
      identity: identitySchema,
      compare: z
        .strictObject({
          holder: id,
          /** kept: the one that `surveys.keep` kept. last: the last one, whatever came of it; nothing is kept then. */
          with: z.enum(['kept', 'last']),
          /** With `last`: names one regular file in so many for a comparison, the same ones each time. */
          sample: z.number().int().min(1).max(1_000_000).optional(),
          /** With `last`: which of these paths (Latin-1) have changed since. */
          among: z.array(z.string().max(4_096)).max(1_000).optional(),
        })
        .optional(),
    }),
    result: surveySchema,
  },
  /**
   * What the last survey for this holder saw has been copied: the next one is compared with it. False: there is none, or
   * `full` is not set and there was nothing to add to.
   */
  'surveys.keep': {
    params: z.strictObject({
      holder: id,
      ...keptFields,
      /** All was compared, not only what the survey had named. */
      full: z.boolean(),
    }),
    result: z.object({ kept: z.boolean() }),
  },
} as const;
