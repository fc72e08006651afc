import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import {
  abortOnSignals,
  createLogger,
  type Logger,
  processRegistry,
  serveHealth,
  serveMetrics,
} from '@dr-syncer/runtime';
import { keepSmall, releaseMemory, startOptimizing } from '@dr-syncer/runtime/footprint';
import { Command, InvalidArgumentError } from 'commander';
import type { Registry } from 'prom-client';

import { verifyAuditLog } from './audit/verify-log.js';
import { type AgentConfig, readAgentConfig } from './config.js';

/** uid and gid of the `ssh` container: see the Dockerfile. */
const SSH_ID = 1000;
const HOST_KEYS = ['ssh_host_ed25519_key', 'ssh_host_rsa_key'] as const;

interface Context {
  readonly config: AgentConfig;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly signal: AbortSignal;
}

/** The container that is reached from outside: SSH, keys, grants. */
async function ssh({ config, logger, registry, signal }: Context): Promise<void> {
  let moverReady: (() => boolean) | undefined;
  const servers = [
    await serveMetrics(config.METRICS_PORT, registry),
    await serveHealth(config.HEALTH_PORT, {
      live: {},
      ready: {
        ssh: () => (moverReady === undefined ? { ok: false, reason: 'not listening yet' } : { ok: true }),
        mover: () =>
          moverReady?.() === true ? { ok: true } : { ok: false, reason: 'no connection to the mover' },
      },
    }),
  ];
  try {
    const { runSshContainer } = await import('./ssh-container/run-ssh-container.js');
    await runSshContainer(
      {
        host: '::',
        port: config.SSH_PORT,
        hostKeyFiles: HOST_KEYS.map((file) => join(config.HOST_KEY_DIR, file)),
        authorizedKeysFile: config.AUTHORIZED_KEYS_FILE,
        fenceFile: config.FENCE_FILE,
        moverSocket: join(config.SOCKET_DIR, 'mover.sock'),
        limits: config.SSH_LIMITS,
        algorithms: config.SSH_ALGORITHMS,
        nodeName: config.NODE_NAME,
        version: version(),
      },
      {
        ...{ signal, logger, registry },
        ...(config.ENABLE_AUDIT_LOG && { auditSink: process.stdout }),
        onListening: (_address, ready) => {
          moverReady = ready;
          started(signal);
        },
      },
    );
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

/** The container that touches volumes and is not reached from outside. */
async function mover({ config, logger, registry, signal }: Context): Promise<void> {
  const { runMover } = await import('./mover/run-mover.js');
  await runMover(
    {
      socketDir: config.SOCKET_DIR,
      privateDir: config.PRIVATE_DIR,
      kubeletDir: config.KUBELET_DIR,
      hostPathPrefixes: config.HOST_PATH_PREFIXES,
      nodeName: config.NODE_NAME,
      version: version(),
      ...{ sshUid: SSH_ID, sshGid: SSH_ID },
      rsyncPath: '/usr/bin/rsync',
      sshPath: '/usr/bin/ssh',
      attributesPath: config.ATTRIBUTES_HELPER,
      surveyPath: config.SURVEY_HELPER,
      surveyDir: config.SURVEY_DIR,
      nssWrapperPath: config.NSS_WRAPPER,
    },
    { signal, logger, registry, onListening: () => started(signal) },
  );
}

interface ServeFlags {
  readonly listen: { host: string; port: number };
  readonly hostKey: string[];
  readonly authorizedKeys: string;
  readonly volumesRoot: string;
  readonly publishedRoot?: string;
}

/** The SSH server alone, without Kubernetes. */
async function serve({ config, logger, registry, signal }: Context, flags: ServeFlags): Promise<void> {
  const { runServe } = await import('./serve/run-serve.js');
  await runServe(
    {
      ...flags.listen,
      hostKeyFiles: flags.hostKey,
      authorizedKeysFile: flags.authorizedKeys,
      volumesRoot: flags.volumesRoot,
      limits: config.SSH_LIMITS,
      algorithms: config.SSH_ALGORITHMS,
      ...(flags.publishedRoot !== undefined && { publishedRoot: flags.publishedRoot }),
    },
    {
      ...{ signal, logger, registry, onListening: () => started(signal) },
      ...(config.ENABLE_AUDIT_LOG && { auditSink: process.stdout }),
    },
  );
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** `127.0.0.1:2222`, `[::1]:2222`. */
function parseListen(text: string): ServeFlags['listen'] {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65_535) throw new InvalidArgumentError('Use ADDRESS:PORT.');
  return { host, port };
}

/** All is loaded and waits for work. */
function started(signal: AbortSignal): void {
  startOptimizing();
  releaseMemory();
  keepSmall(signal);
}

async function run(role: string, work: (context: Context) => Promise<void>): Promise<void> {
  // eslint-disable-next-line no-restricted-properties -- this is the composition root
  const config = readAgentConfig(process.env);
  const logger = createLogger(config.LOG_LEVEL, { component: `agent-${role}`, node: config.NODE_NAME });
  const registry = processRegistry();
  const { signal, dispose } = abortOnSignals();
  try {
    await work({ config, logger, registry, signal });
  } catch (err) {
    logger.error('agent ended', { err });
    process.exitCode = 1;
  } finally {
    dispose();
    await logger.close();
  }
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

/** @param argv as `process.argv` */
export async function runProgram(argv: readonly string[]): Promise<void> {
  const program = new Command('dr-syncer-agent').description('Node agent of DR-Syncer').version(version());
  program
    .command('ssh')
    .description('the container that terminates SSH')
    .action(() => run('ssh', ssh));
  program
    .command('mover')
    .description('the container that runs rsync in volumes')
    .action(() => run('mover', mover));
  program
    .command('serve')
    .description('the SSH server without Kubernetes: keys from a file, rsync as this user')
    .requiredOption('--listen <address:port>', 'where to listen', parseListen)
    .requiredOption('--host-key <file>', 'private host key, ed25519 or RSA; can be given again', collect)
    .requiredOption('--authorized-keys <file>', 'keys and what each may do, in OpenSSH form')
    .requiredOption('--volumes-root <dir>', 'directory that all volumes are in')
    .option('--published-root <dir>', 'what the keys call that directory')
    .action((flags: ServeFlags) => run('serve', (context) => serve(context, flags)));

  program
    .command('verify-audit-log')
    .description('check the audit lines on standard input: none altered, none missing in between')
    .action(async () => {
      const { lines, chains, problem } = await verifyAuditLog(createInterface({ input: process.stdin }));
      console.log(`${lines} audit lines in order, process starts: ${chains}`);
      if (problem === undefined) return;
      console.error(`line ${problem.line}: ${problem.what}`);
      process.exitCode = 1;
    });
  try {
    await program.parseAsync(argv);
  } catch (err) {
    console.error(err instanceof Error ? err.message : err);
    process.exitCode = 1;
  }
}
