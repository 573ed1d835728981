"""A draft of a reply is warned of what it leaves open, and of nothing else."""

from pathlib import Path

import pytest
import yaml

from language.vectors import SentenceEncoder
from petitions.model import Petition
from petitions.replies import check_reply, find_requests

PROBES = yaml.safe_load(Path(__file__).with_name("reply_probes.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


def petition(matter: str, class_: str = "咨询") -> Petition:
    return Petition(matter=matter, class_=class_)


@pytest.mark.parametrize(
    ("matter", "requests"),
    [
        ("你好。路灯坏了一个月，什么时候能修好？谢谢！", ("路灯坏了一个月，什么时候能修好？",)),
        ("希望清理垃圾，能不能多放几个垃圾桶", ("希望清理垃圾", "能不能多放几个垃圾桶")),
        (
            "楼上漏水，物业不管，要求物业出面。另外停车费为什么涨了？",
            ("楼上漏水，物业不管，要求物业出面", "另外停车费为什么涨了？"),
        ),
        ("楼下垃圾三天没人清", ("楼下垃圾三天没人清",)),
        ("楼下垃圾三天没人清。请尽快处理。", ("楼下垃圾三天没人清。请尽快处理。",)),
    ],
)
def test_requests_are_found_in_the_words_of_the_petition(matter: str, requests: tuple[str, ...]) -> None:
    assert find_requests(matter) == requests


def test_most_written_pairs_are_judged_right(encoder: SentenceEncoder) -> None:
    missed = [one["ask"] for one in PROBES if check_reply(petition(one["ask"]), one["answered"], encoder).unanswered]
    passed = [one["ask"] for one in PROBES if not check_reply(petition(one["ask"]), one["open"], encoder).unanswered]
    assert len(missed) <= 2, missed
    assert len(passed) <= 2, passed


def test_each_open_request_is_named(encoder: SentenceEncoder) -> None:
    found = check_reply(
        petition("路灯坏了一个月，什么时候能修好？另外停车费为什么涨了？"), "路灯已修好，恢复照明。", encoder
    )
    assert found.unanswered == ("另外停车费为什么涨了？",)
    assert len(found.requests) == 2


@pytest.mark.parametrize(
    ("class_", "draft", "lacks"),
    [
        ("投诉", "垃圾已清走。", True),
        ("投诉", "依据《深圳市生活垃圾分类管理条例》，垃圾已清走。", True),
        ("投诉", "依据《深圳市生活垃圾分类管理条例》第十条，垃圾已清走。", False),
        ("咨询", "垃圾已清走。", False),
    ],
)
def test_a_legal_basis_is_missed_where_the_class_asks_for_one(
    encoder: SentenceEncoder, class_: str, draft: str, lacks: bool
) -> None:
    found = check_reply(petition("楼下垃圾三天没人清", class_), draft, encoder)
    assert bool(found.lacks_basis) == lacks
    assert found.is_clear != lacks


def test_what_a_template_left_blank_is_named(encoder: SentenceEncoder) -> None:
    found = check_reply(petition("楼下垃圾三天没人清"), "楼下垃圾〔请填写办理情况〕。", encoder)
    assert found.blanks == ("〔请填写办理情况〕",)
