import { run } from '../process/run.js';
import type { LocalNode } from './node.js';
import type { Bridge, ClusterPlan } from './plan.js';

/** Succeeds also when what the command makes is there already, or what it removes is not. */
async function settle(command: string, args: readonly string[]): Promise<void> {
  await run(command, args).catch(() => undefined);
}

/** The bridge that joins all nodes and the host. */
export async function ensureBridge(bridge: Bridge): Promise<void> {
  await settle('ip', ['link', 'add', bridge.name, 'type', 'bridge']);
  await run('ip', ['address', 'replace', `${bridge.address}/${bridge.prefix}`, 'dev', bridge.name]);
  await run('ip', ['link', 'set', bridge.name, 'up']);
  // With br_netfilter the host's own FORWARD chain sees this traffic; a firewall there may drop by default.
  if (!(await hasForwardRule(bridge))) await run('iptables', ['-w', '-I', ...forwardRule(bridge)]);
}

export async function removeBridge(bridge: Bridge): Promise<void> {
  await settle('ip', ['link', 'delete', bridge.name]);
  while (await hasForwardRule(bridge)) await run('iptables', ['-w', '-D', ...forwardRule(bridge)]);
}

function forwardRule({ name }: Bridge): string[] {
  return ['FORWARD', '-i', name, '-o', name, '-j', 'ACCEPT'];
}

function hasForwardRule(bridge: Bridge): Promise<boolean> {
  return run('iptables', ['-w', '-C', ...forwardRule(bridge)]).then(
    () => true,
    () => false,
  );
}

/** Plugs a node into the bridge. The pair goes away with the node's network namespace. */
export async function ensureNodeNetwork(node: LocalNode): Promise<void> {
  const { hostInterface, address, bridge } = node.plan;
  const init = node.init();
  if (init === undefined) throw new Error(`node ${node.plan.name} does not run`);
  const inside = await node.exec(['ip', '-oneline', 'link']);
  if (!inside.includes(': eth0@')) {
    await settle('ip', ['link', 'delete', hostInterface]); // half of a pair of an interrupted run
    const peer = ['peer', 'name', 'eth0', 'netns', String(init.pid)];
    await run('ip', ['link', 'add', hostInterface, 'type', 'veth', ...peer]);
    // A restarted node keeps its address: what others know of it by ARP would be wrong for up to a minute.
    await node.exec(['ip', 'link', 'set', 'eth0', 'address', macAddress(address)]);
  }
  await run('ip', ['link', 'set', hostInterface, 'master', bridge.name, 'up']);
  await node.exec(['ip', 'address', 'replace', `${address}/${bridge.prefix}`, 'dev', 'eth0']);
  await node.exec(['ip', 'link', 'set', 'eth0', 'up']);
  await node.exec(['ip', 'route', 'replace', 'default', 'via', bridge.address]);
}

/** A locally administered unicast address made of an IPv4 address. */
function macAddress(address: string): string {
  const octets = address.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  return ['0a', '58', ...octets].join(':');
}

/** Pods of the same cluster see each other's addresses; whoever else they talk to sees their node's. */
export async function ensurePodRoutes(plan: ClusterPlan, node: LocalNode): Promise<void> {
  for (const other of plan.nodes) {
    if (other.name === node.plan.name) continue;
    await node.exec(['ip', 'route', 'replace', other.podCidr, 'via', other.address]);
  }
  const rule = ['POSTROUTING', '-s', plan.podCidr, '!', '-d', plan.podCidr, '-j', 'MASQUERADE'];
  const exists = await node.exec(['iptables', '-w', '-t', 'nat', '-C', ...rule]).then(
    () => true,
    () => false,
  );
  if (!exists) await node.exec(['iptables', '-w', '-t', 'nat', '-A', ...rule]);
}
