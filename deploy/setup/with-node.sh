#!/bin/sh
# with-node.sh COMMAND [ARGUMENT...]: runs COMMAND with Node 24, the npm packages' commands and agentd's nats-server first on PATH.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P) || exit 1
. "$root/services/platform/process/launch.sh"
find_node "$root" || {
  echo 'error: there is no Node 24 here; run `make setup` first.' >&2
  exit 1
}
PATH=${node%/*}:$root/node_modules/.bin:$root/.cache/bin:$PATH
export PATH
# A `make` that a test or an agent's check runs is not a part of ours.
unset MAKEFLAGS MFLAGS MAKELEVEL
exec "$@"
