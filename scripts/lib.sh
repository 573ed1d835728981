# Shared by the scripts of this folder: where we are, how to speak, how to run a long step.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p var/log

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# step MESSAGE COMMAND...: runs a long command quietly, a dot every three seconds; its output is kept in var/log/setup.log.
step() {
  local message=$1 dots code=0; shift
  printf '%s ' "$message" >&2
  (while sleep 3; do printf . >&2; done) & dots=$!
  "$@" >>var/log/setup.log 2>&1 </dev/null || code=$?
  kill "$dots" && wait "$dots" 2>/dev/null || true
  if ((code == 0)); then say " done"; else say " failed"; fi
  return "$code"
}
