"""Words and their sounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.words import Words, sound

PLAIN = Words()
PLAIN.cut("先读词典")  # takes a second, once


def test_local_names_stay_whole_for_this_cutter_alone() -> None:
    text = "迳口特色街区在哪"
    assert "迳口特色街区" in Words(["迳口特色街区"]).cut(text)
    assert "迳口特色街区" not in PLAIN.cut(text)


def test_only_what_holds_a_letter_or_a_digit_is_a_word() -> None:
    assert PLAIN.cut("“招聘会”,13 场!……") == ["招聘会", "13", "场"]
    assert PLAIN.cut("？！") == []


@given(st.text(alphabet="光明街道招聘会开了13场,。“” abc", max_size=40))
def test_words_are_pieces_of_the_text_in_order(text: str) -> None:
    position = 0
    for word in PLAIN.cut(text):
        position = text.index(word, position) + len(word)


@pytest.mark.parametrize(
    ("heard", "meant"),
    [("招品会", "招聘会"), ("补住金", "补助金"), ("三置房", "山治房"), ("跟森", "庚身")],
)
def test_homophones_and_near_sounds_of_the_south_sound_alike(heard: str, meant: str) -> None:
    assert sound(heard) == sound(meant)


@pytest.mark.parametrize(("one", "other"), [("招聘会", "座谈会"), ("安置房", "安置费"), ("a1", "b1")])
def test_other_words_sound_different(one: str, other: str) -> None:
    assert sound(one) != sound(other)


def test_a_sound_is_parted_sign_by_sign() -> None:
    assert sound("PM2.5浓度") == "P|M|2|.|5|nong|du|"
    assert sound("") == ""
