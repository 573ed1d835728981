"""Known questions: tied to clauses, compared with new ones; and what wording alone tells."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import spacy

from knowledge.base import Clause, clauses_of
from knowledge.document import read_document
from knowledge.errors import KnowledgeError
from knowledge.known import FEATURES, Memory, Written, tie
from knowledge.question import Lexicon
from knowledge.wording import Wording, fit_wording

WRITTEN = [
    Written("读书会办了几场", "举办读书会12场"),
    Written("读书会谁来讲", None, near="举办读书会12场"),
    Written("修了几条路", "修路9条"),
    Written("那几条呢", "修路9条", before="修了几条路"),
    Written("别处的事", "不在这份报告里"),
]


@pytest.fixture
def clauses(write: Callable[..., Path]) -> list[Clause]:
    return clauses_of([read_document(write())], spacy.blank("zh"))


def test_a_question_is_tied_to_the_clauses_of_its_quote_and_others_are_left_out(clauses: list[Clause]) -> None:
    known = tie(WRITTEN, clauses, Lexicon())
    assert [one.is_answered for one in known] == [True, False, True]
    assert [[clauses[i].text for i in one.clauses] for one in known] == [["举办读书会12场"]] * 2 + [["修路9条"]]


def memory_of(clauses: list[Clause]) -> Memory:
    known = tie(WRITTEN, clauses, Lexicon())
    return Memory(known, np.eye(len(known), 384, dtype=np.float32))


def test_the_clause_of_the_like_question_stands_out(clauses: list[Clause]) -> None:
    memory = memory_of(clauses)
    likeness = memory.compare(np.eye(1, 384, dtype=np.float32)[0])
    reading, roads = memory.known[0].clauses[0], memory.known[2].clauses[0]
    told = dict(zip(FEATURES, likeness.features(reading), strict=True))
    assert told["known"] == 1
    assert told["known_behind"] == 0
    assert told["known_votes"] > 0.99
    assert likeness.features(roads)[0] == 0
    assert reading in likeness.nearest_clauses()


def test_what_is_left_out_is_as_if_it_were_not_known(clauses: list[Clause]) -> None:
    memory = memory_of(clauses)
    clause = memory.known[0].clauses[0]
    left_out = memory.itself(memory.known[0].core)
    likeness = memory.compare(np.eye(1, 384, dtype=np.float32)[0], left_out)
    assert left_out.tolist() == [True, False, False]
    assert likeness.features(clause)[0] < 1
    assert likeness.words(clause, is_answered=True) == set()
    assert likeness.is_new(clause)
    assert memory.all().all()


def test_without_known_questions_nothing_fails() -> None:
    likeness = Memory([], np.zeros((0, 384), dtype=np.float32)).compare(np.ones(384, dtype=np.float32))
    assert len(likeness.features(0)) == len(FEATURES)
    assert likeness.nearest_clauses() == set()


def test_wording_learns_what_speaks_against_an_answer(tmp_path: Path) -> None:
    cores = [f"第{i}项怎么申请" for i in range(20)] + [f"第{i}项有几个" for i in range(20)]
    vectors = np.zeros((40, 384), dtype=np.float32)
    wording = fit_wording(cores, vectors, np.arange(40) >= 20)
    none = np.zeros(384, dtype=np.float32)
    assert wording.score("补贴怎么申请", none) < 0 < wording.score("补贴有几个", none)
    wording.save(tmp_path / "wording.json")
    again = Wording.load(tmp_path / "wording.json")
    assert again.score("补贴有几个", none) == pytest.approx(wording.score("补贴有几个", none), abs=0.01)
    assert Wording.blank().score("补贴有几个", none) == 0


@pytest.mark.parametrize("content", [None, "", "{}", '{"runs": {}, "vector": ["x"], "bias": 0}'])
def test_a_damaged_file_of_wording_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "wording.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(KnowledgeError, match="知识库文件损坏"):
        Wording.load(path)
