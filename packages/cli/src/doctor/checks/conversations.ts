import { SOURCE_KEY_SECRET, SYSTEM_NAMESPACE } from '@dr-syncer/api';
import { AgentVisit, type Hello } from '@dr-syncer/controller';
import { type KubeClient, kubeToDrError, type ObjectMeta, wellKnown } from '@dr-syncer/kube';

import type { Check, DoctorContext, RemoteUnderTest } from '../context.js';
import { notSeen } from '../each-cluster.js';
import { type Finding, problem, well } from '../problems.js';
import { agentPods, isReady } from './agents.js';
import { type Clock, judgeClocks, OWN_CLOCK } from './clocks.js';
import { judgeVersions } from './versions.js';

/** So many nodes of a cluster are spoken to; what is wrong with all is seen at the first. */
const NODES = 20;
/** And from so many of the source the ports of the others are tried. */
const PROBING_NODES = 3;
interface Visited {
  readonly title: string;
  readonly visit: AgentVisit;
  readonly nodes: readonly string[];
  readonly hellos: ReadonlyMap<string, Hello>;
}

/**
 * Speaks to the agents with the controller's keys, through the API servers: keys, host keys, versions, rsync, clocks, and
 * the ports between the nodes of both clusters.
 */
export const conversations: Check = async (context) => {
  const findings: Finding[] = [];
  const source = await visitAll(context, sourceEnd(context), findings);
  const clocks: Clock[] = [
    OWN_CLOCK,

    ...(await apiClock('source', context.client, context.signal)),
    ...clocksOf(source),
  ];
  for (const one of context.remotes) {
    if (one.client === undefined || one.remote.spec.paused) continue;
    const remote = await visitAll(context, remoteEnd(context, one, one.client), findings);
    clocks.push(...(await apiClock(remote.title, one.client, context.signal)), ...clocksOf(remote));
    findings.push(...(await ports(context, source, remote, one)));
  }
  return [...findings, ...judgeClocks(clocks)];
};

/** What each agent says of itself, or why it could not be asked. */
export async function agentVersions(
  context: DoctorContext,
): Promise<{ readonly component: string; readonly version?: string; readonly problem?: string }[]> {
  const ends = [
    sourceEnd(context),
    ...context.remotes.flatMap((one) =>
      one.client === undefined ? [] : [remoteEnd(context, one, one.client)],
    ),
  ];
  const rows = await Promise.all(
    ends.map(async (end) => {
      const findings: Finding[] = [];
      const { title, hellos } = await visitAll(context, end, findings);
      const silent = findings.filter(({ check, severity }) => check === 'handshake' && severity !== 'ok');
      return [
        ...[...hellos].map(([node, { version }]) => ({
          component: `agent, ${title}, node ${node}`,
          version,
        })),
        ...silent.map(({ subject, message }) => ({ component: `agent, ${subject}`, problem: message })),
      ];
    }),
  );
  return rows.flat();
}

interface End {
  readonly title: string;
  readonly client: KubeClient;
  readonly visit: AgentVisit;
}

function sourceEnd({ client, config }: DoctorContext): End {
  const visit = new AgentVisit({
    ...{ client, port: config.SOURCE_AGENT_PORT },
    keys: { client, at: { namespace: SYSTEM_NAMESPACE, name: SOURCE_KEY_SECRET } },
    connectivity: { addressType: 'InternalIP' },
  });
  return { title: 'source', client, visit };
}

function remoteEnd(
  { client: source }: DoctorContext,
  { key, remote }: RemoteUnderTest,
  client: KubeClient,
): End {
  const { metadata, spec } = remote;
  const name = spec.sshKeySecret ?? `${metadata.name}-ssh-key`;
  const visit = new AgentVisit({
    ...{ client, port: spec.agentDeployment.port, connectivity: spec.connectivity },
    keys: { client: source, at: { namespace: metadata.namespace, name } },
  });
  return { title: `remote ${key}`, client, visit };
}

async function visitAll(
  context: DoctorContext,
  { title, client, visit }: End,
  findings: Finding[],
): Promise<Visited> {
  const { signal } = context;
  let nodes: string[] = [];
  try {
    nodes = (await agentPods(client, signal))
      .filter(isReady)
      .flatMap(({ spec }) => spec.nodeName ?? [])
      .slice(0, NODES);
  } catch (err) {
    signal.throwIfAborted();
    findings.push(notSeen('handshake', title, err));
  }
  const hellos = new Map<string, Hello>();
  for (const node of nodes) {
    const subject = `${title}, node ${node}`;
    try {
      const hello = await visit.hello(node, signal);
      hellos.set(node, hello);
      findings.push(
        well(
          'handshake',
          subject,
          `version ${hello.version}, rsync ${hello.rsyncVersion}, SELinux ${hello.selinux ? 'on' : 'off'}`,
        ),
      );
      findings.push(...judgeVersions(subject, hello, context.clientVersion));
    } catch (err) {
      signal.throwIfAborted();
      findings.push(greeting(subject, err));
    }
  }
  return { title, visit, nodes, hellos };
}

/** What is wrong with keys is wrong for the controller too; that nobody answers may be for want of a way from here. */
function greeting(subject: string, err: unknown): Finding {
  const { code, message } = kubeToDrError(err);
  const at = { check: 'handshake', subject };
  if (code === 'HostKeyMismatch' || code === 'AgentRefusedKey' || code === 'KeyInvalid')
    return problem(code, at, message);
  return notSeen(at.check, subject, err);
}

async function ports(
  context: DoctorContext,
  source: Visited,
  remote: Visited,
  { remote: { spec } }: RemoteUnderTest,
): Promise<Finding[]> {
  if (spec.connectivity.mode === 'PortForward') {
    return [well('ports', remote.title, 'data passes through the API server: no port of a node is needed')];
  }
  const there = await probes(context, source, remote, 'PortClosed');
  const back = await probes(context, remote, source, 'ReturnPathClosed');
  // What can't be reached directly goes by port-forward then: slower, and no failure.
  const softened =
    spec.connectivity.mode === 'Auto'
      ? there.map((one) => (one.severity === 'error' ? { ...one, severity: 'warning' as const } : one))
      : there;
  return [...softened, ...back];
}

async function probes(
  { signal }: DoctorContext,
  from: Visited,
  to: Visited,
  code: 'PortClosed' | 'ReturnPathClosed',
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const senders = [...from.hellos.keys()].slice(0, PROBING_NODES);
  for (const node of to.nodes) {
    for (const sender of senders) {
      const subject = `${from.title}, node ${sender} -> ${to.title}, node ${node}`;
      try {
        const { host, port } = await to.visit.address(node, signal);
        const { ssh, problem: why = '' } = await from.visit.probe(sender, host, port, signal);
        const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
        findings.push(
          ssh
            ? well('ports', subject, `${where} answers`)
            : problem(code, { check: 'ports', subject }, `${where} does not answer: ${why}`),
        );
      } catch (err) {
        signal.throwIfAborted();
        findings.push(notSeen('ports', subject, err));
      }
    }
  }
  return findings;
}

function clocksOf({ title, hellos }: Visited): Clock[] {
  return [...hellos].map(([node, { aheadMs }]) => ({ whose: `${title}, node ${node}`, aheadMs }));
}

/** By an object that is not made: the server would give it its time (to the second). */
async function apiClock(title: string, client: KubeClient, signal: AbortSignal): Promise<Clock[]> {
  const metadata = {
    generateName: 'dr-syncer-doctor-',
    namespace: SYSTEM_NAMESPACE,
  } as unknown as ObjectMeta;
  const asked = Date.now();
  try {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
    const made = await client.create(wellKnown.configMaps, object, { dryRun: true, signal });
    const then = Date.parse(made.metadata.creationTimestamp ?? '') + 500;
    const aheadMs = Math.round(then - (asked + Date.now()) / 2);
    return Number.isFinite(aheadMs) ? [{ whose: `${title}, API server`, aheadMs }] : [];
  } catch {
    signal.throwIfAborted();
    // Who may not make objects there learns nothing of this clock.
    return [];
  }
}
