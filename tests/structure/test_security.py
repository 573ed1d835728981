"""What the security document names is there, and what it says of the pages' scripts is so."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([\w./-]+)`", DOCUMENT))
FOLDERS = "actions|bot|channels|desk|docs|jurisdiction|knowledge|language|petitions|scripts|storage|suqiutong|tests|web"
FILES = sorted(name for name in NAMED if re.match(rf"(?:{FOLDERS})/", name))
TESTS = sorted(name for name in NAMED if re.fullmatch(r"test_\w+", name))
STORES = re.compile(r"localStorage|sessionStorage|indexedDB|document\.cookie|caches\.")


def test_something_is_named():
    assert len(FILES) > 40
    assert len(TESTS) > 60


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_is_named_exists(name):
    assert (ROOT / name).exists()


def test_every_test_that_is_named_exists():
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert set(TESTS) <= set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))


def test_every_anchor_leads_somewhere():
    headings = {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in DOCUMENT.splitlines()}
    assert set(re.findall(r"\]\(#([\w-]+)\)", DOCUMENT)) <= headings


def test_scripts_keep_nothing_in_the_browser():
    scripts = [path for folder in ("channels", "desk") for path in (ROOT / folder / "static").glob("*.js")]
    assert len(scripts) > 3
    assert not [path.name for path in scripts if STORES.search(path.read_text(encoding="utf-8"))]
