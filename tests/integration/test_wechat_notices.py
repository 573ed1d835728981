"""What residents are told on WeChat of their petitions, and when it stays in the inbox."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from channels.wechat import store
from channels.wechat.rules import own_rules
from channels.wechat.simulator import Fault, Shown, Simulator
from channels.wechat.store import WeChatInbox, WeChatOutgoing, WeChatPerson
from petitions import Petition
from petitions.model import Notice
from petitions.outbox import take
from suqiutong import jobs
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from tests.conftest import free_ports
from tests.integration.cases import STATION, file_case, person, step
from tests.integration.wechat import account

OPENID = "o-1"
RULES = own_rules()


class Told(Services):
    """The services with an account, a clock to turn, and a follower who filed a petition."""

    ahead = timedelta()

    def clock(self):
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def services(database_url, tmp_path):
    (port,) = free_ports(1)
    services = Told(Settings(_env_file=None, data=tmp_path, database_url=database_url))
    services.port = port
    services.__dict__["wechat"] = account("service", notice="t", api_url=f"http://127.0.0.1:{port}")
    with services.writing() as session:
        petition = file_case(session)
        arrival = store.arrive(
            session, store.Box(services.secret), key="k", openid=OPENID, kind="text", payload={"say": "x"},
            allowance=RULES.written, is_written=True, now=services.clock(),
        )  # fmt: skip
        store.answer(
            session, store.Box(services.secret), arrival.inbox_id, [], send_from=services.clock(), now=services.clock()
        )
        petition.conversation = arrival.conversation
        services.number = petition.number
    yield services
    services.engine.dispose()


def deliver(services, *faults, follows=True):
    """What the worker does, with WeChat there; how it ended, and what the resident was shown."""

    async def started():
        simulator = Simulator(services.wechat, callback="", clock=lambda: services.clock().timestamp())
        simulator.faults.extend(faults)
        if follows:
            simulator._open_window(simulator.residents[OPENID], is_written=True)
        async with simulator.serve(services.port):
            ended = await asyncio.to_thread(jobs.deliver, services)
        return ended, simulator.residents[OPENID].shown

    return asyncio.run(started())


def inbox(services):
    with services.sessions() as session:
        return session.scalars(select(Notice.recipient).where(Notice.to == "petitioner")).all()


def receipt(services):
    return f"您的诉求已登记，工单号{services.number}。"


def test_within_the_window_it_is_a_message(services):
    assert deliver(services) == ({"sent": 2}, [Shown("message", receipt(services))])
    assert inbox(services) == []


def test_after_it_a_notice_with_number_and_state_alone(services):
    services.ahead = timedelta(days=3)
    ended, shown = deliver(services)
    assert ended == {"sent": 2}
    assert shown == [Shown("notice", f"{services.number} 已收到，等待受理")]
    assert inbox(services) == []


def test_when_the_window_is_closed_at_wechat_a_notice_goes(services):
    assert deliver(services, Fault(code=45015))[1] == [Shown("notice", f"{services.number} 已收到，等待受理")]


def test_without_a_way_it_stays_in_the_inbox(services):
    ended, shown = deliver(services, Fault(code=45047), Fault(code=43004))
    assert (ended, shown) == ({"sent": 2}, [])
    assert len(inbox(services)) == 1
    # The reply to the petition has been its receipt.
    assert left(services) == []


@pytest.mark.parametrize("kind", ["unverified", "subscription"])
def test_what_cannot_be_sent_goes_with_the_next_reply(services, kind):
    services.__dict__["wechat"] = account(kind, api_url=services.wechat.api_url)
    deliver(services)
    services.ahead = timedelta(days=3)
    with services.writing() as session:
        petition = session.scalars(select(Petition)).one()
        step(session, petition, "accept", person("handler", STATION), now=by_day(services))
    services.ahead = by_day(services) - datetime.now(UTC)
    assert deliver(services) == ({"sent": 1}, [])
    assert left(services) == [f"您的工单{services.number}已受理，由承办单位办理。"]
    assert len(inbox(services)) == 1 + (kind == "unverified")


def by_day(services):
    """Some noon to come, when nobody sleeps."""
    return (services.clock() + timedelta(days=1)).replace(hour=4)


def left(services):
    """What waits for the resident's next message."""
    with services.sessions() as session:
        rows = session.scalars(select(WeChatOutgoing.text).where(WeChatOutgoing.delivered_at.is_(None)))
        return [store.Box(services.secret).open(text) for text in rows]


def test_an_account_that_may_not_send_leaves_it_in_the_inbox(services):
    services.__dict__["wechat"] = account("unverified", api_url=services.wechat.api_url)
    assert deliver(services) == ({"sent": 2}, [])
    assert len(inbox(services)) == 1


def test_who_has_gone_finds_it_in_the_inbox(services):
    with services.writing() as session:
        store.forget(session, store.Box(services.secret), OPENID)
    assert deliver(services, follows=False) == ({"sent": 2}, [])
    assert len(inbox(services)) == 1


def test_while_wechat_is_down_it_is_tried_again(services):
    ended, shown = deliver(services, Fault(status=502))
    assert (ended, shown) == ({"sent": 1, "failed": 1}, [])
    services.ahead = timedelta(minutes=2)
    # Nobody knows whether the first one arrived.
    assert deliver(services) == ({"sent": 1}, [Shown("message", "（重发）" + receipt(services))])


def test_what_was_surely_not_sent_is_no_repetition(services):
    assert deliver(services, Fault(code=45011)) == ({"sent": 1, "failed": 1}, [])
    services.ahead = timedelta(minutes=2)
    assert deliver(services) == ({"sent": 1}, [Shown("message", receipt(services))])


def test_whoever_was_killed_while_telling_may_have_told(services):
    for _ in range(2):
        with services.writing() as session:
            assert take(session, now=services.clock())
    services.ahead = timedelta(minutes=6)
    assert deliver(services) == ({"sent": 2}, [Shown("message", "（重发）" + receipt(services))])


def test_old_rows_go_and_what_waits_stays(services):
    box = store.Box(services.secret)
    with services.writing() as session:
        for key in ("answered", "waiting"):
            arrival = store.arrive(
                session, box, key=key, openid=OPENID, kind="text", payload={"say": "x"}, allowance=RULES.written,
                is_written=True, now=services.clock(),
            )  # fmt: skip
            store.answer(session, box, arrival.inbox_id, [key], send_from=services.clock(), now=services.clock())
            if key == "answered":
                store.carry(session, box, arrival.inbox_id, limit_bytes=1800, now=services.clock())
    services.ahead = timedelta(days=2)
    with services.writing() as session:
        assert store.purge(session, RULES, now=services.clock()) == 3
    with Session(services.engine) as session:
        assert session.scalars(select(WeChatInbox.key)).all() == ["waiting"]
        assert [box.open(text) for text in session.scalars(select(WeChatOutgoing.text))] == ["waiting"]
    services.ahead = timedelta(days=40)
    with services.writing() as session:
        assert store.purge(session, RULES, now=services.clock()) == 2
    with Session(services.engine) as session:
        assert len(session.scalars(select(WeChatPerson)).all()) == 1


def test_nothing_that_identifies_a_resident_stands_readable_in_the_tables(services):
    with Session(services.engine) as session:
        person = session.scalars(select(WeChatPerson)).one()
        row = session.scalars(select(WeChatInbox)).one()
        assert OPENID not in f"{person.openid}{person.digest}{person.conversation}{row.payload}{row.key}"
        assert session.scalars(select(Petition.conversation)).one() == person.conversation
