"""Sentence vectors: shape, length, nearness, and a bounded memory."""

import numpy as np
import pytest

from language import vectors
from language.vectors import SentenceEncoder


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


def test_one_row_of_unit_length_a_text(encoder: SentenceEncoder) -> None:
    rows = encoder.encode(["招聘会", "路灯坏了", ""])
    assert rows.shape == (3, 384)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)


def test_no_texts_give_no_rows(encoder: SentenceEncoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_what_means_the_same_is_nearer(encoder: SentenceEncoder) -> None:
    asked, same, other = encoder.encode(["煤气通了没有", "管道天然气开通情况", "党员学习了几次"])
    assert asked @ same > asked @ other


def test_only_the_first_signs_are_read(encoder: SentenceEncoder) -> None:
    head = "漏水" * (vectors.TEXT_LIMIT_CHARACTERS // 2)
    first, second = encoder.encode([head, head + "完全不同的结尾"])
    assert (first == second).all()


def test_the_memory_keeps_what_was_asked_last(encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    query = encoder._model.query

    class Counting:
        def query(self, text: str) -> object:
            made.append(text)
            return query(text)

    monkeypatch.setattr(vectors, "CACHE_LIMIT_TEXTS", 2)
    fresh = SentenceEncoder()
    fresh._model = Counting()
    for text in ["一", "二", "一", "三", "一", "二"]:
        fresh.encode([text])
    assert made == ["一", "二", "三", "二"]


def test_many_texts_at_once_give_the_rows_of_each_alone(encoder: SentenceEncoder) -> None:
    texts = ["路灯坏了", "招聘会", "路灯坏了", "煤气通了没有", "党员学习了几次"]
    alone = np.stack([encoder.encode([text])[0] for text in texts])
    encoder.forget()
    assert (encoder.encode(texts) == alone).all()
