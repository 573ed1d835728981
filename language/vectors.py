"""Sentence vectors, made on this machine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from language import e5

Vectors = NDArray[np.float32]

# Longer texts take longer; the gist of a message stands in its first hundreds.
TEXT_LIMIT_CHARACTERS = 400
CACHE_LIMIT_TEXTS = 16_384


class Encoder(Protocol):
    """What turns sentences into vectors whose dot product is their nearness in meaning."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text, float32 of unit length, shape (n, 384)."""


class SentenceEncoder:
    """multilingual-e5-small, and a memory of what was asked; safe from threads."""

    def __init__(self) -> None:
        self._model = e5.load()
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text, float32 of unit length, shape (n, 384).

        Args:
            texts: Any length; what stands behind the first 400 characters of each is not read.
        """
        cut = [text[:TEXT_LIMIT_CHARACTERS] for text in texts]
        with self._lock:
            found = {text: self._known[text] for text in cut if text in self._known}
            for text in found:
                self._known.move_to_end(text)
        missing = [text for text in dict.fromkeys(cut) if text not in found]
        made = {text: self._model.query(text) for text in missing}
        self._remember(made)
        found |= made
        return np.stack([found[text] for text in cut]) if cut else np.zeros((0, 384), dtype=np.float32)

    def forget(self) -> None:
        """Drop the vectors that are remembered."""
        with self._lock:
            self._known.clear()

    def _remember(self, vectors: dict[str, Vectors]) -> None:
        with self._lock:
            self._known.update(vectors)
            while len(self._known) > CACHE_LIMIT_TEXTS:
                self._known.popitem(last=False)
