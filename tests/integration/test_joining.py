"""One matter of many people: joined, told to all of them, represented by a few, not taken up again once concluded."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from petitions.cases import act
from petitions.errors import PetitionError
from petitions.lifecycle import own_lifecycle
from petitions.log import PETITIONER, verify
from petitions.model import OutboxMessage, Petition
from petitions.outbox import letter_of
from petitions.progress import progress_of, whole_of
from tests.integration.cases import (
    ACCEPTED,
    DISTRICT,
    HALL,
    KEYRING,
    NOW,
    REFUSED,
    STATION,
    file_case,
    person,
    route,
    step,
)
from tests.integration.test_at_once import at_once

HANDLER, OPERATOR, CHIEF = (person(role, STATION) for role in ("handler", "operator", "supervisor"))


def join(session: Session, key: str, into: Petition) -> Petition:
    petition = file_case(session, key)
    step(session, petition, "join", into=into.number)
    return petition


def refusal(session: Session, petition: Petition, action: str, actor=PETITIONER, **given: object) -> PetitionError:
    with pytest.raises(PetitionError) as refused:
        step(session, petition, action, actor, **given)
    return refused.value


def told(session: Session, petition: Petition) -> list[str]:
    """What its petitioner was told since it was filed."""
    messages = session.scalars(
        select(OutboxMessage)
        .where(OutboxMessage.petition_id == petition.id, OutboxMessage.to == "petitioner")
        .order_by(OutboxMessage.id)
    )
    return [letter_of(message, petition).text for message in messages][1:]


def test_all_who_joined_are_told_what_becomes_of_it(engine: Engine) -> None:
    with Session(engine) as session:
        first = file_case(session)
        second = join(session, "second", first)
        third = join(session, "third", first)
        step(session, first, "accept", HANDLER)
        step(session, first, "extend", CHIEF, days=3, reason="复杂")
        step(session, first, "reply", HANDLER, answer="已清运")
        for joined in (second, third):
            assert joined.state == "merged"
            assert told(session, joined) == [
                f"您的工单{joined.number}有新进展：已并入同一件事的工单一起办理。",
                f"您的工单{joined.number}并入办理的那件事有新进展：已受理。",
                f"您的工单{joined.number}并入办理的那件事情况复杂，经批准延期办理。",
                f"您的工单{joined.number}并入办理的那件事有新进展：已答复。",
            ]
        assert verify(session).holds


def test_who_joined_sees_how_far_it_has_come_and_nothing_of_the_other(engine: Engine) -> None:
    with Session(engine) as session:
        whole, part = file_case(session, "whole"), file_case(session, "part")
        joined = join(session, "joined", part)
        step(session, part, "merge", OPERATOR, into=whole.number, reason="同一件事")
        assert progress_of(session, whole, KEYRING).joined is None
        step(session, whole, "accept", HANDLER, note="陈女士催得急")
        assert whole_of(session, joined) is whole
        seen = progress_of(session, joined, KEYRING)
        assert [found.label for found in seen.steps] == ["已收到，等待受理", "已并入同一件事的工单一起办理"]
        assert seen.joined is not None
        assert (seen.joined.label, seen.joined.reply) == ("已受理", None)
        assert {due["clock"] for due in seen.joined.due} >= {"close"}
        step(session, whole, "reply", HANDLER, answer="陈女士：3栋502房楼下垃圾已清运，电话13800138000。")
        seen = progress_of(session, joined, KEYRING)
        assert seen.joined is not None
        assert (seen.joined.label, seen.reply) == ("已答复", None)
        reply = str(seen.joined.reply)
        assert "垃圾已清运" in reply
        assert not [word for word in ("陈", "13800138000", "502") if word in reply]
        assert "陈女士" in str(progress_of(session, whole, KEYRING).reply)
        step(session, whole, "follow_up", **REFUSED)
        seen = progress_of(session, joined, KEYRING)
        assert seen.joined is not None
        assert seen.joined.label == "正在重新办理"


def test_no_label_tells_those_who_joined_what_the_other_did() -> None:
    states = own_lifecycle().states.values()
    assert not [state.label for state in states if "您" in (state.joined or state.label)]


def test_those_joined_to_what_is_itself_merged_are_told_too(engine: Engine) -> None:
    with Session(engine) as session:
        whole, part = file_case(session, "whole"), file_case(session, "part")
        joined = join(session, "joined", part)
        step(session, part, "merge", OPERATOR, into=whole.number, reason="同一件事")
        step(session, whole, "accept", HANDLER)
        for petition in (part, joined):
            assert told(session, petition)[-1] == f"您的工单{petition.number}并入办理的那件事有新进展：已受理。"


def test_what_others_joined_is_not_withdrawn(engine: Engine) -> None:
    with Session(engine) as session:
        first = file_case(session)
        join(session, "second", first)
        assert refusal(session, first, "withdraw").code == "others_joined"
        assert first.state == "received"


@pytest.mark.parametrize("action", ["withdraw", "closed"])
def test_nobody_joins_what_has_ended(engine: Engine, action: str) -> None:
    with Session(engine) as session:
        first = file_case(session)
        if action == "withdraw":
            step(session, first, "withdraw")
        else:
            step(session, first, "accept", HANDLER)
            step(session, first, "reply", HANDLER, answer="x")
            step(session, first, "follow_up", **ACCEPTED)
        petition = file_case(session, "second")
        assert refusal(session, petition, "join", into=first.number).code == "no_such_ticket"
        assert petition.state == "received"


def test_nobody_joins_an_accusation_or_joins_one_to_anything(engine: Engine) -> None:
    with Session(engine) as session:
        plain = file_case(session)
        accusation = file_case(
            session, "accusation", where=replace(route(DISTRICT, class_="检举控告"), is_restricted=True)
        )
        assert refusal(session, plain, "join", into=accusation.number).code == "no_such_ticket"
        assert refusal(session, accusation, "join", into=plain.number).code == "no_such_ticket"


def test_what_was_concluded_is_refused_with_the_law_named(engine: Engine) -> None:
    with Session(engine) as session:
        first = file_case(session)
        step(session, first, "accept", HANDLER)
        step(session, first, "reply", HANDLER, answer="x")
        above = person("supervisor", HALL)
        step(session, first, "ask_review", reason="不服")
        step(session, first, "decide_review", above, is_upheld=True, opinion="维持", authority="区政府")
        step(session, first, "ask_re_review", reason="不服")
        step(session, first, "decide_re_review", above, is_upheld=True, opinion="维持", authority="市政府")
        again = file_case(session, "again")
        for action, actor, fields in (("join", PETITIONER, {}), ("merge", OPERATOR, {"reason": "同一事实"})):
            refused = refusal(session, again, action, actor, into=first.number, **fields)
            assert refused.code == "concluded_matter"
            assert "《信访工作条例》第三十六条" in refused.message


def test_five_speak_for_all_and_no_more(engine: Engine) -> None:
    with Session(engine) as session:
        first = file_case(session)
        joined = [join(session, f"joined-{number}", first) for number in range(5)]
        for petition in (first, *joined[:4]):
            step(session, petition, "appoint", OPERATOR)
            assert petition.represents == first.number
        refused = refusal(session, joined[4], "appoint", OPERATOR)
        assert refused.code == "no_seat_left"
        assert "最多5人" in refused.message
        # Named again is no other seat.
        step(session, joined[0], "appoint", OPERATOR)
        step(session, joined[0], "dismiss")
        step(session, joined[4], "appoint", OPERATOR)
        assert verify(session).holds


def test_named_at_once_they_are_five_at_most(engine: Engine) -> None:
    with Session(engine) as session:
        first = file_case(session)
        ids = [join(session, f"joined-{number}", first).id for number in range(8)]
        session.commit()

    def name(index: int) -> None:
        with Session(engine) as session:
            act(session, ids[index], "appoint", OPERATOR, {}, now=NOW)
            session.commit()

    results = at_once(8, name)
    assert [result for result in results if result is None] == [None] * 5
    assert {result.code for result in results if isinstance(result, PetitionError)} == {"no_seat_left"}
