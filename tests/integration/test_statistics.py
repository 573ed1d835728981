"""The statistics are what was filed and what happened to it; each figure leads to exactly what it counts."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from channels.store import assistant_share, receive, record_replies
from channels.turns import rate
from petitions.clocks import SHANGHAI
from petitions.log import SYSTEM, Actor
from petitions.model import Petition
from petitions.rates import rates
from petitions.selection import ANY, NONE, Selection
from petitions.statistics import Duration, Figure, counts, durations, overdue, repeats, returns, total, volume
from storage import begin_writing
from tests.integration.cases import (
    ACCEPTED,
    DISTRICT,
    HALL,
    OTHER_STATION,
    STATION,
    file_case,
    person,
    route,
    step,
)

# A Monday.
MONDAY = date(2026, 3, 2)
START = datetime(2026, 3, 2, 10, tzinfo=SHANGHAI)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = START + 30 * DAY
MARCH = Selection(date(2026, 3, 1), date(2026, 3, 31))
CLEANING = ("城乡建设", "城市建设和市政管理", "环境卫生")
NOISE = ("环境保护", "环境污染", "噪声污染")
CLERK = Actor("clerk", "handler", STATION)


@pytest.fixture
def filed(engine: Engine) -> Engine:
    """Six petitions of March, one of them an accusation, and one of April."""
    with Session(engine, expire_on_commit=False) as session:
        station = person("handler", STATION)
        for key, after in (("first", HOUR), ("second", 3 * HOUR)):
            one = file_case(session, key, now=START)
            step(session, one, "accept", station, now=START + after)
            step(session, one, "reply", station, now=START + 10 * after, answer="x")
            if key == "first":
                step(session, one, "follow_up", now=START + 2 * DAY, **ACCEPTED)
        third = file_case(session, "third", now=START + 7 * DAY, channel="form")
        step(session, third, "accept", station, now=START + 7 * DAY + 2 * HOUR)
        # Half past midnight in Shanghai is still the day before in UTC.
        midnight = START + 8 * DAY - timedelta(hours=9, minutes=30)
        file_case(
            session, "midnight", now=midnight, where=replace(route(OTHER_STATION), category=NOISE, community=None)
        )
        file_case(session, "hall", now=START + 8 * DAY, where=replace(route(HALL), category=NOISE))
        secret = replace(route(DISTRICT, class_="检举控告"), is_restricted=True, community=None)
        file_case(session, "secret", now=START + 8 * DAY, where=secret)
        file_case(session, "april", now=START + 35 * DAY)
        session.commit()
    return engine


def listed(session: Session, figure: Figure, actor: Actor = SYSTEM, now: datetime = LATER) -> int:
    """How many petitions the figure's own selection leads to."""
    return total(counts(session, actor, figure.selection, (), now=now))


def test_petitions_by_state_category_and_community(filed: Engine) -> None:
    with Session(filed) as session:
        states = counts(session, SYSTEM, MARCH, ("state",), now=LATER)
        assert {figure.group["state"]: figure.count for figure in states} == {
            "received": 3,
            "accepted": 1,
            "replied": 1,
            "closed": 1,
        }
        firsts = counts(session, SYSTEM, MARCH, ("first",), now=LATER)
        assert [(figure.group["first"], figure.count) for figure in firsts] == [("城乡建设", 4), ("环境保护", 2)]
        inside = counts(session, SYSTEM, firsts[1].selection, ("second", "third"), now=LATER)
        assert [(figure.group, figure.count) for figure in inside] == [({"second": NOISE[1], "third": NOISE[2]}, 2)]
        heat = counts(session, SYSTEM, MARCH, ("community", "first"), now=LATER)
        assert [(*figure.group.values(), figure.count) for figure in heat] == [
            ("碧眼", "城乡建设", 3),
            (None, "城乡建设", 1),
            (None, "环境保护", 1),
            ("碧眼", "环境保护", 1),
        ]
        assert heat[1].selection.to_query() == {
            "since": "2026-03-01",
            "until": "2026-03-31",
            "community": NONE,
            "first": "城乡建设",
        }
        for figure in (*states, *firsts, *inside, *heat):
            assert listed(session, figure) == figure.count


def test_a_group_of_states_and_whatever_clock(filed: Engine) -> None:
    with Session(filed) as session:
        is_open = replace(MARCH, state="open")
        assert total(counts(session, SYSTEM, is_open, (), now=LATER)) == 5
        assert is_open.to_query()["state"] == "open"
        late = [one.count for one in overdue(session, SYSTEM, MARCH, now=LATER)]
        late_by_any = total(counts(session, SYSTEM, replace(MARCH, overdue=ANY), (), now=LATER))
        # One may be late by several clocks and is counted once.
        assert max(late) <= late_by_any < sum(late)
        assert total(counts(session, SYSTEM, replace(MARCH, overdue=ANY), (), now=START)) == 0


def test_how_often_petitions_were_sent_back(filed: Engine) -> None:
    with Session(filed) as session:
        begin_writing(session)
        first, second = session.scalars(select(Petition).where(Petition.form_key.in_(["first", "third"])))
        first.hops, second.hops = 1, 2
        session.flush()
        found = returns(session, SYSTEM, MARCH, now=LATER)
        assert (found.petitions, found.times, found.mean) == (6, 3, 0.5)
        nothing = returns(session, SYSTEM, replace(MARCH, channel="letter"), now=LATER)
        assert (nothing.petitions, nothing.times, nothing.mean) == (0, 0, None)


def test_petitions_by_unit_and_within_units(filed: Engine) -> None:
    with Session(filed) as session:
        units = counts(session, SYSTEM, MARCH, ("unit",), now=LATER)
        assert {figure.group["unit"]: figure.count for figure in units} == {
            STATION: 3,
            OTHER_STATION: 1,
            HALL: 1,
            DISTRICT: 1,
        }
        assert all(listed(session, figure) == figure.count for figure in units)
        two = replace(MARCH, units=(STATION, HALL))
        assert total(counts(session, SYSTEM, two, ("state",), now=LATER)) == 4
        assert two.to_query()["unit"] == (STATION, HALL)
        (inside,) = rates(session, since=START, until=LATER, actor=SYSTEM, units=[HALL])
        assert inside.filed == 1


def test_volume_by_day_week_and_month_in_shanghai(filed: Engine) -> None:
    with Session(filed) as session:
        days = volume(session, SYSTEM, MARCH, "day", now=LATER)
        assert [(one.start_on, one.channel, one.count) for one in days] == [
            (MONDAY, "chat", 2),
            (date(2026, 3, 9), "form", 1),
            (date(2026, 3, 10), "chat", 3),
        ]
        weeks = volume(session, SYSTEM, MARCH, "week", now=LATER)
        assert [(one.start_on, one.channel, one.count) for one in weeks] == [
            (MONDAY, "chat", 2),
            (date(2026, 3, 9), "chat", 3),
            (date(2026, 3, 9), "form", 1),
        ]
        months = volume(session, SYSTEM, Selection(), "month", now=LATER)
        assert [(one.start_on, one.channel, one.count) for one in months] == [
            (date(2026, 3, 1), "chat", 5),
            (date(2026, 3, 1), "form", 1),
            (date(2026, 4, 1), "chat", 1),
        ]
        assert months[2].selection == Selection(date(2026, 4, 1), date(2026, 4, 30), channel="chat")
        for one in (*days, *weeks, *months):
            assert total(counts(session, SYSTEM, one.selection, (), now=LATER)) == one.count


def test_a_stretch_reaches_no_further_than_what_was_asked(filed: Engine) -> None:
    asked = Selection(date(2026, 3, 3), date(2026, 3, 10))
    with Session(filed) as session:
        (chat, _form) = volume(session, SYSTEM, asked, "week", now=LATER)
    assert (chat.selection.since_on, chat.selection.until_on) == (date(2026, 3, 9), date(2026, 3, 10))


def test_how_long_it_took(filed: Engine) -> None:
    with Session(filed) as session:
        assert durations(session, SYSTEM, MARCH, now=LATER) == [
            Duration("accepted", 3, 2.0, 2.0),
            Duration("replied", 2, 20.0, 20.0),
            Duration("closed", 1, 48.0, 48.0),
        ]
        # Nothing had been closed by then, and an average of nothing is none.
        assert durations(session, SYSTEM, MARCH, now=START + DAY)[2] == Duration("closed", 0, None, None)


def test_what_is_overdue_now_by_clock(filed: Engine) -> None:
    with Session(filed) as session:
        found = overdue(session, SYSTEM, MARCH, now=START + 9 * DAY)
        # Three were never dispatched. Of four never called two are at their last moment still in time.
        assert {figure.group["clock"]: figure.count for figure in found} == {"dispatch": 3, "contact": 2}
        for figure in found:
            assert listed(session, figure, now=START + 9 * DAY) == figure.count
        assert overdue(session, SYSTEM, MARCH, now=START) == []


def test_matters_that_come_back(filed: Engine) -> None:
    with Session(filed) as session:
        (matter,) = repeats(session, SYSTEM, MARCH, now=LATER)
        assert (tuple(matter.group.values()), matter.count) == ((*CLEANING, "碧眼"), 3)
        assert listed(session, matter) == 3
        assert len(repeats(session, SYSTEM, MARCH, now=LATER, least=1, limit=1)) == 1


def test_an_accusation_is_in_no_figure_of_who_may_not_see_it(filed: Engine) -> None:
    with Session(filed) as session:
        for actor, whole in ((SYSTEM, 6), (CLERK, 5), (person("supervisor", DISTRICT), 6)):
            assert total(counts(session, actor, MARCH, (), now=LATER)) == whole
            assert sum(one.count for one in volume(session, actor, MARCH, "day", now=LATER)) == whole
        assert "检举控告" not in {one.group["class_"] for one in counts(session, CLERK, MARCH, ("class_",), now=LATER)}
        assert overdue(session, CLERK, replace(MARCH, units=(DISTRICT,)), now=LATER) == []


def test_each_figure_costs_one_query(filed: Engine) -> None:
    asked: list[str] = []
    event.listen(filed, "before_cursor_execute", lambda _c, _cursor, statement, *_: asked.append(statement))
    with Session(filed) as session:
        counts(session, SYSTEM, MARCH, ("community", "first"), now=LATER)
        volume(session, SYSTEM, MARCH, "week", now=LATER)
        durations(session, SYSTEM, MARCH, now=LATER)
        overdue(session, SYSTEM, MARCH, now=LATER)
    assert len([statement for statement in asked if "SELECT" in statement]) == 4


CASES = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=60 * 24),
        st.sampled_from([STATION, OTHER_STATION, HALL]),
        st.sampled_from([CLEANING, NOISE]),
        st.sampled_from(["碧眼", "白花", None]),
        st.sampled_from(["chat", "form"]),
    ),
    max_size=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CASES, st.integers(min_value=0, max_value=60))
def test_the_parts_add_up_to_the_whole(engine: Engine, cases: list[tuple], days: int) -> None:
    selection = Selection(MONDAY, MONDAY + timedelta(days=days))
    with Session(engine) as session:
        for number, (hours, unit, category, community, channel) in enumerate(cases):
            where = replace(route(unit), category=category, community=community)
            file_case(session, f"case-{number}", now=START + hours * HOUR, where=where, channel=channel)
        session.flush()
        whole = session.scalar(select(func.count()).where(*selection.conditions(LATER)).select_from(Petition))
        for by in (("state",), ("unit",), ("community", "first"), ("first", "second", "third"), ("class_", "channel")):
            figures = counts(session, SYSTEM, selection, by, now=LATER)
            assert total(figures) == whole
            assert all(listed(session, figure) == figure.count for figure in figures)
        for length in ("day", "week", "month"):
            assert sum(one.count for one in volume(session, SYSTEM, selection, length, now=LATER)) == whole
        session.rollback()


def test_the_assistants_share(engine: Engine) -> None:
    said = {
        "answered": ["answer", "smalltalk"],
        "filed": ["answer", "prompt", "ticket"],
        "refused": ["refusal"],
        "next month": ["answer"],
    }
    with Session(engine) as session:
        for conversation, kinds in said.items():
            now = START + 30 * DAY if conversation == "next month" else START
            number = receive(session, conversation, "你好", conversation, now=now).number
            record_replies(session, conversation, number, [{"kind": kind, "text": "x"} for kind in kinds], now=now)
        for conversation, rating in (("answered", "helpful"), ("refused", "unhelpful"), ("next month", "helpful")):
            assert rate(session, conversation, conversation, rating, now=START)
        found = assistant_share(session, since=START, until=START + DAY)
        nothing = assistant_share(session, since=START - DAY, until=START)
    assert (found.conversations, found.answered, found.filed, found.rate) == (3, 1, 1, pytest.approx(1 / 3))
    assert found.kinds == {"answer": 2, "prompt": 1, "refusal": 1, "smalltalk": 1, "ticket": 1}
    assert found.ratings == {"helpful": 1, "unhelpful": 1}
    assert (nothing.conversations, nothing.rate, nothing.ratings) == (0, None, {})
