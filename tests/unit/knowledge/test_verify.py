"""The verifier: its file, its features, its chances."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from knowledge import train
from knowledge.base import clauses_of
from knowledge.document import read_document
from knowledge.errors import KnowledgeError
from knowledge.verify import NAMES, Candidate, Verifier


def candidate(*values: float) -> Candidate:
    features = np.zeros(len(NAMES), dtype=np.float32)
    features[: len(values)] = values
    return Candidate(0, None, features)  # type: ignore[arg-type]


def test_the_trained_verifier_belongs_to_these_features() -> None:
    verifier = Verifier.load()
    assert verifier.names == NAMES
    assert verifier.mean.shape == verifier.scale.shape == (len(NAMES),)
    assert verifier.weights.shape == (len(NAMES) * (len(NAMES) + 1) // 2,)
    assert (verifier.scale > 0).all()


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=len(NAMES)))
def test_a_chance_lies_between_nothing_and_certainty(values: list[float]) -> None:
    chances = Verifier.load().chances([candidate(*values), candidate()])
    assert chances.shape == (2,)
    assert ((chances >= 0) & (chances <= 1)).all()


def test_extreme_features_overflow_nothing() -> None:
    for size in (1e3, -1e3):
        (chance,) = Verifier.load().chances([candidate(*[size] * len(NAMES))])
        assert 0 <= chance <= 1


def test_nothing_found_has_no_chance() -> None:
    assert Verifier.load().chances([]).shape == (0,)


def test_one_that_has_learnt_nothing_is_undecided() -> None:
    assert Verifier.blank().chances([candidate(1, 0, 1)]) == pytest.approx([0.5])


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    trained, again = Verifier.load(), tmp_path / "verifier.json"
    trained.save(again)
    loaded = Verifier.load(again)
    found = [candidate(0.9, 0.8, 0.1, 0.5), candidate(0.1)]
    assert loaded.names == trained.names
    assert np.allclose(loaded.chances(found), trained.chances(found), atol=1e-3)


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "{",
        "[]",
        '{"mean": [1]}',
        json.dumps({"names": ["other"], "mean": [0], "scale": [1], "weights": [0], "bias": 0}),
        json.dumps({"names": NAMES, "mean": ["x"], "scale": [1], "weights": [0], "bias": 0}),
        json.dumps({"names": NAMES, "mean": [0], "scale": [1], "weights": [0]}),
    ],
)
def test_a_file_that_is_damaged_or_belongs_to_other_features_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "verifier.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(KnowledgeError, match=r"知识库文件损坏\(verifier\.json\)"):
        Verifier.load(path)


def examples(count: int) -> list[train.Example]:
    """Questions whose right candidate is the one with a high first feature."""
    draw = np.random.default_rng(7)
    made = []
    for i in range(count):
        rows = draw.normal(size=(4, len(NAMES))).astype(np.float32)
        is_answerable = i % 3 > 0
        rows[:, 0] = -2
        rows[0, 0] = 2 if is_answerable else -2
        right = np.array([is_answerable, False, False, False])
        made.append(train.Example(f"问题{i}", is_answerable, [candidate(*row) for row in rows], right, right))
    return made


def test_training_learns_what_tells_right_from_wrong() -> None:
    verifier = train.fit(examples(120))
    good, bad = verifier.chances([candidate(2), candidate(-2)])
    assert verifier.names == NAMES
    assert good > 5 * bad


def test_a_feature_that_never_varies_does_no_harm() -> None:
    flat = [
        train.Example("问", True, [candidate(1), candidate(-1)], np.array([True, False]), np.array([True, False])),
        train.Example("答", True, [candidate(1), candidate(-1)], np.array([True, False]), np.array([True, False])),
    ]
    assert np.isfinite(train.fit(flat).weights).all()


def test_figures_come_from_questions_that_were_left_out() -> None:
    made = examples(150)
    figures, chances = train.cross_validate(made, threshold=0.25)
    assert 0.4 < figures.right <= 1
    assert 0.6 < figures.refused <= 1
    assert figures.right + figures.wrong <= 1
    assert len(chances) == sum(len(one.candidates) for one in made)
    assert all(0 <= chance <= 1 for chance, _ in chances)
    assert sum(right for _, right in chances) == sum(int(one.right.sum()) for one in made)


def test_a_question_for_which_nothing_was_found_counts_as_refused() -> None:
    nothing = np.zeros(0, dtype=bool)
    made = [*examples(30), train.Example("空", False, [], nothing, nothing)]
    figures, chances = train.cross_validate(made, threshold=0.0)
    assert figures.refused == 0  # at threshold nothing even no candidate is an answer
    assert len(chances) == 120


@pytest.mark.parametrize("share", [0.12345, 1.0])
def test_figures_are_told_in_thousandths(share: float) -> None:
    told = train.describe(train.Figures(share, 0.0, share))
    assert told == {"right": round(share, 3), "wrong": 0.0, "refused": round(share, 3)}


def test_training_questions_stand_on_the_report() -> None:
    text = (Path(train.__file__).parent / "sources/guangming-2022-report.txt").read_text(encoding="utf-8")
    rows = list(train.training_rows())
    assert {bool(quote) for _, quote, _ in rows} == {True, False}
    assert any(before for _, _, before in rows)
    assert [question for question, quote, _ in rows if quote and quote not in text] == []


def test_candidates_are_labelled_by_the_quote_they_touch(write: Callable[..., Path]) -> None:
    document = read_document(write())
    clauses = clauses_of([document], spacy.blank("zh"))
    found = [Candidate(i, clause, np.zeros(len(NAMES), dtype=np.float32)) for i, clause in enumerate(clauses)]
    example = train.label("办了几场", "读书会12场", found, document)
    assert example.is_answerable
    assert [clause.text for clause, right in zip(clauses, example.right, strict=True) if right] == ["举办读书会12场"]
    assert {clause.sentence for clause, near in zip(clauses, example.near, strict=True) if near} == {
        clause.sentence for clause in clauses if clause.text == "举办读书会12场"
    }
    nothing = train.label("电话多少", None, found, document)
    assert not nothing.is_answerable
    assert not nothing.right.any()
    assert not nothing.near.any()
