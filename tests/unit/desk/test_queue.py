"""Counts as the queue shows them."""

from desk.queue import MOST_COUNTED, TicketPage


def test_a_count_that_ends_before_all_are_counted_says_so():
    page = TicketPage([], None, {"received": 2, "closed": MOST_COUNTED, "withdrawn": 1})
    assert page.shown(["received"]) == "2"
    assert page.shown(["withdrawn"]) == "1"
    assert page.shown(["closed"]) == f"{MOST_COUNTED}+"
    assert page.shown(page.counts) == f"{MOST_COUNTED + 3}+"
    assert TicketPage([], None, {"received": MOST_COUNTED}).shown(["received"]) == f"{MOST_COUNTED}"
