"""Several matters are parted at the resident's own marks, and one matter is never torn."""

import pytest

from petitions.splitting import split_matters


@pytest.mark.parametrize(
    ("text", "matters"),
    [
        ("楼下垃圾三天没人收。另外老板还欠我两个月工资没发", ["楼下垃圾三天没人收", "另外老板还欠我两个月工资没发"]),
        (
            "你好,我想反映两个问题:1、小区电梯老坏 2、孩子上学学位没批",
            ["你好,我想反映两个问题:1、小区电梯老坏", "2、孩子上学学位没批"],
        ),
    ],
)
def test_marked_matters_of_different_kinds_are_parted(text: str, matters: list[str]) -> None:
    assert split_matters(text) == matters


@pytest.mark.parametrize("text", ["路灯坏了", "楼上漏水到我家,另外天花板都发霉了", "工资没发,还有加班费也没发"])
def test_one_matter_stays_whole(text: str) -> None:
    assert split_matters(text) == [text]
