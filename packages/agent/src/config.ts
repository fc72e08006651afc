import { logLevels } from '@dr-syncer/runtime';
import { jsonSetting, sshAlgorithmsSchema, sshLimitsSchema } from '@dr-syncer/ssh';
import { z } from 'zod';

const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const port = z.coerce.number().int().min(0).max(65_535);
const directory = z.string().regex(/^\/[^\0]{0,200}$/);

/** Settings of the agent's containers, from environment variables. Documented in docs/reference/settings.md. */
const environment = z.object({
  LOG_LEVEL: z.enum(logLevels).default('info'),
  ENABLE_AUDIT_LOG: flag.default(true),
  /** Limits and algorithms of the SSH server: see docs/reference/ssh-server.md. */
  SSH_LIMITS: jsonSetting(sshLimitsSchema),
  SSH_ALGORITHMS: jsonSetting(sshAlgorithmsSchema),
  NODE_NAME: z.string().default('local'),
  SSH_PORT: port.default(2222),
  METRICS_PORT: port.default(8080),
  HEALTH_PORT: port.default(8081),
  HOST_KEY_DIR: directory.default('/etc/dr-syncer/host-keys'),
  AUTHORIZED_KEYS_FILE: directory.default('/etc/dr-syncer/authorized-keys/authorized_keys'),
  /** Volumes that take no data, a PV name a line; may be absent. */
  FENCE_FILE: directory.default('/etc/dr-syncer/fence/volumes'),
  /** Shared by the two containers. */
  SOCKET_DIR: directory.default('/run/dr-syncer'),
  /** Of the mover alone. */
  PRIVATE_DIR: directory.default('/run/dr-syncer-mover'),
  KUBELET_DIR: directory.default('/var/lib/kubelet'),
  /** Directories of the node whose volumes may be copied though they have no mount below KUBELET_DIR. */
  HOST_PATH_PREFIXES: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter(Boolean))
    .pipe(z.array(directory)),
  ATTRIBUTES_HELPER: directory.default('/usr/local/libexec/dr-syncer-attributes'),
  SURVEY_HELPER: directory.default('/usr/local/libexec/dr-syncer-survey'),
  /** Of the mover alone too; too large for memory. */
  SURVEY_DIR: directory.default('/var/lib/dr-syncer-surveys'),
  NSS_WRAPPER: z.string().default('libnss_wrapper.so'),
});

export type AgentConfig = z.infer<typeof environment>;

/** @throws Error that names each variable, the field in it, and what is wrong with it */
export function readAgentConfig(env: NodeJS.ProcessEnv): AgentConfig {
  const result = environment.safeParse(env);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`settings: ${problems.join('; ')}`);
}
