"""Every clock runs out when its rule says, in Shanghai."""

from datetime import UTC, datetime

import pytest

from petitions.clocks import SHANGHAI, all_clocks, clocks_at_filing, due_at

# Just after midnight in Shanghai, still the day before in UTC.
NOW = datetime(2026, 11, 23, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        (
            "normal",
            {
                "dispatch": "2026-11-24T02:30:00+08:00",
                "contact": "2026-11-25T00:30:00+08:00",
                "accept": "2026-12-09T23:59:59+08:00",
                "close": "2027-01-23T23:59:59+08:00",
            },
        ),
        (
            "urgent",
            {
                "dispatch_urgent": "2026-11-24T01:00:00+08:00",
                "contact": "2026-11-25T00:30:00+08:00",
                "accept": "2026-12-09T23:59:59+08:00",
                "close": "2027-01-23T23:59:59+08:00",
            },
        ),
    ],
)
def test_the_clocks_of_a_filing(priority: str, expected: dict[str, str]) -> None:
    assert {due.clock: due.at.isoformat() for due in clocks_at_filing(priority, NOW)} == expected


def test_an_emergency_is_dispatched_like_an_urgent_matter() -> None:
    assert clocks_at_filing("emergency", NOW) == clocks_at_filing("urgent", NOW)


def test_the_soonest_comes_first_and_each_names_its_article() -> None:
    dues = clocks_at_filing("normal", NOW)
    assert dues == sorted(dues, key=lambda due: due.at)
    assert all(due.article and due.at.tzinfo is SHANGHAI for due in dues)


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        due_at(all_clocks()[0], datetime(2026, 11, 23))  # noqa: DTZ001 - the naive value is what is refused
