"""Petitions like a text are found by their words and their meaning, whatever else there is."""

from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from language.vectors import Vectors
from petitions.filing import file_petition
from petitions.intake import Draft
from petitions.model import Petition, PetitionText
from petitions.search import nearness, quantised, read_unread, words_of
from petitions.similar import SHOWN_LIMIT, find_similar
from tests.integration.cases import DISTRICT, KEYRING, NOW, STATION, route

NOISE, OTHER, THIRD = np.eye(3, 384, dtype=np.float32)


class NoiseEncoder:
    """All texts on noise point the same way, all others across it."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: list[str]) -> Vectors:
        self.texts += texts
        return np.array([NOISE if "噪音" in text else OTHER for text in texts], dtype=np.float32).reshape(-1, 384)


def add(session: Session, matter: str, **changes: object) -> Petition:
    where = route(**{"unit": STATION} | changes)
    filed = file_petition(
        session,
        Draft(matter=matter, place="碧眼社区"),
        where,
        form_key=matter,
        conversation="c",
        channel="chat",
        secret=b"0" * 32,
        keyring=KEYRING,
        now=NOW,
    )
    return session.scalars(select(Petition).where(Petition.number == filed.number)).one()


def similar(session: Session, text: str, vector: bytes = quantised(NOISE)) -> list[str]:
    return [one.petition.matter for one in find_similar(session, text, vector)]


def test_the_like_come_and_the_unlike_do_not(engine: Engine) -> None:
    with Session(engine) as session:
        add(session, "工地夜间噪音扰民，整夜睡不着")
        add(session, "路灯不亮，工地夜间没人管")
        assert read_unread(session, NoiseEncoder()) == 2
        (found,) = find_similar(session, "工地夜间噪音扰民", quantised(NOISE))
        assert found.petition.matter == "工地夜间噪音扰民，整夜睡不着"
        assert found.to_json() == {
            "number": found.petition.number,
            "title": "工地夜间噪音扰民，整夜睡不着",
            "score": round(found.score, 3),
            "state": "received",
        }
        # The same words alone are not enough where the meaning is another.
        assert similar(session, "工地夜间噪音扰民", quantised(THIRD)) == []
        assert similar(session, "申请高龄津贴") == []


def test_a_vector_is_made_once(engine: Engine) -> None:
    with Session(engine) as session:
        add(session, "工地夜间噪音扰民")
        session.commit()
    encoder = NoiseEncoder()
    for made in (1, 0):
        with Session(engine) as session:
            assert read_unread(session, encoder) == made
            session.commit()
    assert encoder.texts == ["地点:碧眼社区。工地夜间噪音扰民"]
    with Session(engine) as session:
        assert similar(session, "工地夜间噪音扰民") == ["工地夜间噪音扰民"]


def test_before_the_vector_is_made_the_words_decide(engine: Engine) -> None:
    with Session(engine) as session:
        add(session, "工地夜间噪音扰民")
        assert similar(session, "碧眼社区工地夜间噪音扰民") == ["工地夜间噪音扰民"]


def test_few_are_shown(engine: Engine) -> None:
    with Session(engine) as session:
        for number in range(SHOWN_LIMIT + 3):
            add(session, f"工地夜间噪音扰民{number}")
        read_unread(session, NoiseEncoder())
        assert len(similar(session, "工地夜间噪音扰民")) == SHOWN_LIMIT


def test_an_empty_queue_has_none(engine: Engine) -> None:
    with Session(engine) as session:
        assert similar(session, "工地噪音") == []


@pytest.mark.parametrize("text", ["", "，。！", "a" * 3000, "' OR 1=1 --", '"*^:()', "|&!<->"])
def test_no_text_is_read_as_an_order_to_the_index(engine: Engine, text: str) -> None:
    with Session(engine) as session:
        add(session, "工地夜间噪音扰民")
        assert similar(session, text) == []


def test_what_is_personal_is_not_found_and_leaves_no_vector(engine: Engine) -> None:
    with Session(engine) as session:
        named = file_petition(
            session,
            Draft(matter="王建国的电话13800138000欠薪", place="碧眼社区"),
            replace(route(DISTRICT), vector=quantised(OTHER)),
            form_key="f",
            conversation="c",
            channel="chat",
            secret=b"0" * 32,
            keyring=KEYRING,
            now=NOW,
        )
        row = session.scalars(select(PetitionText)).one()
        assert row.vector is None
        assert named.number.lower() in row.words
        assert "13800138000" not in row.words


def test_a_quantised_vector_points_the_same_way() -> None:
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(50, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept = [quantised(vector) for vector in vectors]
    assert np.allclose(nearness(kept[0], kept), vectors @ vectors[0], atol=0.01)
    assert nearness(kept[0], [None]).tolist() == [0.0]


def test_words_are_pairs_of_signs_and_whole_runs() -> None:
    assert words_of("路灯不亮，3号楼 WiFi") == ["路灯", "灯不", "不亮", "亮", "3", "号楼", "楼", "wifi"]
