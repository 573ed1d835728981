"""Every step of the table does what the table says, and nothing else can be done."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from petitions.cases import act, allowed_actions, part_key, running_clocks
from petitions.clocks import start_clock
from petitions.errors import PetitionError
from petitions.lifecycle import ALL, SAME, Transition, own_lifecycle
from petitions.log import PETITIONER, Actor, replay, snapshot_of, verify
from petitions.model import Event, Petition
from petitions.rules import own_rules
from tests.integration.cases import (
    ACCEPTED,
    DISTRICT,
    HALL,
    NOW,
    OTHER_HALL,
    OTHER_STATION,
    REFUSED,
    STATION,
    actions,
    file_case,
    person,
    route,
    step,
)

LIFECYCLE = own_lifecycle()
RULES = own_rules()
EDGES = [(state, target, row) for state, target, row in LIFECYCLE.edges()]
IDS = [f"{state}-{row.action}-{target}" for state, target, row in EDGES]
UNIT_OF = {"own": STATION, "offered": OTHER_STATION, "above": HALL, "overseer": HALL, "self": None}
VALUES = {"text": "理由", "word": "诉讼", "unit": OTHER_STATION, "integer": 3, "boolean": True}


def actor_of(role: str, relation: str) -> Actor:
    return Actor(role, role, UNIT_OF[relation])


def fields_of(row: Transition, other: Petition) -> dict[str, object]:
    """Fields under which this row is the one that counts."""
    given = {name: VALUES.get(LIFECYCLE.fields[name].type, other.number) for name in row.needs}
    if row.action == "follow_up":
        given = dict(ACCEPTED if "satisfied" in row.when else REFUSED)
    if "is_upheld" in given:
        given["is_upheld"] = "upheld" in row.when
    if row.action == "rule" and not row.when:
        given["unit"] = STATION
    return given


def put_into(session: Session, petition: Petition, state: str, row: Transition) -> None:
    """Put a petition where the row can begin: its state, its people, its clocks."""
    petition.state = state
    petition.offered_unit, petition.overseer_unit = OTHER_STATION, HALL
    petition.hops = 1 if row.action == "approve_return" and not row.when else 0
    petition.is_restricted = "restricted" in row.must
    petition.unsatisfied = 2 if "redone" in row.must else 1 if row.to == "supervised" else 0
    for clock in running_clocks(petition):
        petition.clocks.remove(clock)
        session.delete(clock)
    named = row.clocks.names | {demand.split()[1] for demand in row.must if " " in demand}
    for name in named - set(row.clocks.start) - set(row.clocks.from_acceptance):
        started = NOW - timedelta(days=40 if any(demand.startswith("over") for demand in row.must) else 1)
        clock = start_clock(name, RULES.clocks[name], started, RULES.calendar)
        if name in row.clocks.resume:
            clock.paused_at, clock.next_at = NOW, None
        petition.clocks.append(clock)
    session.flush()


@pytest.mark.parametrize(("state", "target", "row"), EDGES, ids=IDS)
def test_a_step_of_the_table(engine: Engine, state: str, target: str, row: Transition) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        other = file_case(session, part_key(petition, "2"))
        put_into(session, petition, state, row)
        before = {clock.clock for clock in running_clocks(petition)}
        role, relation = row.who[0]
        outcome = act(
            session,
            petition.id,
            row.action,
            actor_of(role, relation),
            fields_of(row, other),
            now=NOW,
            expected_version=petition.version,
            key="once",
        )
        assert outcome.is_new
        assert (outcome.event.state_from, outcome.event.state_to, petition.state) == (state, target, target)
        assert (outcome.event.action, outcome.event.role) == (row.action, role)
        running = {clock.clock for clock in running_clocks(petition)}
        stopped = before if ALL in row.clocks.stop else set(row.clocks.stop)
        started = {name for name in row.clocks.start if RULES.clocks[name].runs_for(**kind(petition))}
        assert running == (before - stopped) | started | set(row.clocks.from_acceptance)
        paused = {clock.clock for clock in running_clocks(petition) if clock.paused_at}
        assert paused == set(row.clocks.pause)
        # The words of people stand apart from the rest.
        personal = {name for name in row.needs if LIFECYCLE.fields[name].is_personal}
        assert not personal & set(outcome.event.data.get("fields", {}))
        assert personal == set(outcome.event.private.payload if outcome.event.private else {})
        again = act(session, petition.id, row.action, actor_of(role, relation), {}, now=NOW, key="once")
        assert not again.is_new
        assert again.event is outcome.event


def kind(petition: Petition) -> dict[str, str]:
    return {"class_": petition.class_, "channel": petition.channel, "priority": petition.priority}


@pytest.mark.parametrize(("state", "target", "row"), EDGES, ids=IDS)
def test_a_step_is_refused_to_everybody_else(engine: Engine, state: str, target: str, row: Transition) -> None:  # noqa: ARG001
    with Session(engine) as session:
        petition, other = file_case(session), file_case(session, "form-2")
        put_into(session, petition, state, row)
        # Whoever may not see an accusation is told that there is none: test_visibility.py.
        petition.is_restricted = False
        entitled = {who for found in LIFECYCLE.rows(state) if found.action == row.action for who in found.who}
        units = (STATION, OTHER_STATION, HALL, DISTRICT, OTHER_HALL, None)
        relations = {STATION: {"own"}, OTHER_STATION: {"offered"}, HALL: {"above", "overseer"}, DISTRICT: {"above"}}
        strangers = [
            Actor("x", role, unit)
            for role in ("operator", "handler", "supervisor", "petitioner", "editor")
            for unit in units
            if not entitled & {(role, relation) for relation in {*relations.get(unit, ()), "self"}}
        ]
        assert strangers
        for stranger in strangers:
            with pytest.raises(PetitionError) as refused:
                act(session, petition.id, row.action, stranger, fields_of(row, other), now=NOW)
            assert refused.value.code == "not_yours"
            assert row.action not in refused.value.fields["actions"].split(",")


@pytest.mark.parametrize("state", LIFECYCLE.states)
def test_what_is_not_in_the_table_is_refused_with_what_is(engine: Engine, state: str) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        petition.state = state
        session.flush()
        allowed = {row.action for row in LIFECYCLE.rows(state)}
        for action in ({row.action for row in LIFECYCLE.transitions} | {"file", "warn", "nothing"}) - allowed:
            with pytest.raises(PetitionError) as refused:
                act(session, petition.id, action, person("supervisor", STATION), {}, now=NOW)
            assert refused.value.code == "not_allowed"
            assert set(filter(None, refused.value.fields["actions"].split(","))) == allowed
            assert LIFECYCLE.states[state].staff in refused.value.message
        assert petition.state == state


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, "unit、reason"),
        ({"unit": OTHER_STATION}, "reason"),
        ({"unit": OTHER_STATION, "reason": "  "}, "reason"),
        ({"unit": "没有这个单位", "reason": "x"}, "unit"),
        ({"unit": OTHER_STATION, "reason": 5}, "reason"),
        ({"unit": OTHER_STATION, "reason": "x", "days": 3}, "days"),
        ({"unit": OTHER_STATION, "reason": "x", "office": "长" * 61}, "office"),
    ],
)
def test_wrong_fields_are_named(engine: Engine, given: dict[str, object], wrong: str) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        with pytest.raises(PetitionError) as refused:
            act(session, petition.id, "transfer", person("operator", STATION), given, now=NOW)
        assert (refused.value.code, refused.value.fields["fields"]) == ("wrong_fields", wrong)
        assert actions(session, petition) == ["file"]


@pytest.mark.parametrize("days", [0, 31, True, "3"])
def test_an_extension_is_at_most_thirty_days(engine: Engine, days: object) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "accept", person("handler", STATION))
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "extend", person("supervisor", STATION), days=days, reason="x")
        assert refused.value.code == "wrong_fields"


def test_an_extension_comes_once_and_in_time(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        handler, head = person("handler", STATION), person("supervisor", STATION)
        step(session, petition, "accept", handler)
        due = {clock.clock: clock.due_at for clock in running_clocks(petition)}["close"]
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "extend", head, now=due + timedelta(seconds=1), days=30, reason="x")
        assert refused.value.code == "too_late"
        step(session, petition, "extend", head, now=due, days=30, reason="x")
        extended = {clock.clock: clock.due_at for clock in running_clocks(petition)}["close"]
        assert extended - due == timedelta(days=30)
        step(session, petition, "ask_material", handler, reason="x")
        step(session, petition, "resume", handler)
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "extend", head, days=1, reason="x")
        assert refused.value.code == "already_extended"


def test_who_took_it_first_stays_responsible_until_another_accepts(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        first, second = person("handler", STATION), person("handler", OTHER_STATION)
        step(session, petition, "transfer", first, unit=OTHER_STATION, office="物业组", reason="x")
        assert (petition.unit, petition.offered_unit, petition.community) == (STATION, OTHER_STATION, "碧眼")
        assert "accept" in allowed_actions(petition, second)
        assert "accept" not in allowed_actions(petition, first)
        step(session, petition, "accept", second)
        assert (petition.unit, petition.offered_unit, petition.office) == (OTHER_STATION, None, "物业组")
        assert (petition.level, petition.community, petition.hops) == ("N", "白花", 0)
        assert petition.accepted_at == NOW


def test_sixty_days_run_from_the_first_acceptance_only(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        first, second = person("handler", STATION), person("handler", OTHER_STATION)
        step(session, petition, "accept", first, now=NOW + timedelta(days=2))
        step(session, petition, "transfer", first, now=NOW + timedelta(days=3), unit=OTHER_STATION, reason="x")
        step(session, petition, "accept", second, now=NOW + timedelta(days=4))
        clocks = {clock.clock: clock for clock in running_clocks(petition)}
        assert clocks["close"].started_at == NOW + timedelta(days=2)
        assert petition.accepted_at == NOW + timedelta(days=2)


def test_after_the_second_return_the_level_above_rules_and_binds(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        own, head = person("operator", STATION), person("supervisor", STATION)
        for hops, (unit, state) in enumerate([(OTHER_STATION, "returned"), (HALL, "disputed")], 1):
            step(session, petition, "transfer", own, unit=unit, reason="x")
            step(session, petition, "return", person("handler", unit), reason="不属于本单位职责")
            assert petition.offered_unit == unit
            step(session, petition, "approve_return", head, reason="x")
            assert (petition.hops, petition.state, petition.offered_unit) == (hops, state, None)
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "rule", head, unit=OTHER_STATION, reason="x")
        assert refused.value.code == "not_yours"
        step(session, petition, "rule", person("supervisor", HALL), unit=OTHER_STATION, reason="x")
        assert (petition.state, petition.unit, petition.offered_unit) == ("assigned", STATION, OTHER_STATION)
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "return", person("handler", OTHER_STATION), reason="x")
        assert refused.value.code == "not_allowed"
        step(session, petition, "accept", person("handler", OTHER_STATION))
        assert petition.unit == OTHER_STATION


def test_a_ruling_for_the_responsible_unit_itself_is_its_acceptance(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        petition.state = "disputed"
        session.flush()
        step(session, petition, "rule", person("supervisor", HALL), unit=STATION, reason="x")
        assert (petition.state, petition.unit, petition.accepted_at) == ("accepted", STATION, NOW)


def test_an_objection_comes_within_five_workdays(engine: Engine) -> None:
    sent = NOW.replace(month=2, day=12)  # Thursday before the Spring Festival of 2026
    with Session(engine) as session:
        petition = file_case(session, now=sent)
        step(session, petition, "transfer", person("operator", STATION), now=sent, unit=OTHER_STATION, reason="x")
        last = sent.replace(day=26, hour=15, minute=59)
        other = person("handler", OTHER_STATION)
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "return", other, now=last + timedelta(minutes=1), reason="x")
        assert refused.value.code == "too_late"
        step(session, petition, "return", other, now=last, reason="x")
        assert petition.state == "objected"


def test_unsatisfied_is_redone_and_again_unsatisfied_is_supervised_one_level_up(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        handler, operator = person("handler", STATION), person("operator", STATION)
        step(session, petition, "accept", handler)
        expected = [("redo", None), ("supervised", HALL), ("supervised", DISTRICT), ("supervised", DISTRICT)]
        for state, overseer in expected:
            step(session, petition, "reply", handler, answer="已清理")
            with pytest.raises(PetitionError) as refused:
                step(session, petition, "close", person("supervisor", HALL), reason="x")
            assert refused.value.code == "not_redone" or petition.unsatisfied >= 2
            step(session, petition, "follow_up", operator, **REFUSED)
            assert (petition.state, petition.overseer_unit, petition.unit) == (state, overseer, STATION)
            if petition.unsatisfied == 2:
                break
        step(session, petition, "reply", handler, answer="已清理")
        step(session, petition, "follow_up", operator, **REFUSED)
        assert petition.overseer_unit == DISTRICT
        step(session, petition, "reply", handler, answer="已清理")
        step(session, petition, "close", person("supervisor", HALL), reason="已依法办理到位")
        assert petition.state == "closed"


@pytest.mark.parametrize(
    ("marks", "state"),
    [
        (ACCEPTED, "closed"),
        (ACCEPTED | {"service": 2}, "redo"),
        (ACCEPTED | {"is_solved": False}, "redo"),
    ],
)
def test_one_low_mark_or_an_unsolved_matter_is_dissatisfaction(engine: Engine, marks: dict, state: str) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "accept", person("handler", STATION))
        step(session, petition, "reply", person("handler", STATION), answer="x")
        outcome = step(session, petition, "follow_up", **marks)
        assert petition.state == state
        assert outcome.event.data["is_satisfied"] == (state == "closed")


def test_review_and_re_review_to_the_end(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        handler, above = person("handler", STATION), person("supervisor", HALL)
        step(session, petition, "accept", handler)
        step(session, petition, "reply", handler, answer="x")
        step(session, petition, "follow_up", **ACCEPTED)
        assert petition.state == "closed"
        month = timedelta(days=30)
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "ask_review", now=NOW + month + timedelta(hours=14), reason="x")
        assert refused.value.code == "too_late"
        step(session, petition, "ask_review", now=NOW + month, reason="不服")
        opinion = {"opinion": "维持", "authority": "光明区人民政府", "is_upheld": True}
        step(session, petition, "decide_review", above, now=NOW + month, **opinion)
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "close", above, now=NOW + month, reason="x")
        assert refused.value.code == "too_early"
        step(session, petition, "ask_re_review", now=NOW + 2 * month, reason="不服")
        step(session, petition, "open_hearing", above, now=NOW + 2 * month, reason="听证")
        step(session, petition, "close_hearing", above, now=NOW + 2 * month + timedelta(days=9))
        (clock,) = running_clocks(petition)
        assert clock.due_at - clock.started_at > timedelta(days=39)
        step(session, petition, "decide_re_review", above, now=NOW + 3 * month, **opinion)
        assert petition.state == "concluded"
        assert running_clocks(petition) == []
        assert allowed_actions(petition, PETITIONER) == ()


def test_a_consultation_has_no_review(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session, where=route(class_="咨询"))
        step(session, petition, "accept", person("handler", STATION))
        step(session, petition, "reply", person("handler", STATION), answer="x")
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "ask_review", reason="x")
        assert refused.value.code == "too_late"


def test_a_petition_is_merged_into_another_that_is_alive(engine: Engine) -> None:
    with Session(engine) as session:
        one, two = file_case(session), file_case(session, "form-2")
        operator = person("operator", STATION)
        for into in ("GM0000000000000", one.number):
            with pytest.raises(PetitionError) as refused:
                step(session, one, "merge", operator, into=into, reason="x")
            assert refused.value.code == "no_such_ticket"
        step(session, one, "merge", operator, into=two.number, reason="同一件事")
        assert (one.state, one.merged_into) == ("merged", two.number)
        with pytest.raises(PetitionError) as refused:
            step(session, two, "merge", operator, into=one.number, reason="x")
        assert refused.value.code == "no_such_ticket"


def test_who_oversees_may_take_over(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        step(session, petition, "accept", person("handler", STATION))
        step(session, petition, "supervise", person("supervisor", DISTRICT), reason="x")
        assert petition.overseer_unit == HALL
        step(session, petition, "take_over", person("handler", HALL), reason="x", office="城市建设办")
        assert (petition.unit, petition.level, petition.office) == (HALL, "6", "城市建设办")
        assert (petition.overseer_unit, petition.state) == (None, "accepted")


def test_a_step_on_what_has_changed_meanwhile_is_refused(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        version, handler = petition.version, person("handler", STATION)
        step(session, petition, "accept", handler)
        with pytest.raises(PetitionError) as refused:
            act(session, petition.id, "handle", handler, {}, now=NOW, expected_version=version)
        assert refused.value.code == "changed_meanwhile"


def test_a_key_names_one_step_only(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        handler = person("handler", STATION)
        act(session, petition.id, "accept", handler, {}, now=NOW, key="k")
        with pytest.raises(PetitionError) as refused:
            act(session, petition.id, "handle", handler, {}, now=NOW, key="k")
        assert refused.value.code == "key_reused"
        other = file_case(session, "form-2")
        assert act(session, other.id, "accept", handler, {}, now=NOW, key="k").is_new


def test_an_unknown_petition_is_not_found(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(PetitionError) as refused:
        act(session, 99, "accept", person("handler", STATION), {}, now=NOW)
    assert refused.value.code == "not_found"


def test_a_naive_time_is_refused_and_changes_nothing(engine: Engine) -> None:
    with Session(engine) as session:
        petition_id = file_case(session).id
        session.commit()
    with Session(engine) as session:
        with pytest.raises(ValueError, match="time zone"):
            act(session, petition_id, "contact", person("handler", STATION), {}, now=NOW.replace(tzinfo=None))
        session.rollback()
        assert len(session.scalars(select(Event)).all()) == 1


def test_the_life_of_a_petition_can_be_replayed_to_any_moment(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        handler, other = person("handler", STATION), person("handler", OTHER_STATION)
        seen = [(NOW, snapshot_of(petition))]
        steps = [
            ("transfer", handler, {"unit": OTHER_STATION, "reason": "x"}),
            ("accept", other, {}),
            ("contact", other, {}),
            ("ask_material", other, {"reason": "x"}),
            ("resume", PETITIONER, {}),
            ("extend", person("supervisor", OTHER_STATION), {"days": 10, "reason": "x"}),
            ("reply", other, {"answer": "x"}),
            ("follow_up", PETITIONER, REFUSED),
            ("reply", other, {"answer": "x"}),
            ("follow_up", PETITIONER, ACCEPTED),
        ]
        for day, (action, actor, fields) in enumerate(steps, 1):
            now = NOW + timedelta(days=day)
            step(session, petition, action, actor, now=now, **fields)
            seen.append((now, snapshot_of(petition)))
            session.commit()
        for now, snapshot in seen:
            assert replay(session, petition.id, now) == snapshot
            assert replay(session, petition.id, now + timedelta(hours=23)) == snapshot
        assert replay(session, petition.id, now).to_json()["state"] == "closed"
        with pytest.raises(PetitionError) as refused:
            replay(session, petition.id, NOW - timedelta(seconds=1))
        assert refused.value.code == "not_yet_filed"
        with pytest.raises(PetitionError) as refused:
            replay(session, 99, NOW)
        assert refused.value.code == "not_found"
        assert verify(session).holds


def test_same_is_no_state() -> None:
    assert SAME not in LIFECYCLE.states
