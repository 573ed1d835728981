"""Sources of a few lines, and an encoder that needs no model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from language.vectors import Vectors

REPORT = """关于某街道的报告
一、2030年工作总结
2030年,街道做了很多事。
(一)突出民生,服务提升。举办读书会12场,服务老人3万余人次；绿化率达41.5%,全区第一!修路9条。
二、2031年工作计划
(一)坚持安全第一。完成第三批20户分房,力争开展巡查800次以上。
特此报告
"""
ABOUT = 'title: 某街道报告\npublished_on: 2031-02-03\nnot_facts: ["2030年"]\n'


class HashEncoder:
    """Vectors of unit length that differ from text to text and mean nothing."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) for text in texts]
        rows = np.stack([np.random.default_rng(seed).normal(size=384) for seed in seeds]).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class SameEncoder:
    """All texts mean the same, so that words alone decide; counts what it encodes."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""
        self.encoded += texts
        return np.ones((len(texts), 1), dtype=np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a source with its description, and gives its path."""

    def write(text: str | bytes = REPORT, about: str | None = ABOUT, name: str = "report") -> Path:
        path = tmp_path / f"{name}.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if about is not None:
            path.with_suffix(".yml").write_text(about, encoding="utf-8")
        return path

    return write
