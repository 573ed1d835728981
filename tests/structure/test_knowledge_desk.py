"""What editors do by command they can do at the desk, by the same functions; what they cannot is said there."""

import ast
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from channels.turns import RATINGS
from desk.app import create_app
from desk.entry import routes_of
from desk.texts import TEXTS
from knowledge import curated
from suqiutong.cli import commands
from tests.unit.desk.fakes import desk_on

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "/knowledge/entries/{number}"
# Command: the routes of the desk that do the same, and the functions that both call.
AT_THE_DESK = {
    "faq list": (("GET /knowledge/entries",), {"list_entries"}),
    "faq show": ((f"GET {ENTRY}",), {"find_entry", "history"}),
    "faq approve": ((f"POST {ENTRY}/{{action}}",), {"approve"}),
    "faq return": ((f"POST {ENTRY}/{{action}}",), {"send_back"}),
    "faq retire": ((f"POST {ENTRY}/{{action}}",), {"retire"}),
    "faq revert": ((f"POST {ENTRY}/{{action}}",), {"revert"}),
    "unanswered dismiss": (("POST /knowledge/unanswered/dismiss",), {"dismiss"}),
    "unanswered link": (("POST /knowledge/unanswered/link",), {"link"}),
    "unanswered list": (("GET /knowledge",), set()),
    "knowledge list": (("GET /knowledge/documents",), set()),
    "knowledge check": (("GET /knowledge/documents/check",), set()),
}
# Said on the page of the documents.
BY_COMMAND = {
    "knowledge add",
    "knowledge remove",
    "knowledge rollback",
    "knowledge build",
    "faq import",
    "review export",
}
# No work of editors: for programs, developers, and what runs every night.
NOT_EDITING = {"faq export", "unanswered purge", "knowledge show", "knowledge train"}
DESK = ("desk/curating.py", "desk/unanswered.py")


def called(*paths):
    """Names of the functions that these files call."""
    for path in paths:
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield getattr(node.func, "attr", getattr(node.func, "id", ""))


def test_every_command_of_editors_has_its_place():
    groups = get_command(commands).commands
    found = {
        f"{group} {name}" for group in ("faq", "unanswered", "knowledge", "review") for name in groups[group].commands
    }
    assert found == AT_THE_DESK.keys() | BY_COMMAND | NOT_EDITING


@pytest.mark.parametrize("command", AT_THE_DESK)
def test_the_desk_does_it_by_the_same_functions(command):
    routes, functions = AT_THE_DESK[command]
    there = {f"{method} {route.path}" for route in routes_of(create_app(desk_on(None))) for method in route.methods}
    assert set(routes) <= there
    assert functions <= set(called(*DESK))
    assert functions <= set(called("suqiutong/curating.py"))


def test_what_is_done_by_command_is_said_on_the_page():
    said = {" ".join(command.split()[1:3]) for command in TEXTS.all["knowledge"]["commands"]}
    assert said == BY_COMMAND


def test_every_intent_step_state_and_field_has_its_word():
    words = TEXTS.all["knowledge"]
    listed = yaml.safe_load((ROOT / "bot" / "domain" / "intents.yml").read_text(encoding="utf-8"))["intents"]
    assert set(words["intents"]) == {intent if isinstance(intent, str) else next(iter(intent)) for intent in listed}
    assert set(words["steps"]) == set(curated.Step.__args__)
    assert set(curated.texts()["states"]) == set(curated.State.__args__)
    assert set(words["fields"]) == set(words["hints"])
    assert set(words["ratings"]) == set(RATINGS)
