"""Many at once, and killed half-way: nothing twice, nothing half, readers never wait."""

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from petitions.cases import Outcome, act, running_clocks
from petitions.errors import PetitionError
from petitions.log import PETITIONER, replay, seal, snapshot_of, verify
from petitions.model import Event, OutboxMessage, Petition, Petitioner, PetitionText, RunningClock
from petitions.ticking import tick
from storage import begin_writing
from suqiutong.database import make_engine
from tests.integration.cases import ACCEPTED, NOW, STATION, file_case, person, run_and_kill, step

HANDLER = person("handler", STATION)
# How many processes are killed; more of them take longer.
KILLS = int(os.environ.get("SUQIUTONG_TEST_KILLS", "10"))


def at_once(count: int, run: Callable[[int], object]) -> list[object]:
    """What each of several threads that begin together returned or raised."""
    barrier = threading.Barrier(count)
    results: list[object] = [None] * count

    def call(index: int) -> None:
        barrier.wait()
        try:
            results[index] = run(index)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[index] = error

    threads = [threading.Thread(target=call, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def filed(engine: Engine, count: int = 1) -> list[int]:
    with Session(engine) as session:
        ids = [file_case(session, f"form-{number}").id for number in range(count)]
        session.commit()
    return ids


def test_of_many_who_accept_one_does(engine: Engine) -> None:
    (petition_id,) = filed(engine)

    def accept(_index: int) -> bool:
        with Session(engine) as session:
            outcome = act(session, petition_id, "accept", HANDLER, {}, now=NOW, expected_version=None)
            session.commit()
            return outcome.is_new

    results = at_once(8, accept)
    assert [result for result in results if result is True] == [True]
    assert {result.code for result in results if isinstance(result, PetitionError)} == {"not_allowed"}
    assert len(results) == 8
    with Session(engine) as session:
        assert verify(session).holds
        assert session.scalar(select(func.count()).select_from(Event)) == 2


def test_the_same_step_sent_many_times_at_once_is_made_once(engine: Engine) -> None:
    (petition_id,) = filed(engine)

    def urge(_index: int) -> tuple[int, bool]:
        with Session(engine, expire_on_commit=False) as session:
            outcome = act(session, petition_id, "urge", PETITIONER, {}, now=NOW, key="urge-1")
            session.commit()
            return outcome.event.id, outcome.is_new

    results = at_once(10, urge)
    assert len({result[0] for result in results}) == 1
    assert sum(result[1] for result in results) == 1


def test_the_same_confirm_sent_many_times_at_once_is_one_ticket(engine: Engine) -> None:
    def confirm(_index: int) -> str | None:
        with Session(engine) as session:
            number = file_case(session, "form-1").number
            session.commit()
            return number

    assert len(set(at_once(20, confirm))) == 1
    with Session(engine) as session:
        counts = [session.scalar(select(func.count()).select_from(model)) for model in (Petition, Petitioner, Event)]
        assert counts == [1, 1, 1]
        assert verify(session).holds


def test_writers_of_one_petition_and_of_many_keep_every_chain(engine: Engine) -> None:
    ids = filed(engine, 4)

    def write(index: int) -> None:
        for number in range(6):
            with Session(engine) as session:
                act(session, ids[(index + number) % 4], "urge", PETITIONER, {}, now=NOW, key=f"{index}-{number}")
                session.commit()
            if number % 3 == 0:
                with Session(engine) as session:
                    seal(session, now=NOW)
                    session.commit()

    assert at_once(6, write) == [None] * 6
    with Session(engine) as session:
        found = verify(session)
        assert found.holds
        assert found.events == 4 + 36
        assert found.seals


def test_two_who_merge_into_each_other_at_once_make_no_ring(engine: Engine) -> None:
    ids = filed(engine, 2)
    with Session(engine) as session:
        numbers = [session.get_one(Petition, petition_id).number for petition_id in ids]

    def merge(index: int) -> Outcome:
        with Session(engine, expire_on_commit=False) as session:
            fields = {"into": numbers[1 - index], "reason": "x"}
            outcome = act(session, ids[index], "merge", person("operator", STATION), fields, now=NOW)
            session.commit()
            return outcome

    results = at_once(2, merge)
    assert sum(isinstance(result, Outcome) for result in results) == 1
    assert [result.code for result in results if isinstance(result, PetitionError)] == ["no_such_ticket"]


def test_two_workers_who_tick_at_once_say_nothing_twice(engine: Engine) -> None:
    filed(engine, 12)
    later = NOW + timedelta(days=90)

    def work(_index: int) -> None:
        while True:
            with Session(engine) as session:
                found = tick(session, later, limit=5)
                session.commit()
            if not found.looked_at:
                return

    assert at_once(3, work) == [None] * 3
    with Session(engine) as session:
        tick(session, later, limit=1000)
        session.commit()
        counts = dict(session.execute(select(Event.action, func.count()).group_by(Event.action)).all())
        # Four clocks each: a warning, an end, and two levels above.
        assert counts == {"file": 12, "warn": 48, "overdue": 48, "escalate": 96}
        assert verify(session).holds
    with Session(engine) as session:
        assert tick(session, later).looked_at == 0


def test_a_tick_passes_over_what_somebody_is_working_on(engine: Engine) -> None:
    ids = filed(engine, 2)
    later = NOW + timedelta(minutes=100)
    if engine.dialect.name == "sqlite":
        # One writer at a time: the tick waits its turn.
        with Session(engine) as session:
            assert tick(session, later).looked_at == 2
        return
    with Session(engine) as one, Session(engine) as two:
        act(one, ids[0], "contact", HANDLER, {}, now=later)
        assert tick(two, later).looked_at == 1
        two.commit()
        one.commit()
        assert tick(two, later).looked_at == 1


def test_a_reader_does_not_wait_for_a_writer(engine: Engine) -> None:
    (petition_id,) = filed(engine)
    with Session(engine) as writer, Session(engine) as reader:
        act(writer, petition_id, "accept", HANDLER, {}, now=NOW)
        assert reader.get_one(Petition, petition_id).state == "received"
        writer.commit()


def test_what_a_reader_has_seen_stays_while_it_reads(engine: Engine) -> None:
    (petition_id,) = filed(engine)
    options = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with Session(engine.execution_options(**options)) as reader:
        assert reader.scalar(select(func.count()).select_from(Event)) == 1
        with Session(engine) as writer:
            act(writer, petition_id, "accept", HANDLER, {}, now=NOW)
            writer.commit()
        assert reader.scalar(select(func.count()).select_from(Event)) == 1


def test_who_begins_to_write_waits_for_the_other_writer(engine: Engine) -> None:
    """Look first, write then: without the lock from the beginning SQLite would fail one of them at once."""
    ids = filed(engine, 4)

    def look_and_write(index: int) -> None:
        for _ in range(10):
            with Session(engine) as session:
                begin_writing(session)
                petition = session.get_one(Petition, ids[index])
                act(session, petition.id, "urge", PETITIONER, {}, now=NOW)
                session.commit()

    assert at_once(4, look_and_write) == [None] * 4


def test_a_transaction_that_has_read_is_told_that_it_begins_to_write_too_late(engine: Engine) -> None:
    filed(engine)
    with Session(engine) as session:
        session.scalars(select(Petition)).one()
        with pytest.warns(match="already established"):
            begin_writing(session)


def do_file(session: Session) -> None:
    file_case(session, "form-killed")


def do_transfer(session: Session) -> None:
    fields = {"unit": "白花社区群众诉求服务大厅", "reason": "x"}
    act(session, 1, "transfer", HANDLER, fields, now=NOW, key="k")


def do_tick(session: Session) -> None:
    tick(session, NOW + timedelta(days=70))


def do_seal(session: Session) -> None:
    seal(session, now=NOW)


@pytest.mark.parametrize("work", [do_file, do_transfer, do_tick, do_seal])
def test_killed_between_any_two_statements_it_is_done_or_not_begun(
    engine: Engine, database_url: str, work: Callable[[Session], None]
) -> None:
    with Session(engine) as session:
        step(session, file_case(session), "contact", HANDLER)
        session.commit()
    before = contents(engine)
    states = []
    for statements in range(100):
        is_done = work_and_kill(database_url, work, statements)
        states.append(contents(engine))
        if is_done:
            break
    assert len(states) > 2
    assert all(state == before for state in states[:-1])
    assert states[-1] != before
    with Session(engine) as session:
        for petition in session.scalars(select(Petition)):
            assert replay(session, petition.id, NOW + timedelta(days=99)) == snapshot_of(petition)
        assert verify(session).holds


def test_killed_at_any_moment_what_was_confirmed_is_there_once(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    """Of many who are killed while they file: what each had confirmed is there, and at most one more, whole."""
    for point in range(KILLS):
        confirmed = tmp_path / str(point)
        file_and_kill(database_url, point, confirmed)
        told = confirmed.read_text(encoding="utf-8").split()
        with Session(engine) as session:
            kept = session.scalars(
                select(Petition.number).where(Petition.form_key.like(f"form-{point}-%")).order_by(Petition.id)
            ).all()
            assert kept[: len(told)] == told
            assert len(kept) <= len(told) + 1
    with Session(engine) as session:
        petitions = session.scalar(select(func.count()).select_from(Petition))
        for model, each in ((Petitioner, 1), (Event, 1), (PetitionText, 1), (OutboxMessage, 2), (RunningClock, 4)):
            assert session.scalar(select(func.count()).select_from(model)) == each * petitions
        assert verify(session).holds


def file_and_kill(url: str, point: int, confirmed: Path) -> None:
    """File in a process of its own until it is killed; each number is written down once it is committed."""
    confirmed.touch()
    child = os.fork()
    if child == 0:
        try:
            with Session(make_engine(url)) as session, confirmed.open("a", encoding="utf-8") as told:
                for count in itertools.count():
                    number = file_case(session, f"form-{point}-{count}").number
                    session.commit()
                    told.write(f"{number}\n")
                    told.flush()
        finally:
            os._exit(1)
    time.sleep(random.uniform(0.02, 0.2))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


def contents(engine: Engine) -> tuple[object, ...]:
    with Session(engine) as session:
        found = verify(session)
        assert found.holds
        clocks = [len(running_clocks(petition)) for petition in session.scalars(select(Petition).order_by(Petition.id))]
        return found.digest, found.seals, found.events, clocks


def work_and_kill(url: str, work: Callable[[Session], None], statements: int) -> bool:
    """Work in a transaction, killed before its n-th statement or its commit; whether it came to its end before."""

    def whole(count: Callable[[], None]) -> None:
        with Session(make_engine(url)) as session:
            work(session)
            count()
            session.commit()

    return run_and_kill(whole, statements)


def test_counts_of_a_follow_up_sent_twice(engine: Engine) -> None:
    (petition_id,) = filed(engine)
    with Session(engine) as session:
        act(session, petition_id, "accept", HANDLER, {}, now=NOW)
        act(session, petition_id, "reply", HANDLER, {"answer": "x"}, now=NOW)
        for is_new in (True, False):
            assert act(session, petition_id, "follow_up", PETITIONER, ACCEPTED, now=NOW, key="f").is_new == is_new
        session.commit()
        assert session.scalar(select(func.count()).where(Event.action == "follow_up")) == 1
