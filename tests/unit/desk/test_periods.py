"""A period is what its address says, and is compared with days that are alike."""

from datetime import date

import pytest

from desk.periods import PRESETS, PeriodError, preset, read_period, selection_of
from petitions.selection import ANY, NONE, Selection
from tests.integration.cases import HALL, STATION

TODAY = date(2026, 3, 31)  # a Tuesday


@pytest.mark.parametrize(
    ("name", "since", "before"),
    [
        ("today", "2026-03-31", ("2026-03-30", "2026-03-30")),
        ("week", "2026-03-30", ("2026-03-23", "2026-03-24")),
        ("month", "2026-03-01", ("2026-02-01", "2026-02-28")),
        ("quarter", "2026-01-01", ("2025-10-01", "2025-12-31")),
        ("year", "2026-01-01", ("2025-01-01", "2025-03-31")),
        ("nonsense", "2026-03-01", ("2026-02-01", "2026-02-28")),
    ],
)
def test_presets_and_what_they_are_compared_with(name, since, before):
    period = preset(name, TODAY)
    assert (period.since_on.isoformat(), period.until_on) == (since, TODAY)
    assert (period.before.since_on.isoformat(), period.before.until_on.isoformat()) == before
    assert read_period(period.to_query(), TODAY) == period


def test_every_preset_has_a_word_and_an_address():
    for name in PRESETS:
        assert preset(name, TODAY).to_query() == {"period": name}


def test_days_of_ones_own_are_compared_with_as_many_before():
    period = read_period({"since": "2026-03-10", "until": "2026-03-12", "period": "year"}, TODAY)
    assert (period.before.since_on, period.before.until_on) == (date(2026, 3, 7), date(2026, 3, 9))
    assert read_period(period.to_query(), TODAY) == period


@pytest.mark.parametrize(
    ("since", "until", "code"),
    [
        ("2026-02-30", "2026-03-01", "days"),
        ("2026-02-01", "", "days"),
        ("0001-01-01", "0001-01-02", "days"),
        ("今天", "明天", "days"),
        ("2026-03-02", "2026-03-01", "order"),
        ("2010-01-01", "2026-01-01", "long"),
    ],
)
def test_days_that_make_no_period(since, until, code):
    with pytest.raises(PeriodError) as refused:
        read_period({"since": since, "until": until}, TODAY)
    assert refused.value.code == code


def test_a_selection_survives_its_address():
    selection = Selection(
        since_on=date(2026, 1, 1),
        until_on=date(2026, 1, 31),
        state="open",
        class_="投诉",
        channel="chat",
        units=(HALL, STATION),
        community=NONE,
        first="城乡建设",
        overdue=ANY,
    )
    pairs = [
        (name, value)
        for name, values in selection.to_query().items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    assert selection_of(pairs) == selection
    assert selection_of([("state", "no such state"), ("unknown", "x"), ("first", "")]) == Selection()
    with pytest.raises(PeriodError):
        selection_of([("since", "2026-13-01")])
