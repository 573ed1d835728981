"""What the doctor makes of what it finds: well, to be looked at, or broken; and what to do about it."""

import os
from datetime import UTC, date, datetime, timedelta

import pytest

from petitions.standing import Standing
from suqiutong import doctor
from suqiutong.doctor import check_backups, check_calendar, check_worker
from suqiutong.doctor_data import check_due_times, check_outbox
from suqiutong.finding import Finding
from suqiutong.heartbeats import Run
from suqiutong.settings import Settings
from suqiutong.worker import SCHEDULE, SELDOM_HOURS

NOW = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)


def ran(seconds_ago, *, is_ok=True):
    at = NOW.timestamp() - seconds_ago
    return Run(at, 0.1, is_ok, at if is_ok else None)


def stands(**changed):
    values = {
        "tickets": {},
        "overdue": {},
        "provisional": 0,
        "outbox": {"pending": 0, "dead": 0},
        "oldest_seconds": 0.0,
        "late_seconds": 0.0,
    }
    return Standing(**values | changed)


def test_a_finding_is_one_line():
    assert str(Finding("disk", "ok", "70 GB free")) == "ok   disk: 70 GB free"
    assert str(Finding("disk", "fail", "0.1 GB free", "make room")) == "fail disk: 0.1 GB free -> make room"


@pytest.mark.parametrize(("today", "level"), [(date(2020, 5, 1), "ok"), (date(2199, 1, 1), "warn")])
def test_a_year_without_calendar_is_a_warning(today, level):
    finding = check_calendar(today)
    assert finding.level == level
    assert bool(finding.advice) == (level != "ok")


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({}, "ok", "done when they were due"),
        ({"tick": ran(3600)}, "fail", "tick"),
        ({"photos": ran(3600 * 2)}, "ok", "done when they were due"),
        ({"clean": ran(3600 * 20)}, "ok", "done when they were due"),
        ({"clean": ran(3600 * 40)}, "warn", "clean"),
        ({"deliver": ran(5, is_ok=False)}, "warn", "failed last: deliver"),
        ({"clean": None}, "warn", "clean"),
        ({"index": None}, "fail", "index"),
    ],
)
def test_a_worker_that_is_silent_or_fails_is_told(changed, level, words):
    runs = dict.fromkeys(SCHEDULE, ran(30)) | changed
    finding = check_worker({job: run for job, run in runs.items() if run}, NOW)
    assert (finding.level, words in finding.text) == (level, True)


def test_a_worker_that_never_ran_or_whose_queue_is_gone():
    assert check_worker({}, NOW).level == "warn"
    assert check_worker(None, NOW).level == "fail"
    assert set(SCHEDULE) > set(SELDOM_HOURS)


def backup(folder, hours, name="suqiutong-20261126-010000.tar.gz"):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.touch()
    at = (NOW - timedelta(hours=hours)).timestamp()
    os.utime(path, (at, at))


def test_backups_are_looked_for_where_they_should_be(tmp_path):
    folder = tmp_path / "backups"
    assert check_backups(None, NOW).level == "warn"
    assert check_backups(folder, NOW).level == "fail"
    backup(folder, 1, "suqiutong-20261126-010000-keys.tar.gz")
    assert check_backups(folder, NOW).level == "fail"
    backup(folder, 40)
    assert "40 hours old" in check_backups(folder, NOW).text
    assert check_backups(folder, NOW).level == "fail"
    backup(folder, 3, "suqiutong-20261125-230000.tar.gz")
    beside = check_backups(folder, NOW)
    assert (beside.level, "keys lie beside it" in beside.text) == ("warn", True)
    (folder / "suqiutong-20261126-010000-keys.tar.gz").unlink()
    assert check_backups(folder, NOW).level == "ok"


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({}, "ok"),
        ({"outbox": {"pending": 3, "dead": 0}, "late_seconds": 60.0}, "ok"),
        ({"outbox": {"pending": 3, "dead": 0}, "late_seconds": 900.0}, "fail"),
        ({"outbox": {"pending": 0, "dead": 2}}, "warn"),
    ],
)
def test_messages_that_do_not_arrive_are_told(changed, level):
    assert check_outbox(stands(**changed)).level == level


@pytest.mark.parametrize(("day", "count", "level"), [(26, 4, "ok"), (40, 4, "warn"), (40, 0, "ok")])
def test_provisional_due_times_are_a_warning_once_the_holidays_are_announced(day, count, level):
    now = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=day - 1)
    assert check_due_times(stands(provisional=count), now).level == level


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({}, "ok"),
        ({"host": "0.0.0.0"}, "warn"),
        ({"host": "0.0.0.0", "public_url": "https://example.test"}, "ok"),
        ({"public_url": "http://example.test"}, "warn"),
    ],
)
def test_residents_words_in_the_open_are_told(settings, level):
    assert doctor._address(Settings(**settings)).level == level


@pytest.mark.parametrize(("free", "level"), [(50e9, "ok"), (1e9, "warn"), (1e8, "fail")])
def test_a_disk_that_fills_is_told(tmp_path, monkeypatch, free, level):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _path: FakeUsage(free))
    assert [finding.level for finding in doctor._disks(Settings(data=tmp_path / "not" / "there"))] == [level]


def test_a_secret_that_was_lost_is_told_before_a_start_makes_another(tmp_path):
    assert doctor._secrets(Settings(data=tmp_path)).level == "ok"
    (tmp_path / "keys.json").touch(0o600)
    assert doctor._secrets(Settings(data=tmp_path)).level == "fail"
    assert not (tmp_path / "secrets.json").exists()


class FakeUsage:
    def __init__(self, free):
        self.free = free


def test_data_that_others_on_the_machine_can_read_are_told(tmp_path):
    database = tmp_path / "suqiutong.db"
    database.touch(0o600)
    tmp_path.chmod(0o755)
    assert doctor._permissions(Settings(data=tmp_path)).level == "ok"
    database.chmod(0o644)
    told = doctor._permissions(Settings(data=tmp_path))
    assert (told.level, "suqiutong.db" in told.text, "chmod" in told.advice) == ("warn", True, True)
    tmp_path.chmod(0o700)
    assert doctor._permissions(Settings(data=tmp_path)).level == "ok"


@pytest.mark.parametrize(
    ("line", "is_secret"),
    [
        ("SUQIUTONG_DATABASE_URL=postgresql+psycopg://user:geheim@host/name", True),
        ("SUQIUTONG_DESK_OIDC_CLIENT_SECRET=word", True),
        ("SUQIUTONG_DATABASE_URL=postgresql+psycopg:///name", False),
        ("SUQIUTONG_WEB_PORT=8000", False),
    ],
)
def test_the_settings_that_hold_secrets_are_known(line, is_secret):
    assert bool(doctor._ENV_SECRET.search(f"A=1\n{line}\n")) is is_secret
