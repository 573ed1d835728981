"""The clocks speak once, when they should, through a whole year; late data move what was provisional."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from petitions.cases import running_clocks
from petitions.clocks import SHANGHAI
from petitions.filing import ticket_of
from petitions.log import PETITIONER, replay, snapshot_of, verify
from petitions.model import Event, Petition, RunningClock
from petitions.rules import own_rules
from petitions.ticking import Ticked, recompute_provisional, tick
from petitions.workdays import chinese_workdays
from tests.integration.cases import (
    ACCEPTED,
    DISTRICT,
    HALL,
    NOW,
    OTHER_STATION,
    REFUSED,
    STATION,
    actions,
    file_case,
    person,
    route,
    step,
)

HANDLER = person("handler", STATION)


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=SHANGHAI)


def said(session: Session, petition: Petition) -> list[tuple[str, str, str]]:
    """What the clocks have said and committed: kind, clock, when."""
    statement = select(Event).where(Event.petition_id == petition.id, Event.role == "system").order_by(Event.number)
    with Session(session.get_bind()) as reader:
        return [
            (event.action, event.data["clock"], f"{event.at.astimezone(SHANGHAI):%m-%d %H:%M}")
            for event in reader.scalars(statement)
        ]


def walk(session: Session, start: datetime, end: datetime, hours: int = 1) -> None:
    """Tick every so many hours, twice each time."""
    now = start
    while now <= end:
        for _ in range(2):
            tick(session, now)
            session.commit()
        now += timedelta(hours=hours)


def test_a_clock_warns_ends_and_escalates_from_n_to_6_to_1(engine: Engine) -> None:
    with Session(engine, expire_on_commit=False) as session:
        petition = file_case(session)
        step(session, petition, "contact", HANDLER)
        session.commit()
        now, found = NOW, []
        for minutes in (89, 90, 119, 120, 179, 180, 239, 240, 241):
            now = NOW + timedelta(minutes=minutes)
            found.append(tick(session, now))
            session.commit()
        nothing = Ticked()
        assert found == [
            nothing, Ticked(warn=1, looked_at=1), nothing, Ticked(overdue=1, looked_at=1), nothing,
            Ticked(escalate=1, looked_at=1), nothing, Ticked(escalate=1, looked_at=1), nothing,
        ]  # fmt: skip
        assert petition.overseer_unit == DISTRICT
        assert petition.unit == STATION
        events = session.scalars(select(Event).where(Event.action == "escalate").order_by(Event.id)).all()
        assert [event.data["to"] for event in events] == [HALL, DISTRICT]
        assert all(event.data["article"].startswith("深圳市民意速办") for event in events)
        assert verify(session).holds


def test_a_worker_that_was_down_says_each_thing_once(engine: Engine) -> None:
    with Session(engine, expire_on_commit=False) as session:
        petition = file_case(session, channel="letter")
        session.commit()
        tick(session, NOW + timedelta(days=300))
        session.commit()
        kinds = [kind for kind, _, _ in said(session, petition)]
        assert kinds == ["warn", "overdue", "escalate", "escalate"] * 2


def test_above_the_highest_unit_nobody_is_told(engine: Engine) -> None:
    with Session(engine, expire_on_commit=False) as session:
        petition = file_case(session, channel="letter", where=route(DISTRICT))
        session.commit()
        found = tick(session, NOW + timedelta(days=300))
        assert (found.warn, found.overdue, found.escalate) == (2, 2, 0)
        assert petition.overseer_unit is None
        assert all(clock.next_at is None for clock in petition.clocks)


def test_a_paused_or_stopped_clock_says_nothing(engine: Engine) -> None:
    with Session(engine, expire_on_commit=False) as session:
        petition = file_case(session)
        step(session, petition, "accept", HANDLER)
        step(session, petition, "ask_material", HANDLER, reason="x")
        session.commit()
        assert tick(session, NOW + timedelta(days=300)) == Ticked()
        session.commit()
        step(session, petition, "resume", PETITIONER, now=NOW + timedelta(days=300))
        session.commit()
        tick(session, NOW + timedelta(days=359))
        session.commit()
        assert said(session, petition) == [("warn", "close", "02-24 10:00")]


def test_an_extended_clock_warns_again(engine: Engine) -> None:
    with Session(engine, expire_on_commit=False) as session:
        petition = file_case(session)
        step(session, petition, "contact", HANDLER)
        step(session, petition, "accept", HANDLER)
        session.commit()
        walk(session, NOW, NOW + timedelta(days=58), hours=24)
        step(
            session,
            petition,
            "extend",
            person("supervisor", STATION),
            now=NOW + timedelta(days=58),
            days=30,
            reason="x",
        )
        session.commit()
        walk(session, NOW + timedelta(days=58), NOW + timedelta(days=89), hours=24)
        assert [kind for kind, _, _ in said(session, petition)] == ["warn", "warn"]


def test_due_clocks_are_found_by_their_index(engine: Engine) -> None:
    with Session(engine) as session:
        for number in range(50):
            file_case(session, f"form-{number}")
        session.commit()
        query = (
            "SELECT petition_id FROM running_clock WHERE next_at <= '2026-03-02 00:00:00' ORDER BY next_at, id LIMIT 9"
        )
        assert "ix_running_clock_next_at" in plan_of(session, query)


def test_a_case_through_a_year_with_spring_festival_and_days_worked_for_it(engine: Engine) -> None:
    with Session(engine, expire_on_commit=False) as session:
        operator, head = person("operator", STATION), person("supervisor", STATION)
        other = person("handler", OTHER_STATION)
        petition = file_case(session, now=at("2026-02-05T09:00"))
        session.commit()
        # Nobody looks: two hours to dispatch, a day to call; the hall and the district are told.
        walk(session, at("2026-02-05T09:00"), at("2026-02-08T09:00"))
        assert said(session, petition) == [
            ("warn", "dispatch", "02-05 11:00"),
            ("overdue", "dispatch", "02-05 11:00"),
            ("escalate", "dispatch", "02-05 12:00"),
            ("escalate", "dispatch", "02-05 13:00"),
            ("warn", "contact", "02-06 05:00"),
            ("overdue", "contact", "02-06 09:00"),
            ("escalate", "contact", "02-07 09:00"),
            ("escalate", "contact", "02-08 09:00"),
        ]
        # Handed on before the festival: the objection may come until the fifth workday, 26 February, for Saturday the
        # 14th is worked and the 15th to the 23rd are not.
        step(session, petition, "transfer", operator, now=at("2026-02-12T09:00"), unit=OTHER_STATION, reason="x")
        session.commit()
        assert due(petition)["objection"] == at("2026-02-26T23:59:59")
        assert due(petition)["accept"] == at("2026-02-27T23:59:59")
        step(session, petition, "return", other, now=at("2026-02-26T17:00"), reason="x")
        step(session, petition, "refuse_return", head, now=at("2026-02-27T10:00"), reason="x")
        step(session, petition, "accept", other, now=at("2026-02-27T11:00"))
        session.commit()
        assert due(petition) == {"close": at("2026-04-28T23:59:59"), "contact": at("2026-02-06T09:00")}
        # Material was missing over the Qingming holiday.
        step(session, petition, "contact", other, now=at("2026-02-27T12:00"))
        step(session, petition, "handle", other, now=at("2026-02-28T09:00"))
        step(session, petition, "ask_material", other, now=at("2026-04-01T09:00"), reason="x")
        session.commit()
        walk(session, at("2026-04-01T09:00"), at("2026-06-10T09:00"), hours=12)
        step(session, petition, "resume", PETITIONER, now=at("2026-06-10T09:00"))
        session.commit()
        assert due(petition) == {"close": at("2026-07-07T23:59:59")}
        head = person("supervisor", OTHER_STATION)
        step(session, petition, "extend", head, now=at("2026-07-07T23:00"), days=30, reason="x")
        session.commit()
        assert due(petition) == {"close": at("2026-08-06T23:59:59")}
        # The end of that day passes on a Thursday; one workday later the hall, two later (Monday) the district.
        walk(session, at("2026-07-08T00:30"), at("2026-08-12T00:30"))
        assert said(session, petition)[-4:] == [
            ("warn", "close", "07-31 00:30"),
            ("overdue", "close", "08-07 00:30"),
            ("escalate", "close", "08-08 00:30"),
            ("escalate", "close", "08-11 00:30"),
        ]
        assert petition.overseer_unit == DISTRICT
        step(session, petition, "reply", other, now=at("2026-08-12T09:00"), answer="x")
        step(session, petition, "follow_up", now=at("2026-09-30T09:00"), **REFUSED)
        step(session, petition, "reply", other, now=at("2026-10-09T09:00"), answer="x")
        session.commit()
        # Seven workdays after 9 October: Saturday the 10th is worked.
        assert due(petition)["follow_up"] == at("2026-10-19T23:59:59")
        step(session, petition, "follow_up", now=at("2026-10-19T09:00"), **ACCEPTED)
        session.commit()
        walk(session, at("2026-10-19T10:00"), at("2027-02-05T10:00"), hours=24)
        assert petition.state == "closed"
        assert replay(session, petition.id, at("2027-02-05T10:00")) == snapshot_of(petition)
        assert replay(session, petition.id, at("2026-05-01T00:00")).state == "waiting"
        assert verify(session).holds


def due(petition: Petition) -> dict[str, datetime]:
    return {clock.clock: clock.due_at for clock in running_clocks(petition) if not clock.paused_at}


def test_a_provisional_due_time_is_computed_anew_when_the_calendar_arrives(engine: Engine) -> None:
    last = max(chinese_workdays().years)
    now = datetime(last, 12, 30, 9, tzinfo=SHANGHAI)
    with Session(engine, expire_on_commit=False) as session:
        petition = file_case(session, now=now)
        step(session, petition, "accept", HANDLER, now=now)
        step(session, petition, "reply", HANDLER, now=now, answer="x")
        session.commit()
        (clock,) = [clock for clock in running_clocks(petition) if clock.clock == "follow_up"]
        assert clock.is_provisional
        assert ticket_of(petition)["due"] == [
            {"clock": "follow_up", "at": clock.due_at.astimezone(SHANGHAI).isoformat(), "is_provisional": True}
        ]
        before = clock.due_at
        assert recompute_provisional(session, now=now) == 0
        session.commit()
        calendar = chinese_workdays()
        days = {date(last + 1, 1, day) for day in (4, 5, 6)}
        known = replace(calendar, years=calendar.years | {last + 1}, holidays=calendar.holidays | days)
        rules = replace(own_rules(), calendar=known)
        assert recompute_provisional(session, now=now, rules=rules) == 1
        session.commit()
        assert clock.due_at > before
        assert not clock.is_provisional
        assert "is_provisional" not in ticket_of(petition)["due"][0]
        assert recompute_provisional(session, now=now, rules=rules) == 0
        session.commit()
        assert actions(session, petition)[-1] == "recompute"
        assert replay(session, petition.id, now) == snapshot_of(petition)
        assert verify(session).holds


def test_only_provisional_clocks_are_looked_at(engine: Engine) -> None:
    with Session(engine) as session:
        statement = select(RunningClock.petition_id).where(RunningClock.is_provisional)
        sql = str(statement.compile(engine, compile_kwargs={"literal_binds": True}))
        assert "ix_running_clock_is_provisional" in plan_of(session, sql)


def plan_of(session: Session, query: str) -> str:
    """How the database would find what a query asks for, where reading a whole table is the last resort."""
    if session.get_bind().dialect.name == "sqlite":
        return str(session.execute(text(f"EXPLAIN QUERY PLAN {query}")).all())
    session.execute(text("SET LOCAL enable_seqscan = off"))
    return str(session.execute(text(f"EXPLAIN {query}")).all())
