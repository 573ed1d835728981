"""The made-up tickets of the measurement are as many as asked for, in order, and most of them closed."""

from datetime import UTC, datetime
from itertools import pairwise

from bench.desk.queue import OPEN, tickets

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def test_tickets_are_in_order_and_plausible() -> None:
    made = list(tickets(1000, NOW))
    assert [one["id"] for one in made] == list(range(1, 1001))
    assert all(earlier["filed_at"] < later["filed_at"] < NOW for earlier, later in pairwise(made))
    is_open = [one["state"] != "closed" for one in made]
    assert abs(sum(is_open) / 1000 - sum(OPEN.values()) / 100) < 0.05
    assert all((one["due_at"] is not None) == (one["ended_at"] is None) for one in made)
    assert len({one["route"].unit for one in made}) > 5
    assert list(tickets(1000, NOW)) == made
