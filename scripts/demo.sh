#!/bin/bash
# The demo on two real clusters, from a fresh clone: scripts/demo.sh [arguments of the demo]
set -euo pipefail
# shellcheck source=scripts/stages.sh
. "$(dirname "$0")/stages.sh"

stage prerequisites scripts/prerequisites.sh
stage dependencies make --no-print-directory deps
stage build make --no-print-directory build
stage clusters make --no-print-directory clusters
stage images make --no-print-directory images
use_clusters
exec node test/dist/demo/main.js "$@"
