"""Every clock runs out when its rule says, in Shanghai, by Chinese workdays."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petitions.clocks import (
    SHANGHAI,
    due_at,
    extend_clock,
    own_clocks,
    pause_clock,
    read_clocks,
    resume_clock,
    start_clock,
    step_at,
)
from petitions.data import DataError
from petitions.workdays import chinese_workdays, read_workdays

# Just after midnight in Shanghai, still the day before in UTC.
NOW = datetime(2026, 11, 23, 16, 30, tzinfo=UTC)
CALENDAR = chinese_workdays()
CLOCKS = own_clocks()
NORMAL = {"class_": "投诉", "channel": "chat", "priority": "normal"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dispatch", "2026-11-24T02:30:00+08:00"),
        ("dispatch_urgent", "2026-11-24T01:00:00+08:00"),
        ("contact", "2026-11-25T00:30:00+08:00"),
        ("accept", "2026-12-09T23:59:59+08:00"),
        ("close", "2027-01-23T23:59:59+08:00"),
        ("objection", "2026-12-01T23:59:59+08:00"),
    ],
)
def test_when_a_clock_runs_out(name: str, expected: str) -> None:
    running = start_clock(name, CLOCKS[name], NOW, CALENDAR)
    assert running.due_at.isoformat() == expected
    assert running.due_at.tzinfo is SHANGHAI
    assert not running.is_provisional


@pytest.mark.parametrize(
    ("start", "due"),
    [
        # Spring Festival 2026: off from 15 to 23 February, Saturdays 14 and 28 are worked.
        ("2026-02-12T10:00", "2026-02-26T23:59:59"),
        ("2026-02-13T10:00", "2026-02-27T23:59:59"),
        ("2026-02-24T10:00", "2026-03-02T23:59:59"),
        # National Day 2026: off from 1 to 7 October, Sunday 20 September and Saturday 10 October are worked.
        ("2026-09-18T10:00", "2026-09-24T23:59:59"),
        ("2026-09-30T10:00", "2026-10-13T23:59:59"),
    ],
)
def test_workdays_know_the_festivals_and_the_days_worked_for_them(start: str, due: str) -> None:
    assert due_at("workdays", 5, at(start), CALENDAR).at == at(due)


def test_beyond_the_calendar_a_due_time_is_provisional_and_knows_fixed_holidays() -> None:
    last = max(CALENDAR.years)
    new_year = date(last + 1, 1, 1)
    assert not CALENDAR.is_workday(new_year)
    due = due_at("workdays", 5, datetime(last, 12, 29, 10, tzinfo=SHANGHAI), CALENDAR)
    assert due.is_provisional
    assert not due_at("days", 60, datetime(last, 12, 29, 10, tzinfo=SHANGHAI), CALENDAR).is_provisional


def test_a_year_in_the_file_is_known(tmp_path) -> None:
    path = tmp_path / "calendar.yml"
    path.write_text(
        "as_of: 2026-11-23\nfixed: {source: x, days: ['01-01']}\n"
        "years: {2027: {source: x, holidays: [2027-02-08], workdays: [2027-02-06]}}\n",
        encoding="utf-8",
    )
    calendar = read_workdays(path)
    assert not calendar.is_workday(date(2027, 2, 8))
    assert calendar.is_workday(date(2027, 2, 6))
    # Only what the notice names counts in a year whose notice is known.
    assert calendar.is_workday(date(2027, 1, 1))
    assert due_at("workdays", 1, at("2027-02-05T10:00"), calendar).at == at("2027-02-06T23:59:59")
    assert not due_at("workdays", 5, at("2027-02-05T10:00"), calendar).is_provisional


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({}, {"accept", "close", "dispatch", "contact"}),
        ({"priority": "emergency"}, {"accept", "close", "dispatch_urgent", "contact"}),
        ({"channel": "letter"}, {"accept", "close"}),
    ],
)
def test_clocks_run_by_priority_and_channel(kind: dict[str, str], expected: set[str]) -> None:
    names = ("accept", "close", "dispatch", "dispatch_urgent", "contact")
    assert {name for name in names if CLOCKS[name].runs_for(**NORMAL | kind)} == expected


def test_clocks_run_by_class() -> None:
    assert CLOCKS["review_window"].runs_for(**NORMAL)
    assert not CLOCKS["review_window"].runs_for(**NORMAL | {"class_": "咨询"})


def test_a_pause_costs_nothing() -> None:
    running = start_clock("close", CLOCKS["close"], at("2026-03-02T10:00"), CALENDAR)
    assert running.due_at == at("2026-05-01T23:59:59")
    assert pause_clock(running, at("2026-03-10T10:00"))
    assert not pause_clock(running, at("2026-03-11T10:00"))
    assert running.next_at is None
    assert resume_clock(running, CLOCKS["close"], at("2026-03-20T10:00"), CALENDAR)
    assert running.due_at == at("2026-05-11T23:59:59")
    assert not resume_clock(running, CLOCKS["close"], at("2026-03-21T10:00"), CALENDAR)


def test_what_has_run_out_is_not_paused() -> None:
    running = start_clock("close", CLOCKS["close"], at("2026-03-02T10:00"), CALENDAR)
    assert not pause_clock(running, running.due_at + timedelta(seconds=1))


def test_an_extension_counts_from_the_end() -> None:
    running = start_clock("close", CLOCKS["close"], at("2026-03-02T10:00"), CALENDAR)
    extend_clock(running, CLOCKS["close"], 30, CALENDAR)
    assert running.due_at == at("2026-05-31T23:59:59")


def test_warning_end_and_escalations_follow_each_other() -> None:
    running = start_clock("accept", CLOCKS["accept"], at("2026-03-02T10:00"), CALENDAR)
    moments = []
    for running.step in range(4):
        moments.append(step_at(running, CLOCKS["accept"], CALENDAR))
    # It runs out on a Tuesday.
    assert moments == [
        at("2026-03-14T23:59:59"),
        at("2026-03-17T23:59:59"),
        at("2026-03-18T23:59:59"),
        at("2026-03-19T23:59:59"),
    ]


def test_a_window_warns_nobody() -> None:
    assert start_clock("objection", CLOCKS["objection"], NOW, CALENDAR).next_at is None


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due_at("days", 1, datetime(2026, 11, 23), CALENDAR)  # noqa: DTZ001 - the naive value is what is refused


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2027, 6, 1), timezones=st.just(SHANGHAI))  # noqa: DTZ001 - zone is added


@given(name=st.sampled_from(sorted(CLOCKS)), start=MOMENTS, pauses=st.lists(st.tuples(*[st.integers(0, 90_000)] * 2)))
def test_a_clock_is_never_negative_and_a_pause_never_shortens_it(name, start, pauses) -> None:
    clock = CLOCKS[name]
    running = start_clock(name, clock, start, CALENDAR)
    now, due = start, running.due_at
    for before, length in pauses:
        now += timedelta(minutes=before)
        if pause_clock(running, now):
            now += timedelta(minutes=length)
            assert resume_clock(running, clock, now, CALENDAR)
            assert running.due_at >= due
            assert running.due_at >= now
        assert running.amount >= 0
        assert running.due_at >= running.counted_from >= start
        due = running.due_at


@given(start=st.dates(date(2024, 1, 1), date(2028, 1, 1)), count=st.integers(1, 60))
def test_the_workday_counted_to_is_worked_and_counts_back(start: date, count: int) -> None:
    day, _ = CALENDAR.add(start, count)
    assert CALENDAR.is_workday(day)
    assert CALENDAR.count(start, day) == count


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{amount: 0, unit: days, article: a, source: s}", r"clocks\.x\.amount"),
        ("{amount: 1, unit: weeks, article: a, source: s}", r"clocks\.x\.unit"),
        ("{amount: 1, unit: days, source: s}", r"clocks\.x\.article"),
        ("{amount: 1, unit: days, article: a, source: ''}", r"clocks\.x\.source"),
        ("{amount: 1, unit: days, article: a, source: s, hours: 3}", r"clocks\.x\.hours"),
        ("[", "is not YAML"),
    ],
)
def test_a_wrong_clock_is_refused_with_file_and_field(tmp_path, line: str, message: str) -> None:
    path = tmp_path / "clocks.yml"
    path.write_text(f"as_of: 2026-11-23\nclocks:\n  x: {line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"^clocks\.yml: .*{message}"):
        read_clocks(path)


def test_a_missing_file_is_refused_by_name(tmp_path) -> None:
    with pytest.raises(DataError, match=r"^nowhere\.yml: cannot be read"):
        read_clocks(tmp_path / "nowhere.yml")
