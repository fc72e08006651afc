#!/bin/bash
# Checks that this machine has what demo and tests need. On Debian and Ubuntu, root gets it installed; everybody
# else gets one list of what is missing. Does nothing, quickly, when all is there.
set -euo pipefail

# Command or file -> Debian package. What stands first is looked for; a path must exist.
needed=(
  git:git make:make g++:g++ python3:python3 openssl:openssl tar:tar
  rsync:rsync ssh:openssh-client /usr/sbin/sshd:openssh-server
  setfacl:acl getfattr:attr flock:util-linux setpriv:util-linux
  promtool:prometheus prometheus:prometheus
  qemu-system-x86_64:qemu-system-x86 mmdebstrap:mmdebstrap /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
  mkfs.ext4:e2fsprogs
)
# For clusters and images on this machine; not if two clusters are given.
needed_for_clusters=(
  containerd:containerd ctr:containerd runc:runc /usr/lib/cni/bridge:containernetworking-plugins
  iptables:iptables conntrack:conntrack ip:iproute2 nsenter:util-linux
  buildah:buildah
)

if [ -z "${SOURCE_KUBECONFIG:-}" ]; then needed+=("${needed_for_clusters[@]}"); fi
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing_packages() {
  local entry what
  for entry in "${needed[@]}"; do
    what=${entry%%:*}
    if [[ $what == /* ]]; then [ -e "$what" ] || echo "${entry#*:}"
    else command -v "$what" >/dev/null || echo "${entry#*:}"
    fi
  done | sort -u
}

# What no package manager of ours can help with.
missing_otherwise() {
  if ! command -v node >/dev/null; then
    echo "Node.js >= 20.19: https://nodejs.org/en/download"
  elif ! node -e 'const [a, b] = process.versions.node.split(".").map(Number);
                  process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
    echo "Node.js >= 20.19 (this is $(node --version)): https://nodejs.org/en/download"
  fi
  command -v npm >/dev/null || echo "npm, which comes with Node.js"
  command -v go >/dev/null || echo "Go >= 1.21 (fetches the version it needs): https://go.dev/dl"
  if [ -z "${SOURCE_KUBECONFIG:-}" ]; then
    [ "$(uname -s)" = Linux ] || echo "Linux, or two clusters in SOURCE_KUBECONFIG and REMOTE_KUBECONFIG"
    [ "$(id -u)" = 0 ] || echo "root, for network namespaces and containerd; or two clusters in SOURCE_KUBECONFIG and REMOTE_KUBECONFIG"
  fi
}

# Packages with a service would start it: a containerd or an sshd that nobody asked for.
policy=/usr/sbin/policy-rc.d
forbid_services() {
  [ ! -e "$policy" ] || return 0
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 0755 "$policy"
  trap 'rm -f "$policy"' EXIT
}

install_packages() {
  local package fresh=()
  for package in containerd openssh-server prometheus; do
    [[ " $* " != *" $package "* ]] || fresh+=("${package/openssh-server/ssh}.service")
  done
  forbid_services
  echo "installing: $*"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  if [ ${#fresh[@]} -gt 0 ] && command -v systemctl >/dev/null; then
    systemctl disable --quiet "${fresh[@]}" 2>/dev/null || true # nor at the next boot
  fi
}

mapfile -t packages < <(missing_packages)
if [ ${#packages[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  install_packages "${packages[@]}"
  mapfile -t packages < <(missing_packages)
fi

mapfile -t others < <(missing_otherwise)
if [ ${#packages[@]} -eq 0 ] && [ ${#others[@]} -eq 0 ]; then exit 0; fi
{
  echo "Missing on this machine:"
  for other in "${others[@]}"; do echo "  - $other"; done
  if [ ${#packages[@]} -gt 0 ]; then
    for package in "${packages[@]}"; do echo "  - $package"; done
    echo "Debian, Ubuntu: sudo apt-get update && sudo apt-get install --no-install-recommends ${packages[*]}"
    echo "Elsewhere: the packages of the same purpose; CNI plugins are expected in /usr/lib/cni."
  fi
} >&2
exit 1
