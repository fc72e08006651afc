import { setTimeout as sleep } from 'node:timers/promises';

import type { FoundProcess } from './processes.js';
import { killAll } from './processes.js';
import type { Container, Side, World } from './world.js';

/** Something that happens to a transfer while it runs. */
export interface Fault {
  readonly name: string;
  /** Also among the few of `make test`. */
  readonly smoke?: true;
  /** Takes long or costs much: once and not again and again. */
  readonly once?: true;
  /** Does it. @returns false: it came too late, the transfer was over */
  readonly strike: (world: World) => Promise<boolean>;
  /** Puts everything right again. */
  readonly mend?: (world: World) => Promise<void>;
}

const isRsync = ({ args }: FoundProcess) => /(^|\/)rsync$/.test(args[0] ?? '');
const isServer = ({ args }: FoundProcess) => args.includes('--server');
const isSsh = ({ args }: FoundProcess) => /(^|\/)ssh$/.test(args[0] ?? '');

/** Processes of a transfer, in the mover of that side. */
function transferProcess(name: string, side: Side, which: (one: FoundProcess) => boolean): Fault {
  return {
    name: `kill -9 of ${name}`,
    strike: async (world) => {
      const look = async () => (await world.processes(side, 'mover')).filter(which);
      if ((await world.untilProcesses(look)).length === 0) return false;
      await sleep(Math.random() * 2_000);
      return killAll(await look()) > 0;
    },
  };
}

function container(side: Side, name: Container): Fault {
  return {
    name: `kill -9 of the ${name} container at the ${side}`,
    strike: async (world) => {
      const look = async () => (await world.processes(side, 'mover')).filter(isRsync);
      if ((await world.untilProcesses(look)).length === 0) return false;
      await sleep(Math.random() * 2_000);
      const main = (await world.processes(side, name)).filter(({ args }) => args.includes(name));
      return killAll(main) > 0;
    },
    mend: (world) => world.freshAgent(side),
  };
}

async function whileMoving(world: World): Promise<boolean> {
  const look = async () => (await world.processes('remote', 'mover')).filter(isRsync);
  if ((await world.untilProcesses(look)).length === 0) return false;
  await sleep(Math.random() * 2_000);
  return true;
}

/** Nothing comes through to or from the agents' port of the remote. */
function cut(seconds: number): Pick<Fault, 'strike' | 'mend'> {
  const rule = (action: '-I' | '-D', port: '--dport' | '--sport') => [
    ...['iptables', action, 'FORWARD', '-p', 'tcp', port, '2222', '-j', 'DROP'],
  ];
  const ports = ['--dport', '--sport'] as const;
  const restore = async (world: World) => {
    for (const node of world.clusters.remote.nodes) {
      for (const port of ports) await node.exec(rule('-D', port)).catch(() => undefined);
    }
  };
  return {
    strike: async (world) => {
      if (!(await whileMoving(world))) return false;
      for (const node of world.clusters.remote.nodes) {
        for (const port of ports) await node.exec(rule('-I', port));
      }
      await sleep(seconds * 1000);
      await restore(world);
      return true;
    },
    mend: restore,
  };
}

function kubelet(side: Side): Fault {
  return {
    name: `kill -9 of the kubelet at the ${side}`,
    strike: async (world) => {
      if (!(await whileMoving(world))) return false;
      await world.clusters[side].killComponent('kubelet');
      await sleep(3_000);
      await world.clusters[side].startComponent('kubelet');
      return true;
    },
  };
}

function agentPod(side: Side): Fault {
  return {
    name: `the agent pod at the ${side} is deleted`,
    strike: async (world) => {
      if (!(await whileMoving(world))) return false;
      const selector = ['-n', 'dr-syncer-system', '-l', 'app=dr-syncer-agent'];
      await world.at(side).run(['delete', 'pod', ...selector, '--force', '--grace-period=0']);
      return true;
    },
    mend: (world) => world.freshAgent(side),
  };
}

function holdingPod(side: Side): Fault {
  return {
    name: `the pod that holds the volume at the ${side} is deleted`,
    strike: async (world) => {
      if (!(await whileMoving(world))) return false;
      await world.at(side).run(['delete', ...world.placeholders(), '--wait=false']);
      return true;
    },
  };
}

function keys(name: string, kind: 'rotate-ssh-key' | 'rotate-host-keys'): Fault {
  return {
    name: `${name} rotated`,
    strike: async (world) => {
      if (!(await whileMoving(world))) return false;
      await world.rotateKeys(kind);
      return true;
    },
  };
}

export const faults: readonly Fault[] = [
  {
    ...transferProcess('rsync at the destination', 'remote', (one) => isRsync(one) && isServer(one)),
    smoke: true,
  },
  transferProcess('rsync at the source', 'source', (one) => isRsync(one) && !isServer(one)),
  transferProcess('ssh', 'source', isSsh),
  { ...container('remote', 'mover'), smoke: true },
  container('source', 'mover'),
  container('remote', 'ssh'),
  container('source', 'ssh'),
  {
    name: 'kill -9 of the controller',
    smoke: true,
    strike: async (world) => {
      if (!(await whileMoving(world))) return false;
      return killAll(await world.processes('source', 'controller')) > 0;
    },
    mend: async (world) => {
      const place = ['-n', 'dr-syncer-system'];
      await world.at('source').run(['delete', 'pod', '-l', 'app=dr-syncer-controller', ...place], {
        timeoutMs: 120_000,
      });
      await world
        .at('source')
        .run(['rollout', 'status', 'deployment/dr-syncer-controller', '--timeout=180s', ...place], {
          timeoutMs: 190_000,
        });
    },
  },
  { name: 'the network is cut for 5 s', smoke: true, ...cut(5) },
  { name: 'the network is cut for 5 min', once: true, ...cut(300) },
  agentPod('remote'),
  agentPod('source'),
  holdingPod('remote'),
  holdingPod('source'),
  kubelet('remote'),
  kubelet('source'),
  keys('the key is', 'rotate-ssh-key'),
  keys('the host keys are', 'rotate-host-keys'),
  {
    name: 'a workload begins to use the volume at the destination',
    strike: async (world) => {
      if (!(await whileMoving(world))) return false;
      await world.at('remote').apply([intruder(world.name)]);
      return true;
    },
    mend: async (world) => {
      await world.at('remote').run(['delete', 'pod', 'intruder', '-n', world.name, '--ignore-not-found'], {
        timeoutMs: 120_000,
      });
    },
  },
];

/** Never starts, and still it is there. */
const intruder = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'intruder', namespace, labels: { 'dr-syncer.io/ignore': 'true' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'x', image: 'localhost/does-not-exist:1', imagePullPolicy: 'Never' }],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
  },
});
