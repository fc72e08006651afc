#!/bin/bash
# All checks and tests, from a fresh clone. The last line is `N passed, N failed`.
set -uo pipefail
# shellcheck source=scripts/stages.sh
. "$(dirname "$0")/stages.sh"

# Recorded answers of OpenShift's own code: checked where they are.
vectors=${SCC_VECTORS:-../shared/vectors/scc-vectors.json}
reports=$(mktemp -d)
scan='' integration=''
trap 'kill $scan $integration 2>/dev/null; rm -rf "$reports"' EXIT
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

# tally TITLE STATUS [PASSED FAILED]: no report, no tests, or trouble that no test stands for is never a success in silence.
tally() {
  local title=$1 status=$2 of_passed=${3:-0} of_failed=${4:-0}
  echo "    $title: $of_passed passed, $of_failed failed"
  passed=$((passed + of_passed))
  failed=$((failed + of_failed))
  if [ "$of_failed" = 0 ] && { [ "$status" != 0 ] || [ "$of_passed" = 0 ]; }; then
    failed=$((failed + 1))
    broken+=("$title")
  fi
}

# jest_counts TITLE: tests of its report that passed and failed; a file that could not even be loaded is a failure.
jest_counts() {
  node -e '
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } =
      JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    console.log(numPassedTests, numFailedTests + numRuntimeErrorTestSuites);
  ' "$reports/$1.json" 2>/dev/null
}

# jest_stage TITLE [ARGUMENT...]
jest_stage() {
  local title=$1 status=0
  shift
  stage "$title" run_jest --json --outputFile="$reports/$title.json" "$@" || status=$?
  # shellcheck disable=SC2046 # two words
  tally "$title" "$status" $(jest_counts "$title")
}

# counted TITLE COMMAND...: its last line is `N passed, ...N failed...`.
counted() {
  local title=$1 log="$reports/$1.log" status
  shift
  stage "$title" "$@" > >(tee "$log")
  status=$?
  wait $! 2>/dev/null
  # shellcheck disable=SC2046 # two words
  tally "$title" "$status" $(sed -nE 's/^(.*: )?([0-9]+) passed,(.*[, ])?([0-9]+) failed.*$/\2 \4/p' "$log" | tail -n 1)
}

# Those that make what they need by themselves go on beside the rest: much of their time is waiting.
start_integration() {
  echo "==> integration: begins beside the next stages"
  stage integration run_jest --json --outputFile="$reports/integration.json" --config test/jest.config.js \
    --testPathIgnorePatterns /node_modules/ /dist/ test/e2e/ >"$reports/integration.log" 2>&1 &
  integration=$!
}

end_integration() {
  local status=0
  wait "$integration" || status=$?
  cat "$reports/integration.log"
  # shellcheck disable=SC2046 # two words
  tally integration "$status" $(jest_counts integration)
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

end_to_end() {
  check images make --no-print-directory images || { not_started e2e; return; }
  check environment use_clusters || { not_started e2e; return; }
  start_scan
  suite_began=$(date -u +%Y-%m-%dT%H:%M:%S)
  jest_stage e2e --config test/jest.config.js test/e2e/
  check 'permissions that were asked for' permissions
  check 'secrets in what the tests left behind' end_scan
}

run_all() {
  check prerequisites scripts/prerequisites.sh || { not_started dependencies build lint unit selinux clusters integration e2e; return; }
  check dependencies make --no-print-directory deps || { not_started build lint unit selinux clusters integration e2e; return; }
  check build make --no-print-directory build
  check lint make --no-print-directory lint
  jest_stage unit
  [ ! -e "$vectors" ] || counted vectors make --no-print-directory test-vectors SCC_VECTORS="$vectors"
  counted selinux make --no-print-directory test-selinux
  check clusters make --no-print-directory clusters || { not_started images integration e2e; return; }
  start_integration
  end_to_end
  end_integration
}

run_all
[ ${#broken[@]} -eq 0 ] || echo "stages that failed or could not start: ${broken[*]}"
echo "total: $SECONDS s"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
