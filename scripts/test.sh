#!/usr/bin/env bash
# Everything that must pass before a change lands; arguments go to pytest.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
scripts/setup.sh dev
scripts/check.sh
exec .venv/bin/python -m pytest "$@"
