import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeIfChanged } from '../process/files.js';
import { run } from '../process/run.js';
import type { ClusterPlan, NodePlan } from './plan.js';

/** Stands in for registry.k8s.io/pause, which may be out of reach; made by test/images. */
export const pauseImage = 'registry.k8s.io/pause:3.10';

/** Files that the programs of one node read, all below its directory. */
export async function writeNodeConfig(cluster: ClusterPlan, node: NodePlan, pkiDir: string): Promise<void> {
  const at = (...segments: string[]): string => join(node.directory, 'etc', ...segments);
  await mkdir(at('cni'), { recursive: true });
  await writeIfChanged(
    at('resolv.conf'),
    '# no cluster DNS: names fail at once instead of after a timeout\n',
  );
  await writeIfChanged(at('cni', '10-pods.conflist'), JSON.stringify(cniConfig(node)));
  await writeIfChanged(at('containerd.toml'), containerdConfig(node, await snapshotter(node.directory)));
  await writeIfChanged(at('kubelet.yaml'), stringify(kubeletConfig(node, pkiDir)));
  await writeIfChanged(at('kube-proxy.yaml'), stringify(kubeProxyConfig(cluster, node)));
}

function cniConfig(node: NodePlan): object {
  return {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isDefaultGateway: true,
        hairpinMode: true,
        // Masquerading is done for the whole cluster's range by ensurePodRoutes, not per node.
        ipMasq: false,
        ipam: { type: 'host-local', ranges: [[{ subnet: node.podCidr }]] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

/** `overlayfs` where the file system of the state directory can carry it, else `native`, which copies. */
async function snapshotter(directory: string): Promise<'overlayfs' | 'native'> {
  const probe = await mkdtemp(join(directory, 'overlay-probe-'));
  const at = (name: string): string => join(probe, name);
  try {
    for (const name of ['lower', 'upper', 'work', 'merged']) await mkdir(at(name));
    const options = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`;
    // In a mount namespace of its own: the probe leaves nothing mounted, however it ends.
    await run('unshare', ['--mount', 'mount', '-t', 'overlay', 'overlay', '-o', options, at('merged')]);
    return 'overlayfs';
  } catch {
    return 'native';
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

function containerdConfig(node: NodePlan, chosenSnapshotter: string): string {
  // Sockets and state are at the usual places under /run, which is the node's own there.
  return `version = 2
root = "${join(node.directory, 'containerd')}"
state = "/run/containerd"
oom_score = 0

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "${chosenSnapshotter}"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "${cniPluginDir}"
  conf_dir = "${join(node.directory, 'etc/cni')}"
`;
}

/** Where Debian's containernetworking-plugins puts them. */
export const cniPluginDir = '/usr/lib/cni';

function kubeletConfig(node: NodePlan, pkiDir: string): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(pkiDir, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: join(pkiDir, `kubelet-${node.name}.crt`),
    tlsPrivateKeyFile: join(pkiDir, `kubelet-${node.name}.key`),
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    resolvConf: join(node.directory, 'etc/resolv.conf'),
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    // No hierarchy of QoS cgroups and no enforcement on the node: several nodes share one machine, which
    // may itself be a container and have cgroup v1.
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    // The disk is the host's: a nearly full one is no reason to evict, and an image that garbage
    // collection took away could not be pulled again.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  };
}

function kubeProxyConfig(cluster: ClusterPlan, node: NodePlan): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clusterCIDR: cluster.podCidr,
    hostnameOverride: node.name,
    clientConnection: { kubeconfig: join(node.directory, 'kube-proxy.kubeconfig') },
    // 0: leave the machine's connection tracking limits alone.
    conntrack: { maxPerCore: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}
