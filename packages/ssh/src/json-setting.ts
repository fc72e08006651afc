import { z } from 'zod';

/**
 * A setting that is one JSON value in a variable, as `SSH_LIMITS={"loginGraceSeconds":20}`. Empty is the same as not
 * set. Problems are told with the path below the variable, and nothing of the text.
 */
export function jsonSetting<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .default('')
    .transform((text, context): unknown => {
      if (text.trim() === '') return {};
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'is not JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

/** The same for a program that only hands the text on to another one: checked here, left as it is. */
export function jsonSettingText(schema: z.ZodType) {
  const checked = jsonSetting(schema);
  return z
    .string()
    .default('')
    .superRefine((text, context) => {
      for (const { path, message } of checked.safeParse(text).error?.issues ?? []) {
        context.addIssue({ code: 'custom', path, message });
      }
    });
}
