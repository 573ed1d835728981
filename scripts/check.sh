#!/usr/bin/env bash
# What must hold before the tests run: style, types, and training data that Rasa accepts.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
say "Checking style, types and training data …"
.venv/bin/ruff check -q .
.venv/bin/ruff format -q --check .
.venv/bin/mypy
scripts/rasa.sh data validate --fail-on-warnings --config config.yml --domain bot/domain --data data >var/log/validate.log 2>&1 ||
  { tail -20 var/log/validate.log >&2; fail "the training data are not valid: var/log/validate.log"; }
