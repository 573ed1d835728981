"""What stories, rules and actions name exists in the domain, and the reverse."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from actions.server import ACTIONS

ROOT = Path(__file__).resolve().parents[2]


def domain(key):
    """One key of the domain, from all its files."""
    for path in sorted((ROOT / "bot" / "domain").glob("*.yml")):
        yield from yaml.safe_load(path.read_text(encoding="utf-8")).get(key, ())


def steps(value):
    """Every step's action in stories and rules, however deep."""
    if isinstance(value, list):
        for item in value:
            yield from steps(item)
    elif isinstance(value, dict):
        if isinstance(value.get("action"), str):
            yield value["action"]
        for item in value.values():
            yield from steps(item)


def strings(folder):
    """Every string in the Python files of a folder."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


USED = {
    name
    for path in sorted((ROOT / "data" / "stories").rglob("*.yml"))
    for name in steps(yaml.safe_load(path.read_text(encoding="utf-8")))
}
RESPONSES = sorted({text for text in {*USED, *strings(ROOT / "actions")} if re.fullmatch(r"utter_\w+", text)})
ANSWERED_BY_RASA = {
    "action_listen",
    "action_deactivate_loop",
    "action_restart",
    "action_session_start",
    "action_default_fallback",
}


@pytest.mark.parametrize("name", RESPONSES)
def test_every_response_used_exists(name):
    assert name in set(domain("responses"))


def test_every_step_of_a_story_exists():
    known = {*domain("actions"), *domain("responses"), *domain("forms"), *ANSWERED_BY_RASA}
    assert {*USED} <= known


def test_actions_and_domain_name_the_same_actions():
    assert {action.called for action in ACTIONS} == {
        name for name in domain("actions") if not name.startswith("utter_")
    }


def test_every_response_is_a_message_of_the_contract():
    for path in sorted((ROOT / "bot" / "domain").glob("*.yml")):
        for name, variants in (yaml.safe_load(path.read_text(encoding="utf-8")).get("responses") or {}).items():
            for variant in variants:
                assert {"kind", "text"} <= variant["custom"].keys(), name
