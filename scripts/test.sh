#!/bin/bash
# All checks and tests, from a fresh clone. The last line is `N passed, N failed`.
set -uo pipefail
# shellcheck source=scripts/stages.sh
. "$(dirname "$0")/stages.sh"

# Recorded answers of OpenShift's own code: checked where they are.
vectors=${SCC_VECTORS:-../shared/vectors/scc-vectors.json}
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
passed=0
failed=0
broken=()

# check TITLE COMMAND...: a stage of which the tests have no report; if it fails, that is one failure.
check() {
  stage "$@" && return
  failed=$((failed + 1))
  broken+=("$1")
  return 1
}

# Jest reports on standard error; its standard output would only say where the JSON is.
run_jest() {
  node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js "$@" >/dev/null
}

# jest_stage TITLE [ARGUMENT...]: counts tests, and as a failure each file that could not even be loaded.
jest_stage() {
  local title=$1 report="$reports/$1.json" counts
  shift
  stage "$title" run_jest --json --outputFile="$report" "$@"
  local status=$?
  counts=$(node -e '
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, numTotalTests } =
      JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    if (numTotalTests + numRuntimeErrorTestSuites === 0) process.exit(1);
    console.log(numPassedTests, numFailedTests + numRuntimeErrorTestSuites);
  ' "$report" 2>/dev/null) || counts="0 0"
  echo "    $title: ${counts% *} passed, ${counts#* } failed"
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
  # No report, no tests, or trouble that no test stands for: never a success in silence.
  if [ "${counts#* }" = 0 ] && { [ "$status" != 0 ] || [ "${counts% *}" = 0 ]; }; then
    failed=$((failed + 1))
    broken+=("$title")
  fi
}

# counted TITLE COMMAND...: its last line is `N passed, ...N failed...`.
counted() {
  local title=$1 log="$reports/$1.log" counts status
  shift
  stage "$title" "$@" > >(tee "$log")
  status=$?
  wait $! 2>/dev/null
  counts=$(sed -nE 's/^(.*: )?([0-9]+) passed,(.*[, ])?([0-9]+) failed.*$/\2 \4/p' "$log" | tail -n 1)
  [ -n "$counts" ] || counts="0 0"
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
  if [ "${counts#* }" = 0 ] && { [ "$status" != 0 ] || [ "${counts% *}" = 0 ]; }; then
    failed=$((failed + 1))
    broken+=("$title")
  fi
}

# While the end-to-end tests run: do secrets get anywhere?
start_scan() {
  node test/dist/scan/main.js >"$reports/scan.log" 2>&1 &
  scan=$!
}

end_scan() {
  kill -TERM "$scan"
  local status=0
  wait "$scan" || status=$?
  cat "$reports/scan.log"
  if [ "$status" = 0 ]; then passed=$((passed + 1)); fi
  return "$status"
}

# Over the whole suite: was any permission missing, was any of no use?
permissions() {
  node test/dist/rbac/main.js "$suite_began" || return
  passed=$((passed + 1))
}

# not_started TITLE...: stages that had no chance.
not_started() {
  failed=$((failed + $#))
  broken+=("$@")
}

run_all() {
  check prerequisites scripts/prerequisites.sh || { not_started dependencies build lint unit selinux clusters e2e; return; }
  check dependencies make --no-print-directory deps || { not_started build lint unit selinux clusters e2e; return; }
  check build make --no-print-directory build
  check lint make --no-print-directory lint
  jest_stage unit
  [ ! -e "$vectors" ] || counted vectors make --no-print-directory test-vectors SCC_VECTORS="$vectors"
  counted selinux make --no-print-directory test-selinux
  check clusters make --no-print-directory clusters || { not_started images e2e; return; }
  check images make --no-print-directory images || { not_started e2e; return; }
  check environment use_clusters || { not_started e2e; return; }
  start_scan
  suite_began=$(date -u +%Y-%m-%dT%H:%M:%S)
  jest_stage e2e --config test/jest.config.js
  check 'permissions that were asked for' permissions
  check 'secrets in what the tests left behind' end_scan
}

run_all
[ ${#broken[@]} -eq 0 ] || echo "stages that failed or could not start: ${broken[*]}"
echo "total: $SECONDS s"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
