import { z } from 'zod';

/** RFC 1123 label: names of namespaces, and of objects where a dot is not wanted. */
export const dnsLabel = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
/** RFC 1123 subdomain: names of most objects. */
export const dnsName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
export const timestamp = z.iso.datetime().meta({ format: 'date-time', pattern: undefined });

export const conditionSchema = z
  .object({
    type: z.string().max(316),
    status: z.enum(['True', 'False', 'Unknown']),
    observedGeneration: z.int().min(0).optional(),
    lastTransitionTime: timestamp,
    reason: z.string().max(1024),
    message: z.string().max(32_768),
  })
  .describe('One aspect of the state, as Kubernetes conditions are meant.');
export type Condition = z.infer<typeof conditionSchema>;

export const conditions = z
  .array(conditionSchema)
  .max(16)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });

/** The part of every object's metadata that the code reads. Everything else goes through untouched. */
export const metadataSchema = z.looseObject({
  name: z.string(),
  namespace: z.string(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.number().default(0),
  creationTimestamp: z.string(),
  deletionTimestamp: z.string().optional(),
  annotations: z.record(z.string(), z.string()).default({}),
  labels: z.record(z.string(), z.string()).default({}),
  finalizers: z.array(z.string()).default([]),
});
