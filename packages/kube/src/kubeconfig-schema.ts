import { z } from 'zod';

/**
 * The allow-list. A kubeconfig may hold these fields and no other, in any of its entries, also in those that the
 * current context does not use: a file with a command in it is not one to pick pieces from.
 */
const cluster = z.strictObject({
  server: z.string().min(1).max(2048),
  'certificate-authority-data': z.string().min(1).optional(),
  'tls-server-name': z
    .string()
    .regex(/^[A-Za-z0-9.:-]{1,253}$/)
    .optional(),
});

const user = z.strictObject({
  /** Visible ASCII only: it becomes a header field. */
  token: z
    .string()
    .regex(/^[\x21-\x7e]{1,16384}$/)
    .optional(),
  'client-certificate-data': z.string().min(1).optional(),
  'client-key-data': z.string().min(1).optional(),
});

const name = z.string().min(1).max(1024);

export const schema = z.strictObject({
  apiVersion: z.literal('v1').optional(),
  kind: z.literal('Config').optional(),
  /** kubectl writes it, always empty. */
  preferences: z.strictObject({}).optional(),
  'current-context': name,
  clusters: z.array(z.strictObject({ name, cluster })).min(1),
  contexts: z
    .array(
      z.strictObject({
        name,
        /** The default namespace of kubectl; we always name the namespace, so it is accepted and unused. */
        context: z.strictObject({ cluster: name, user: name, namespace: z.string().max(253).optional() }),
      }),
    )
    .min(1),
  users: z.array(z.strictObject({ name, user })).min(1),
});

export type Kubeconfig = z.infer<typeof schema>;
export type KubeconfigCluster = z.infer<typeof cluster>;
export type KubeconfigUser = z.infer<typeof user>;
