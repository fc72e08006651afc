# Sourced by demo.sh and test.sh: stages with a title and a time, and the places they share.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${DR_SYNCER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dr-syncer}
clusters=test/dist/cluster/main.js
# kubectl of the clusters' own version first.
export PATH="$cache/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# stage TITLE COMMAND...: runs it and says how long it took. Gives the command's status.
stage() {
  local title=$1 started=$SECONDS status=0
  shift
  echo "==> $title"
  "$@" || status=$?
  if [ "$status" = 0 ]; then echo "    $title: $((SECONDS - started)) s"
  else echo "    $title: FAILED after $((SECONDS - started)) s (status $status)"
  fi
  return "$status"
}

use_clusters() {
  local lines
  lines=$(node "$clusters" env) || return
  eval "$lines"
}
