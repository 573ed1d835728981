#!/usr/bin/env bash
# Holds every lock file against the advisory databases; audit.yml explains what cannot be mended. Arguments go to pip-audit,
# which has an environment of its own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
scripts/setup.sh
stamp=$(git hash-object requirements-audit.txt)
if [[ $(cat .audit/suqiutong-stamp 2>/dev/null) != "$stamp" ]]; then
  .uv/bin/uv venv -q --clear --python .venv/bin/python .audit
  step "Bringing pip-audit into .audit" .uv/bin/uv pip sync -q --python .audit --require-hashes requirements-audit.txt ||
    fail "pip-audit could not be installed: is there a network, or a package index set up? Details: var/log/setup.log"
  echo "$stamp" >.audit/suqiutong-stamp
fi
exec .venv/bin/python scripts/audit.py "$@"
