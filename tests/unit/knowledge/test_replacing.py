"""Before an entry is approved, the answers of the documents that it would take the place of are found."""

from types import SimpleNamespace

import numpy as np

from knowledge import Reply, refusal
from knowledge.known import Known
from knowledge.matching import CuratedMatcher, Entry
from knowledge.question import Lexicon
from knowledge.replacing import replaced_answers
from tests.unit.knowledge.conftest import SameEncoder

KNOWN = ("去年读书会办了多少场", "绿化率是多少", "社保卡怎么办理")


class Base:
    """Knows three questions, and answers those of its report."""

    def __init__(self, *answered: str) -> None:
        self.answered = answered
        self.encoder = SameEncoder()
        known = [Known(core, (), (), is_answered=core in answered) for core in KNOWN]
        vectors = {"known": np.ones((len(KNOWN), 1), dtype=np.float32)}
        self.index = SimpleNamespace(memory=SimpleNamespace(known=known), vectors=vectors)

    def answer(self, text: str) -> Reply:
        return Reply("answer", "办了12场") if text in self.answered else refusal()


def replaced(base: Base, *variants: str) -> list[tuple[str, bool]]:
    draft = Entry("draft", 1, variants, "答", "出处")
    other = Entry("other", 1, ("公园几点开门",), "答", "出处")
    matcher = CuratedMatcher([other, draft], SameEncoder(), Lexicon())
    return [(one.question, one.is_variant) for one in replaced_answers(base, matcher, draft)]  # type: ignore[arg-type]


def test_a_variant_that_the_documents_answer_is_found() -> None:
    base = Base("绿化率是多少")
    assert replaced(base, "绿化率是多少", "小学学位怎么申请") == [("绿化率是多少", True)]


def test_a_known_question_that_the_entry_would_answer_is_found() -> None:
    base = Base("去年读书会办了多少场", "绿化率是多少")
    assert replaced(base, "去年的读书会办了多少场呢") == [("去年读书会办了多少场", False)]


def test_what_no_document_answers_is_not_replaced() -> None:
    assert replaced(Base("绿化率是多少"), "社保卡怎么办理", "社保卡如何办理") == []
    assert replaced(Base(), "绿化率是多少") == []
