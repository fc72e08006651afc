import {
  annotation,
  API_GROUP,
  API_VERSION,
  type RemoteCluster,
  remoteClusterDefinition,
  remoteClusterSchema,
  type Replication,
  replicationDefinition,
  replicationSchema,
} from '@dr-syncer/api';
import type { KubeObject, Resource } from '@dr-syncer/kube';
import type { z } from 'zod';

function resourceOf(definition: { plural: string; kind: string }): Resource {
  const { plural, kind } = definition;
  return { group: API_GROUP, version: API_VERSION, plural, kind, namespaced: true };
}

/** Our own kinds, for the client. */
export const remoteClusters = resourceOf(remoteClusterDefinition);
export const replications = resourceOf(replicationDefinition);

export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/**
 * Our objects as the schema reads them, with defaults. The API server has validated them with the same schema, so a
 * problem here means that the CRD in the cluster is not the one of this version.
 */
function parse<T>(schema: z.ZodType<T>, object: KubeObject): Parsed<T> {
  const result = schema.safeParse(object);
  if (result.success) return { ok: true, value: result.data };
  const problems = result.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return { ok: false, problem: problems.join('; ') };
}

export const parseRemoteCluster = (object: KubeObject): Parsed<RemoteCluster> =>
  parse(remoteClusterSchema, object);
export const parseReplication = (object: KubeObject): Parsed<Replication> => parse(replicationSchema, object);

interface Annotated {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> | undefined };
}

/** The token that somebody has given to let objects be pruned. */
export function confirmedToken(replication: Annotated | undefined): string | undefined {
  return replication?.metadata.annotations?.[annotation.confirmPrune];
}
