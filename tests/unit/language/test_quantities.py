"""Numbers are read with their units, where they stand."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language.quantities import arabic_numbers, arabic_years, find_quantities, unit_kinds


@pytest.mark.parametrize(
    ("text", "value", "unit", "measure", "kind", "amount"),
    [
        ("300万余人次", "300", "万余人次", "人次", "people", 3_000_000),
        ("1000场以上", "1000", "场以上", "场", "event", 1000),
        ("19.4微克/立方米", "19.4", "微克/立方米", "微克/立方米", "concentration", "19.4"),
        ("219.61亿元", "219.61", "亿元", "元", "money", 21_961_000_000),
        ("89.14%", "89.14", "%", "%", "rate", "89.14"),
        ("9.87万平方米", "9.87", "万平方米", "平方米", "area", 98_700),
        ("521家次", "521", "家次", "家次", "firm", 521),
        ("50余个", "50", "余个", "个", "item", 50),
        ("5万多公里", "5", "万多公里", "公里", "length", 50_000),
        ("3个百分点", "3", "个百分点", "个百分点", "rate", 3),
        ("17大类", "17", "大类", "大类", "item", 17),
        ("60岁以上", "60", "岁以上", "岁", "age", 60),
    ],
)
def test_number_magnitude_and_unit(
    text: str, value: str, unit: str, measure: str, kind: str, amount: int | str
) -> None:
    (quantity,) = find_quantities(f"去年共{text},好")
    assert (quantity.text, quantity.value, quantity.unit, quantity.measure, quantity.kind, quantity.amount) == (
        text, value, unit, measure, kind, Decimal(amount),
    )  # fmt: skip
    assert (quantity.start, quantity.end) == (3, 3 + len(text))


@pytest.mark.parametrize(
    ("text", "found", "value", "measure", "amount"),
    [
        ("完成率全区第一", "全区第一", "一", "", 1),
        ("完成第五批分配", "第五批", "五", "批", 5),
        ("保持全市前二十名以内", "全市前二十名", "二十", "名", 20),
        ("排在第12位", "第12位", "12", "位", 12),
        ("全国第三", "全国第三", "三", "", 3),
    ],
)
def test_ordinals_are_ranks(text: str, found: str, value: str, measure: str, amount: int) -> None:
    (quantity,) = find_quantities(text)
    assert (quantity.kind, quantity.text, quantity.value, quantity.measure) == ("rank", found, value, measure)
    assert quantity.unit == measure
    assert quantity.amount == amount


@pytest.mark.parametrize(
    "text",
    [
        "虹桥1958文化创意园",
        "轨道6号线",
        "“1+6+N”",
        "PM2.5累计浓度",
        "A4条",
        "第一议题",
        "2022年",
        "一个都没有",
        "前百名",
        "",
    ],
)
def test_names_and_dates_are_no_quantities(text: str) -> None:
    assert find_quantities(text) == []


def test_quantities_come_in_order() -> None:
    text = "前三名共36户7096平方米,第五批,增长6.3%"
    assert [one.text for one in find_quantities(text)] == ["前三名", "36户", "7096平方米", "第五批", "6.3%"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("二零二二年的事", "2022年的事"),
        ("二〇二三年和两零二一年", "2023年和2021年"),
        ("两年前,二十年", "两年前,二十年"),
        ("二零二二", "二零二二"),
    ],
)
def test_years_in_characters_become_digits(text: str, expected: str) -> None:
    assert arabic_years(text) == expected


def test_every_unit_belongs_to_one_kind() -> None:
    kinds = unit_kinds()
    assert all(find_quantities(f"7{unit}")[0].kind == kind for unit, kind in kinds.items())


@given(
    st.text(
        alphabet="第前全区市国零一二两三十百千万亿批名位届次余多0123456789.%元人次户个场以上微克/立方米,年 PM",
        max_size=40,
    )
)
def test_offsets_cut_the_text_itself(text: str) -> None:
    found = find_quantities(text)
    assert all(text[one.start : one.end] == one.text for one in found)
    assert all(one.value in one.text and one.amount >= 0 for one in found)
    assert all(before.end <= after.start for before, after in pairwise(found))


@given(st.text(alphabet="零〇一二两三九十百千万亿", min_size=1, max_size=6), st.sampled_from("批次名届位"))
def test_an_ordinal_is_one_number_or_none(numeral: str, measure: str) -> None:
    text = f"第{numeral}{measure}"
    assert [(one.text, one.kind) for one in find_quantities(text)] in ([], [(text, "rank")])


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    assert all(text[one.start : one.end] == one.text for one in find_quantities(text))
    assert isinstance(arabic_years(text), str)


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("九点八七万平方米", "9.87万平方米"),
        ("一百四十一万八千八百元", "1418800元"),
        ("五十五万多平米", "55万多平米"),
        ("百分之八点五", "8.5%"),
        ("十项", "10项"),
        ("五百六十户", "560户"),
        ("三个工程", "三个工程"),
        ("三宜街区", "三宜街区"),
        ("第十五批", "第十五批"),
        ("前二十名", "前二十名"),
        ("三四十个", "三四十个"),
    ],
)
def test_spoken_numbers_before_a_unit_become_digits(spoken: str, written: str) -> None:
    assert arabic_numbers(spoken) == written
