"""A demonstration is a real queue of made-up petitions: its log verifies, and it is told from everything else."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from channels.store import assistant_share
from desk.accounts import PERSONS, find_staff, is_password
from knowledge.answer import Reply
from knowledge.curated import list_entries
from knowledge.unanswered import UnansweredQuestion
from petitions.clocks import SHANGHAI
from petitions.images import redraw
from petitions.log import SYSTEM, Actor, verify
from petitions.model import Event, OutboxMessage, Petition
from petitions.photo_model import Photo
from petitions.photos import open_photo
from petitions.privacy import masked
from petitions.selection import Selection
from petitions.statistics import counts, overdue, repeats
from suqiutong import demo
from suqiutong.database import current, newest
from suqiutong.demo_photos import draw, scenes
from suqiutong.errors import CommandError
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from tests.integration.cases import OTHER_HALL, file_case

NOW = datetime(2026, 11, 26, 12, tzinfo=SHANGHAI)


@pytest.fixture
def services(database_url: str, tmp_path: Path) -> Iterator[Services]:
    services = Services(Settings(data=tmp_path, database_url=database_url))
    yield services
    services.engine.dispose()


def play(services: Services, seed: int, count: int, days: int) -> None:
    demo.fill(services, lambda _line: None, now=NOW, seed=seed, count=count, days=days)


def test_a_demonstration_shows_a_whole_queue_and_lives_every_life(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = demo.demo_rules()
    # Each life as likely as the other, so that a few petitions meet them all.
    lives = tuple(life.model_copy(update={"weight": 1}) for life in rules.lives)
    matters = tuple(matter.model_copy(update={"weight": 1}) for matter in rules.matters)
    even = rules.model_copy(update={"lives": lives, "matters": matters})
    monkeypatch.setattr(demo, "demo_rules", lambda: even)
    lines: list[str] = []
    lived = demo.fill(services, lines.append, now=NOW, seed=2, count=150, days=120)
    assert set(lived) == {life.name for life in rules.lives}
    assert lines[-1] == f"2026-11-26: {lived.total()} petitions"
    with services.sessions() as session:
        found = verify(session)
        assert found.holds
        assert found.petitions == lived.total()
        # One for each day on which something happened: nothing need have been filed on the first.
        assert found.seals in {120, 121}
        done = set(session.scalars(select(Event.action)))
        assert {step.do for life in rules.lives for step in life.steps} | {"warn", "overdue", "escalate"} <= done
        assert overdue(session, SYSTEM, Selection(), now=NOW)
        assert repeats(session, SYSTEM, Selection(), now=NOW)
        communities = {one.group["community"] for one in counts(session, SYSTEM, Selection(), ("community",), now=NOW)}
        assert set(services.jurisdiction.communities) <= communities
        secret = session.scalars(select(Petition).where(Petition.is_restricted)).all()
        assert secret
        (seen,) = counts(session, Actor("x", "handler", OTHER_HALL), Selection(), (), now=NOW)
        assert seen.count == found.petitions - len(secret)
        assert {message.state for message in session.scalars(select(OutboxMessage))} <= {"sent", "withheld"}


def test_some_of_it_brings_photos_and_all_else_is_the_same_without(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(services, seed=1, count=60, days=20)
    with services.sessions() as session:
        numbers = session.scalars(
            select(Petition.number).where(Petition.id.in_(select(Photo.petition_id))).order_by(Petition.id)
        ).all()
        assert 3 < len(numbers) < 40
        assert session.scalars(select(Photo.id).where(Photo.owner.is_not(None))).all() == []
        first = open_photo(session, services.keyring, str(numbers[0]), 1, SYSTEM)
        matters = session.scalars(select(Petition.matter).order_by(Petition.id)).all()
    kept = {redraw(draw(scene, seed)).large for scene in scenes() for seed in range(demo._VARIANTS)}
    assert first in kept
    demo.remove(services)
    without = demo.demo_rules().model_copy(update={"photo_share": 0.0})
    monkeypatch.setattr(demo, "demo_rules", lambda: without)
    play(services, seed=1, count=60, days=20)
    with services.sessions() as session:
        assert session.scalars(select(Petition.matter).order_by(Petition.id)).all() == matters
        assert session.scalars(select(Photo.id)).all() == []


def test_every_scene_can_be_drawn_and_is_the_same_each_time() -> None:
    assert {matter.scene for matter in demo.demo_rules().matters} - {None} == scenes()
    for scene in scenes():
        assert draw(scene, 1) == draw(scene, 1) != draw(scene, 2)


def test_everything_in_it_says_that_it_is_made_up(services: Services) -> None:
    play(services, seed=1, count=30, days=40)
    with services.sessions() as session:
        for petition in session.scalars(select(Petition)):
            assert petition.matter.startswith("【演示数据】")
            shown = masked(services.keyring, petition.petitioner)
            assert petition.petitioner.is_anonymous or shown["phone"].startswith("154")
            assert petition.filed_at <= NOW
        assert session.scalars(select(UnansweredQuestion)).all()
        entries = list_entries(session)
        assert entries
        # None is in service, so that no resident reads a made-up answer.
        assert {entry.state(NOW.date()) for entry in entries} == {"draft"}


def test_residents_ask_the_assistant_and_say_how_good_it_was(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answers:
        def answer(self, text: str, _context: None, *, is_counted: bool) -> Reply:
            assert not is_counted
            return Reply("answer" if "招聘会" in text else "no_answer", f"关于{text}")

    monkeypatch.setattr(Services, "knowledge", Answers())
    play(services, seed=1, count=60, days=40)
    with services.sessions() as session:
        found = assistant_share(session, since=NOW - timedelta(days=60), until=NOW + timedelta(days=1))
    assert found.conversations > 10
    assert set(found.kinds) == {"answer", "no_answer"}
    assert set(found.ratings) == {"helpful", "unhelpful"}


def test_the_same_seed_makes_the_same_petitions(services: Services) -> None:
    def told(seed: int) -> list[tuple[object, ...]]:
        play(services, seed=seed, count=25, days=30)
        with services.sessions() as session:
            rows = session.scalars(select(Petition).order_by(Petition.id))
            found = [(row.number, row.matter, row.state, row.unit, row.filed_at, row.event_count) for row in rows]
        demo.remove(services)
        return found

    first = told(5)
    assert told(5) == first
    assert told(6) != first


def test_it_wants_a_database_of_its_own_and_takes_nothing_real_away(services: Services, engine: Engine) -> None:
    with pytest.raises(CommandError, match="no demonstration"):
        demo.remove(services)
    play(services, seed=1, count=5, days=10)
    with pytest.raises(CommandError, match="holds petitions already"):
        play(services, seed=1, count=5, days=10)
    with Session(engine) as session:
        file_case(session, now=NOW)
        session.commit()
    with pytest.raises(CommandError, match="1 petitions in the database are no demonstration"):
        demo.remove(services)


def test_somebody_of_every_role_gets_in_and_only_there(services: Services, engine: Engine) -> None:
    with pytest.raises(CommandError, match="no demonstration"):
        demo.add_accounts(services, now=NOW)
    assert not services.holds_demo()
    play(services, seed=1, count=5, days=10)
    assert services.holds_demo()
    made = demo.add_accounts(services, now=NOW)
    assert [role for _, role, _, _ in made] == list(PERSONS)
    with services.sessions() as session:
        for name, role, unit, password in made:
            member = find_staff(session, name)
            assert name.startswith("演示")
            assert (member.role, member.unit, member.must_change) == (role, unit, False)
            assert is_password(member, password)
    with Session(engine) as session:
        file_case(session, now=NOW)
        session.commit()
    with pytest.raises(CommandError, match="1 petitions in the database are no demonstration"):
        demo.add_accounts(services, now=NOW)


def test_communities_get_their_share(services: Services) -> None:
    play(services, seed=3, count=60, days=10)
    with services.sessions() as session:
        levels = dict.fromkeys(("1", "6", "N"), 0)
        for petition in session.scalars(select(Petition)):
            levels[petition.route["level"]] += 1
    assert levels["N"] > levels["6"] > levels["1"]


def test_removing_it_leaves_an_empty_database(services: Services) -> None:
    play(services, seed=1, count=5, days=10)
    demo.remove(services)
    assert current(services.engine) == newest()
    with services.sessions() as session:
        assert not session.scalars(select(Petition)).all()
        assert not list_entries(session)


def test_nothing_is_sent_to_anybody(database_url: str, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, database_url=database_url, notify_url="http://127.0.0.1:9/x")
    with pytest.raises(CommandError, match="NOTIFY_URL"):
        play(Services(settings), seed=1, count=5, days=10)
