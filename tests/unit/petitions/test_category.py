"""The category model: written petitions cover the national list, and its judgement is a chance with words."""

from itertools import pairwise

import pytest

from jurisdiction import load_jurisdiction
from petitions.category import category_model, runs_of, stretches
from petitions.training.fit import written_examples
from petitions.triage import is_category, taxonomy, triage


def test_written_petitions_name_categories_of_the_national_list() -> None:
    examples = written_examples()
    assert len(examples) >= 2500
    assert {example.category[0] for example in examples} == set(taxonomy())
    assert all(is_category(example.category) for example in examples)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("网约车平台乱扣司机的钱", "交通运输"),
        ("导游逼着我们买玉器,不买不让上车", "商贸旅游"),
        ("村里的征地补偿款一直没发下来", "国土资源"),
        ("理财公司跑路了,我的养老钱取不出来", "经济管理"),
    ],
)
def test_words_alone_tell_the_first_level(text: str, first: str) -> None:
    judged = category_model().judge(text)
    assert judged.best[0] == first
    assert all(chance >= other for (_, chance), (_, other) in pairwise(judged.ranked))
    assert sum(judged.firsts.values()) == pytest.approx(1)
    assert judged.words


def test_a_hint_moves_the_judgement() -> None:
    category = ("环境保护", "环境污染", "噪音污染")
    assert category_model().judge("有点事", hints={category: 20.0}).best == category


def test_a_letter_is_read_in_stretches_and_runs_cross_no_punctuation() -> None:
    assert stretches("一二三四五六七八九十，一二三四五六七八九十，一二三四五六七八九十") == [
        "一二三四五六七八九十，一二三四五六七八九十",
        "一二三四五六七八九十",
    ]
    assert runs_of("路灯，12") == {"路灯", "00"}


def test_a_route_names_the_runner_up_with_its_chance() -> None:
    route = triage("楼下饭店油烟大,半夜又吵", load_jurisdiction())
    assert route.alternatives
    assert all(0 <= alternative["score"] < 1 for alternative in route.alternatives)
    assert any("其次" in reason for reason in route.reasons)
