"""No number leaves that its source does not hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.lock import unproved_figures, unproved_in


def test_a_figure_of_the_quote_passes():
    assert unproved_figures("招聘会13场，岗位9,113个", ["开展招聘会13场,提供岗位9113个"]) == []


def test_a_part_of_a_longer_number_is_no_proof():
    assert unproved_figures("共13场", ["共913场"]) == ["13"]
    assert unproved_figures("下降8%", ["下降18.8%"]) == ["8"]


def test_full_width_digits_are_digits():
    assert unproved_figures("共１３场", ["共31场"]) == ["13"]


@given(st.lists(st.integers(0, 10**6), max_size=6), st.lists(st.integers(0, 10**6), max_size=6))
def test_exactly_the_numbers_that_no_source_holds_are_named(said, held):
    text = "、".join(f"{number}个" for number in said)
    assert unproved_figures(text, [f"有{number}个" for number in held]) == [str(n) for n in said if n not in held]


CITED = {"quote": "举办读书会12场", "document": "报告", "section": "一、总结", "year": "2030"}


@pytest.mark.parametrize("kind", ["answer", "no_answer", "clarify"])
def test_a_message_from_documents_is_proved_by_what_it_cites_or_what_is_known(kind: str) -> None:
    message = {"kind": kind, "text": "2030年办了12场，可拨 12345", "citations": [CITED], "facts": [], "buttons": []}
    assert unproved_in(message) == ["12345"]
    assert unproved_in(message, ["12345"]) == []
    assert unproved_in({**message, "text": "办了13场"}, ["12345"]) == ["13"]


def test_the_number_of_a_ticket_is_ours_to_say() -> None:
    assert unproved_in({"kind": "ticket", "text": "编号 GM202611230001"}) == []
