"""Questions: answered, refused, traced to their source, repeated and explained."""

import pytest

from actions.answering import Answer, Explain, Repeat
from actions.base import texts
from knowledge import Context, paused
from tests.unit.actions.fakes import CITATION, OFFER, FakeServices, Resident, kinds
from tests.unit.channels.fakes import ANSWER


def test_an_answer_is_said_with_its_citations_and_facts():
    (message,) = Resident().asks(Answer, "去年办了几场招聘会")
    assert message == ANSWER | {"chance": 0.0}


def test_the_next_question_leans_on_the_one_before():
    resident = Resident()
    resident.asks(Answer, "去年办了几场招聘会")
    resident.asks(Answer, "那今年呢")
    question = "去年办了几场招聘会"
    assert resident.services.knowledge.contexts == [None, Context(question, (question,), (), None)]


def test_the_context_survives_a_reply_that_has_none():
    resident = Resident()
    resident.asks(Answer, "去年办了几场招聘会")
    assert kinds(resident.asks(Answer, "那个呢")) == ["clarify"]
    resident.asks(Answer, "提供多少岗位")
    assert resident.services.knowledge.contexts[2].core == "去年办了几场招聘会"


def test_what_has_no_answer_is_remembered_for_a_petition():
    resident = Resident()
    assert kinds(resident.asks(Answer, "路边的树谁来修剪")) == ["no_answer"]
    assert resident.services.unanswered == [("路边的树谁来修剪", "no_answer")]
    assert resident.slots["knowledge_context"]["unanswered"] == "路边的树谁来修剪"
    resident.asks(Answer, "去年办了几场招聘会")
    assert resident.slots["knowledge_context"]["unanswered"] is None


def test_what_is_unknown_about_a_place_outside_is_refused_with_the_hotline():
    (message,) = Resident().asks(Answer, "南山区科技园的医院几点开门")
    assert message["kind"] == "refusal"
    assert "12345" in message["text"]
    assert "光明区" in message["text"]


def test_a_person_in_crisis_is_not_told_that_a_report_says_nothing():
    resident = Resident(in_crisis=True)
    (message,) = resident.asks(Answer, "没有人在乎")
    assert message["kind"] == "crisis"
    assert "12356" in message["text"]
    assert kinds(resident.asks(Answer, "去年办了几场招聘会")) == ["answer"]


def test_the_source_is_the_sentence_that_was_cited():
    resident = Resident()
    resident.asks(Answer, "去年办了几场招聘会")
    (message,) = resident.asks(Answer, "出处在哪", "ask_source")
    assert message["kind"] == "answer"
    assert message["citations"] == [CITATION]
    assert CITATION["quote"] in message["text"]


def test_there_is_no_source_without_an_answer():
    resident = Resident()
    resident.asks(Answer, "路边的树谁来修剪")
    (message,) = resident.asks(Answer, "出处在哪", "ask_source")
    assert message == {"kind": "clarify", "text": texts()["source_none"]}


def test_a_first_message_about_a_source_is_a_question():
    assert kinds(Resident().asks(Answer, "招聘会的数字出自哪里", "ask_source")) == ["answer"]


def test_without_a_knowledge_base_a_ticket_is_offered_and_no_editor_is_told():
    resident = Resident(FakeServices(knowledge=None))
    (message,) = resident.asks(Answer, "去年办了几场招聘会")
    assert (message["kind"], message["text"]) == ("no_answer", paused().text)
    assert OFFER in message["buttons"]
    assert resident.services.unanswered == []
    # The question becomes the petition, as after every refusal.
    assert resident.slots["knowledge_context"]["unanswered"] == "去年办了几场招聘会"


def test_the_last_message_is_said_again():
    resident = Resident()
    resident.asks(Answer, "去年办了几场招聘会")
    assert resident.asks(Repeat, "再说一遍", "repeat") == [ANSWER]
    assert resident.asks(Repeat, "再说一遍", "repeat") == [ANSWER]


def test_a_query_code_is_never_repeated():
    resident = Resident()
    resident.asks(Answer, "去年办了几场招聘会")
    ticket = {"kind": "ticket", "text": "查询码：QRHH-3ETQ"}
    resident.events.append({"event": "bot", "data": {"custom": ticket}})
    assert resident.asks(Repeat, "再说一遍", "repeat") == [ANSWER]


def test_there_is_nothing_to_repeat_at_first():
    resident = Resident()
    resident.events.append({"event": "bot", "data": {"custom": None}, "text": "字"})
    (message,) = resident.asks(Repeat, "再说一遍", "repeat")
    assert message == {"kind": "clarify", "text": texts()["again"]}


@pytest.mark.parametrize("slot", sorted(set(texts()["explain"]) - {"default"}))
def test_every_detail_has_a_reason_of_its_own(slot):
    (message,) = Resident(requested_slot=slot).asks(Explain, "为什么要这个", "ask_reason")
    assert message == {"kind": "notice", "text": texts()["explain"][slot]}


@pytest.mark.parametrize("slot", [None, "ticket_number"])
def test_without_a_petition_the_whole_course_is_explained(slot):
    (message,) = Resident(requested_slot=slot).asks(Explain, "登记了会怎么样", "ask_reason")
    assert message["text"] == texts()["explain"]["default"]
