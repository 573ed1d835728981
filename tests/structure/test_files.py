"""Nothing in the repository depends on one machine or names where packages come from."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Pieces, so that this file does not find itself.
FORBIDDEN = re.compile(
    r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/|\bpypi\.(?:org|python)|files\.pythonhosted"
    r"|registry\.(?:npmjs)|deb\.(?:debian)\.org|--(?:extra-)?index-url[= ]\S"
)
LOCKS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-uv.txt",
    "requirements-node.txt",
    "requirements-audit.txt",
    "bot/requirements.txt",
)


def text_files():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".ico", ".woff2", ".npz"} and path != Path(__file__):
            yield path


def test_no_machine_paths_and_no_registry_hosts():
    found = {path.name: FORBIDDEN.findall(path.read_text(encoding="utf-8")) for path in text_files()}
    assert found
    assert not {name: places for name, places in found.items() if places}


@pytest.mark.parametrize("name", LOCKS)
def test_every_pinned_package_has_its_hash(name):
    packages = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip())
    assert packages
    assert all(re.match(r"\S+==\S+ ", package) and "--hash=sha256:" in package for package in packages)


def test_the_lock_of_the_browser_libraries_names_no_registry():
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") and "resolved" not in entry for entry in packages.values())
    assert {name: packages[f"node_modules/{name}"]["version"] for name in pinned} == pinned


def test_the_product_and_its_tests_run_the_same_packages():
    product, dev = (
        dict(re.findall(r"^(\S+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert product.items() <= dev.items()


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.sh")), ids=lambda path: path.name)
def test_scripts_stop_at_the_first_error(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#")
    assert "set -euo pipefail" in lines or path.name == "lib.sh"
    subprocess.run(["bash", "-n", path], check=True)
