"""Ticket numbers catch slips of the finger, and references are found however they are typed."""

from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from petitions.numbers import (
    CODE_SIGNS,
    is_code,
    is_ticket_number,
    parse_reference,
    query_code,
    shown_code,
    ticket_number,
)

NOW = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
NUMBERS = st.integers(min_value=1, max_value=10**7).map(lambda row_id: ticket_number("GM", row_id, NOW))
CODES = st.binary(min_size=16).map(lambda secret: query_code(secret, "form"))


def test_the_day_in_a_number_is_the_day_in_shanghai() -> None:
    assert ticket_number("GM", 7, NOW).startswith("GM261124000007")


@given(NUMBERS, st.integers(2, 14), st.sampled_from("0123456789"))
def test_one_wrong_digit_is_caught(number: str, place: int, digit: str) -> None:
    assume(number[place] != digit)
    assert is_ticket_number(number)
    assert not is_ticket_number(number[:place] + digit + number[place + 1 :])


@given(NUMBERS, st.integers(2, 13))
def test_two_swapped_neighbours_are_caught(number: str, place: int) -> None:
    assume(number[place] != number[place + 1])
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert not is_ticket_number(swapped)


@given(CODES)
def test_a_code_has_eight_signs_nobody_mistakes(code: str) -> None:
    assert len(code) == 8
    assert set(code) <= set(CODE_SIGNS)
    assert not set(CODE_SIGNS) & set("0O1IL2Z5S8BUV")


def test_a_code_is_the_same_for_a_retry_and_another_for_another_form() -> None:
    assert query_code(b"secret", "a") == query_code(b"secret", "a")
    assert len({query_code(b"secret", "a"), query_code(b"secret", "b"), query_code(b"other", "a")}) == 3


def test_only_its_own_code_fits_a_form() -> None:
    code = query_code(b"secret", "form")
    assert is_code(b"secret", code, "form")
    assert not is_code(b"secret", code[::-1], "form")
    assert not is_code(b"secret", f"{code}码", "form")
    assert not is_code(b"secret", "", "form")
    assert not is_code(b"secret", code, "other form")
    assert not is_code(b"other", code, "form")


@given(NUMBERS, CODES, st.sampled_from([str.lower, str.upper]), st.sampled_from(["", " ", "-", "－"]), st.booleans())
def test_a_reference_is_found_however_it_is_typed(
    number: str, code: str, case: object, dash: str, is_wide: bool
) -> None:
    typed = case(f"工单号{number[:2]} {number[2:8]} {number[8:]}，查询码{code[:4]}{dash}{code[4:]}。")  # type: ignore[operator]
    if is_wide:
        typed = typed.translate({ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789GMgm"})
    found = parse_reference(typed)
    assert (found.number, found.code) == (number, code)


@given(NUMBERS)
def test_a_number_alone_gives_no_code(number: str) -> None:
    assert parse_reference(f"查一下{number}").code is None
    assert parse_reference(f"查一下{number}").number == number


@pytest.mark.parametrize("text", ["", "我的工单到哪了", "GM2611230000011", "电话13800138000", "GM261123"])
def test_what_is_no_reference_gives_none(text: str) -> None:
    found = parse_reference(text)
    assert (found.number, found.code) == (None, None)


def test_the_code_is_shown_with_a_dash() -> None:
    assert shown_code("ACDE3467") == "ACDE-3467"
