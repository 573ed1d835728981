from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from petitions.model import Petition, Petitioner
from storage import Base
from suqiutong.similar import SHOWN_LIMIT, find_similar

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


class NoiseEncoder:
    """All texts on noise point the same way, all others across it."""

    def encode(self, texts):
        return np.array([[1.0, 0.0] if "噪音" in text else [0.0, 1.0] for text in texts], dtype=np.float32)


@pytest.fixture
def session():
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def add(session, number, matter, *, is_restricted=False):
    session.add(
        Petition(
            number=number,
            form_key=number,
            code_hash="",
            petitioner=Petitioner(is_anonymous=True, created_at=NOW),
            class_="complaint",
            category=["a", "b", "c"],
            level="N",
            unit="unit",
            priority="normal",
            flags=[],
            is_restricted=is_restricted,
            route={},
            matter=matter,
            conversation="c",
            channel="web",
            state="filed",
            filed_at=NOW,
        )
    )
    session.flush()


def test_the_like_come_and_the_unlike_do_not(session):
    add(session, "A1", "工地夜间噪音扰民")
    add(session, "A2", "路灯不亮")
    assert find_similar(session, "半夜工地噪音", NoiseEncoder()) == [
        {"number": "A1", "title": "工地夜间噪音扰民", "score": 1.0, "state": "filed"}
    ]


def test_accusations_are_never_shown(session):
    add(session, "A1", "工地噪音,城管不管", is_restricted=True)
    assert find_similar(session, "工地噪音", NoiseEncoder()) == []


def test_few_are_shown(session):
    for number in range(SHOWN_LIMIT + 3):
        add(session, f"A{number}", f"工地噪音{number}")
    assert len(find_similar(session, "工地噪音", NoiseEncoder())) == SHOWN_LIMIT


def test_an_empty_queue_has_none(session):
    assert find_similar(session, "工地噪音", NoiseEncoder()) == []
