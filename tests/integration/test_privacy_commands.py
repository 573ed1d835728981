"""Personal data and their keys on the command line, as a person types it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from petitions.privacy import keys_in_use, unseal
from suqiutong.errors import CommandError
from suqiutong.keys import GRACE, add_key, drop_keys, read_keyring
from tests.conftest import product_environment, run_command
from tests.integration.cases import KEYRING, STATION, file_case, step
from tests.integration.test_at_once import at_once

NOW = datetime(2026, 11, 24, tzinfo=UTC)
WHO = ("--as", "张三", "--role", "supervisor", "--unit", STATION)
WHY = ("--reason", "本人要求")


@pytest.fixture
def number(engine):
    """A ticket at its end, whose data are not sealed yet, as after an upgrade."""
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "withdraw")
        unseal(session, KEYRING)
        session.commit()
        return petition.number


@pytest.fixture
def command(tmp_path, database_url):
    environment = product_environment(tmp_path / "data") | {"SUQIUTONG_DATABASE_URL": database_url}
    return lambda *arguments: run_command(*arguments, environment=environment)


def test_the_life_of_personal_data(command, number, engine, tmp_path):
    assert command("db", "upgrade").returncode == 0
    with Session(engine) as session:
        (first,) = keys_in_use(session)
    assert json.loads(command("privacy", "unmask", number, "phone", *WHO, *WHY).stdout) == {"phone": "13800138000"}
    assert "理由" in command("privacy", "unmask", number, "phone", *WHO, "--reason", "x").stderr
    assert command("privacy", "rotate").stdout == "sealed anew: 2\n"
    with Session(engine) as session:
        assert first not in keys_in_use(session)
    assert "younger than an hour" in command("privacy", "drop-keys").stderr
    assert command("privacy", "find", "phone", "138-0013-8000", *WHO).stdout == f"{number}\twithdrawn\t{STATION}\n"
    exported = json.loads(command("privacy", "export", number, *WHO, *WHY).stdout)
    assert exported["petitions"][0]["said"]["name"] == "陈"
    assert command("privacy", "purge").stdout == "petitions: 0\n"
    proof = tmp_path / "proof.json"
    proof.write_text(command("privacy", "erase", number, *WHO, *WHY).stdout, encoding="utf-8")
    assert command("privacy", "check-proof", str(proof)).stdout == f"erased: {number}\n"
    proof.write_text(proof.read_text(encoding="utf-8").replace("张三", "李四"), encoding="utf-8")
    result = command("privacy", "check-proof", str(proof))
    assert (result.returncode, result.stdout) == (1, "signature\n")
    assert command("privacy", "find", "phone", "13800138000", *WHO).stdout == ""
    assert command("privacy", "unseal").stdout == "unsealed: 0\n"


def test_a_lost_key_is_told_before_anything_is_sealed_with_a_new_one(command, number, tmp_path):  # noqa: ARG001
    command("db", "upgrade")
    (tmp_path / "data" / "keys.json").unlink()
    result = command("db", "upgrade")
    assert result.returncode == 1
    assert "keys.json lacks k" in result.stderr


def test_many_who_start_at_once_make_one_key(tmp_path):
    path = tmp_path / "keys.json"
    found = at_once(8, lambda _index: read_keyring(path, now=NOW))
    assert len({keyring.current for keyring in found}) == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_old_keys_stay_until_nothing_needs_them(tmp_path):
    path = tmp_path / "keys.json"
    old = read_keyring(path, now=NOW)
    new = add_key(path, now=NOW)
    assert {old.current, new.current} == set(new.keys)
    with pytest.raises(CommandError, match="younger"):
        drop_keys(path, set(), now=NOW)
    assert drop_keys(path, {old.current}, now=NOW + GRACE) == []
    assert drop_keys(path, set(), now=NOW + GRACE + timedelta(days=1)) == [old.current]
    assert set(read_keyring(path, now=NOW).keys) == {new.current}


@pytest.mark.parametrize("content", ["", "{}", '{"current": "a", "keys": {}}', '{"current": "a", "keys": {"a": 1}}'])
def test_a_broken_file_of_keys_is_refused(tmp_path, content):
    path = tmp_path / "keys.json"
    read_keyring(path, now=NOW)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match="restore it"):
        read_keyring(path, now=NOW)
    path.chmod(0o644)
    with pytest.raises(CommandError, match="read by others"):
        read_keyring(path, now=NOW)
