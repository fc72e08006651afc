import { durationMs } from '@dr-syncer/api';
import { logLevels } from '@dr-syncer/runtime';
import { jsonSettingText, MAX_STREAMS, sshAlgorithmsSchema, sshLimitsSchema } from '@dr-syncer/ssh';
import { z } from 'zod';

import type { AgentEnvironment } from './clusters/agent-objects.js';
import type { MoverPolicy } from './volumes/identities.js';

const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const port = z.coerce.number().int().min(0).max(65_535);

const portRange = z
  .string()
  .regex(/^\d{1,5}(-\d{1,5})?$/)
  .transform((text) => {
    const [first = 0, last = first] = text.split('-').map(Number);
    return { first, last };
  })
  .refine(({ first, last }) => first <= last && last <= 65_535, 'not a range of ports');
/** Fields of `spec.pvcConfig.preserve`. */
const preserveList = /^((devices|fileCapabilities)(,(devices|fileCapabilities))*)?$/;

/** Settings of the controller, from environment variables: read once, here. Documented in docs/reference/settings.md. */
const environment = z.object({
  LOG_LEVEL: z.enum(logLevels).default('info'),
  POD_NAME: z.string().default('local'),
  /** Namespace of the controller, its Secrets and its lease. */
  POD_NAMESPACE: z.string().default('dr-syncer-system'),
  /** Kubeconfig of the source cluster; absent: the service account of the pod. */
  KUBECONFIG: z.string().optional(),
  KUBERNETES_SERVICE_HOST: z.string().optional(),
  KUBERNETES_SERVICE_PORT: z.string().optional(),
  METRICS_PORT: port.default(8080),
  HEALTH_PORT: port.default(8081),
  /** Of the agents in all clusters, as LOG_LEVEL is, too. */
  ENABLE_AUDIT_LOG: flag.default(true),
  AGENT_SSH_LIMITS: jsonSettingText(sshLimitsSchema),
  AGENT_SSH_ALGORITHMS: jsonSettingText(sshAlgorithmsSchema),
  AGENT_IMAGE: z.string().default('localhost/dr-syncer-agent:dev'),
  PLACEHOLDER_IMAGE: z.string().default('registry.k8s.io/pause:3.10'),
  /** How long a placeholder pod that nothing uses is kept for the next sync (s). */
  PLACEHOLDER_TTL_SECONDS: z.coerce.number().int().min(0).max(604_800).default(900),
  /** The kubelet's directory on the nodes of the source cluster. */
  SOURCE_KUBELET_DIR: z.string().regex(/^\//).default('/var/lib/kubelet'),
  /** Directories of the source's nodes whose hostPath volumes may be copied: comma-separated. */
  SOURCE_HOST_PATH_PREFIXES: z
    .string()
    .regex(/^((\/[A-Za-z0-9._-]+)+(,(\/[A-Za-z0-9._-]+)+)*)?$/)
    .default(''),
  SOURCE_AGENT_PORT: port.default(2222),
  SOURCE_AGENT_PRIORITY_CLASS: z
    .string()
    .regex(/^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$/)
    .default(''),
  /** How old the source agents' key and host keys get, as 2160h; unset: they are replaced when somebody asks. */
  SOURCE_KEY_ROTATION_INTERVAL: z
    .string()
    .regex(/^([0-9]{1,6}(h|m|s))+$/)
    .transform(durationMs)
    .refine((ms) => ms >= 3_600_000, 'less than 1h')
    .optional(),
  POD_IP: z.string().optional(),
  /** At which the source's agents reach this process, for data that goes by port-forward; default: POD_IP. */
  RELAY_ADDRESS: z.string().optional(),
  /** Ports that are opened for it, one for each transfer under way: `first-last`, or 0 for any. */
  RELAY_PORTS: portRange.default({ first: 22_200, last: 22_263 }),
  LEADER_ELECTION: flag.default(true),
  /** Source namespaces whose transfers may run privileged when annotated: comma-separated, "*" for all, "" for none. */
  PRIVILEGED_NAMESPACES: z.string().default('*'),
  /** The ends whose namespaces have to be annotated for privileged movers. */
  PRIVILEGED_ANNOTATED_AT: z.enum(['Both', 'Source', 'Destination']).default('Both'),
  /** What privileged movers may copy when a Replication asks for it: comma-separated, "" for none. */
  PRIVILEGED_PRESERVE: z.string().regex(preserveList).default('fileCapabilities'),
  /** Syncs that run at the same time. */
  CONCURRENT_SYNCS: z.coerce.number().int().min(1).max(64).default(4),
  /** Volume transfers that run at the same time. */
  CONCURRENT_TRANSFERS: z.coerce.number().int().min(1).max(256).default(8),
  /** Of those, with the same node as source or as destination. */
  CONCURRENT_TRANSFERS_PER_NODE: z.coerce.number().int().min(1).max(64).default(4),
  /** Streams of one transfer at most, whatever a Replication asks for; 1: off. */
  PARALLEL_STREAMS: z.coerce.number().int().min(1).max(MAX_STREAMS).default(4),
  /** A volume of which less than this is to be moved has one stream. */
  PARALLEL_STREAMS_MIN_MIB: z.coerce.number().int().min(1).max(1_073_741_824).default(4096),
});

export type ControllerConfig = z.infer<typeof environment>;

/** What the settings say about movers. */
export function moverPolicyOf(config: ControllerConfig): MoverPolicy {
  const preserve = config.PRIVILEGED_PRESERVE.split(',');
  return {
    allowedNamespaces: config.PRIVILEGED_NAMESPACES.split(',')
      .map((name) => name.trim())
      .filter(Boolean),
    annotatedAt: config.PRIVILEGED_ANNOTATED_AT,
    preserve: {
      devices: preserve.includes('devices'),
      fileCapabilities: preserve.includes('fileCapabilities'),
    },
  };
}

/** @throws Error that names each variable and what is wrong with it */
export function readConfig(env: NodeJS.ProcessEnv): ControllerConfig {
  const result = environment.safeParse(env);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`settings: ${problems.join('; ')}`);
}

/** What agents are told of these settings. */
export function agentEnvironment(config: ControllerConfig): AgentEnvironment {
  return {
    LOG_LEVEL: config.LOG_LEVEL,
    ENABLE_AUDIT_LOG: String(config.ENABLE_AUDIT_LOG),
    SSH_LIMITS: config.AGENT_SSH_LIMITS,
    SSH_ALGORITHMS: config.AGENT_SSH_ALGORITHMS,
  };
}
