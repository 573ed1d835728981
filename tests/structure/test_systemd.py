"""Every process has a unit that is sound, calls what exists, and may touch no more than it needs."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from suqiutong.cli import commands
from suqiutong.supervise import read_procfile

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "ops" / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
PROGRAM = "/opt/suqiutong/.venv/bin/suqiutong"
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
    "User": "suqiutong",
    "StateDirectoryMode": "0700",
}


def read(path):
    """Section by section, the values of every key."""
    sections, section = {}, {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
            continue
        name, is_set, value = line.partition("=")
        assert is_set, f"{path.name}:{number}: no setting"
        assert name.isidentifier(), f"{path.name}:{number}: {name}"
        section.setdefault(name, []).append(value)
    return sections


def tree(command, path=()):
    """The words of every command."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from tree(child, (*path, name))


COMMANDS = set(tree(get_command(commands)))


def test_every_process_has_a_unit_that_is_started_again():
    wanted = {f"suqiutong-{name}.service": words for name, words in read_procfile(ROOT / "Procfile").items()}
    assert set(wanted) <= {path.name for path in SERVICES}
    for name, command in wanted.items():
        unit = read(ROOT / "ops" / "systemd" / name)
        assert unit["Service"]["ExecStart"] == [f"{PROGRAM} {command.removeprefix('suqiutong ')}"]
        assert unit["Service"]["Restart"] == ["always"]
        assert unit["Unit"]["Requires"] == ["suqiutong-prepare.service"]
        assert "suqiutong-prepare.service" in unit["Unit"]["After"][0].split()
        assert unit["Unit"]["PartOf"] == unit["Install"]["WantedBy"] == ["suqiutong.target"]


@pytest.mark.parametrize("name", ["web", "actions", "rasa"])
def test_one_of_several_processes_is_run_as_the_only_one_is(name):
    one, several = (read(ROOT / "ops" / "systemd" / f"suqiutong-{name}{end}.service") for end in ("", "@"))
    assert several["Service"].pop("ExecStart") == [f"{PROGRAM} serve {name} --instance %i"]
    del one["Service"]["ExecStart"]
    assert several["Service"] == one["Service"]
    for key in ("Requires", "PartOf", "StartLimitIntervalSec", "StartLimitBurst"):
        assert several["Unit"][key] == one["Unit"][key]
    assert several["Install"] == one["Install"]
    assert "--instance" in [word for option in option_words("serve", name) for word in option]


def option_words(*path):
    """The options of a command, as they are typed."""
    command = get_command(commands)
    for word in path:
        command = command.commands[word]
    return [parameter.opts for parameter in command.params]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_calls_a_command_that_exists_and_touches_little(path):
    service = read(path)["Service"]
    [command] = service["ExecStart"]
    program, *words = shlex.split(command)
    assert program == PROGRAM
    assert any(tuple(words[:length]) in COMMANDS for length in range(1, len(words) + 1))
    assert {name: service[name][-1] for name in HARDENED} == HARDENED


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_name_units_that_exist(path):
    foreign = {"network-online.target", "postgresql.service", "redis-server.service", "multi-user.target"}
    foreign |= {"timers.target"}
    sections = read(path)
    for name in ("Requires", "Wants", "After", "PartOf", "WantedBy"):
        for section in ("Unit", "Install"):
            named = {word for value in sections.get(section, {}).get(name, []) for word in value.split()}
            assert named <= {unit.name for unit in UNITS} | foreign


def test_the_timer_has_its_service():
    assert read(ROOT / "ops" / "systemd" / "suqiutong-backup.timer")["Timer"]["Persistent"] == ["yes"]
    assert (ROOT / "ops" / "systemd" / "suqiutong-backup.service") in SERVICES


def test_systemd_accepts_the_units(tmp_path):
    verify = shutil.which("systemd-analyze")
    for path in UNITS:
        text = path.read_text(encoding="utf-8")
        # The program of an installation that is not here.
        (tmp_path / path.name).write_text(text.replace(PROGRAM, shutil.which("true")), encoding="utf-8")
    if verify is None:
        # Without systemd the other tests have read every line.
        assert all(read(path) for path in UNITS)
        return
    files = [tmp_path / path.name for path in UNITS]
    told = subprocess.run([verify, "verify", "--man=no", *files], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_every_unit_is_in_the_manual():
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert all(f"`{path.name}`" in manual for path in UNITS)
