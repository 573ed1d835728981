"""What must be told is written with its cause, delivered at least once, read once, tried again and at last given up."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from huey import MemoryHuey
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from channels.store import TRANSCRIPT_RETENTION, receive, transcript
from desk.accounts import Role, add_staff
from desk.sessions import StaffSession, open_session
from petitions.clocks import own_clocks
from petitions.errors import PetitionError
from petitions.log import verify
from petitions.model import Event, Notice, OutboxMessage, Petition
from petitions.outbox import (
    DeliveryError,
    Letter,
    dead_letters,
    letter_of,
    own_outbox,
    purge_outbox,
    retry_dead,
    take,
)
from petitions.search import has_unread
from petitions.ticking import tick
from storage import begin_writing
from suqiutong import jobs
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from suqiutong.worker import SCHEDULE, add_jobs
from telemetry.logs import in_request, request_id
from tests.conftest import ROOT, product_environment, run_command
from tests.integration.cases import DISTRICT, HALL, NOW, STATION, file_case, person, route, step
from tests.integration.test_at_once import at_once

RULES = own_outbox()


class ClockedServices(Services):
    """The services with a clock that the test turns."""

    now = NOW

    def clock(self) -> datetime:
        return self.now


@pytest.fixture
def services(database_url: str, tmp_path) -> ClockedServices:
    services = ClockedServices(Settings(data=tmp_path, database_url=database_url))
    yield services
    services.engine.dispose()


def messages(session: Session) -> list[tuple[str, str, str]]:
    rows = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))
    return [(row.kind, row.to, row.state) for row in rows]


def test_a_message_is_written_with_its_cause_or_not_at_all(engine: Engine) -> None:
    with Session(engine) as session:
        petition_id = file_case(session).id
        session.commit()
        assert messages(session) == [("receipt", "petitioner", "pending"), ("new", "unit", "pending")]
    with Session(engine) as session:
        begin_writing(session)
        petition = session.get_one(Petition, petition_id)
        step(session, petition, "accept", person("handler", STATION))
        session.rollback()
        begin_writing(session)
        with pytest.raises(PetitionError):
            step(session, petition, "reply", person("handler", STATION), answer="x")
        assert len(messages(session)) == 2


def test_who_is_told_what(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "urge")
        step(session, petition, "accept", person("handler", STATION))
        step(session, petition, "extend", person("supervisor", STATION), days=3, reason="复杂")
        told = [row[:2] for row in messages(session)[2:]]
        assert told == [("urge", "unit"), ("accepted", "petitioner"), ("extended", "petitioner")]


def test_a_petitioner_is_told_from_the_receipt_to_the_rating(engine: Engine) -> None:
    handler, days = person("handler", STATION), timedelta(days=1)
    with Session(engine) as session:
        first, late = file_case(session), file_case(session, "form-2")
        step(session, first, "transfer", person("operator", STATION), unit=HALL, reason="不归我们")
        step(session, first, "accept", person("handler", HALL), now=NOW + days)
        step(session, first, "reply", person("handler", HALL), now=NOW + 2 * days, answer="已修好")
        step(session, late, "accept", handler, now=NOW + days)
        session.commit()
        for count in (15, 70):
            tick(session, NOW + count * days)
            session.commit()
        told = select(OutboxMessage.kind).where(OutboxMessage.to == "petitioner").order_by(OutboxMessage.id)
        # A rating is asked for once, before its time is over; that nobody called in time is the office's matter.
        assert session.scalars(told.where(OutboxMessage.petition_id == first.id)).all() == [
            "receipt", "transferred", "accepted", "replied", "rate",
        ]  # fmt: skip
        assert session.scalars(told.where(OutboxMessage.petition_id == late.id)).all() == [
            "receipt",
            "accepted",
            "late",
        ]
        texts = [letter_of(row, first) for row in session.scalars(select(OutboxMessage)) if row.kind in RULES.labels]
        assert {letter.label for letter in texts} == set(RULES.labels.values())


def test_every_kind_has_a_text() -> None:
    kinds = {telling.kind for telling in RULES.tell}
    assert kinds | set(RULES.joined.values()) == set(RULES.texts)
    assert {*RULES.labels, *RULES.said, *RULES.quiet.except_kinds} <= kinds
    assert {clock for telling in RULES.tell for clock in telling.clocks} <= set(own_clocks())


@pytest.mark.parametrize(
    ("priority", "channel", "is_held"),
    [
        ("normal", "wechat", True),
        ("normal", "chat", True),
        ("emergency", "wechat", False),
        ("normal", "open311", False),
    ],
)
def test_at_night_only_what_cannot_wait_is_told(services: ClockedServices, priority, channel, is_held) -> None:
    late_evening, morning = (NOW.replace(hour=hour, minute=minute) for hour, minute in ((14, 0), (23, 59)))
    services.now = late_evening
    with services.writing() as session:
        petition = file_case(session, where=route(priority=priority), channel=channel, now=late_evening)
        step(session, petition, "accept", person("handler", STATION), now=late_evening)
    # The receipt, the unit's message, and what happened to the petition.
    assert jobs.deliver(services) == ({"sent": 2, "held": 1} if is_held else {"sent": 3})
    assert jobs.deliver(services) == {}
    services.now = morning
    assert jobs.deliver(services) == {}
    services.now = morning + timedelta(minutes=1)
    assert jobs.deliver(services) == ({"sent": 1} if is_held else {})
    with services.sessions() as session:
        # What waited is no attempt that failed.
        assert set(session.scalars(select(OutboxMessage.attempts))) == {1}


def test_what_failed_in_the_evening_waits_for_the_morning_too(services: ClockedServices) -> None:
    services.now = NOW.replace(hour=13, minute=59, second=30)
    with services.writing() as session:
        petition = file_case(session, now=services.now)
        step(session, petition, "accept", person("handler", STATION), now=services.now)

    def fail(letter: Letter) -> None:
        if letter.kind == "accepted":
            raise DeliveryError("down")

    assert jobs.deliver(services, fail) == {"sent": 2, "failed": 1}
    services.now += timedelta(minutes=2)
    assert jobs.deliver(services) == {"held": 1}
    services.now = NOW + timedelta(days=1)
    assert jobs.deliver(services) == {"sent": 1}


def test_word_is_left_once_in_the_conversation_on_the_page(services: ClockedServices) -> None:
    with services.writing() as session:
        petition = file_case(session)
        receive(session, petition.conversation, "确认提交", None, now=NOW)
        step(session, petition, "accept", person("handler", STATION))
        file_case(session, "elsewhere").conversation = "forgotten"
        number = petition.number
    jobs.deliver(services)
    letter = Letter("1-2-petitioner", "accepted", "petitioner", "conversation-1", number, "again", "")
    jobs.sender(services)(letter)
    with services.sessions() as session:
        rows = transcript(session, "conversation-1")
        assert [(row.kind, row.answers) for row in rows] == [("resident", None), ("notice", 1)]
        assert rows[1].payload["text"] == f"您的工单{number}已受理，由承办单位办理。"
        assert transcript(session, "forgotten") == []


def test_messages_reach_the_inboxes_once_and_name_nobody(services: ClockedServices) -> None:
    with services.writing() as session:
        number = file_case(session).number
    assert jobs.deliver(services) == {"sent": 2}
    assert jobs.deliver(services) == {}
    with services.sessions() as session:
        notices = session.scalars(select(Notice).order_by(Notice.id)).all()
        assert [(notice.to, notice.recipient, notice.text) for notice in notices] == [
            ("petitioner", "conversation-1", f"您的诉求已登记，工单号{number}。"),
            ("unit", STATION, f"收到新工单{number}，请及时处理。"),
        ]


def test_a_message_is_delivered_under_the_id_of_the_request_that_caused_it(services: ClockedServices) -> None:
    with in_request("abc-123456"), services.writing() as session:
        file_case(session)
    with services.writing() as session:
        file_case(session, key="another")
    sent_in: list[str | None] = []
    with in_request("the-run-1"):
        assert jobs.deliver(services, lambda _letter: sent_in.append(request_id())) == {"sent": 4}
    assert sent_in == ["abc-123456", "abc-123456", "the-run-1", "the-run-1"]


def test_killed_after_sending_it_is_sent_again_and_read_once(services: ClockedServices) -> None:
    with services.writing() as session:
        file_case(session)
    services.engine.dispose()
    child = os.fork()
    if child == 0:
        own = ClockedServices(services.settings)
        to_inbox = jobs.sender(own)

        def send_and_die(letter: Letter) -> None:
            to_inbox(letter)
            os.kill(os.getpid(), signal.SIGKILL)

        try:
            jobs.deliver(own, send_and_die)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    # The other message is delivered; the first one only when its lease is over.
    assert jobs.deliver(services) == {"sent": 1}
    services.now = NOW + timedelta(minutes=RULES.lease_minutes)
    assert jobs.deliver(services) == {"sent": 1}
    with services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Notice)) == 2
        assert [row.attempts for row in session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))] == [2, 1]


def test_many_workers_send_each_message_once(services: ClockedServices) -> None:
    with services.writing() as session:
        for number in range(10):
            file_case(session, f"form-{number}")
    sent: list[str] = []

    def work(_index: int) -> None:
        own = ClockedServices(services.settings)
        jobs.deliver(own, lambda letter: sent.append(letter.key))
        own.engine.dispose()

    assert at_once(5, work) == [None] * 5
    assert len(sent) == len(set(sent)) == 20


def test_a_failure_is_tried_again_later_and_later_and_then_given_up(services: ClockedServices) -> None:
    with services.writing() as session:
        file_case(session)
    tried = []

    def fail(letter: Letter) -> None:
        tried.append((letter.kind, services.now))
        if letter.kind == "receipt":
            raise DeliveryError("status_503")

    for minutes in (0, *RULES.retry_minutes):
        services.now += timedelta(minutes=minutes) - timedelta(seconds=1)
        assert jobs.deliver(services, fail) == {}
        services.now += timedelta(seconds=1)
        jobs.deliver(services, fail)
    assert [kind for kind, _ in tried].count("receipt") == len(RULES.retry_minutes) + 1
    services.now += timedelta(days=9)
    assert jobs.deliver(services, fail) == {}
    with services.sessions() as session:
        (dead,) = dead_letters(session)
        assert (dead.kind, dead.problem, dead.attempts) == ("receipt", "status_503", 6)
        other = dead.id + 1
        session.rollback()
        assert retry_dead(session, [other], now=services.now) == 0
        assert retry_dead(session, now=services.now) == 1
        session.commit()
    assert jobs.deliver(services) == {"sent": 1}


def test_what_can_never_arrive_is_given_up_at_once_and_what_breaks_stops_nothing(services: ClockedServices) -> None:
    with services.writing() as session:
        file_case(session)

    def fail(letter: Letter) -> None:
        if letter.kind == "receipt":
            raise DeliveryError("status_410", is_final=True)
        raise ValueError("王小红 13800138000")

    assert jobs.deliver(services, fail) == {"dead": 1, "failed": 1}
    with services.sessions() as session:
        assert [row.problem for row in session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))] == [
            "status_410",
            "ValueError",
        ]


def test_what_kills_its_sender_every_time_is_given_up(services: ClockedServices) -> None:
    with services.writing() as session:
        file_case(session)
    for _ in range(len(RULES.retry_minutes) + 1):
        for _message in range(2):
            with services.writing() as session:
                assert take(session, now=services.now) is not None
        services.now += timedelta(minutes=RULES.lease_minutes)
    with services.writing() as session:
        assert take(session, now=services.now) is None
        assert [dead.problem for dead in dead_letters(session)] == ["killed", "killed"]


def test_the_accused_is_not_told(services: ClockedServices) -> None:
    with services.writing() as session:
        petition = file_case(session, where=replace(route(DISTRICT, class_="检举控告"), is_restricted=True))
        top = person("supervisor", DISTRICT)
        step(session, petition, "name_accused", top, accused=STATION, reason="信中写明")
        step(session, petition, "transfer", top, unit=HALL, reason="核查")
        step(session, petition, "recall", top, reason="另行处理")
        step(session, petition, "name_accused", top, accused=HALL, reason="补充材料")
    jobs.deliver(services)
    with services.sessions() as session:
        states = dict(session.execute(select(OutboxMessage.to, OutboxMessage.state)).all())
        assert states["offered"] == "withheld"
        assert HALL not in session.scalars(select(Notice.recipient)).all()


@pytest.fixture
def gateway():
    """An address that takes letters and answers as told."""
    taken, answers = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(self.headers["Idempotency-Key"])
            self.send_response(answers.pop(0) if answers else 204)
            self.end_headers()

        def log_message(self, *_args) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", taken, answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_letters_go_to_an_address_with_a_key(services: ClockedServices, gateway) -> None:
    url, taken, answers = gateway
    answers += [503, 400]
    own = ClockedServices(services.settings.model_copy(update={"notify_url": url}))
    with own.writing() as session:
        file_case(session)
    assert jobs.deliver(own) == {"failed": 1, "dead": 1}
    own.now += timedelta(minutes=1)
    assert jobs.deliver(own) == {"sent": 1}
    assert taken[0] == taken[2] != taken[1]
    lost = ClockedServices(services.settings.model_copy(update={"notify_url": "http://127.0.0.1:9"}))
    with lost.writing() as session:
        file_case(session, "form-2")
    assert jobs.deliver(lost) == {"failed": 2}
    for made in (own, lost):
        made.engine.dispose()


def test_old_messages_go_and_dead_ones_stay(services: ClockedServices) -> None:
    with services.writing() as session:
        file_case(session)
    jobs.deliver(
        services,
        lambda letter: (_ for _ in ()).throw(DeliveryError("x", is_final=True)) if letter.to == "unit" else None,
    )
    services.now += timedelta(days=RULES.kept_days, seconds=1)
    with services.writing() as session:
        assert purge_outbox(session, now=services.now) == 1
        assert messages(session) == [("new", "unit", "dead")]


def test_the_schedule_does_every_job(services: ClockedServices) -> None:
    with services.writing() as session:
        file_case(session)
    services.now = NOW + timedelta(days=90)
    queue = MemoryHuey(utc=True, results=False)
    tasks = add_jobs(queue, services)
    assert set(tasks) == set(SCHEDULE) == set(jobs.JOBS)
    night = datetime(2026, 11, 24, 19, 10, tzinfo=UTC)
    due = {task.name for task in queue.read_periodic(night.replace(tzinfo=None))}
    assert due == {"deliver", "tick", "index", "wechat", "handover", "recompute"}
    for task in queue.read_periodic(night.replace(tzinfo=None)):
        queue.execute(task)
    with services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Event).where(Event.action == "overdue")) == 4
        assert verify(session).seals == 1
        assert session.scalar(select(func.count()).select_from(Notice)) > 0
        assert not has_unread(session)
    assert jobs.clean(services) == 0


def test_the_nightly_cleaning_deletes_old_transcripts_and_ended_logins(services: ClockedServices) -> None:
    with services.writing() as session:
        receive(session, "a", "我叫王小红，电话13800138000", None, now=NOW)
        member, _ = add_staff(session, "张三", Role.OPERATOR, HALL, now=NOW)
        session.flush()
        open_session(session, member, is_complete=True, now=NOW)
    services.now = NOW + TRANSCRIPT_RETENTION
    assert jobs.clean(services) == 0
    services.now += timedelta(seconds=1)
    assert jobs.clean(services) == 1
    with services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(StaffSession)) == 0


def test_a_job_that_fails_is_a_line_without_words(services: ClockedServices, monkeypatch, caplog) -> None:
    def fail(_services: Services) -> None:
        raise ValueError("王小红 13800138000")

    monkeypatch.setitem(jobs.JOBS, "tick", fail)
    add_jobs(MemoryHuey(results=False), services)["tick"].call_local()
    assert "job_failed job=tick trace=ValueError@worker.py:" in caplog.text
    assert "王小红" not in caplog.text


def test_the_worker_does_what_it_missed_and_stops_when_told(tmp_path, database_url: str, engine: Engine) -> None:
    with Session(engine) as session:
        file_case(session)
        session.commit()
    environment = product_environment(tmp_path) | {"SUQIUTONG_DATABASE_URL": database_url}
    command = [sys.executable, "-m", "suqiutong", "serve", "worker"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        wait_for(lambda: count_notices(engine) > 2)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"job_done job=tick" in errors
    assert b"Traceback" not in errors


def count_notices(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Notice)) or 0


def wait_for(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_commands(tmp_path, database_url: str, engine: Engine) -> None:
    environment = product_environment(tmp_path) | {"SUQIUTONG_DATABASE_URL": database_url}
    with Session(engine) as session:
        file_case(session)
        session.flush()
        session.scalars(select(OutboxMessage)).first().state = "dead"
        session.commit()
    command = lambda *words: run_command("outbox", *words, environment=environment).stdout  # noqa: E731
    assert command("dead") == "1\t1-1-petitioner\treceipt\t0\tNone\n"
    assert command("deliver") == "sent: 1\n"
    assert command("retry", "7") == "tried again: 0\n"
    assert command("retry") == "tried again: 1\n"
    assert command("deliver") == "sent: 1\n"
