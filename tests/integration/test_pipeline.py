"""The spaCy pipeline: LAC by default, zh_core_web_sm where it is installed."""

import importlib
import sys

import pytest
import spacy

from jurisdiction import load_jurisdiction
from language.pipeline import NAME_LABELS, PipelineError, build_pipeline


@pytest.fixture(scope="module")
def lac():
    return build_pipeline("lac", load_jurisdiction().place_names)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A package of the model's name whose only rule calls 张三 a person: no download is needed to prove the wiring."""
    model = spacy.blank("zh")
    model.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "张三"}])
    package = tmp_path / "zh_core_web_sm"
    model.to_disk(package)
    (package / "__init__.py").write_text(
        "from pathlib import Path\nfrom spacy.util import load_model_from_path\n\n\n"
        "def load(**overrides):\n    return load_model_from_path(Path(__file__).parent, **overrides)\n",
        encoding="utf-8",
    )
    info = tmp_path / "zh_core_web_sm-3.8.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zh_core_web_sm\nVersion: 3.8.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("zh_core_web_sm", None)


def names(doc):
    return {name.text for name in doc.ents if name.label_ in NAME_LABELS}


@pytest.mark.parametrize("text", ["", " ", "😀", "白花洞 夜里 施工", "Ａ１ 全角,COCOCity。\n第二行"])
def test_a_text_is_kept_to_the_sign(lac, text):
    assert lac(text).text == text


def test_people_places_and_times_are_found(lac):
    doc = lac("王小明昨晚在深圳市图书馆看书")
    labels = {name.text: name.label_ for name in doc.ents}
    assert labels["王小明"] == "PERSON"
    assert labels["昨晚"] == "DATE"
    assert any("深圳" in text for text in names(doc))


def test_local_names_are_places_whatever_the_base_thinks(lac):
    assert {"新围", "白花洞", "马池田"} <= names(lac("新围、白花洞和马池田都有人反映"))


def test_quantities_stand_beside_the_names(lac):
    doc = lac("完成第五批36户7096平方米安置房分配")
    assert [(one.text, one.label_) for one in doc.spans["quantities"]] == [
        ("第五批", "rank"),
        ("36户", "household"),
        ("7096平方米", "area"),
    ]


@pytest.mark.usefixtures("stand_in")
def test_the_other_base_is_used_where_it_is_installed():
    pipeline = build_pipeline("zh_core_web_sm", ["白花洞"])
    doc = pipeline("张三在白花洞看到13场活动")
    assert names(doc) == {"张三", "白花洞"}
    assert [one.label_ for one in doc.spans["quantities"]] == ["event"]


def test_a_base_that_is_missing_is_one_clear_line():
    with pytest.raises(PipelineError, match=r"zh_core_web_sm is not installed: run `python -m spacy download"):
        build_pipeline("zh_core_web_sm", [])
