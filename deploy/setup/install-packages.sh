#!/bin/sh
# Installs the npm packages, Node 24 among them, when package-lock.json is not the one that was installed last.
set -u
cd "$(dirname -- "$0")/../.." || exit 1
. services/platform/process/launch.sh

installed=node_modules/.installed-lock.json
if ! cmp -s package-lock.json "$installed"; then
  echo 'Installing the npm packages (about a minute the first time) ...'
  # Named, so that neither NODE_ENV=production nor a user's own npm settings leave some out.
  npm ci --include=dev --include=optional --no-progress --loglevel=error </dev/null || {
    echo 'error: `npm ci` failed, as it says above; look at that (often the network or a full disk) and run make again.' >&2
    exit 1
  }
  # What was compiled of the old packages is of no use any more.
  rm -rf .cache/compiled
  cp package-lock.json "$installed" || exit 1
fi

find_node "$PWD" || {
  echo "error: no Node 24 exists as a package for $(uname -sm); put Node 24 or newer on PATH and run make again." >&2
  exit 1
}
