"""The command line explains itself, the Procfile calls what exists, the documentation lists every setting."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from suqiutong.cli import commands
from suqiutong.settings import settings_table
from suqiutong.supervise import read_procfile

ROOT = Path(__file__).resolve().parents[2]


def tree(command, path=()):
    """Every command with the words that call it."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from tree(child, (*path, name))


COMMANDS = dict(tree(get_command(commands)))
CONTRACT = (
    "ask",
    "triage",
    "train",
    "up",
    "knowledge build",
    "knowledge show",
    "knowledge check",
    "db upgrade",
    "staff add",
    "staff list",
    "staff disable",
    "token create",
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_help(words):
    command = COMMANDS[words]
    assert command.help
    assert not command.hidden
    for parameter in command.params:
        assert parameter.help, f"{' '.join(words)} {parameter.name}"


@pytest.mark.parametrize("words", CONTRACT)
def test_the_promised_commands_exist(words):
    assert tuple(words.split()) in COMMANDS


def test_the_procfile_calls_commands_that_exist():
    processes = read_procfile(ROOT / "Procfile")
    assert list(processes) == ["rasa", "actions", "web", "desk", "worker"]
    for command in processes.values():
        program, *words = shlex.split(command)
        assert program == "suqiutong"
        assert tuple(words) in COMMANDS


def test_every_setting_is_documented():
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").endswith(settings_table() + "\n")


def test_the_example_names_only_settings_that_exist():
    names = re.findall(r"^#?(SUQIUTONG_\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert names
    assert all(f"`{name}`" in settings_table() for name in names)


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE).group(1).split())
    assert targets == set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))


def test_the_changelog_begins_with_this_version_and_names_what_exists():
    told = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert re.findall(r"^## (\d+\.\d+\.\d+)（\d{4}-\d{2}-\d{2}）$", told, re.MULTILINE)[0] == project["version"]
    settings = set(re.findall(r"`(SUQIUTONG_\w+)", told))
    assert settings
    assert all(f"`{name}`" in settings_table() for name in settings)
    for words in re.findall(r"`suqiutong ([a-z ]+)`", told):
        assert tuple(words.split()) in COMMANDS
