"""What the doctor finds in a database that is well, and in one that is not."""

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from suqiutong import doctor_data
from suqiutong.doctor_data import examine_data
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from tests.conftest import ROOT, product_environment, run_command
from tests.integration.cases import NOW, file_case
from tests.unit.channels.fakes import KEYRING

# The first cell of a row.
ROW = re.compile(r"^\| (`[^|]+) \|", re.MULTILINE)


class ClockedServices(Services):
    """The services with a clock that the test turns."""

    now = NOW

    def clock(self):
        return self.now


@pytest.fixture
def services(database_url, tmp_path):
    services = ClockedServices(Settings(data=tmp_path, database_url=database_url))
    yield services
    services.engine.dispose()


def levels(services):
    return {finding.name: finding.level for finding in examine_data(services)}


def one(services, name):
    return next(finding for finding in examine_data(services) if finding.name == name)


def test_a_database_that_is_well(services):
    assert set(levels(services).values()) == {"ok"}
    assert len(levels(services)) == 8
    assert not services.settings.keys_file.exists(), "looking makes no keys"


def test_a_schema_of_another_version_is_told_and_nothing_else_is_read(services):
    with services.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert levels(services) == {"database": "fail", "keys": "ok"}
    assert one(services, "database").advice == "suqiutong db upgrade"


def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path):
    settings = Settings(data=tmp_path, database_url="postgresql+psycopg://user:geheim@127.0.0.1:1/name")
    finding = one(Services(settings), "database")
    assert finding.level == "fail"
    assert "geheim" not in str(finding)


def test_keys_that_are_missing_are_told(services):
    with services.writing() as session:
        file_case(session)
    path = services.settings.keys_file
    assert one(services, "keys").text.endswith("is missing, and 1 keys of it are in use")
    assert not path.exists()
    path.touch(0o600)
    entries = {name: {"key": KEYRING.keys["k1"].hex(), "made_at": NOW.isoformat()} for name in ("k1", "k2")}
    path.write_text(json.dumps({"current": "k1", "keys": entries}), encoding="utf-8")
    assert levels(services)["keys"] == "ok"
    path.write_text(json.dumps({"current": "k2", "keys": {"k2": entries["k2"]}}), encoding="utf-8")
    assert one(services, "keys").text == f"{path} lacks k1"
    path.chmod(0o644)
    assert levels(services)["keys"] == "fail"


def test_a_clock_that_was_turned_back_and_messages_that_wait_are_told(services):
    with services.writing() as session:
        file_case(session)
    services.now = NOW - timedelta(hours=1)
    assert levels(services)["clock"] == "warn"
    services.now = NOW + timedelta(hours=1)
    found = levels(services)
    assert (found["clock"], found["outbox"]) == ("ok", "fail")


def test_a_database_that_takes_nothing_is_told(services):
    if services.engine.dialect.name == "postgresql":
        name = services.engine.url.database
        with services.engine.begin() as connection:
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        services.engine.dispose()
    else:
        with services.engine.begin() as connection:
            connection.execute(
                text("CREATE TRIGGER no_writing BEFORE UPDATE ON alembic_version BEGIN SELECT RAISE(ABORT, 'no'); END")
            )
    assert levels(services)["writing"] == "fail"


def test_an_old_postgresql_is_told(services, monkeypatch):
    monkeypatch.setattr(doctor_data, "LEAST_POSTGRESQL", 999)
    is_sqlite = services.engine.dialect.name == "sqlite"
    assert levels(services)["database version"] == ("ok" if is_sqlite else "warn")


def test_the_command_tells_programs_and_fails_where_something_is_broken(tmp_path):
    environment = product_environment(tmp_path / "data") | {"SUQIUTONG_BACKUPS": str(tmp_path / "none")}
    assert run_command("db", "upgrade", environment=environment).returncode == 0
    assert (tmp_path / "data" / "suqiutong.db").stat().st_mode & 0o077 == 0
    result = run_command("doctor", "--json", environment=environment)
    told = json.loads(result.stdout)
    by_name = {finding["name"]: finding for finding in told["findings"]}
    assert (result.returncode, by_name["backup"]["level"], by_name["worker"]["level"]) == (1, "fail", "warn")
    assert told["broken"] == sum(finding["level"] == "fail" for finding in told["findings"])
    documented = re.findall(r"`([a-z ]+)`", "".join(ROW.findall((ROOT / "docs/operations.md").read_text())))
    assert set(by_name) <= set(documented)
    assert all(finding["advice"] or finding["level"] == "ok" for finding in told["findings"])
