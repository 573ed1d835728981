"""A ticket is worked on by one person at a time, and no claim keeps it for ever."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from petitions.cases import act, is_claimed
from petitions.claiming import claim_next
from petitions.errors import PetitionError
from petitions.lifecycle import own_lifecycle
from petitions.log import Actor, replay, snapshot_of, verify
from petitions.model import Event, Petition
from tests.integration.cases import HALL, NOW, OTHER_STATION, STATION, file_case, person, route, step
from tests.integration.test_at_once import at_once

ZHANG = Actor("张三", "handler", STATION)
LI = Actor("李四", "handler", STATION)
CHIEF = person("supervisor", STATION)
IDLE = timedelta(minutes=own_lifecycle().claim.idle_minutes)


def refusal(session: Session, petition: Petition, action: str, actor: Actor, **given: object) -> str:
    with pytest.raises(PetitionError) as refused:
        step(session, petition, action, actor, **given)
    return refused.value.code


def test_a_claim_keeps_colleagues_away_until_it_is_let_go(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "claim", ZHANG)
        assert (petition.claimed_by, is_claimed(petition, NOW)) == ("张三", True)
        assert refusal(session, petition, "accept", LI) == "claimed"
        assert refusal(session, petition, "release", LI) == "claimed"
        step(session, petition, "urge")
        assert petition.claimed_by == "张三"
        step(session, petition, "accept", ZHANG)
        step(session, petition, "release", ZHANG)
        step(session, petition, "handle", LI)
        assert petition.claimed_by is None
        assert verify(session).holds
        assert replay(session, petition.id, NOW) == snapshot_of(petition)


def test_a_claim_lapses_when_nothing_is_done(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "claim", ZHANG)
        step(session, petition, "contact", ZHANG, now=NOW + IDLE / 2)
        assert refusal(session, petition, "claim", LI, now=NOW + IDLE) == "claimed"
        step(session, petition, "claim", LI, now=NOW + IDLE * 1.5)
        assert petition.claimed_by == "李四"


def test_a_supervisor_need_not_wait(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "claim", ZHANG)
        step(session, petition, "urge", CHIEF)
        assert petition.claimed_by == "张三"
        step(session, petition, "claim", CHIEF)
        assert refusal(session, petition, "contact", ZHANG) == "claimed"


def test_a_claim_ends_with_the_unit_and_with_the_case(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "claim", ZHANG)
        step(session, petition, "transfer", ZHANG, unit=OTHER_STATION, reason="属地")
        step(session, petition, "accept", person("handler", OTHER_STATION))
        assert (petition.claimed_by, petition.claimed_until) == (None, None)
        other = file_case(session, "other")
        step(session, other, "claim", ZHANG)
        step(session, other, "withdraw")
        assert other.claimed_by is None
        assert verify(session).holds


def test_the_next_is_the_one_due_soonest_that_is_free(engine: Engine) -> None:
    with Session(engine) as session:
        late = file_case(session, "late", now=NOW + timedelta(hours=1))
        soon = file_case(session, "soon")
        file_case(session, "elsewhere", where=route(HALL))
        step(session, file_case(session, "ended"), "withdraw")
        assert claim_next(session, ZHANG, now=NOW).petition is soon
        assert claim_next(session, LI, now=NOW).petition is late
        with pytest.raises(PetitionError) as refused:
            claim_next(session, ZHANG, now=NOW)
        assert refused.value.code == "nothing_to_claim"
        # What somebody took and left lies longest.
        file_case(session, "new")
        assert claim_next(session, LI, now=NOW + IDLE).petition in {soon, late}


def test_many_who_claim_at_once_get_each_ticket_once(engine: Engine) -> None:
    workers, tickets = 20, 60
    with Session(engine) as session:
        for number in range(tickets):
            file_case(session, f"form-{number}")
        session.commit()

    def work(index: int) -> list[int]:
        taken = []
        while True:
            with Session(engine, expire_on_commit=False) as session:
                try:
                    outcome = claim_next(session, Actor(f"p{index}", "handler", STATION), now=NOW)
                except PetitionError:
                    return taken
                session.commit()
                taken.append(outcome.petition.id)

    taken = [number for numbers in at_once(workers, work) for number in numbers]
    assert len(taken) == len(set(taken)) == tickets
    with Session(engine) as session:
        assert session.scalar(select(func.count()).where(Event.action == "claim")) == tickets
        assert verify(session).holds


def test_the_same_claim_sent_again_is_one(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        for is_new in (True, False):
            assert act(session, petition.id, "claim", ZHANG, {}, now=NOW, key="c").is_new == is_new
