"""What things cost as work grows: a long conversation, many nights, a hundred times the tickets and the documents.

Prints the table of docs/benchmarks.md; ends with 1 when a target is missed. All but the answers is processor time, so
that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

import httpx
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bench.answers.measure import first_time, many_documents
from bench.petitions.measure import LOOKER, databases, milliseconds
from bench.petitions.measure import NOW as FILLED_AT
from bench.petitions.queues import fill
from bench.speed.measure import TEXTS, System, our_product
from petitions import PETITIONER, act, log
from petitions.listing import list_petitions
from petitions.model import Petition
from petitions.privacy import purge
from petitions.ticking import recompute_provisional, tick
from storage import begin_writing
from suqiutong.settings import read_settings
from suqiutong.wiring import Services
from tests.integration.cases import NOW, STATION, file_case, route

TURNS, BLOCK = 500, 50
NIGHTS, WEEK, FILED_A_DAY, OPEN_DAYS = 50, 7, 20, 3
FEW, MANY = 1_000, 100_000
QUESTIONS = 40


@dataclass(frozen=True)
class Grown:
    """What something cost at first and at last, in ms, and how many times as much it may be."""

    name: str
    first: float
    last: float
    most: float

    @property
    def ratio(self) -> float:
        """The last in terms of the first."""
        return self.last / self.first


def main() -> None:
    """Measure what is asked for and print it."""
    parts = {"conversation": conversation, "nights": nights, "tickets": tickets, "documents": documents}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    rows = [row for name in parser.parse_args().parts for row in parts[name]()]
    print("| | first, ms | last, ms | ratio | at most |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row.name} | {row.first:.1f} | {row.last:.1f} | {row.ratio:.2f} | {row.most} |")
    sys.exit(any(row.ratio > row.most for row in rows))


def conversation() -> Iterator[Grown]:
    """A message of a conversation of 500 turns with the whole product, the last 50 against the first."""
    with tempfile.TemporaryDirectory() as folder, our_product(Path(folder)) as system:
        first, *_, last = asyncio.run(talk(system))
    yield Grown(f"a message, the last {BLOCK} of {TURNS} turns", first, last, 1.3)


async def talk(system: System) -> list[float]:
    """The processor time of a message in each block of turns of one conversation, after another that warms up."""
    costs = []
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        for count in (BLOCK, TURNS):
            session = None
            for turn in range(count):
                if turn % BLOCK == 0:
                    costs.append(-system.cpu_seconds())
                session = await system.say(client, session, TEXTS[turn % len(TEXTS)])
                if turn % BLOCK == BLOCK - 1:
                    costs[-1] = (costs[-1] + system.cpu_seconds()) * 1000 / BLOCK
    return costs[1:]


def nights() -> Iterator[Grown]:
    """The nightly work on the clocks, with as many petitions open as on the first night, those of before concluded."""
    with databases("sqlite") as new:
        engine, costs = new(), []
        for day in range(OPEN_DAYS + NIGHTS):
            now = NOW + timedelta(days=day)
            live_a_day(engine, day, now)
            begun = time.thread_time()
            work_at_night(engine, now + timedelta(hours=17))
            costs.append((time.thread_time() - begun) * 1000)
    costs = costs[OPEN_DAYS:]
    # Whole weeks, for on a day off no clock of workdays moves on.
    yield Grown(f"a night, the last {WEEK} of {NIGHTS}", sum(costs[:WEEK]) / WEEK, sum(costs[-WEEK:]) / WEEK, 1.3)


def live_a_day(engine: Engine, day: int, now: datetime) -> None:
    """Petitions are filed, and those of some days ago are withdrawn."""
    with Session(engine) as session:
        begin_writing(session)
        ended_by = now - timedelta(days=OPEN_DAYS)
        old = select(Petition.id).where(Petition.ended_at.is_(None), Petition.filed_at <= ended_by)
        for number in session.scalars(old).all():
            act(session, number, "withdraw", PETITIONER, {}, now=now)
        for number in range(FILED_A_DAY):
            file_case(session, f"day-{day}-{number}", now=now, where=route(STATION))
        session.commit()


def work_at_night(engine: Engine, now: datetime) -> None:
    """The jobs of the worker that look at clocks, seal the log and delete what is too old."""
    looked_at = 1
    while looked_at:
        with Session(engine) as session:
            looked_at = tick(session, now).looked_at
            session.commit()
    for job in (log.seal, recompute_provisional, purge):
        with Session(engine) as session:
            begin_writing(session)
            job(session, now=now)  # type: ignore[operator]
            session.commit()


def tickets() -> Iterator[Grown]:
    """Filing a petition and listing a page in queues of which one is a hundred times the other."""
    with databases("sqlite") as new:
        few, many = new(), new()
        fill(few, FEW, now=FILLED_AT)
        fill(many, MANY, now=FILLED_AT)
        numbers = itertools.count()

        def file(session: Session) -> None:
            begin_writing(session)
            file_case(session, f"growth-{next(numbers)}", now=FILLED_AT, where=route(STATION))
            session.commit()

        def page(session: Session) -> None:
            list_petitions(session, LOOKER, now=FILLED_AT)

        yield Grown("filing, 100 times the tickets", milliseconds(few, file), milliseconds(many, file), 1.5)
        yield Grown("a page, 100 times the tickets", milliseconds(few, page), milliseconds(many, page), 1.5)


def documents() -> Iterator[Grown]:
    """An answer from a hundred times the documents."""
    base = Services(read_settings()).load_knowledge()
    many = many_documents(base)
    asked = [clause.text for clause in base.index.clauses[:QUESTIONS]]
    pairs = [(first_time(base, text), first_time(many, text)) for text in asked]
    few, hundred = (median(column) for column in zip(*pairs, strict=True))
    yield Grown("an answer, 100 times the documents", few, hundred, 3.0)


if __name__ == "__main__":
    main()
