"""Who is called into a conversation and when, what they may do with it, and what a resident is promised."""

from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError
from sqlalchemy import delete

from channels import store as transcript
from channels.handover import calling, store
from channels.handover.filing import is_unanswered, with_code
from channels.handover.model import Handover, HandoverEvent
from channels.handover.rules import OfficeHours, Rules, own_hours, own_rules
from channels.rasa import Said, Understood
from channels.wechat.store import Box
from petitions import SYSTEM, Actor
from petitions.clocks import SHANGHAI
from petitions.workdays import chinese_workdays
from storage import begin_writing
from tests.unit.channels.fakes import NOW, own_sessions

BOX = Box(b"a secret of thirty-two bytes long")
ANNA, BO = Actor("张三", "operator"), Actor("李四", "supervisor")
TALK = "talk"


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.fixture
def session():
    with own_sessions()() as session:
        begin_writing(session)
        yield session


def exchange(session, text, kinds=("answer",), intent="ask_knowledge", now=NOW):
    """One turn; what the resident gets."""
    number = transcript.receive(session, TALK, text, None, now=now).number
    session.flush()
    if store.hear(session, TALK, number):
        return None
    said = Said([store.message(kind, "好") for kind in kinds], Understood(intent, 0.9))
    messages = calling.answered(session, TALK, number, said, now=now)
    transcript.record_replies(session, TALK, number, messages, now=now)
    session.flush()
    return messages


# Office hours


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-26 08:59", False),
        ("2026-11-26 09:00", True),
        ("2026-11-26 11:59", True),
        ("2026-11-26 12:00", False),
        ("2026-11-26 14:00", True),
        ("2026-11-26 18:00", False),
        ("2026-11-28 10:00", False),  # Saturday
        ("2026-02-14 10:00", True),  # a Saturday that is worked before the Spring Festival
        ("2026-10-01 10:00", False),
    ],
)
def test_office_hours_follow_the_workdays(moment, is_open):
    assert own_hours().is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "hours", "until"),
    [
        ("2026-11-26 09:30", 2, "2026-11-26 11:30"),
        ("2026-11-26 11:00", 2, "2026-11-26 15:00"),
        ("2026-11-26 16:00", 4, "2026-11-27 11:00"),
        ("2026-11-27 20:00", 4, "2026-11-30 15:00"),
        ("2026-11-26 03:00", 3, "2026-11-26 12:00"),
    ],
)
def test_a_promise_counts_office_hours_alone(moment, hours, until):
    assert own_hours().after(at(moment), hours) == at(until)


def test_a_promise_that_no_office_hour_keeps_is_refused():
    hours = OfficeHours(own_rules().office_hours, chinese_workdays())
    with pytest.raises(ValueError, match="office hours"):
        hours.after(NOW, 10_000)


@pytest.mark.parametrize(
    "change",
    [
        {"office_hours": [{"from": "14:00", "until": "12:00"}]},
        {"office_hours": [{"from": "09:00", "until": "12:00"}, {"from": "11:00", "until": "18:00"}]},
        {"reasons": {"asked": {"is_filed": True}}},
        {"promise_hours": 0},
    ],
)
def test_rules_that_cannot_be_are_refused(change):
    given = own_rules().model_dump(by_alias=True) | change
    with pytest.raises(ValidationError):
        Rules.model_validate(given)


# Who is called


def test_a_resident_who_asks_is_told_their_place(session):
    session.add(Handover(conversation="other", state="waiting", reason="asked", number=1, began_at=NOW))
    session.flush()
    (message,) = exchange(session, "转人工", ["handoff"], "handoff")
    assert message["kind"] == "handoff"
    assert "第 2 位" in message["text"]
    assert "12345" in message["text"]
    assert [button["text"] for button in message["buttons"]] == ["我要反映一件事", "不用转人工了"]


def test_the_question_of_an_open_form_stays_the_last(session):
    messages = exchange(session, "转人工", ["handoff", "prompt"], "handoff")
    assert [one["kind"] for one in messages] == ["handoff", "prompt"]
    assert "第 1 位" in messages[0]["text"]


def test_outside_office_hours_nobody_is_said_to_come(session):
    (message,) = exchange(session, "转人工", ["handoff"], "handoff", now=at("2026-11-27 20:00"))
    assert "09:00—12:00、14:00—18:00" in message["text"]
    assert "11月30日 15:00" in message["text"]
    assert "正在为您呼叫" not in message["text"]


def test_the_second_failure_in_a_row_calls_a_person(session):
    assert [one["kind"] for one in exchange(session, "公园几点关门", ["no_answer"])] == ["no_answer"]
    assert [one["kind"] for one in exchange(session, "那图书馆呢", ["no_answer"])] == ["no_answer", "handoff"]
    assert store.open_of(session, TALK).reason == "failed"
    # Once is enough.
    assert [one["kind"] for one in exchange(session, "游泳池呢", ["no_answer"])] == ["no_answer"]


@pytest.mark.parametrize(
    ("kinds", "intent"), [(["answer"], "ask_knowledge"), (["clarify"], "file_petition"), (["refusal"], "misuse")]
)
def test_a_reply_that_helps_begins_the_count_anew(session, kinds, intent):
    exchange(session, "一", ["no_answer"])
    exchange(session, "二", kinds, intent)
    assert [one["kind"] for one in exchange(session, "三", ["no_answer"])] == ["no_answer"]


def test_a_question_back_counts_where_nothing_was_understood(session):
    number = transcript.receive(session, TALK, "嗯嗯啊", None, now=NOW).number
    assert (
        calling.reason_of(session, TALK, number, Said([store.message("clarify", "?")], Understood("nlu_fallback")))
        is None
    )
    transcript.record_replies(session, TALK, number, [store.message("no_answer", "?")], now=NOW)
    second = transcript.receive(session, TALK, "啊", None, now=NOW).number
    said = Said([store.message("clarify", "?")], Understood("nlu_fallback"))
    assert calling.reason_of(session, TALK, second, said) == "failed"


def test_a_crisis_calls_a_person_and_is_never_filed(session):
    messages = exchange(session, "我不想活了", ["crisis"], "crisis")
    assert [one["kind"] for one in messages] == ["crisis", "handoff"]
    row = store.open_of(session, TALK)
    assert not is_unanswered(session, row, NOW + timedelta(days=2))
    night = at("2026-11-27 23:00")
    session.execute(delete(HandoverEvent))
    session.delete(row)
    assert [one["kind"] for one in exchange(session, "我不想活了", ["crisis"], "crisis", now=night)] == ["crisis"]
    assert store.open_of(session, TALK).reason == "crisis"


def test_a_more_urgent_reason_takes_the_place_of_the_first(session):
    exchange(session, "转人工", ["handoff"], "handoff")
    exchange(session, "我不想活了", ["crisis"], "crisis")
    assert store.open_of(session, TALK).reason == "crisis"
    exchange(session, "转人工", ["handoff"], "handoff")
    assert store.open_of(session, TALK).reason == "crisis"
    assert len(store.open_ids(session)) == 1


def test_errors_call_a_person_unless_the_message_may_wait():
    assert calling.reason_of_error(None) == "error"
    assert calling.reason_of_error(timedelta(seconds=5)) is None
    assert calling.reason_of_error(timedelta(minutes=3)) == "error"


def test_a_resident_may_call_it_off_while_nobody_has_come(session):
    assert calling.called_off(session, TALK, now=NOW) is None
    exchange(session, "转人工", ["handoff"], "handoff")
    assert calling.called_off(session, TALK, now=NOW).messages[0]["kind"] == "notice"
    assert store.open_of(session, TALK) is None
    exchange(session, "转人工", ["handoff"], "handoff")
    assert store.take(session, BOX, store.open_of(session, TALK).id, ANNA, now=NOW)
    assert calling.called_off(session, TALK, now=NOW) is None


# Who holds it


def test_two_take_and_one_has_it(session):
    exchange(session, "转人工", ["handoff"], "handoff")
    row = store.open_of(session, TALK)
    assert store.take(session, BOX, row.id, ANNA, now=NOW)
    assert not store.take(session, BOX, row.id, BO, now=NOW)
    assert row.held_by == "张三"
    assert not store.write(session, BOX, row.id, BO, "我来", key="k1", now=NOW)
    assert not store.give_back(session, BOX, row.id, BO, "", now=NOW)
    assert store.write(session, BOX, row.id, ANNA, "您好", key="k1", now=NOW)
    assert store.write(session, BOX, row.id, ANNA, "您好", key="k1", now=NOW)
    said = [(one.kind, one.payload["text"]) for one in transcript.transcript(session, TALK)]
    assert said.count(("handoff", "您好")) == 1


def test_what_is_said_to_a_person_stays_with_them(session):
    exchange(session, "转人工", ["handoff"], "handoff")
    row = store.open_of(session, TALK)
    store.take(session, BOX, row.id, ANNA, now=NOW)
    assert exchange(session, "楼上漏水") is None
    number = transcript.transcript(session, TALK)[-1].number
    store.give_back(session, BOX, row.id, ANNA, "已答复", now=NOW)
    assert store.hear(session, TALK, number)
    assert [one["kind"] for one in exchange(session, "谢谢")] == ["answer"]


def test_a_reply_that_comes_after_a_person_did_is_not_said(session):
    exchange(session, "转人工", ["handoff"], "handoff")
    number = transcript.receive(session, TALK, "楼上漏水", None, now=NOW).number
    session.flush()
    store.take(session, BOX, store.open_of(session, TALK).id, ANNA, now=NOW)
    late = Said([store.message("answer", "好")], Understood("ask_knowledge", 0.9))
    assert calling.answered(session, TALK, number, late, now=NOW) == []
    assert store.hear(session, TALK, number)
    # What has been filed is told all the same.
    filed = Said([store.message("ticket", "工单号 GM1")])
    assert calling.answered(session, TALK, number, filed, now=NOW) == filed.messages


def test_giving_back_asks_again_what_the_form_had_asked(session):
    exchange(session, "我要反映一件事", ["prompt"], "file_petition")
    row = Handover(conversation=TALK, state="waiting", reason="asked", number=1, began_at=NOW)
    session.add(row)
    session.flush()
    store.take(session, BOX, row.id, ANNA, now=NOW)
    store.write(session, BOX, row.id, ANNA, "您好", key="k1", now=NOW)
    store.give_back(session, BOX, row.id, ANNA, "", now=NOW)
    assert [one.kind for one in transcript.transcript(session, TALK)][-2:] == ["notice", "prompt"]


def test_who_is_idle_loses_the_conversation(session):
    exchange(session, "转人工", ["handoff"], "handoff")
    row = store.open_of(session, TALK)
    store.take(session, BOX, row.id, ANNA, now=NOW)
    soon, late = (NOW + timedelta(minutes=own_rules().idle_minutes + more) for more in (-1, 0))
    assert not store.give_back(session, BOX, row.id, SYSTEM, "", now=soon, is_idle=True)
    assert store.give_back(session, BOX, row.id, SYSTEM, "", now=late, is_idle=True)
    assert row.state == "given_back"


def test_what_the_resident_said_is_what_a_ticket_is_made_of(session):
    exchange(session, "你好", ["smalltalk"], "greet")
    exchange(session, "去年办了几场招聘会", ["answer"])
    exchange(session, "楼上漏水没人管", ["no_answer"])
    exchange(session, "转人工", ["handoff"], "handoff")
    for row in transcript.transcript(session, TALK):
        row.intent = {"你好": "greet", "转人工": "handoff"}.get(row.payload["text"])
    exchange(session, "楼上漏水没人管", ["no_answer"])
    exchange(session, "我在碧眼社区", ["no_answer"])
    assert store.words_of(session, store.open_of(session, TALK), own_rules()) == "楼上漏水没人管\n我在碧眼社区"


def test_the_code_is_put_back_for_our_tickets_alone():
    hidden = "查询码已经显示过，出于安全不再重复显示"
    ours = store.message("ticket", f"工单号 GM1，{hidden}。", handover=7)
    assert "查询码：" in with_code(ours, BOX._secret)["text"]
    theirs = store.message("ticket", f"工单号 GM1，{hidden}。")
    assert with_code(theirs, BOX._secret) == theirs


def test_typing_is_told_for_some_seconds_and_forgotten(session):
    exchange(session, "转人工", ["handoff"], "handoff")
    row = store.open_of(session, TALK)
    store.type_now(session, row.id, "resident", now=NOW)
    assert store.is_typing(session, row.id, "resident", now=NOW)
    later = NOW + timedelta(seconds=own_rules().typing_seconds)
    assert not store.is_typing(session, row.id, "resident", now=later)
    assert store.drop_typing(session, now=later) == 1


class Machine(RuleBasedStateMachine):
    """Any order of steps by anybody: one open hand-over at most, and only whoever holds it writes."""

    def __init__(self):
        super().__init__()
        self.session = own_sessions()()
        begin_writing(self.session)
        self.now = NOW
        self.holder = None
        self.count = 0

    def teardown(self):
        self.session.close()

    @property
    def row(self):
        return store.open_of(self.session, TALK)

    @rule(kind=st.sampled_from(["handoff", "crisis", "no_answer", "answer"]))
    def say(self, kind):
        heard = exchange(self.session, f"话{self.count}", [kind], now=self.now)
        self.count += 1
        assert (heard is None) == (self.holder is not None)

    @rule(who=st.sampled_from([ANNA, BO]))
    def take(self, who):
        row = self.row
        if row is not None and store.take(self.session, BOX, row.id, who, now=self.now):
            assert self.holder is None
            self.holder = who

    @rule(who=st.sampled_from([ANNA, BO]))
    def write(self, who):
        row = self.row
        if row is not None:
            done = store.write(self.session, BOX, row.id, who, "您好", key=str(self.count), now=self.now)
            self.count += 1
            assert done == (who == self.holder)

    @rule(who=st.sampled_from([ANNA, BO]))
    def give_back(self, who):
        row = self.row
        if row is not None and store.give_back(self.session, BOX, row.id, who, "", now=self.now):
            assert who == self.holder
            self.holder = None

    @rule()
    def call_off(self):
        if store.call_off(self.session, TALK, now=self.now):
            assert self.holder is None

    @rule(minutes=st.integers(1, 20))
    def wait(self, minutes):
        self.now += timedelta(minutes=minutes)
        row = self.row
        if row is not None and store.give_back(self.session, BOX, row.id, SYSTEM, "", now=self.now, is_idle=True):
            self.holder = None

    @invariant()
    def one_is_open(self):
        ids = store.open_ids(self.session)
        assert len(ids) <= 1
        assert (self.row is not None and self.row.state == "held") == (self.holder is not None)
        numbers = [one.number for one in transcript.transcript(self.session, TALK)]
        assert numbers == list(range(1, len(numbers) + 1))[-200:]


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
