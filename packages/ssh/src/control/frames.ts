import { z } from 'zod';

/** One line of the protocol each. Ids are the asker's own and only ever grow. */
const frameId = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

export const frameSchema = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('request'), id: frameId, method: z.string().max(64), params: z.unknown() }),
  z.strictObject({ t: z.literal('result'), id: frameId, result: z.unknown() }),
  z.strictObject({
    t: z.literal('error'),
    id: frameId,
    error: z.strictObject({ code: z.string().max(64), message: z.string().max(8192) }),
  }),
  /** The asker no longer wants the answer, which still has to come (usually the error Cancelled). */
  z.strictObject({ t: z.literal('cancel'), id: frameId }),
  z.strictObject({ t: z.literal('event'), event: z.string().max(64), data: z.unknown() }),
]);

export type Frame = z.infer<typeof frameSchema>;
export type FrameOf<T extends Frame['t']> = Extract<Frame, { t: T }>;
