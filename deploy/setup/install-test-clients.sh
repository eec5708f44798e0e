#!/bin/sh
# Fetches the foreign clients that drive the API in tests, once: grpcio-tools in a virtual environment (.cache/python-client) and
# grpcurl (.cache/bin). A machine that cannot fetch one tests without it, and says so here and in the tests.
set -u
cd "$(dirname -- "$0")/../.." || exit 1
. deploy/setup/versions.sh

grpcurl_pinned=v1.9.3
requirements=deploy/setup/python-client.requirements.txt
mkdir -p .cache/bin || exit 1

# The stamp names all that the environment was made from; it is written last.
install_python_client() {
  environment=.cache/python-client
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || {
    echo 'SKIPPED: tests with a generated Python client need python3 with venv'
    return
  }
  stamp="$(python3 -c 'import sys; print(sys.executable, sys.version)') $(cksum <"$requirements")"
  [ -f "$environment/stamp" ] && [ "$(cat "$environment/stamp")" = "$stamp" ] && return
  echo 'Fetching grpcio-tools with pip for the tests ...'
  log=.cache/python-client-install.log
  {
    python3 -m venv --clear "$environment" &&
      "$environment/bin/python" -m pip install --disable-pip-version-check --no-input --no-compile --only-binary :all: \
        --require-hashes -r "$requirements"
  } >"$log" 2>&1 </dev/null && printf '%s\n' "$stamp" >"$environment/stamp" && rm -f "$log" && return
  rm -rf "$environment"
  echo "SKIPPED: tests with a generated Python client: pip could not fetch grpcio-tools ($log says why)"
}

# Go checks the module's digest against its public log.
install_grpcurl() {
  [ -x .cache/bin/grpcurl ] && [ "$(.cache/bin/grpcurl -version 2>&1)" = "grpcurl $grpcurl_pinned" ] && return
  go_can_fetch || {
    echo 'SKIPPED: tests with grpcurl need Go 1.21 or newer'
    return
  }
  echo "Building grpcurl $grpcurl_pinned with Go for the tests ..."
  log=.cache/grpcurl-install.log
  GOBIN=$PWD/.cache/bin CGO_ENABLED=0 go install -ldflags "-s -w -X main.version=$grpcurl_pinned" \
    "github.com/fullstorydev/grpcurl/cmd/grpcurl@$grpcurl_pinned" >"$log" 2>&1 </dev/null && rm -f "$log" && return
  echo "SKIPPED: tests with grpcurl: Go could not build it ($log says why)"
}

# Side by side: one mostly waits for the network, the other for the processor.
install_python_client &
install_grpcurl
wait
exit 0
