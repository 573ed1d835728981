"""The knowledge base from the command line: built, shown, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from knowledge import KnowledgeBase, train
from knowledge.answer import ACCEPT
from knowledge.base import Index
from knowledge.build import build, fact_rows, problems, read_sources
from knowledge.question import Lexicon
from knowledge.verify import Verifier
from suqiutong.errors import CommandError
from suqiutong.freshness import KNOWLEDGE_INPUTS, STAMP, digest, write_stamp
from suqiutong.wiring import Services


def build_knowledge(services: Services, report: Callable[[str], None]) -> None:
    """Build the knowledge base and say from what it was made."""
    folder = services.settings.knowledge_folder
    value = digest(KNOWLEDGE_INPUTS, services.settings.base_pipeline)
    build(
        folder,
        services.jurisdiction.place_names,
        services.encoder,
        services.pipeline,
        lambda what, count: report(f"  {what}: {count}"),
    )
    write_stamp(folder / STAMP, value)


def show_knowledge(services: Services) -> Iterator[dict[str, Any]]:
    """Every fact that has been built, with the clause it stands in."""
    return fact_rows(_index(services))


def check_knowledge(services: Services) -> tuple[int, list[str]]:
    """How many facts have been built, and what does not hold against the sources."""
    index = _index(services)
    return sum(1 for _ in fact_rows(index)), list(problems(read_sources(), index))


def _index(services: Services) -> Index:
    return Index.load(services.settings.knowledge_folder, Lexicon(services.jurisdiction.place_names))


def train_verifier(services: Services, report: Callable[[str], None]) -> dict[str, float]:
    """Train the verifier on the written questions, put it in place; its figures on questions left out in turn.

    Raises:
        CommandError: scikit-learn, which only training needs, is not installed.
    """
    if find_spec("sklearn") is None:
        raise CommandError("scikit-learn is not installed: the development lock brings it")
    base = KnowledgeBase(_index(services), services.encoder, Verifier.blank())
    examples = list(train.training_examples(base, read_sources()[0]))
    report(f"  questions: {len(examples)}")
    figures, _ = train.cross_validate(examples, ACCEPT)
    train.fit(examples).save()
    return train.describe(figures)
