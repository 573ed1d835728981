"""Several matters are parted at the resident's own marks, and one matter is never torn; questions stand apart."""

import pytest

from petitions.splitting import matter_beside, part_question, split_matters


@pytest.mark.parametrize(
    ("text", "matters"),
    [
        ("楼下垃圾三天没人收。另外老板还欠我两个月工资没发", ["楼下垃圾三天没人收", "另外老板还欠我两个月工资没发"]),
        (
            "你好,我想反映两个问题:1、小区电梯老坏 2、孩子上学学位没批",
            ["你好,我想反映两个问题:1、小区电梯老坏", "2、孩子上学学位没批"],
        ),
        ("老板欠我们工资三个月了,再就是宿舍消防通道被堵死", ["老板欠我们工资三个月了", "再就是宿舍消防通道被堵死"]),
    ],
)
def test_marked_matters_of_different_kinds_are_parted(text: str, matters: list[str]) -> None:
    assert split_matters(text) == matters


@pytest.mark.parametrize("text", ["路灯坏了", "楼上漏水到我家,另外天花板都发霉了", "工资没发,还有加班费也没发"])
def test_one_matter_stays_whole(text: str) -> None:
    assert split_matters(text) == [text]


@pytest.mark.parametrize(
    ("text", "matter", "question"),
    [
        ("门口路灯灭了没人换,顺便问下居住证在哪办", "门口路灯灭了没人换,", "居住证在哪办"),
        ("门口路灯灭了没人换然后我想问一下去年办了几场招聘会", "门口路灯灭了没人换", "去年办了几场招聘会"),
        ("楼道堆满纸箱。另外想问下去年修了几盏路灯?谢谢", "楼道堆满纸箱。谢谢", "去年修了几盏路灯?"),
    ],
)
def test_a_question_behind_a_matter_is_parted_from_it(text: str, matter: str, question: str) -> None:
    assert part_question(text) == (matter, question)


@pytest.mark.parametrize(
    "text", ["我想问一下我们楼下的垃圾为什么没人收", "你好,请问怎么办居住证", "楼上漏水,我问过物业了,没人理"]
)
def test_without_a_matter_before_a_question_nothing_is_parted(text: str) -> None:
    assert part_question(text) == (text, None)


@pytest.mark.parametrize(
    ("text", "matter"),
    [
        ("去年修了几条路?我们门口的路灯坏了没人修", "我们门口的路灯坏了没人修"),
        ("楼下餐馆油烟直接往我家窗户排。你们去年整治了多少家?", "楼下餐馆油烟直接往我家窗户排"),
    ],
)
def test_a_grievance_beside_a_question_is_seen(text: str, matter: str) -> None:
    assert matter_beside(text) == matter


@pytest.mark.parametrize(
    "text",
    [
        "去年修了几条路?",
        "不是投诉,就问下去年化解多少宗",
        "楼下餐馆油烟直接往我家窗户排",
        "我来投诉的,先问一句,去年办了几场招聘会",
    ],
)
def test_a_question_alone_or_a_grievance_alone_is_no_mixture(text: str) -> None:
    assert matter_beside(text) is None
