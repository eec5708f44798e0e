#!/bin/sh
# run-tests.sh PROJECT...: runs these projects of test/vitest.config.ts. Whatever happens, the last line is `N passed, N failed`.
set -u
cd "$(dirname -- "$0")/../.." || exit 1

projects=''
for project in "$@"; do projects="$projects --project $project"; done

AGENTD_TEST_SUMMARY=$(mktemp "${TMPDIR:-/tmp}/agentd-test-summary.XXXXXX") || exit 1
export AGENTD_TEST_SUMMARY
trap 'rm -f "$AGENTD_TEST_SUMMARY"' EXIT

# The names of projects hold no blank.
# shellcheck disable=SC2086
vitest run --config test/vitest.config.ts $projects </dev/null
code=$?

summary=$(cat "$AGENTD_TEST_SUMMARY")
case $summary in
'')
  # Vitest itself failed before it could count.
  [ "$code" -eq 0 ] && code=1
  summary='0 passed, 1 failed'
  ;;
*' passed, 0 failed') [ "$code" -eq 0 ] || summary="${summary% passed,*} passed, 1 failed" ;;
*) [ "$code" -ne 0 ] || code=1 ;;
esac
echo "$summary"
exit "$code"
