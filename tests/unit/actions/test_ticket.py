"""Progress is told to who holds number and code, or filed in the same conversation; to nobody else."""

import re

import pytest
from sqlalchemy import select

from actions.base import due_words, texts
from actions.ticket import AskNumber, ReadReference
from petitions import PETITIONER, Petition, act
from petitions.numbers import ticket_number
from storage import begin_writing
from tests.unit.actions.fakes import FakeServices, Resident, filed_by, kinds
from tests.unit.channels.fakes import NOW

STRANGER = "somebody else"


@pytest.fixture
def services():
    return FakeServices()


@pytest.fixture
def ticket(services):
    """Number and code of a filed petition."""
    message = filed_by(services)
    return message["ticket"]["number"], re.search(r"查询码：(\w{4}-\w{4})", message["text"])[1]


def test_number_and_code_in_one_message(services, ticket):
    (message,) = Resident(services, STRANGER).inquires("工单{},查询码{}".format(*ticket))
    assert message["kind"] == "ticket_status"
    assert message["ticket"]["number"] == ticket[0]
    assert "光明街道群众诉求服务大厅" in message["text"]


def test_a_joined_ticket_tells_how_far_the_other_has_come(services, ticket):
    other = filed_by(services, "another resident")["ticket"]["number"]
    with services.sessions() as session:
        begin_writing(session)
        mine = session.scalars(select(Petition).where(Petition.number == ticket[0])).one()
        act(session, mine.id, "join", PETITIONER, {"into": other}, now=services.clock())
        session.commit()
    (message,) = Resident(services, STRANGER).inquires("工单{},查询码{}".format(*ticket))
    assert message["text"].endswith("一起办理的那件事目前的进展：已收到，等待受理。")
    assert other not in message["text"]


@pytest.mark.parametrize("is_code_first", [False, True])
def test_number_and_code_one_after_the_other(services, ticket, is_code_first):
    resident = Resident(services, STRANGER)
    first, second = reversed(ticket) if is_code_first else ticket
    (prompt,) = resident.inquires(first)
    assert prompt["text"] == texts()["ask"]["ticket_number" if is_code_first else "ticket_code"]
    assert kinds(resident.inquires(second)) == ["ticket_status"]
    assert {name: resident.slots[name] for name in ("ticket_number", "ticket_code", "ticket_tries")} == {
        "ticket_number": None,
        "ticket_code": None,
        "ticket_tries": None,
    }


def test_a_wrong_code_and_an_unknown_number_sound_alike(services, ticket):
    number, code = ticket
    wrong = Resident(services, STRANGER).inquires(f"{number} ACDE-FGHJ")
    unknown = Resident(services, STRANGER).inquires(f"{ticket_number('GM', 99, NOW)} {code}")
    assert wrong == unknown == [{"kind": "notice", "text": texts()["ticket_not_found"]}]


def test_a_wrong_code_can_be_tried_again(services, ticket):
    resident = Resident(services, STRANGER)
    resident.inquires(f"{ticket[0]} ACDE-FGHJ")
    assert kinds(resident.inquires("{} {}".format(*ticket))) == ["ticket_status"]


def test_in_the_same_conversation_no_code_is_needed(services, ticket):
    (message,) = Resident(services, "resident").inquires("我的事办得怎么样了")
    assert message["ticket"]["number"] == ticket[0]


def test_another_conversation_sees_nothing_without_number_and_code(services, ticket):
    (message,) = Resident(services, STRANGER).inquires("我的事办得怎么样了")
    assert message == {"kind": "prompt", "text": texts()["ask"]["ticket_number"]}
    assert ticket[0] not in message["text"]


def test_despair_that_looks_a_little_like_an_inquiry_is_answered_with_company(services):
    resident = Resident(services, STRANGER, in_crisis=True)
    resident.types("没人管我了", "track_ticket", confidence=0.3)
    resident.run(ReadReference)
    assert kinds(resident.run(AskNumber)[0]) == ["crisis"]
    assert kinds(resident.inquires("查进度")) == ["prompt"]


def test_three_messages_in_vain_end_the_search(services, ticket):
    resident = Resident(services, STRANGER)
    said = [resident.inquires(text)[0] for text in ("查进度", "GM123", "忘记了")]
    assert kinds(said) == ["prompt", "prompt", "notice"]
    assert ticket[0] not in said[2]["text"]
    assert resident.slots["ticket_tries"] is None


@pytest.mark.parametrize("intent", ["ask_knowledge", "file_petition", "handoff", "thank", "cancel_petition"])
def test_something_else_goes_back_to_the_rules(services, intent):
    resident = Resident(services, STRANGER)
    resident.inquires("查进度")
    before = dict(resident.slots)
    assert resident.inquires("说点别的", intent) is None
    assert resident.slots == before


def test_a_number_counts_whatever_its_intent_looks_like(services, ticket):
    resident = Resident(services, STRANGER)
    resident.inquires("查进度")
    assert resident.inquires(ticket[0], "out_of_scope")[0]["text"] == texts()["ask"]["ticket_code"]


def test_an_old_number_is_not_carried_into_a_new_search(services, ticket):
    resident = Resident(services, STRANGER, ticket_number=ticket[0], ticket_code=ticket[1])
    assert kinds(resident.inquires("查进度")) == ["prompt"]


def test_running_clocks_are_told_soonest_first_and_unknown_ones_not_at_all():
    due = [
        {"clock": "close", "at": "2027-01-22T23:59:00+08:00"},
        {"clock": "accept", "at": "2026-12-08T23:59:00+08:00"},
        {"clock": "internal", "at": "2026-11-24T10:00:00+08:00"},
    ]
    assert due_words(due) == "12月08日23:59前答复是否受理，01月22日23:59前办结。"
    assert due_words(due[2:]) == due_words([]) == ""
