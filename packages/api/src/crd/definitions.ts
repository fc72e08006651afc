import type { z } from 'zod';

import { API_GROUP, API_VERSION } from '../names.js';
import { remoteClusterSpec, remoteClusterStatus } from './remote-cluster.js';
import { replicationSpec } from './replication.js';
import { replicationStatus } from './replication-status.js';
import { structural } from './structural.js';

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  readonly priority?: number;
}

interface Rule {
  readonly rule: string;
  readonly message: string;
}

export interface KindDefinition {
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortName: string;
  readonly description: string;
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  /** CEL rules on `spec`, by the API server at each write. */
  readonly specRules: readonly Rule[];
  readonly columns: readonly Column[];
}

const age: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since it was created',
};
const ready: Column = {
  name: 'Reason',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
  description: 'Reason of the condition Ready',
};

export const remoteClusterDefinition: KindDefinition = {
  kind: 'RemoteCluster',
  plural: 'remoteclusters',
  singular: 'remotecluster',
  shortName: 'drcluster',
  description: 'A cluster that holds standbys, reached with a kubeconfig from a Secret.',
  spec: remoteClusterSpec,
  status: remoteClusterStatus,
  specRules: [],
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'State in one word' },
    {
      name: 'Agents',
      type: 'string',
      jsonPath: '.status.agentStatus.summary',
      description: 'Agents ready of all',
    },
    {
      name: 'Version',
      type: 'string',
      jsonPath: '.status.serverVersion',
      description: 'Version of its API server',
    },
    ready,
    age,
  ],
};

export const replicationDefinition: KindDefinition = {
  kind: 'Replication',
  plural: 'replications',
  singular: 'replication',
  shortName: 'drrepl',
  description: 'Keeps a standby of one namespace in a remote cluster.',
  spec: replicationSpec,
  status: replicationStatus,
  specRules: [
    {
      rule: "!has(self.destinationNamespace) || !self.destinationNamespace.startsWith('kube-')",
      message: 'destinationNamespace must not be one of the system namespaces kube-*',
    },
    {
      rule: "!has(self.sync) || !has(self.sync.mode) || self.sync.mode != 'Scheduled' || has(self.sync.schedule)",
      message: 'sync.schedule is required with mode Scheduled',
    },
    ...(['pre', 'post'] as const).map((when) => ({
      rule: `!has(self.pvcConfig) || !has(self.pvcConfig.hooks) || !has(self.pvcConfig.hooks.${when}) || self.pvcConfig.hooks.${when}.all(hook, hook.command[0] != '')`,
      message: `pvcConfig.hooks.${when}: the first word of a command is the program and must not be empty`,
    })),
  ],
  columns: [
    {
      name: 'Cluster',
      type: 'string',
      jsonPath: '.spec.destinationCluster',
      description: 'Where the standby is',
    },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'State in one word' },
    {
      name: 'Objects',
      type: 'integer',
      jsonPath: '.status.syncStats.total',
      description: 'Objects selected',
    },
    {
      name: 'Failed',
      type: 'integer',
      jsonPath: '.status.syncStats.failed',
      description: 'Objects not copied',
    },
    {
      name: 'Volumes',
      type: 'string',
      jsonPath: '.status.volumesSummary',
      description: 'Volumes copied of all',
    },
    {
      name: 'Mode',
      type: 'string',
      jsonPath: '.spec.sync.mode',
      description: 'When it is synced',
      priority: 1,
    },
    {
      name: 'Next',
      type: 'string',
      jsonPath: '.status.nextSyncTime',
      description: 'When the next sync is due',
      priority: 1,
    },
    {
      name: 'Last Success',
      type: 'date',
      jsonPath: '.status.lastSuccessTime',
      description: 'Age of the state that the standby has',
    },
    ready,
    age,
  ],
};

export const kindDefinitions: readonly KindDefinition[] = [remoteClusterDefinition, replicationDefinition];

/** The CustomResourceDefinition object (apiextensions.k8s.io/v1). */
export function customResourceDefinition(def: KindDefinition): Record<string, unknown> {
  const spec = structural(def.spec);
  if (def.specRules.length > 0) spec['x-kubernetes-validations'] = def.specRules;
  const schema = {
    description: def.description,
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec,
      status: structural(def.status),
    },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${def.plural}.${API_GROUP}`, labels: { 'app.kubernetes.io/part-of': 'dr-syncer' } },
    spec: {
      group: API_GROUP,
      scope: 'Namespaced',
      names: {
        kind: def.kind,
        listKind: `${def.kind}List`,
        plural: def.plural,
        singular: def.singular,
        shortNames: [def.shortName],
        categories: ['dr-syncer'],
      },
      versions: [
        {
          name: API_VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: def.columns,
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  };
}
