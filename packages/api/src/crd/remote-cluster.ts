import { z } from 'zod';

import { AGENT_PORT } from '../names.js';
import { hostKeyStatus, keyRotation, sshKeyStatus } from './key-rotation.js';
import { conditions, dnsLabel, dnsName, metadataSchema, timestamp } from './common.js';

const quantities = z.record(z.string(), z.string());

const toleration = z
  .object({
    key: z.string().optional(),
    operator: z.enum(['Exists', 'Equal']).optional(),
    value: z.string().optional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
    tolerationSeconds: z.int().optional(),
  })
  .describe('A Kubernetes toleration.');

const agentDeployment = z.object({
  image: z
    .string()
    .min(1)
    .max(512)
    .optional()
    .describe("Image of the agent. Default: the controller's setting."),
  resources: z
    .object({ requests: quantities.optional(), limits: quantities.optional() })
    .optional()
    .describe('Resources of each of the two containers of the agent.'),
  nodeSelector: z
    .record(z.string(), z.string())
    .optional()
    .describe('Nodes that run the agent. Default: all.'),
  tolerations: z.array(toleration).max(32).optional().describe('Default: every taint is tolerated.'),
  priorityClassName: dnsName.optional().describe('Priority class of the agent pods.'),
  kubeletDir: z
    .string()
    .regex(/^\/[A-Za-z0-9._/-]{1,200}$/)
    .default('/var/lib/kubelet')
    .describe("The kubelet's directory on the nodes."),
  hostPathPrefixes: z
    .array(z.string().regex(/^\/[A-Za-z0-9._/-]{0,199}[A-Za-z0-9._-]$/))
    .max(16)
    .optional()
    .describe(
      'Directories of the nodes whose volumes may be copied though they are mere paths (hostPath, local-path). Default: none.',
    ),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .default(AGENT_PORT)
    .describe('Port of the nodes on which the agents listen for SSH.'),
});

const connectivity = z.object({
  mode: z
    .enum(['Auto', 'Direct', 'PortForward'])
    .default('Auto')
    .describe(
      'Direct: by the addresses of the nodes. PortForward: through the remote API server, data by the controller. Auto: directly where that works.',
    ),
  addressType: z
    .enum(['InternalIP', 'ExternalIP', 'Hostname'])
    .default('InternalIP')
    .describe('Which of the addresses of a node the source cluster reaches it at.'),
  overrides: z
    .record(
      z.string(),
      z
        .string()
        .max(260)
        .regex(/^(\[[0-9A-Fa-f:.]+\](:\d{1,5})?|[0-9A-Za-z.-]+(:\d{1,5})?|[0-9A-Fa-f:.]+)$/),
    )
    .optional()
    .describe(
      'Address by node name, where the Node object does not hold the one to use: a host or address, with ":port" where that differs ([address]:port for IPv6).',
    ),
  sourceRanges: z
    .array(z.string().max(64))
    .max(32)
    .optional()
    .describe(
      'Addresses (CIDR) that transfers are seen to come from at the remote, where a gateway translates them. Default: the addresses of the source node.',
    ),
});

const limits = z.object({
  concurrentTransfers: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe("Volume transfers to this cluster at a time. Default: the controller's setting for all."),
  perNode: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe("Volume transfers to one node of this cluster at a time. Default: the controller's setting."),
  bandwidthLimit: z
    .int()
    .min(0)
    .default(0)
    .describe('KiB per second, shared by the transfers that run to this cluster; 0: no limit.'),
});

export const remoteClusterSpec = z.object({
  kubeconfigSecret: dnsName.describe('Secret in the same namespace with the key "kubeconfig".'),
  sshKeySecret: dnsName
    .optional()
    .describe(
      'Secret in the same namespace with id_rsa and id_rsa.pub; made when missing. Default: <name>-ssh-key.',
    ),
  paused: z.boolean().default(false).describe('Nothing is done with this cluster while true.'),
  allowedNamespaces: z
    .array(
      z
        .union([dnsLabel, z.literal('*')])
        .meta({ type: 'string', anyOf: undefined, pattern: '^(\\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)$' }),
    )
    .max(1000)
    .optional()
    .describe('Namespaces whose Replications may use this cluster, "*" for all. Default: only its own.'),
  deletionPolicy: z
    .enum(['Delete', 'Orphan'])
    .default('Delete')
    .describe(
      'What becomes of the agent, keys and placeholder pods in the remote when this RemoteCluster is deleted. Namespaces and workloads always stay.',
    ),
  agentDeployment: agentDeployment
    .default(agentDeployment.parse({}))
    .describe('How the agent runs in the remote cluster.'),
  connectivity: connectivity
    .default(connectivity.parse({}))
    .describe('How the nodes of the remote are reached.'),
  limits: limits.default(limits.parse({})).describe('How much is transferred to this cluster at a time.'),
  keyRotation: keyRotation.default(keyRotation.parse({})).describe('When and how keys are replaced.'),
});

/** From bad to good. */
export const agentStates = ['Unreachable', 'NotReady', 'Updating', 'Ready'] as const;

export const remoteClusterStatus = z.object({
  phase: z.enum(['Pending', 'Ready', 'Degraded', 'Failed', 'Paused']).optional(),
  observedGeneration: z.int().optional(),
  conditions: conditions.optional(),
  serverVersion: z.string().optional().describe('Version of the remote API server.'),
  kubeconfig: z
    .object({
      server: z.string().max(2048).describe('Address of the remote API server.'),
      expiresAt: timestamp.optional().describe('When the token or client certificate ends.'),
    })
    .optional(),
  agentStatus: z
    .object({
      desired: z.int().describe('Nodes that should run an agent.'),
      ready: z.int().describe('Nodes whose agent is ready.'),
      summary: z.string().describe('ready/desired, for the table.'),
      nodes: z
        .array(
          z.object({
            name: z.string().max(253),
            state: z.enum(agentStates),
            message: z.string().max(512).optional(),
          }),
        )
        .max(50)
        .optional()
        .describe('Agents by node, those with a problem first; of many nodes only the first are listed.'),
    })
    .optional(),
  sshKey: sshKeyStatus.optional(),
  connectivity: z
    .object({
      mode: z.enum(['Direct', 'PortForward', 'Mixed']).describe('How the nodes are reached now.'),
      message: z.string().describe('The same in words, with the cause when it is not as hoped for.'),
    })
    .optional(),
  hostKeyFingerprints: z
    .array(z.string())
    .max(4)
    .optional()
    .describe("SHA256 fingerprints of the agents' host keys, those of a rotation included."),
  hostKeys: hostKeyStatus.optional(),
});

export const remoteClusterSchema = z.looseObject({
  metadata: metadataSchema,
  spec: remoteClusterSpec,
  status: remoteClusterStatus.optional(),
});

export type RemoteClusterSpec = z.infer<typeof remoteClusterSpec>;
export type RemoteClusterStatus = z.infer<typeof remoteClusterStatus>;
export type RemoteCluster = z.infer<typeof remoteClusterSchema>;
