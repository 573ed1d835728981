#!/usr/bin/env bash
# Makes .venv and .venv-bot from their lock files and brings the libraries of the browser; `setup.sh dev` adds the tools that tests need.
# What is up to date is skipped.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
: >var/log/setup.log
network="is there a network, or a package index set up? Details: var/log/setup.log"
uv=.uv/bin/uv

digest() { git hash-object "$1"; }

# A stamp is written last, so an environment without one was left half-made and is made anew.
stamp() { cat "$1/suqiutong-stamp" 2>/dev/null || true; }

need_disk() {
  local free_kb; free_kb=$(df -Pk . | awk 'NR == 2 { print $4 }')
  ((free_kb >= 6 * 1024 * 1024)) || fail "only $((free_kb / 1024 / 1024)) GB of disk are free here, the two environments need 6"
}

bring_uv() {
  [[ $(stamp .uv) == "$(digest requirements-uv.txt)" ]] && "$uv" --version >/dev/null 2>&1 && return
  rm -rf .uv
  python3 -m venv .uv >>var/log/setup.log 2>&1 || fail "python3 cannot make an environment: install python3 with its venv module"
  step "Bringing uv into .uv" .uv/bin/python -m pip install --require-hashes -r requirements-uv.txt || fail "uv could not be fetched: $network"
  digest requirements-uv.txt >.uv/suqiutong-stamp
}

# The interpreter of the product: the version that is tested most comes first.
find_python() {
  local name
  for name in python3.11 python3.12 python3.13 python3; do
    "$name" -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14); print(sys.executable)' 2>/dev/null && return
  done
  echo 3.11
}

# bot/.python-version lets pyenv find 3.10; uv downloads it where there is none.
find_bot_python() { (cd bot && python3.10 -c 'import sys; print(sys.executable)' 2>/dev/null) || echo 3.10; }

# environment FOLDER LOCK PYTHON: FOLDER holds exactly what LOCK says.
environment() {
  local folder=$1 lock=$2 python=$3
  if [[ -z $(stamp "$folder") ]] || ! "$folder/bin/python" -c '' 2>/dev/null; then
    need_disk
    rm -rf "$folder"
    UV_PYTHON_INSTALL_DIR=$PWD/.uv/pythons step "Making $folder" "$uv" venv -q --python "$python" "$folder" ||
      fail "no Python ${python##*/python} is to be had for $folder: install it (a package, or pyenv install), or give uv a network to download it"
  fi
  rm -f "$folder/suqiutong-stamp"
  step "Installing $(grep -c '==' "$lock") packages of $lock" "$uv" pip sync -q --compile-bytecode --python "$folder" --require-hashes "$lock" ||
    fail "the packages of $lock could not be installed: $network"
}

# bring_npm: says which npm there is: the machine's own, else that of a wheel in an environment of its own.
bring_npm() {
  command -v npm >/dev/null && npm --version >/dev/null 2>&1 && { echo npm; return; }
  if [[ $(stamp .node) != "$(digest requirements-node.txt)" ]] || ! .node/bin/npm --version >/dev/null 2>&1; then
    environment .node requirements-node.txt "$(find_python)" >&2
    digest requirements-node.txt >.node/suqiutong-stamp
  fi
  echo "$PWD/.node/bin/npm"
}

# The stamp of node_modules is written last, as those of the environments.
bring_browser_libraries() {
  local wanted npm; wanted=$(digest package-lock.json)
  [[ $(stamp node_modules) == "$wanted" ]] && return
  npm=$(bring_npm)
  # Scripts of packages are never run: the libraries are only files.
  PATH=$(dirname "$npm"):$PATH step "Bringing the libraries of the browser" "$npm" ci --ignore-scripts --no-audit --no-fund ||
    fail "the libraries of the browser could not be fetched: is there a network, or an npm registry set up? Details: var/log/setup.log"
  echo "$wanted" >node_modules/suqiutong-stamp
}

bring_uv

lock=requirements.txt
runtime=$(digest requirements.txt) dev=$(digest requirements-dev.txt)
[[ ${1:-} == dev ]] && lock=requirements-dev.txt runtime=$dev  # the locks agree, so an environment for tests also runs the product
project=$(digest pyproject.toml)
case $(stamp .venv) in
  "$runtime $project $PWD" | "$dev $project $PWD") .venv/bin/python -c '' 2>/dev/null && fresh=yes ;;
esac
if [[ -z ${fresh:-} ]]; then
  environment .venv "$lock" "$(find_python)"
  step "Installing suqiutong itself" "$uv" pip install -q --python .venv --no-deps --no-build-isolation --offline -e . ||
    fail "suqiutong could not be installed into .venv: see var/log/setup.log"
  echo "$(digest "$lock") $project $PWD" >.venv/suqiutong-stamp
fi

bot="$(digest bot/requirements.txt) $PWD"
if [[ $(stamp .venv-bot) != "$bot" ]] || ! .venv-bot/bin/python -c '' 2>/dev/null; then
  environment .venv-bot bot/requirements.txt "$(find_bot_python)"
  echo "$bot" >.venv-bot/suqiutong-stamp
fi

bring_browser_libraries
