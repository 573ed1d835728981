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
from knowledge.known import Written, written_questions
from knowledge.verify import NAMES, Candidate, Verifier, Verifiers


def candidate(*values: float, is_new: bool = False) -> Candidate:
    features = np.zeros(len(NAMES), dtype=np.float32)
    features[: len(values)] = values
    return Candidate(0, None, features, is_new)  # type: ignore[arg-type]


@pytest.mark.parametrize("which", ["known", "new"])
def test_the_trained_verifiers_belong_to_these_features(which: str) -> None:
    verifier = getattr(Verifiers.load(), which)
    assert verifier.names == NAMES
    assert verifier.mean.shape == verifier.scale.shape == (len(NAMES),)
    assert {layers[0][0].shape[0] for layers in verifier.networks} == {len(NAMES)}
    assert (verifier.scale > 0).all()


TRAINED = Verifiers.load()


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=len(NAMES)))
def test_a_chance_lies_between_nothing_and_certainty(values: list[float]) -> None:
    chances = TRAINED.chances([candidate(*values), candidate(*values, is_new=True), candidate()])
    assert chances.shape == (3,)
    assert ((chances >= 0) & (chances <= 1)).all()


def test_extreme_features_overflow_nothing() -> None:
    for size in (1e3, -1e3):
        (chance,) = Verifiers.load().chances([candidate(*[size] * len(NAMES))])
        assert 0 <= chance <= 1


def test_nothing_found_has_no_chance() -> None:
    assert Verifiers.load().chances([]).shape == (0,)


def test_one_that_has_learnt_nothing_answers_nothing() -> None:
    assert Verifiers.blank().chances([candidate(1, 0, 1)]) == pytest.approx([0.0], abs=1e-6)


def test_each_clause_is_judged_by_the_verifier_of_its_kind() -> None:
    learnt = train.fit(examples(1200))
    verifiers = Verifiers(learnt.known, Verifier.blank())
    known, new = verifiers.chances([candidate(2), candidate(2, is_new=True)])
    assert known > 0.5 > 0.01 > new


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    trained, again = Verifiers.load(), tmp_path / "verifier.json"
    trained.save(again)
    loaded = Verifiers.load(again)
    found = [candidate(0.9, 0.8, 0.1, 0.5), candidate(0.1), candidate(0.9, is_new=True)]
    assert np.allclose(loaded.chances(found), trained.chances(found), atol=1e-3)


def broken(**changes: object) -> str:
    sound = Verifier.blank().to_json()
    return json.dumps({"known": sound, "new": {**sound, **changes}}, default=list)


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", '{"known": {}}', broken(names=["other"]), broken(mean=["x"]), broken(networks=3)],
)
def test_a_file_that_is_damaged_or_belongs_to_other_features_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "verifier.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(KnowledgeError, match=r"知识库文件损坏\(verifier\.json\)"):
        Verifiers.load(path)


def examples(count: int) -> list[train.Example]:
    """Questions whose right candidate is the one with a high first feature."""
    draw = np.random.default_rng(7)
    made = []
    for i in range(count):
        is_new = i % 2 == 1
        rows = np.zeros((4, len(NAMES)), dtype=np.float32)
        rows[:, 1:3] = draw.normal(size=(4, 2))
        is_answerable = i // 2 % 3 > 0
        rows[:, 0] = -2
        rows[0, 0] = 2 if is_answerable else -2
        right = np.array([is_answerable, False, False, False])
        made.append(
            train.Example(f"问题{i // 2}", is_new, is_answerable, [candidate(*row) for row in rows], right, right)
        )
    return made


def test_training_learns_what_tells_right_from_wrong() -> None:
    verifiers = train.fit(examples(1200))
    for is_new in (False, True):
        good, bad = verifiers.chances([candidate(2, is_new=is_new), candidate(-2, is_new=is_new)])
        assert good > 5 * bad


@pytest.mark.parametrize("noise", [0.0, 1e-6])
def test_a_feature_that_never_varies_but_by_rounding_is_kept_whole_in_its_file(noise: float, tmp_path: Path) -> None:
    made = examples(240)
    for number, example in enumerate(made):
        for one in example.candidates:
            one.features[5] = noise * (number % 2)
    train.fit(made, networks=1).save(tmp_path / "verifier.json")
    assert (Verifiers.load(tmp_path / "verifier.json").known.scale > 0).all()


def test_a_feature_that_never_varies_does_no_harm() -> None:
    labels = np.array([True, False]), np.array([True, False])
    flat = [train.Example("问", is_new, True, [candidate(1), candidate(-1)], *labels) for is_new in (False, True)] * 3
    assert np.isfinite(train.fit(flat).chances([candidate(1), candidate(1, is_new=True)])).all()


def test_figures_come_from_questions_that_were_left_out() -> None:
    made = examples(1200)
    known, new, chances = train.cross_validate(made, threshold=0.25)
    for figures in (known, new):
        assert 0.4 < figures.right <= 1
        assert 0.6 < figures.refused <= 1
        assert figures.right + figures.wrong <= 1
    assert len(chances) == sum(len(one.candidates) for one in made)
    assert all(0 <= chance <= 1 for chance, _ in chances)
    assert sum(right for _, right in chances) == sum(int(one.right.sum()) for one in made)


def test_a_question_for_which_nothing_was_found_counts_as_refused() -> None:
    nothing = np.zeros(0, dtype=bool)
    made = [*examples(60), *(train.Example("空", is_new, False, [], nothing, nothing) for is_new in (False, True))]
    known, _, chances = train.cross_validate(made, threshold=0.0)
    assert known.refused == 0  # at threshold nothing even no candidate is an answer
    assert len(chances) == 240


@pytest.mark.parametrize("share", [0.12345, 1.0])
def test_figures_are_told_in_thousandths(share: float) -> None:
    told = train.describe(train.Figures(share, 0.0, share))
    assert told == {"right": round(share, 3), "wrong": 0.0, "refused": round(share, 3)}


def test_training_questions_stand_on_the_report() -> None:
    text = (Path(train.__file__).parent / "sources/guangming-2022-report.txt").read_text(encoding="utf-8")
    rows = list(written_questions())
    assert {bool(row.quote) for row in rows} == {True, False}
    assert any(row.before for row in rows)
    assert [row.text for row in rows if (row.quote or row.near or "") not in text] == []


def test_no_question_is_written_twice() -> None:
    texts = [row.text for row in written_questions() if row.before is None]
    assert len(texts) == len(set(texts))


def test_candidates_are_labelled_by_the_quote_they_touch(write: Callable[..., Path]) -> None:
    clauses = clauses_of([read_document(write())], spacy.blank("zh"))
    features = np.zeros(len(NAMES), dtype=np.float32)
    found = [Candidate(i, clause, features, False) for i, clause in enumerate(clauses)]
    example = train.label(Written("办了几场", "读书会12场"), False, found)
    assert example.is_answerable
    assert [clause.text for clause, right in zip(clauses, example.right, strict=True) if right] == ["举办读书会12场"]
    assert {clause.sentence for clause, near in zip(clauses, example.near, strict=True) if near} == {
        clause.sentence for clause in clauses if clause.text == "举办读书会12场"
    }
    nothing = train.label(Written("电话多少", None), False, found)
    assert not nothing.is_answerable
    assert not nothing.right.any()
    assert not nothing.near.any()
