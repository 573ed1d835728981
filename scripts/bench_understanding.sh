#!/usr/bin/env bash
# Compares pipelines of intent classification on one split of data/nlu; prints the tables of docs/understanding.md.
# Arguments choose pipelines (ours, diet, …), none takes all; what Rasa says goes to the log. TRAINING_FRACTION (default 0.8) is the
# share of examples to train on: DIET on all of them takes most of an hour. `folds [FILE]` cross-validates ours instead, and writes
# every wrong example to FILE. `held-out` asks ours the messages of bench/understanding that nobody trained with.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
# Without its cache Rasa trains every time, so that the seconds are those of a training.
export RASA_TELEMETRY_ENABLED=false RASA_MAX_CACHE_SIZE=0 SQLALCHEMY_SILENCE_UBER_WARNING=1
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 PYTHONWARNINGS=ignore PYTHONPATH=$PWD
# The encoder asks for one thread too late, after scikit-learn has started OpenMP; two threads that wait for each other on
# a busy machine cost many times the work.
export OMP_NUM_THREADS=1
if [[ "${1:-}" == folds ]]; then
  exec .venv-bot/bin/python scripts/cross_validate.py "${@:2}" 2>>var/log/understanding.folds.log
fi
if [[ "${1:-}" == held-out ]]; then
  .venv-bot/bin/python scripts/cross_validate.py held-out var/understanding.held_out.tsv 2>>var/log/understanding.folds.log
  exec .venv/bin/python -m bench.understanding.measure var/understanding.held_out.tsv
fi
folder=$(mktemp -d var/understanding.XXXXXX)
trap 'rm -rf "$folder"' EXIT
log=var/log/$(basename "$folder").log
python=.venv-bot/bin/python
explain() { tail -5 "$log" >&2; fail "the comparison failed: $log"; }
"$python" -m rasa data split nlu --nlu data/nlu --training-fraction "${TRAINING_FRACTION:-0.8}" --random-seed 1 --out "$folder" >"$log" 2>&1 || explain
"$python" scripts/bench_understanding.py "$folder" "$@" 2>>"$log" || explain
