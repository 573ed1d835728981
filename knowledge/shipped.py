"""Vectors of the written questions and their words, shipped: to make them anew in a build would take minutes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from language.vectors import Encoder, Vectors

_FILE = Path(__file__).with_name("training") / "vectors.npz"
# A vector is kept as whole numbers up to this one; its cosines change by less than a thousandth.
_STEPS = 127


def encode_shipped(texts: Sequence[str], encoder: Encoder, path: Path = _FILE) -> Vectors:
    """One row a text, of unit length; those that are not shipped are encoded. Shape (n, 384)."""
    with path.open("rb") as stored, np.load(stored) as file:
        numbers, rows = file["keys"].tolist(), file["rows"]
    shipped: dict[int, Vectors] = dict(zip(numbers, rows.astype(np.float32), strict=True))
    keys = {text: _key(text) for text in texts}
    missing = [text for text, key in keys.items() if key not in shipped]
    if missing:
        shipped |= zip((keys[text] for text in missing), encoder.encode(missing), strict=True)
    found = [shipped[keys[text]] for text in texts]
    vectors = np.stack(found) if found else np.zeros((0, rows.shape[1]), dtype=np.float32)
    whole: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return whole


def ship(texts: Sequence[str], vectors: Vectors, path: Path = _FILE) -> None:
    """Write the vectors, one row a text."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    rows = np.rint(vectors / largest * _STEPS).astype(np.int8)
    keys = np.array([_key(text) for text in texts], dtype=np.uint64)
    order = np.argsort(keys)
    np.savez_compressed(path, allow_pickle=False, keys=keys[order], rows=rows[order])


def _key(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8])
