"""Personal data is found where it stands and nowhere else."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.personal import find_personal, mask_personal


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
        ("我叫鍾嘉麗,電話13800138000", [("name", "鍾嘉麗"), ("phone", "13800138000")]),
        ("打幺三八零零幺三八零零零", [("phone", "幺三八零零幺三八零零零")]),
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
        "一三五七九的日子",
    ],
)
def test_other_numbers_and_words_are_no_personal_data(text: str) -> None:
    assert find_personal(text) == []


@given(st.text(alphabet="我姓叫陈王电话:：，138000 -x０", max_size=60))
def test_every_piece_stands_at_its_offsets_without_overlap(text: str) -> None:
    found = find_personal(text)
    assert all(text[personal.start : personal.end] == personal.text for personal in found)
    assert all(before.end <= after.start for before, after in pairwise(found))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我叫李小红，手机138 0013 8000", "我叫〔姓名〕，手机〔电话〕"),
        ("光明大街12号3栋502", "光明大街〔门牌〕"),
        ("身份证110105194912310021错了", "身份证〔证件号〕错了"),
        ("身份证11010519491231002x", "身份证〔证件号〕"),
        ("护照E12345678", "护照〔证件号〕"),
        ("卡号6222 0212 3456 7890 123", "卡号〔卡号〕"),
        ("车牌粤B·12345和粤BD12345", "车牌〔车牌〕和〔车牌〕"),
        ("加我微信abc_123456", "加我微信〔账号〕"),
        ("微信号：wxid_abc123", "微信号：〔账号〕"),
        ("QQ 12345678", "QQ 〔账号〕"),
        ("邮箱a.b@qq.com", "邮箱〔邮箱〕"),
        ("电话27401234", "电话〔电话〕"),
        ("一三八零零一三八零零零", "〔电话〕"),
        ("光明大道428号3楼302室漏水", "光明大道〔门牌〕漏水"),
        ("万悦山3栋2单元501", "万悦山〔门牌〕"),
        ("和谐花园５号楼５０１室", "和谐花园〔门牌〕"),
        ("新围3-2-501", "新围〔门牌〕"),
        ("张伟书记不管", "〔姓名〕不管"),
    ],
)
def test_what_is_personal_is_masked(text: str, masked: str) -> None:
    assert mask_personal(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "12345是什么电话",
        "1+6+N是什么",
        "安置房建了12栋什么时候分",
        "2022-11-23登记的",
        "奖金1000000元",
        "12楼太吵",
        "第三批36户98700平方米",
        "2022年罚款3091.5万元",
        "向书记反映",
    ],
)
def test_what_a_question_is_about_is_not_masked(text: str) -> None:
    assert mask_personal(text) == text


@given(st.text(alphabet="我姓叫陈王电话微信QQ栋号室:：，138000-xB０粤", max_size=60))
def test_masking_leaves_no_number_that_identifies(text: str) -> None:
    masked = mask_personal(text)
    assert not [personal for personal in find_personal(masked) if personal.kind != "name"]
