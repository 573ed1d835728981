"""What a clause leaves of a question unsaid, and what that tells."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from knowledge.errors import KnowledgeError
from knowledge.known import Known, Memory
from knowledge.leftover import STANDINGS, Leftover, Pair, fit_leftover, standings
from knowledge.wording import runs_of

KNOWN = [
    Known("读书会办了12场吧", (), (0,), is_answered=True),
    Known("读书会谁来讲", (), (0,), is_answered=False),
]
INDEX = SimpleNamespace(
    sentences=[SimpleNamespace(text="举办读书会12场。")], headings=[SimpleNamespace(text="文化生活")]
)


def stands(core: str, left_out: Callable[[Memory], np.ndarray] | None = None) -> dict[str, str]:
    memory = Memory(KNOWN, np.eye(2, 384, dtype=np.float32))
    likeness = memory.compare(np.zeros(384, dtype=np.float32), left_out(memory) if left_out else None)
    runs = sorted(runs_of(core))
    found = standings(runs, INDEX, likeness, 0)  # type: ignore[arg-type]
    return {run: STANDINGS[k] for run, k in zip(runs, found, strict=True)}


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("读书会", "said"),
        ("生活", "said"),
        ("办了", "asked"),
        ("00", "said"),
        ("谁来", "confused"),
        ("退票", "strange"),
    ],
)
def test_every_run_stands_in_the_nearest_place_that_holds_it(run: str, name: str) -> None:
    assert stands("生活读书会办了98场谁来退票")[run] == name


def test_a_question_that_is_left_out_says_nothing() -> None:
    assert stands("谁来退票", lambda memory: memory.itself("读书会谁来讲"))["谁来"] == "strange"


def test_it_learns_that_the_same_word_tells_something_else_where_it_stands() -> None:
    pairs = [Pair(["报名"], bytes([i % 2 * 3]), i % 2 == 0) for i in range(40)]
    leftover = fit_leftover(pairs)
    assert leftover.weights["said"]["报名"] > 0 > leftover.weights["strange"]["报名"]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "leftover.json"
    learnt = Leftover({**Leftover.blank().weights, "strange": {"报名": -1.25}}, 0.5)
    learnt.save(path)
    assert Leftover.load(path) == learnt
    likeness = Memory(KNOWN, np.eye(2, 384, dtype=np.float32)).compare(np.zeros(384, dtype=np.float32))
    told = [one.scorer(["报名", "读书会"], INDEX)(likeness, 0) for one in (learnt, Leftover.blank())]  # type: ignore[arg-type]
    assert told[0] < 0.5
    assert told[1] == 0


def test_the_trained_one_knows_every_standing() -> None:
    leftover = Leftover.load()
    assert all(leftover.weights[name] for name in STANDINGS)


@pytest.mark.parametrize("content", [None, "", "{}", '{"weights": {"said": {}}, "bias": 0}'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "leftover.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(KnowledgeError, match="知识库文件损坏"):
        Leftover.load(path)
