"""The local data is checked when it is loaded, and a fault names its file and field."""

import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml

import jurisdiction
from jurisdiction import JurisdictionError, load_jurisdiction
from jurisdiction.model import expand

DATA = Path(jurisdiction.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in DATA.glob("*.yml"):
        shutil.copy(file, tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_every_record_says_where_it_stands_and_since_when() -> None:
    loaded = load_jurisdiction()
    records = [*loaded.subdistricts, *loaded.places, *loaded.ambiguous, *loaded.outside, *loaded.halls, *loaded.offices]
    records += [*loaded.phones.values(), *loaded.matters, *loaded.danger.kinds, loaded.routing]
    assert all(record.source and isinstance(record.as_of, date) for record in records)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("places.yml", "name: 光明街道\n", "name: 某某街道\n", "某某街道"),
        ("places.yml", "community: 翠湖, source", "community: 翠河, source", "翠河"),
        ("phones.yml", 'number: "110"', 'nummer: "110"', "phones.yml: phones.police"),
        ("danger.yml", "phones: [gas, fire, ambulance]", "phones: [gas, 911]", "danger.yml"),
        ("matters.yml", "office: 劳动管理办", "office: 没有这个科室", "没有这个科室"),
        ("matters.yml", "strong: [欠薪", "strong: ['(欠薪'", "matters.yml: matters.0.strong.0"),
        ("routing.yml", "ticket_prefix: GM", "ticket_prefix: gm", "routing.yml: routing.ticket_prefix"),
        ("routing.yml", "gas: gas_supply", "gas: no_such_matter", "no_such_matter"),
        (
            "halls.yml",
            "name: 碧眼社区群众诉求服务大厅, level: N, community: 碧眼",
            "name: x, level: N, community: y",
            "碧眼",
        ),
    ],
)
def test_a_fault_names_its_file_and_field(folder: Path, file: str, old: str, new: str, said: str) -> None:
    change(folder / file, old, new)
    with pytest.raises(JurisdictionError, match=said):
        load_jurisdiction(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "halls.yml").unlink()
    with pytest.raises(JurisdictionError, match=r"halls\.yml"):
        load_jurisdiction(folder)


def test_broken_yaml_is_named(folder: Path) -> None:
    (folder / "offices.yml").write_text("offices: [", encoding="utf-8")
    with pytest.raises(JurisdictionError, match=r"offices\.yml"):
        load_jurisdiction(folder)


def test_an_unknown_field_is_named(folder: Path) -> None:
    (folder / "offices.yml").write_text(yaml.safe_dump({"offices": [], "extra": 1}), encoding="utf-8")
    with pytest.raises(JurisdictionError, match="extra"):
        load_jurisdiction(folder)


def test_another_subdistrict_needs_other_yaml_only(folder: Path) -> None:
    places = yaml.safe_load((folder / "places.yml").read_text(encoding="utf-8"))
    places |= {"name": "公明街道", "places": [], "ambiguous": []}
    (folder / "places.yml").write_text(yaml.safe_dump(places, allow_unicode=True), encoding="utf-8")
    halls = yaml.safe_load((folder / "halls.yml").read_text(encoding="utf-8"))
    halls["halls"] += [
        {"name": f"{c}社区大厅", "level": "N", "community": c} for c in places["subdistricts"][1]["communities"]
    ]
    (folder / "halls.yml").write_text(yaml.safe_dump(halls, allow_unicode=True), encoding="utf-8")
    other = load_jurisdiction(folder)
    assert other.locate("上村社区的路灯").community == "上村"
    assert other.locate("碧眼社区的路灯").status == "other_subdistrict"


def test_a_group_in_a_pattern_stands_for_its_words_and_their_groups() -> None:
    (pattern,) = expand(("<both>漏",), {"both": ("<gas>", "水"), "gas": ("煤气", "燃气")})
    assert [bool(pattern.search(text)) for text in ("煤气漏", "水漏", "油漏")] == [True, True, False]
