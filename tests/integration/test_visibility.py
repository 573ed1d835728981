"""An accusation does not exist for the accused unit and those below it: in no listing, count, rate, search or step."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from petitions.cases import act, allowed_actions
from petitions.errors import PetitionError
from petitions.listing import Wanted, count_by_state, get_petition, list_petitions
from petitions.log import SYSTEM, Actor, verify
from petitions.model import Petition, PetitionText
from petitions.privacy import find_by_personal, unmask
from petitions.rates import rates
from petitions.rules import own_rules
from petitions.search import quantised, read_unread, write_text
from petitions.similar import find_similar
from petitions.visibility import STRANGER, may_see, visible_parts, visible_to
from tests.integration.cases import (
    DISTRICT,
    HALL,
    KEYRING,
    NOW,
    OTHER_HALL,
    OTHER_STATION,
    STATION,
    file_case,
    person,
    route,
    step,
)
from tests.integration.test_similar import NOISE, NoiseEncoder

UNITS = (DISTRICT, HALL, OTHER_HALL, STATION, OTHER_STATION)
TOP = person("supervisor", DISTRICT)
NETWORK = own_rules().network


def accuse(session: Session, accused: str | None = None, *, key: str = "accusation") -> Petition:
    """An accusation, filed with the district, which names the accused."""
    petition = file_case(session, key, where=replace(route(DISTRICT, class_="检举控告"), is_restricted=True))
    if accused:
        step(session, petition, "name_accused", TOP, accused=accused, reason="信中写明")
    return petition


def seen_by(session: Session, petition: Petition) -> set[str]:
    """The units that see it, by the condition and by the function, which agree."""
    found = set()
    for unit in UNITS:
        actor = person("operator", unit)
        is_listed = session.scalar(select(Petition.id).where(Petition.id == petition.id, visible_to(actor))) is not None
        assert is_listed == may_see(petition, actor, NETWORK)
        for same in (actor, replace(actor, is_confined=True), replace(actor, unit=None), SYSTEM, STRANGER):
            parts = [one for part in visible_parts(same) for one in session.scalars(select(Petition.id).where(part))]
            assert parts == session.scalars(select(Petition.id).where(visible_to(same))).all()
        found |= {unit} if is_listed else set()
    return found


@pytest.mark.parametrize("accused", [None, HALL, STATION, OTHER_HALL, "外单位"])
def test_an_accusation_is_seen_by_those_who_handle_it_alone(engine: Engine, accused: str | None) -> None:
    with Session(engine) as session:
        petition = accuse(session, accused)
        assert seen_by(session, petition) == {DISTRICT}
        assert not may_see(petition, STRANGER, NETWORK)
        assert session.scalar(select(Petition.id).where(visible_to(STRANGER))) is None
        assert session.scalar(select(Petition.id).where(visible_to(Actor("x", "operator")))) is None
        assert session.scalar(select(Petition.id).where(visible_to(SYSTEM))) == petition.id


def test_what_is_no_accusation_is_seen_by_all(engine: Engine) -> None:
    with Session(engine) as session:
        assert seen_by(session, file_case(session)) == set(UNITS)


def test_passed_on_it_is_seen_by_the_new_unit_and_never_by_the_accused(engine: Engine) -> None:
    with Session(engine) as session:
        petition = accuse(session, STATION)
        step(session, petition, "transfer", TOP, unit=HALL, reason="街道核查")
        assert seen_by(session, petition) == {DISTRICT, HALL}
        step(session, petition, "accept", person("handler", HALL))
        assert seen_by(session, petition) == {DISTRICT, HALL}
        # The unit that handles it turns out to be the accused one.
        step(session, petition, "name_accused", TOP, accused=HALL, reason="补充材料")
        assert petition.unit == DISTRICT
        assert seen_by(session, petition) == {DISTRICT}
        assert verify(session).holds


def test_where_nobody_stands_above_the_accused_nobody_sees_it(engine: Engine) -> None:
    with Session(engine) as session:
        assert seen_by(session, accuse(session, DISTRICT)) == set()


@pytest.mark.parametrize(
    ("accused", "unit", "code"),
    [
        (None, HALL, "accused_unknown"),
        (HALL, HALL, "accused_unit"),
        (HALL, STATION, "accused_unit"),
        (STATION, STATION, "accused_unit"),
    ],
)
def test_it_is_never_passed_to_the_accused(engine: Engine, accused: str | None, unit: str, code: str) -> None:
    with Session(engine) as session:
        petition = accuse(session, accused)
        with pytest.raises(PetitionError) as refused:
            step(session, petition, "transfer", TOP, unit=unit, reason="核查")
        assert refused.value.code == code
        assert petition.offered_unit is None


def test_the_accused_learn_of_it_in_no_way(engine: Engine) -> None:
    with Session(engine) as session:
        open_case = file_case(session)
        accused = accuse(session, HALL)
        accused.matter = "工地噪音,城管不管"
        session.execute(delete(PetitionText).where(PetitionText.petition_id == accused.id))
        write_text(session, accused)
        session.flush()
        read_unread(session, NoiseEncoder())
        span = {"since": NOW - timedelta(days=1), "until": NOW + timedelta(days=1)}
        for unit in (HALL, STATION, OTHER_STATION):
            actor = person("supervisor", unit)
            assert list_petitions(session, actor, now=NOW).petitions == [open_case]
            for wanted in (Wanted(units=(DISTRICT,)), Wanted(search="工地噪音"), Wanted(search=str(accused.number))):
                assert list_petitions(session, actor, wanted, now=NOW).petitions == []
            assert list_petitions(session, actor, Wanted(class_="检举控告"), now=NOW).petitions == []
            assert count_by_state(session, actor, now=NOW) == {"received": 1}
            assert sum(group.filed for group in rates(session, actor=actor, by=["unit"], **span)) == 1
            assert find_by_personal(session, KEYRING, "phone", "13800138000", actor) == [open_case]
            assert find_similar(session, "工地噪音,城管不管", quantised(NOISE), actor) == []
            assert allowed_actions(accused, actor) == ()
            with pytest.raises(PetitionError) as refused:
                get_petition(session, str(accused.number), actor)
            assert refused.value.code == "no_such_number"
            with pytest.raises(PetitionError) as refused:
                act(session, accused.id, "urge", actor, {}, now=NOW)
            assert refused.value.code == "not_found"
            with pytest.raises(PetitionError) as refused:
                unmask(session, KEYRING, accused.id, ["name"], reason="想看一看", actor=actor, now=NOW)
            assert refused.value.code == "not_found"
            # Joining to it does not tell that it is there.
            with pytest.raises(PetitionError) as refused:
                step(session, open_case, "merge", person("operator", STATION), into=accused.number, reason="重复")
            assert refused.value.code == "no_such_ticket"
        assert list_petitions(session, TOP, now=NOW).petitions == [accused, open_case]
        assert list_petitions(session, TOP, Wanted(search="工地噪音"), now=NOW).petitions == [accused]
        assert [one.petition for one in find_similar(session, "工地噪音,城管不管", quantised(NOISE), TOP)] == [accused]
        assert count_by_state(session, TOP, now=NOW) == {"received": 2}
        with pytest.raises(PetitionError) as refused:
            step(session, open_case, "merge", TOP, into=accused.number, reason="重复")
        assert refused.value.code == "no_such_ticket"


def test_only_an_accusation_has_an_accused(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file_case(session)
        for accused, code in ((STATION, "no_accusation"), ("碧眼", "wrong_fields")):
            with pytest.raises(PetitionError) as refused:
                step(session, petition, "name_accused", person("operator", STATION), accused=accused, reason="x")
            assert refused.value.code == code
