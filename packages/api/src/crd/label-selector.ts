import { z } from 'zod';

export const labelSelector = z
  .object({
    matchLabels: z.record(z.string(), z.string()).optional(),
    matchExpressions: z
      .array(
        z.object({
          key: z.string().max(317),
          operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
          values: z.array(z.string().max(63)).max(100).optional(),
        }),
      )
      .max(32)
      .optional(),
  })
  .describe('A Kubernetes label selector.');

export type LabelSelector = z.infer<typeof labelSelector>;
