"""Vectors of written questions: shipped ones are read, others made."""

from pathlib import Path

import numpy as np

from knowledge.shipped import encode_shipped, ship
from tests.unit.knowledge.conftest import HashEncoder


def test_what_is_shipped_is_read_and_the_rest_encoded(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    cores = [f"问题{i}" for i in range(5)]
    vectors = HashEncoder().encode(cores)
    ship(cores[:3], vectors[:3], path)
    made: list[str] = []

    class Counting(HashEncoder):
        def encode(self, texts):
            made.extend(texts)
            return super().encode(texts)

    rows = encode_shipped(cores, Counting(), path)
    assert made == cores[3:]
    assert ((rows * vectors).sum(axis=1) > 0.999).all()
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)


def test_nothing_to_encode_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    ship(["问"], HashEncoder().encode(["问"]), path)
    assert encode_shipped([], HashEncoder(), path).shape == (0, 384)
