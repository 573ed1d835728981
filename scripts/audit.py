"""Holds every pinned package against the advisory databases, and audit.yml against what they say.

Exit code 0 when every advisory is explained and every explanation still applies; 1 when not; 2 when a service cannot be
reached, for then nothing is proven.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements*.txt", "bot/requirements.txt")
PIN = re.compile(r"^([\w.-]+)==([\w.+!-]+)", re.MULTILINE)


class UnreachableError(Exception):
    """A service did not answer for every package."""


@dataclass(frozen=True, slots=True)
class Advisory:
    """What a database says of a pinned package: all names of the advisory, the first the one it goes by."""

    package: str
    version: str
    names: tuple[str, ...]


def pins(root: Path = ROOT) -> dict[tuple[str, str], list[str]]:
    """Every pinned Python package and version with the lock files that pin it.

    Markers are left out: what another interpreter or system installs counts too.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for pattern in LOCKS:
        for path in sorted(root.glob(pattern)):
            for name, version in PIN.findall(path.read_text(encoding="utf-8")):
                found.setdefault((name, version), []).append(str(path.relative_to(root)))
    return found


def batches(packages: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """The packages in lists in which each name stands once, as pip-audit wants them."""
    left = sorted(set(packages))
    while left:
        batch = dict(reversed(left))
        yield sorted(batch.items())
        left = [(name, version) for name, version in left if batch[name] != version]


def python_advisories(packages: Iterable[tuple[str, str]], options: Iterable[str] = ()) -> list[Advisory]:
    """What pip-audit finds.

    Raises:
        UnreachableError: the database did not answer, or does not know a package that is pinned.
    """
    found: list[Advisory] = []
    for batch in batches(packages):
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.write("".join(f"{name}=={version}\n" for name, version in batch))
            file.flush()
            program = [ROOT / ".audit/bin/pip-audit", "--no-deps", "--disable-pip", "-r", file.name, "-f", "json"]
            done = _run(*program, "--progress-spinner", "off", "--timeout", "20", *options)
        found += read_pip_audit(done.stdout)
    return found


def read_pip_audit(output: str) -> list[Advisory]:
    """The advisories in what pip-audit prints.

    Raises:
        UnreachableError: it is no report, or leaves a package out: then it proves nothing, whatever its exit code.
    """
    try:
        rows = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreachableError("the advisory database for Python packages cannot be reached") from error
    skipped = [row["name"] for row in rows if "skip_reason" in row]
    if skipped:
        raise UnreachableError(
            f"the advisory database for Python packages has no answer for {len(skipped)} of {len(rows)} packages"
        )
    return [Advisory(row["name"], row["version"], (one["id"], *one["aliases"])) for row in rows for one in row["vulns"]]


def npm_advisories() -> list[Advisory]:
    """What npm finds in package-lock.json.

    Raises:
        UnreachableError: the registry gives no advisories.
    """
    npm = shutil.which("npm") or str(ROOT / ".node/bin/npm")
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    versions = {
        path.rpartition("node_modules/")[2]: entry.get("version", "") for path, entry in lock["packages"].items()
    }
    return read_npm(_run(npm, "audit", "--json", "--package-lock-only").stdout, versions)


def read_npm(output: str, versions: Mapping[str, str]) -> list[Advisory]:
    """The advisories in what npm prints; what only contains a package with one is left out.

    Raises:
        UnreachableError: it is no report.
    """
    try:
        rows = json.loads(output)["vulnerabilities"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreachableError("the advisory service of npm cannot be reached") from error
    return [
        Advisory(one["name"], versions.get(one["name"], ""), (one["url"].rpartition("/")[2],))
        for row in rows.values()
        for one in row["via"]
        if isinstance(one, Mapping)
    ]


def compare(found: Iterable[Advisory], known: Iterable[Mapping[str, Any]]) -> tuple[list[Advisory], list[str]]:
    """The advisories that nothing explains, and the explanations that explain nothing."""
    explained = {(entry["package"], entry["advisory"]) for entry in known}
    unexplained, used = [], set()
    for one in found:
        matching = {(one.package, name) for name in one.names} & explained
        used |= matching
        if not matching:
            unexplained.append(one)
    return unexplained, [f"{package} {advisory}" for package, advisory in sorted(explained - used)]


def main(options: list[str]) -> int:
    """Audit; options go to pip-audit (`-s osv` asks another database)."""
    known = yaml.safe_load((ROOT / "audit.yml").read_text(encoding="utf-8"))["known"]
    pinned = pins()
    try:
        # One question first: where it is not answered, some hundred more are not either.
        python_advisories([next(iter(pinned))], options)
        found = [*python_advisories(pinned, options), *npm_advisories()]
    except (UnreachableError, OSError) as error:
        print(f"error: {error}: nothing is proven; run `make audit` where it can be reached", file=sys.stderr)  # noqa: T201
        return 2
    unexplained, stale = compare(found, known)
    for one in unexplained:
        where = ", ".join(pinned.get((one.package, one.version), ["package-lock.json"]))
        print(f"{one.package} {one.version}: {' '.join(one.names)} ({where})")  # noqa: T201
    for entry in stale:
        print(f"audit.yml: {entry} no longer applies")  # noqa: T201
    print(f"{len(pinned)} packages, {len(found)} advisories, {len(unexplained)} unexplained, {len(stale)} outdated")  # noqa: T201
    return 1 if unexplained or stale else 0


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - fixed programs
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
