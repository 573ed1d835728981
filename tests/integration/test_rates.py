"""The rates are what happened, by unit, category, community and month."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from petitions.clocks import SHANGHAI
from petitions.log import SYSTEM, Actor
from petitions.model import Petition
from petitions.rates import Rates, Share, named, rates
from petitions.ticking import tick
from tests.integration.cases import (
    ACCEPTED,
    HALL,
    OTHER_STATION,
    REFUSED,
    STATION,
    file_case,
    person,
    route,
    step,
)

MARCH, APRIL = (datetime(2026, month, 1, tzinfo=SHANGHAI) for month in (3, 4))
START = MARCH + timedelta(days=1, hours=10)
DAY = timedelta(days=1)


@pytest.fixture
def worked(engine: Engine) -> Engine:
    """Four petitions of March: one well done, one late and refused, one returned once, one never called back."""
    with Session(engine, expire_on_commit=False) as session:
        station, other, hall = (person("handler", unit) for unit in (STATION, OTHER_STATION, HALL))
        good = file_case(session, "good", now=START)
        step(session, good, "accept", station, now=START)
        step(session, good, "contact", station, now=START)
        step(session, good, "reply", station, now=START + DAY, answer="x")
        step(session, good, "follow_up", now=START + DAY, **REFUSED)
        step(session, good, "reply", station, now=START + 2 * DAY, answer="x")
        step(session, good, "follow_up", now=START + 3 * DAY, **ACCEPTED)
        late = file_case(session, "late", now=START, where=route(HALL))
        step(session, late, "accept", hall, now=START)
        step(session, late, "contact", hall, now=START + 2 * DAY)
        step(session, late, "extend", person("supervisor", HALL), now=START, days=1, reason="x")
        step(session, late, "reply", hall, now=START + 62 * DAY, answer="x")
        step(session, late, "follow_up", now=START + 63 * DAY, **REFUSED)
        returned = file_case(session, "returned", now=START)
        step(session, returned, "transfer", person("operator", STATION), now=START, unit=OTHER_STATION, reason="x")
        step(session, returned, "return", other, now=START, reason="x")
        step(session, returned, "approve_return", person("supervisor", STATION), now=START, reason="x")
        step(session, returned, "accept", station, now=START)
        silent = file_case(session, "silent", now=START)
        step(session, silent, "withdraw", now=START + DAY / 2)
        session.commit()
        tick(session, START + 25 * DAY)
        session.commit()
    return engine


def all_of(engine: Engine, since: datetime = MARCH, until: datetime = MARCH + 365 * DAY) -> Rates:
    with Session(engine) as session:
        (found,) = rates(session, actor=SYSTEM, since=since, until=until)
        return found


def test_the_rates_of_all(worked: Engine) -> None:
    found = all_of(worked)
    assert found.filed == 4
    # The returned one was never called: the tick told so. The withdrawn one owed nothing any more.
    assert found.response == Share(1, 3)
    assert found.solution == found.satisfaction == Share(1, 2)
    assert found.on_time == Share(1, 2)
    assert found.first_dispatch == Share(2, 3)
    assert found.first_dispatch.rate == pytest.approx(2 / 3)
    assert found.marks == {"speed": 5, "result": 2.5, "service": 5, "feedback": 3}


def test_a_share_tells_which_petitions_count_for_and_against_it(worked: Engine) -> None:
    found = all_of(worked)
    with Session(worked) as session:

        def keys(ids: frozenset[int], actor: Actor = SYSTEM, limit: int = 9) -> list[str]:
            return [petition.form_key for petition in named(session, actor, ids, limit=limit)]

        assert (keys(found.first_dispatch.kept), keys(found.first_dispatch.missed)) == (["late", "good"], ["returned"])
        assert (keys(found.solution.kept), keys(found.solution.missed)) == (["good"], ["late"])
        assert (keys(found.on_time.kept), keys(found.on_time.missed)) == (["good"], ["late"])
        assert keys(found.response.missed) == ["returned", "late"]
        assert keys(found.response.missed, limit=1) == ["returned"]
        # What was counted for one reader shows another nothing.
        assert keys(found.solution.kept, Actor("x", "handler", HALL, is_confined=True)) == ["good"]
        assert keys(found.solution.missed, Actor("x", "handler", STATION, is_confined=True)) == []


def test_the_rates_by_unit(worked: Engine) -> None:
    with Session(worked) as session:
        found = {
            group.group["unit"]: group for group in rates(session, actor=SYSTEM, since=MARCH, until=APRIL, by=["unit"])
        }
    assert set(found) == {STATION, HALL}
    assert (found[STATION].filed, found[HALL].filed) == (3, 1)
    assert found[STATION].satisfaction == Share(1, 1)
    assert found[HALL].response == Share(0, 1)
    # Its reply came in May.
    assert found[HALL].on_time == Share(0, 0)
    assert found[HALL].on_time.rate is None


def test_the_rates_by_several_dimensions_are_parts_of_the_whole(worked: Engine) -> None:
    with Session(worked) as session:
        groups = rates(
            session, actor=SYSTEM, since=MARCH, until=MARCH + 365 * DAY, by=["month", "category", "community"]
        )
    assert [group.group["month"] for group in groups] == ["2026-03", "2026-05"]
    assert {group.group["category"] for group in groups} == {"城乡建设"}
    assert {group.group["community"] for group in groups} == {"碧眼"}
    assert sum(group.filed for group in groups) == 4
    whole = all_of(worked)
    assert sum(group.satisfaction.whole for group in groups) == whole.satisfaction.whole
    assert groups[0].to_json()["filed"] == 4


def test_a_moment_counts_in_one_stretch_only(worked: Engine) -> None:
    assert all_of(worked, START, START + timedelta(microseconds=1)).filed == 4
    with Session(worked) as session:
        assert rates(session, actor=SYSTEM, since=MARCH, until=START) == []


def test_rates_come_from_events_and_from_nothing_else(worked: Engine) -> None:
    before = all_of(worked)
    with Session(worked) as session:
        session.execute(update(Petition).values(state="received", unit="x", community="x", unsatisfied=9))
        session.commit()
    assert all_of(worked) == before


def test_accusations_can_be_left_out(worked: Engine) -> None:
    with Session(worked) as session:
        session.execute(update(Petition).where(Petition.form_key == "good").values(is_restricted=True))
        session.commit()
        span = {"since": MARCH, "until": MARCH + 365 * DAY}
        (without,), (only,) = (
            rates(session, actor=SYSTEM, **span, is_restricted=restricted) for restricted in (False, True)
        )
    assert (without.filed, only.filed) == (3, 1)
