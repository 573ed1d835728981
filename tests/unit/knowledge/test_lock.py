"""No number leaves that its source does not hold."""

from hypothesis import given
from hypothesis import strategies as st

from knowledge.lock import unproved_figures


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
