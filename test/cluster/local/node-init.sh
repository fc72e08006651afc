#!/bin/bash
# The first process of a test node: node-init.sh NODE_DIRECTORY NODE_NAME
#
# It is started in fresh pid, mount, network and UTS namespaces, prepares what a kubelet expects of a machine,
# and then only waits and reaps. Everything else of the node (containerd, kubelet, pods) runs inside of these
# namespaces: when this process is killed, the kernel ends all of it and takes mounts and network along.
set -eu
node_dir=$1
node_name=$2

# unshare(1) made all mounts private, so nothing that happens here shows on the host.
mount -t proc proc /proc
hostname "$node_name"
ip link set lo up

# Two nodes on one machine must not share these. /var/log/pods: each kubelet deletes the other's logs;
# /var/lib/cni: a reused pod address met a stale ARP entry; /run/containerd: sockets of the shims.
for path in /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /run/containerd /run/netns; do
  mkdir -p "$node_dir/root$path" "$path"
  mount --bind "$node_dir/root$path" "$path"
done
mount --bind "$node_dir/root/etc/hosts" /etc/hosts

# Volumes that kubelet mounts later must appear in pods that ask for mountPropagation: HostToContainer.
mount --make-rshared /

# The kernel's own switches of this network namespace.
echo 1 >/proc/sys/net/ipv4/ip_forward
# Replies between two pods of one node must pass iptables, or a Service address is not translated back.
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
  echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
fi

touch "$node_dir/prepared"
trap 'exit 0' TERM
# bash reaps every process that is re-parented to it, as an init has to.
while :; do
  sleep 3600 &
  wait $! || true
done
