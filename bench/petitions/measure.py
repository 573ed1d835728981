"""What the case work costs beside plain SQLAlchemy, and how it grows with the queue.

Prints the tables of docs/benchmarks.md. `--databases sqlite postgresql` chooses, `--largest` is the size of the largest
queue. A server of PostgreSQL is started as the tests start one, with nothing written for good.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.orm import Session

from bench.petitions.queues import fill, matters
from petitions.claiming import claim_next
from petitions.errors import PetitionError
from petitions.listing import Wanted, count_by_state, list_petitions
from petitions.log import Actor, verify
from petitions.model import (
    Event,
    EventPrivate,
    OutboxMessage,
    Personal,
    Petition,
    Petitioner,
    PetitionText,
    RunningClock,
)
from petitions.search import find_by_each, words_of
from petitions.similar import find_similar
from storage import begin_writing
from suqiutong.database import make_engine, upgrade
from tests.integration.cases import HALL, STATION, file_case, route
from tests.postgresql import postgresql_server

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SMALL, MIDDLE = 10_000, 100_000
ROUNDS = 120
WORKERS, QUEUE = 50, 5000
LOOKER = Actor("bench", "supervisor", "光明区群众诉求服务大厅")
VECTOR = bytes(range(1, 128)) * 3 + bytes(3)
PAGES = {
    "newest": Wanted(),
    "one state": Wanted(state="received"),
    "two states": Wanted(state="unaccepted"),
    "a unit and those below": Wanted(units=(HALL,), with_below=True),
    "the same, open": Wanted(units=(HALL,), with_below=True, is_open=True),
    "a topic": Wanted(first="民政"),
    "a community": Wanted(community="碧眼"),
    "due in three days": Wanted(due_before=NOW + timedelta(days=3)),
    "search, a common word": Wanted(search="路灯"),
    "search, two words": Wanted(search="碧眼 路灯不亮"),
    "search, a rare place": Wanted(search="公园北门7号路灯"),
    "search, nothing found": Wanted(search="直升机"),
}
# The rows of one filing, in the order in which they refer to each other.
FILED = (Petitioner, Personal, Petition, PetitionText, RunningClock, Event, EventPrivate, OutboxMessage)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--largest", type=int, default=1_000_000)
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    for kind in arguments.databases:
        print(f"\n### {kind}\n")
        with databases(kind) as new:
            print_costs(new())
            print_growth(new, arguments.largest)
            print(f"\n{claimed_at_once(new())}")


@contextmanager
def databases(kind: str) -> Iterator[Callable[[], Engine]]:
    """Makes migrated databases of a kind."""
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield lambda: migrated(f"sqlite:///{Path(folder) / str(next(numbers))}.db")
            return
        with postgresql_server() as server:

            def new() -> Engine:
                name = f"bench_{next(numbers)}"
                with make_engine(address(server)).connect() as connection:
                    connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(f"CREATE DATABASE {name}"))
                return migrated(address(server.set(database=name)))

            yield new


def address(url: Any) -> str:  # noqa: ANN401 - SQLAlchemy's URL
    """A URL with all that it holds."""
    return str(url.render_as_string(hide_password=False))


def migrated(url: str) -> Engine:
    """The engine of a database with the newest schema."""
    engine = make_engine(url)
    upgrade(engine)
    return engine


def milliseconds(engine: Engine, work: Callable[[Session], object], rounds: int = ROUNDS) -> float:
    """The median time of a piece of work in a session of its own, after a first round that does not count.

    SQLite works in this process, so that its processor time is counted, whatever else the machine does; PostgreSQL
    works in others, so that there the clock is read.
    """
    moment = time.thread_time if engine.dialect.name == "sqlite" else time.perf_counter
    taken = []
    for _ in range(rounds + 1):
        with Session(engine) as session:
            begin = moment()
            work(session)
            taken.append((moment() - begin) * 1000)
    return statistics.median(taken[1:])


def print_costs(engine: Engine) -> None:
    """Each piece of work beside plain SQLAlchemy that selects and inserts the same rows, in turns."""
    fill(engine, SMALL, now=NOW)
    with Session(engine) as session:
        session.execute(text("UPDATE petition SET claimed_by = 'bench'"))
        session.commit()
    numbers = itertools.count()

    def file(session: Session) -> None:
        file_case(session, f"filed-{next(numbers)}", now=NOW, where=route(STATION))
        session.commit()

    file_plainly = plain_filing(engine, numbers)

    def claim(session: Session) -> None:
        claim_next(session, Actor("somebody", "handler", STATION), now=NOW)
        session.commit()

    def claim_plainly(session: Session) -> None:
        begin_writing(session)
        free = select(Petition).where(
            Petition.unit == STATION, Petition.claimed_by.is_(None), Petition.due_at.is_not(None)
        )
        petition = session.scalars(free.order_by(Petition.due_at).limit(1).with_for_update(skip_locked=True)).one()
        petition.claimed_by, petition.claimed_until = "somebody", NOW + timedelta(minutes=30)
        session.execute(select(RunningClock).where(RunningClock.petition_id == petition.id)).all()
        last = session.scalars(select(Event).order_by(Event.id.desc()).limit(1)).one()
        values = {column.key: getattr(last, column.key) for column in Event.__table__.columns if column.key != "id"}
        session.add(Event(**values | {"petition_id": petition.id, "number": 2, "key": None}))
        session.commit()

    matter = next(matters(7))[1]
    words = [word for word in words_of(matter) if len(word) > 1][:12]

    def compare_plainly(session: Session) -> None:
        ids = [number for found in find_by_each(session, words, limit=150).values() for number in found]
        rows = select(Petition, PetitionText.vector).join(PetitionText, PetitionText.petition_id == Petition.id)
        session.execute(rows.where(Petition.id.in_(sorted(set(ids))[-60:]))).all()

    pairs = {
        "file a petition": (file, file_plainly),
        "claim the next ticket": (claim, claim_plainly),
        "list a page of 50": (
            lambda session: list_petitions(session, LOOKER, now=NOW),
            lambda session: session.scalars(select(Petition).order_by(Petition.id.desc()).limit(51)).all(),
        ),
        "similar cases": (lambda session: find_similar(session, matter, VECTOR, least=0), compare_plainly),
    }
    print("| | ours, ms | plain SQLAlchemy, ms | ratio |\n| --- | --- | --- | --- |")
    for name, (ours, plain) in pairs.items():
        rounds = [(milliseconds(engine, ours, 40), milliseconds(engine, plain, 40)) for _ in range(ROUNDS // 40)]
        one, other = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"| {name} | {one:.1f} | {other:.1f} | {one / other:.2f} |", flush=True)


def plain_filing(engine: Engine, numbers: Iterator[int]) -> Callable[[Session], None]:
    """Inserts the rows of a petition that was filed, under other keys, with the selects that filing makes."""
    with Session(engine) as session:
        petition = file_case(session, "model", now=NOW, where=route(STATION))
        session.commit()
        rows = {model: rows_of(session, model, petition) for model in FILED}

    def file_plainly(session: Session) -> None:
        begin_writing(session)
        key = f"plain-{next(numbers)}"
        session.execute(select(Petition).where(Petition.form_key == key)).first()
        petitioner = session.execute(
            insert(Petitioner).returning(Petitioner.id), rows[Petitioner][0] | {"token": key[:32]}
        )
        owner = petitioner.scalar_one()
        session.execute(insert(Personal), [row | {"petitioner_id": owner} for row in rows[Personal]])
        fresh = rows[Petition][0] | {"form_key": key, "petitioner_id": owner, "number": None}
        number = session.execute(insert(Petition).returning(Petition.id), fresh).scalar_one()
        session.execute(update(Petition).where(Petition.id == number).values(number=f"P{number}"))
        session.execute(insert(PetitionText), rows[PetitionText][0] | {"petition_id": number})
        session.execute(insert(RunningClock), [row | {"petition_id": number} for row in rows[RunningClock]])
        event = session.execute(
            insert(Event).returning(Event.id), rows[Event][0] | {"petition_id": number}
        ).scalar_one()
        session.execute(insert(EventPrivate), rows[EventPrivate][0] | {"event_id": event})
        letters = [row | {"petition_id": number, "key": f"{number}-{row['to']}"} for row in rows[OutboxMessage]]
        session.execute(insert(OutboxMessage), letters)
        session.commit()

    return file_plainly


def rows_of(session: Session, model: Any, petition: Petition) -> list[dict[str, Any]]:  # noqa: ANN401 - a mapped class
    """The rows that filing a petition wrote into a table, without their own ids."""
    conditions = {
        Petitioner: Petitioner.id == petition.petitioner_id,
        Personal: Personal.petitioner_id == petition.petitioner_id,
        Petition: Petition.id == petition.id,
        EventPrivate: EventPrivate.event_id.in_([event.id for event in petition.events]),
    }
    condition = conditions.get(model, getattr(model, "petition_id", Petition.id) == petition.id)
    names = [attribute.key for attribute in model.__mapper__.column_attrs if attribute.key != "id"]
    return [{name: getattr(row, name) for name in names} for row in session.scalars(select(model).where(condition))]


def print_growth(new: Callable[[], Engine], largest: int) -> None:
    """A page of each kind, counts and similar cases in queues of several sizes."""
    sizes = sorted({SMALL, MIDDLE, largest})
    engines = {size: new() for size in sizes}
    for size, engine in engines.items():
        fill(engine, size, now=NOW)
    texts = [matter for _, matter, _ in itertools.islice(matters(99), 20)]
    kinds: dict[str, Callable[[Session], object]] = {
        name: lambda session, wanted=wanted: list_petitions(session, LOOKER, wanted, now=NOW)  # type: ignore[misc]
        for name, wanted in PAGES.items()
    }
    kinds["counts by state"] = lambda session: count_by_state(session, LOOKER, now=NOW, most=10_000)
    kinds["similar cases"] = lambda session: [find_similar(session, one, VECTOR, least=0) for one in texts]
    head = " | ".join(f"{size:,}" for size in sizes)
    print(f"\n| tickets: | {head} | growth |\n| --- | {' | '.join('---' for _ in sizes)} | --- |")
    for name, work in kinds.items():
        share = len(texts) if name == "similar cases" else 1
        taken = [milliseconds(engines[size], work, max(5, 25 // share)) / share for size in sizes]
        print(f"| {name} | {' | '.join(f'{one:.1f}' for one in taken)} | {taken[-1] / taken[0]:.1f} |", flush=True)


def claimed_at_once(engine: Engine) -> str:
    """Many workers who empty one queue."""
    with Session(engine) as session:
        for number in range(QUEUE):
            file_case(session, f"form-{number}", now=NOW, where=route(STATION))
            if number % 500 == 0:
                session.commit()
        session.commit()
    taken: list[int] = []

    def work(index: int) -> None:
        # A worker is a process of its own as a rule, and has its own connection.
        own = make_engine(address(engine.url))
        while True:
            with Session(own) as session:
                try:
                    number = claim_next(session, Actor(f"p{index}", "handler", STATION), now=NOW).petition.id
                except PetitionError:
                    break
                session.commit()
                taken.append(number)
        own.dispose()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(WORKERS)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    with Session(engine) as session:
        claims = session.scalar(select(func.count()).where(Event.action == "claim"))
        holds = verify(session).holds
    return (
        f"{WORKERS} workers and {QUEUE:,} tickets: {len(taken):,} claimed, {len(taken) - len(set(taken))} twice, "
        f"{QUEUE - len(set(taken))} left, {claims:,} events, "
        f"the log {'holds' if holds else 'is broken'}, {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
