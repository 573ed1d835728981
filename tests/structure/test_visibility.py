"""Every function that selects petitions asks who looks, or is known to need no such question."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("petitions", "channels", "actions", "desk", "suqiutong")
SHOWN = {"Petition", "Event", "EventPrivate", "Personal", "RunningClock", "Photo"}
# Who has proved that the petition is theirs; what is done by the machine; what checks the actor once the row is locked.
EXEMPT = {
    "petitions/filing.py": {"file_petition", "find_ticket", "find_own_ticket", "list_own_tickets"},
    "petitions/progress.py": {"whole_of", "_events"},
    "petitions/cases.py": {"act", "lock_petitions", "_locked"},
    "petitions/outbox.py": {"_joined"},
    "petitions/search.py": {"read_unread", "write_missing_texts"},
    # Counts over all tickets, which name none.
    "petitions/standing.py": {"standing"},
    # The newest moment of the log alone.
    "suqiutong/doctor_data.py": {"_clock"},
    "petitions/ticking.py": {"tick", "recompute_provisional"},
    "petitions/log.py": {"erase_words", "verify", "replay", "_hashes"},
    "petitions/photos.py": {
        *("fill_photo", "previews", "_place"),
        *("has_photos", "export_photos", "reseal_photos", "keys_of_photos"),
    },
    "petitions/privacy.py": {"check_proof", "purge", "keys_in_use", "_not_under", "_set_text"},
}
FILES = [path.relative_to(ROOT) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def selecting(path):
    """Functions that select from what shows petitions, with whether they ask who looks."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            calls = [call for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)]
            selects = [call for call in calls if call.func.id == "select"]
            names = {name.id for call in selects for name in ast.walk(call) if isinstance(name, ast.Name)}
            if names & SHOWN:
                yield node.name, any(call.func.id in {"visible_to", "visible_parts"} for call in calls)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_query_asks_who_looks(path):
    exempt = EXEMPT.get(str(path), set())
    asks = dict(selecting(path))
    assert {name for name, has_asked in asks.items() if not has_asked} <= exempt


def test_no_exemption_is_left_over():
    for path, names in EXEMPT.items():
        known = {name for name, has_asked in selecting(path) if not has_asked}
        assert names <= known, path
