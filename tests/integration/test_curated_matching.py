"""The starter file and the sentence vectors together: what is found, and above all what is not."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from jurisdiction import load_jurisdiction
from knowledge import curated
from knowledge.matching import CuratedMatcher
from knowledge.question import Lexicon
from language.vectors import SentenceEncoder
from storage import Base

ROOT = Path(__file__).resolve().parents[2]
PROBES = yaml.safe_load(Path(__file__).with_name("curated_probes.yml").read_text(encoding="utf-8"))
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
LEAST_PRECISION, LEAST_RECALL = 0.98, 0.85
LEAST_PROBES = 200


@pytest.fixture(scope="module")
def jurisdiction():
    return load_jurisdiction()


@pytest.fixture(scope="module")
def entries():
    """The starter file, taken in and approved."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        curated.import_entries(session, curated.read_entries(ROOT / "knowledge" / "curated.yml"), NOW)
        for entry in curated.list_entries(session):
            curated.approve(session, entry.id, "审核人", NOW)
        yield curated.served_entries(session, NOW.date())
    engine.dispose()


@pytest.fixture(scope="module")
def matcher(entries, jurisdiction):
    return CuratedMatcher(entries, SentenceEncoder(), Lexicon(jurisdiction.place_names))


def test_the_probes_are_many_and_no_copies(entries):
    variants = {variant for entry in entries for variant in entry.variants}
    hits = [str(text) for texts in PROBES["hits"].values() for text in texts]
    assert PROBES["hits"].keys() == {entry.id for entry in entries}
    assert len(hits) + len(PROBES["misses"]) >= LEAST_PROBES
    assert not variants & {*hits, *PROBES["misses"]}


def test_a_wrong_entry_is_hardly_ever_found_and_the_right_one_mostly(matcher):
    wanted = [(str(text), entry) for entry, texts in PROBES["hits"].items() for text in texts]
    wanted += [(text, None) for text in PROBES["misses"]]
    found = {text: match.entry_id for text, _ in wanted if (match := matcher.find(text))}
    outcome = Counter(found[text] == entry for text, entry in wanted if text in found)
    wrong = {text: found[text] for text, entry in wanted if text in found and found[text] != entry}
    assert outcome[True] / outcome.total() >= LEAST_PRECISION, wrong
    assert outcome[True] / sum(map(len, PROBES["hits"].values())) >= LEAST_RECALL


def test_every_variant_finds_its_own_entry(matcher, entries):
    assert all(matcher.find(variant).entry_id == entry.id for entry in entries for variant in entry.variants)


def test_questions_for_the_report_are_left_to_the_report(matcher):
    path = ROOT / "knowledge" / "training" / "answerable.yml"
    questions = [row["q"] for row in yaml.safe_load(path.read_text(encoding="utf-8"))][::8]
    assert len(questions) > 100
    assert [question for question in questions if matcher.find(question)] == []


def test_the_phones_of_the_starter_file_are_those_of_the_jurisdiction(entries, jurisdiction):
    known = {phone.number for phone in jurisdiction.phones.values()}
    said = {word for entry in entries for word in _numbers(entry.answer) if len(word) >= 5 or word in {"110", "119"}}
    assert said
    assert said <= known


def test_the_owners_are_offices_of_the_subdistrict(jurisdiction):
    rows = curated.read_entries(ROOT / "knowledge" / "curated.yml")
    assert {row["owner"] for row in rows} <= {office.name for office in jurisdiction.offices}
    assert {row["written_by"] for row in rows} == {"初始内容"}


def _numbers(text):
    """Runs of digits and dashes."""
    return "".join(sign if sign.isdecimal() or sign == "-" else " " for sign in text).split()
