"""The same matter is found before it is filed again, and nothing of another person is told."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from functools import cache

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from jurisdiction import load_jurisdiction
from language.vectors import SentenceEncoder
from petitions.errors import PetitionError
from petitions.filing import Filed, file_petition
from petitions.intake import Draft, read_message
from petitions.log import verify
from petitions.model import Petition
from petitions.repeats import Repeat, find_repeat, own_repeats
from petitions.search import read_unread
from petitions.triage import Route, triage
from tests.integration.cases import HALL, KEYRING, NOW, STATION, person, step

DRAIN = "木墩村的下水道堵了，污水一直往外冒"
LATER = NOW + timedelta(days=3)


@cache
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


@cache
def routed(matter: str, place: str) -> tuple[Draft, Route]:
    places = load_jurisdiction()
    draft = Draft(matter=matter, place=place, community=places.locate(f"{place}。{matter}").community)
    return draft, triage(draft.text, places, encoder())


def file(session: Session, matter: str, place: str, *, now: datetime = NOW, **options: object) -> Filed:
    draft, route = routed(matter, place)
    kept = {"conversation": "c", "channel": "chat", "secret": b"0" * 32, "keyring": KEYRING}
    return file_petition(session, draft, route, form_key=f"{matter}{now}", now=now, **kept | options)


def found(session: Session, matter: str, place: str, now: datetime = LATER) -> Repeat | None:
    draft, route = routed(matter, place)
    return find_repeat(session, draft, route, now=now)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((DRAIN, "东周社区木墩村"), ("下水道一直往外冒污水，臭死了", "东周社区木墩村")),
        (("楼里电梯老是坏，老人上不去", "光明社区和润家园"), ("电梯又停了，老人上不去", "光明社区和润家园")),
        (("老板拖欠工资三个月", "迳口社区"), ("那个厂欠我们工资几个月没发", "迳口社区")),
    ],
)
def test_the_same_matter_in_other_words_is_found(
    engine: Engine, first: tuple[str, str], second: tuple[str, str]
) -> None:
    with Session(engine) as session:
        filed = file(session, *first)
        read_unread(session, encoder())
        repeat = found(session, *second)
        assert repeat is not None
        assert repeat.number == filed.number


@pytest.mark.parametrize(
    ("matter", "place"),
    [
        ("下水道一直往外冒污水", "东周社区星河天地"),
        ("下水道一直往外冒污水", "白花社区富民花园"),
        ("木墩村路灯不亮", "东周社区木墩村"),
        ("夜里广场舞太吵", "东周社区木墩村"),
        ("下水道堵了，污水一直往外冒", "不知道"),
    ],
)
def test_another_matter_or_another_place_is_not(engine: Engine, matter: str, place: str) -> None:
    with Session(engine) as session:
        file(session, DRAIN, "东周社区木墩村")
        assert found(session, matter, place) is None


def test_what_is_told_is_nobody_else_s(engine: Engine) -> None:
    with Session(engine) as session:
        draft, route = routed(DRAIN, "东周社区木墩村")
        draft = replace(draft, matter=f"{DRAIN}，我是3栋的张小红", name="张小红", phone="13800138000")
        kept = {"conversation": "c", "channel": "chat", "secret": b"0" * 32, "keyring": KEYRING}
        file_petition(session, draft, route, form_key="f", now=NOW, **kept)
        read_unread(session, encoder())
        repeat = found(session, DRAIN, "东周社区木墩村")
        assert repeat is not None
        told = {field.name: getattr(repeat, field.name) for field in fields(repeat)} | {"number": None}
        assert told == {
            "number": None,
            "category": route.category[2],
            "community": "东周",
            "filed_on": NOW.date(),
            "state": "已收到，等待受理",
            "is_concluded": False,
        }


def test_what_ended_or_is_old_or_an_accusation_is_not_offered(engine: Engine) -> None:
    with Session(engine) as session:
        file(session, DRAIN, "东周社区木墩村")
        petition = session.scalars(select(Petition)).one()
        assert found(session, DRAIN, "东周社区木墩村", NOW + timedelta(days=own_repeats().days, seconds=1)) is None
        petition.is_restricted = True
        assert found(session, DRAIN, "东周社区木墩村") is None
        petition.is_restricted = False
        draft, route = routed(DRAIN, "东周社区木墩村")
        assert find_repeat(session, draft, replace(route, is_restricted=True), now=LATER) is None
        step(session, petition, "withdraw")
        assert found(session, DRAIN, "东周社区木墩村") is None


def test_who_says_that_it_is_the_same_joins_and_has_a_ticket(engine: Engine) -> None:
    with Session(engine) as session:
        first = file(session, DRAIN, "东周社区木墩村")
        joined = file(session, DRAIN, "东周社区木墩村", now=LATER, join=first.number)
        assert (joined.is_new, joined.ticket["state"], joined.ticket["due"]) == (True, "merged", [])
        again = file(session, DRAIN, "东周社区木墩村", now=LATER, join=first.number)
        assert (again.number, again.is_new) == (joined.number, False)
        assert verify(session).holds


def test_what_ended_meanwhile_is_not_joined_and_nothing_is_lost(engine: Engine) -> None:
    with Session(engine) as session:
        first = file(session, DRAIN, "东周社区木墩村")
        step(session, session.scalars(select(Petition)).one(), "withdraw")
        assert file(session, DRAIN, "东周社区木墩村", now=LATER, join=first.number).ticket["state"] == "received"


def test_what_was_concluded_is_told_and_refused_with_the_law(engine: Engine) -> None:
    with Session(engine) as session:
        first = file(session, DRAIN, "东周社区木墩村")
        petition = session.scalars(select(Petition)).one()
        petition.unit = STATION
        handler, above = person("handler", STATION), person("supervisor", HALL)
        decided = {"is_upheld": True, "opinion": "维持", "authority": "区政府"}
        step(session, petition, "accept", handler)
        step(session, petition, "reply", handler, answer="x")
        step(session, petition, "ask_review", reason="不服")
        step(session, petition, "decide_review", above, **decided)
        step(session, petition, "ask_re_review", reason="不服")
        step(session, petition, "decide_re_review", above, **decided)
        session.commit()
    with Session(engine) as session:
        repeat = found(session, DRAIN, "东周社区木墩村")
        assert repeat is not None
        assert repeat.is_concluded
    with Session(engine) as session:
        with pytest.raises(PetitionError) as refused:
            file(session, DRAIN, "东周社区木墩村", now=LATER, join=first.number)
        assert refused.value.code == "concluded_matter"


@pytest.mark.parametrize(
    ("text", "is_same", "is_confirmed"),
    [
        ("是同一件", True, True),
        ("就是这件事，并入吧", True, True),
        ("对，是同一件事", True, True),
        ("并入", True, True),
        ("确认提交", False, True),
        ("是的", False, True),
        ("不是同一件", False, False),
        ("不是这件", False, False),
    ],
)
def test_only_who_says_so_joins(text: str, is_same: bool, is_confirmed: bool) -> None:
    draft = Draft(matter=DRAIN, place="木墩村", community="东周", is_anonymous=True, offered="GM1")
    read = read_message(draft, text, "petition_confirmed", load_jurisdiction())
    assert (read.is_same, read.is_confirmed) == (is_same, is_confirmed)
    assert not read_message(replace(draft, offered=None), text, "petition_confirmed", load_jurisdiction()).is_same
