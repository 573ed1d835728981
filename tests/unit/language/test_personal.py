"""Personal data is found where it stands and nowhere else."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.personal import find_personal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我姓陈，电话13800138000", [("name", "陈"), ("phone", "13800138000")]),
        ("我叫欧阳锋，手机 138 0013 8000", [("name", "欧阳锋"), ("phone", "138 0013 8000")]),
        ("姓名：李小红，联系电话：139-0013-9000", [("name", "李小红"), ("phone", "139-0013-9000")]),
        ("身份证号11010519491231002X", [("id_number", "11010519491231002X")]),
        ("免贵姓黄", [("name", "黄")]),
        ("叫我王阿姨就行", [("name", "王阿姨")]),
        ("我的电话是１３８００１３８０００", [("phone", "１３８００１３８０００")]),
        ("座机0755-27401234", [("phone", "0755-27401234")]),
    ],
)
def test_what_a_person_gives_as_their_own_is_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(personal.kind, personal.text) for personal in find_personal(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "工单GM2611230000010",
        "身份证号110105194912310021",
        "老百姓都有意见",
        "1380013800",
        "我叫了救护车",
        "订单号2026112300000001234",
    ],
)
def test_other_numbers_and_words_are_no_personal_data(text: str) -> None:
    assert find_personal(text) == []


@given(st.text(alphabet="我姓叫陈王电话:：，138000 -x０", max_size=60))
def test_every_piece_stands_at_its_offsets_without_overlap(text: str) -> None:
    found = find_personal(text)
    assert all(text[personal.start : personal.end] == personal.text for personal in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
