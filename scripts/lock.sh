#!/usr/bin/env bash
# Pins every package with its hashes, for every platform and without an index address.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
pin() { .uv/bin/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header "$@"; }
pin --python-version 3.8 requirements-uv.in -o requirements-uv.txt
pin --python-version 3.11 requirements-node.in -o requirements-node.txt
pin --python-version 3.11 requirements-audit.in -o requirements-audit.txt
pin --python-version 3.11 requirements.in -o requirements.txt
pin --python-version 3.11 requirements-dev.in -o requirements-dev.txt
pin --python-version 3.10 bot/requirements.in -o bot/requirements.txt
