"""Databases full of tickets, made at once instead of filed one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from jurisdiction import load_jurisdiction
from petitions.model import Petition, Petitioner, PetitionText, RunningClock
from petitions.numbers import ticket_number
from petitions.search import quantised, text_of, words_of

BATCH = 5000
WORDS = yaml.safe_load(Path(__file__).with_name("words.yml").read_text(encoding="utf-8"))
CLASSES = ("投诉", "求助", "咨询", "建议")
OPEN = ("received", "accepted", "in_progress", "transferred", "replied")


def fill(engine: Engine, count: int, *, now: datetime, seed: int = 1) -> None:
    """Write `count` tickets, one in twenty still open, with what the lists and searches read of them."""
    made = _tickets(random.Random(seed), count, now)
    with Session(engine) as session:
        session.execute(insert(Petitioner), {"token": "bench", "is_anonymous": True, "created_at": now})
        while batch := [ticket for _, ticket in zip(range(BATCH), made, strict=False)]:
            for model in (Petition, PetitionText, RunningClock):
                rows = [row for ticket in batch for row in ticket.get(model, ())]
                session.execute(insert(model), rows) if rows else None
            session.commit()
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('petition_id_seq', (SELECT max(id) FROM petition))")
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def matters(seed: int) -> Iterator[tuple[str, str, str]]:
    """Topic, matter and place of made-up petitions, without end."""
    chance = random.Random(seed)
    places, said_often, things = WORDS["places"], WORDS["said"], WORDS["things"]
    communities = sorted({hall.community for hall in load_jurisdiction().halls if hall.community})
    while True:
        topic = chance.choices(list(things), weights=[len(some) for some in things.values()])[0]
        place = f"{chance.choice(communities)}社区{chance.choice(places)}{chance.randrange(1, 90)}号"
        said = "，".join(chance.sample(said_often, chance.randrange(1, 4)))
        yield topic, f"{place}{chance.choice(things[topic])}，{said}", place


def _tickets(chance: random.Random, count: int, now: datetime) -> Iterator[Mapping[Any, list[dict[str, Any]]]]:
    halls = load_jurisdiction().halls
    vectors = [quantised(row) for row in np.random.default_rng(1).normal(size=(512, 384)).astype(np.float32)]
    texts = matters(chance.randrange(10**9))
    for number in range(1, count + 1):
        topic, matter, place = next(texts)
        hall = chance.choice(halls)
        is_open = chance.random() < 0.05
        filed_at = now - timedelta(minutes=count - number)
        due_at = now + timedelta(minutes=chance.randrange(-500, 60 * 24 * 60)) if is_open else None
        ticket = ticket_number("GM", number, filed_at)
        yield {
            Petition: [
                {
                    "id": number, "number": ticket, "form_key": f"bench:{number}", "petitioner_id": 1,
                    "class_": chance.choice(CLASSES), "category": [topic, topic, topic], "topic": topic,
                    "level": hall.level, "unit": hall.name, "office": None, "community": hall.community,
                    "priority": "urgent" if chance.random() < 0.02 else "normal", "flags": [], "legal_path": None,
                    "is_restricted": False, "accused_unit": None, "route": {}, "matter": matter, "place": place,
                    "occurred": None, "conversation": "", "channel": "chat",
                    "state": chance.choice(OPEN) if is_open else "closed", "hops": 0, "unsatisfied": 0,
                    "filed_at": filed_at, "due_at": due_at, "ended_at": None if is_open else now,
                    "event_count": 0, "event_hash": "", "version": 1,
                }
            ],
            PetitionText: [
                {
                    "petition_id": number,
                    "words": " ".join(words_of(f"{ticket} {text_of(matter, place)}")),
                    "vector": chance.choice(vectors),
                }
            ],
            RunningClock: [
                {
                    "petition_id": number, "clock": "close", "unit": "days", "amount": 60, "started_at": filed_at,
                    "counted_from": filed_at, "due_at": due_at, "is_provisional": False, "is_window": False,
                    "extended_days": 0, "article": "", "step": 0, "next_at": due_at,
                }
            ] if is_open else [],
        }  # fmt: skip
