import { z } from 'zod';

/**
 * The parts of OpenShift's SecurityContextConstraints and of Kubernetes' security contexts that decide about users,
 * groups and SELinux labels (openshift/api security/v1, core/v1). Other fields pass through unread.
 */
const id = z.number().int();

export const seLinuxOptionsSchema = z.looseObject({
  user: z.string().nullish(),
  role: z.string().nullish(),
  type: z.string().nullish(),
  level: z.string().nullish(),
});
export type SeLinuxOptions = z.infer<typeof seLinuxOptionsSchema>;

export const podSecurityContextSchema = z.looseObject({
  runAsUser: id.nullish(),
  runAsGroup: id.nullish(),
  runAsNonRoot: z.boolean().nullish(),
  fsGroup: id.nullish(),
  supplementalGroups: z.array(id).nullish(),
  seLinuxOptions: seLinuxOptionsSchema.nullish(),
});
export type PodSecurityContext = z.infer<typeof podSecurityContextSchema>;

const capabilitiesSchema = z.object({
  add: z.array(z.string()).nullish(),
  drop: z.array(z.string()).nullish(),
});
export type Capabilities = z.infer<typeof capabilitiesSchema>;

export const containerSecurityContextSchema = z.looseObject({
  privileged: z.boolean().nullish(),
  readOnlyRootFilesystem: z.boolean().nullish(),
  allowPrivilegeEscalation: z.boolean().nullish(),
  capabilities: capabilitiesSchema.nullish(),
  runAsUser: id.nullish(),
  runAsGroup: id.nullish(),
  runAsNonRoot: z.boolean().nullish(),
  seLinuxOptions: seLinuxOptionsSchema.nullish(),
});
export type ContainerSecurityContext = z.infer<typeof containerSecurityContextSchema>;

/** Both ends belong to it. */
export const idRangeSchema = z.object({ min: id, max: id });
export type IdRange = z.infer<typeof idRangeSchema>;

const runAsUserSchema = z.object({
  type: z.string(),
  uid: id.nullish(),
  uidRangeMin: id.nullish(),
  uidRangeMax: id.nullish(),
});
export type RunAsUserOptions = z.infer<typeof runAsUserSchema>;

const seLinuxContextSchema = z.object({ type: z.string(), seLinuxOptions: seLinuxOptionsSchema.nullish() });
export type SeLinuxContextOptions = z.infer<typeof seLinuxContextSchema>;

const groupSchema = z.object({ type: z.string(), ranges: z.array(idRangeSchema).nullish() });
export type GroupOptions = z.infer<typeof groupSchema>;

export const constraintsSchema = z.object({
  metadata: z.object({ name: z.string() }),
  runAsUser: runAsUserSchema,
  seLinuxContext: seLinuxContextSchema,
  fsGroup: groupSchema,
  supplementalGroups: groupSchema,
  allowPrivilegedContainer: z.boolean().nullish(),
  readOnlyRootFilesystem: z.boolean().nullish(),
  allowPrivilegeEscalation: z.boolean().nullish(),
  defaultAllowPrivilegeEscalation: z.boolean().nullish(),
  defaultAddCapabilities: z.array(z.string()).nullish(),
  requiredDropCapabilities: z.array(z.string()).nullish(),
  allowedCapabilities: z.array(z.string()).nullish(),
});
export type Constraints = z.infer<typeof constraintsSchema>;
