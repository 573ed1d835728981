#!/usr/bin/env bash
# Rasa's own command line in its sealed environment, without telemetry and without the warnings of its pinned parts.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
export RASA_TELEMETRY_ENABLED=false SQLALCHEMY_SILENCE_UBER_WARNING=1 TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore
exec .venv-bot/bin/python -m rasa "$@"
