"""A petition is filed once, found by who may, and its tables go up and down."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, func, inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from channels.store import ChatMessage
from channels.wechat.login import WeChatLogin
from channels.wechat.media import WeChatMedia
from channels.wechat.store import WeChatInbox, WeChatOutgoing, WeChatPerson, WeChatToken
from desk.accounts import Staff
from desk.choices import AssistChoice
from desk.drafts import AssistDraft
from jurisdiction import load_jurisdiction
from knowledge.unanswered import UnansweredQuestion
from petitions.errors import PetitionError
from petitions.filing import Filed, file_petition, find_ticket, state_label, ticket_of
from petitions.intake import Draft
from petitions.model import Event, Petition, Petitioner
from petitions.privacy import masked
from petitions.triage import triage
from storage import Base, begin_writing
from suqiutong.database import downgrade, upgrade
from tests.conftest import ROOT
from tests.integration.cases import KEYRING

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SECRET = b"0123456789abcdef0123456789abcdef"
JURISDICTION = load_jurisdiction()
DRAFT = Draft(
    matter="楼下垃圾三天没人清", place="碧眼社区", community="碧眼", name="陈", phone="13800138000", is_confirmed=True
)
# Models of the other packages, whose tables the same migrations make.
OTHERS = (ChatMessage, Staff, UnansweredQuestion, AssistDraft, AssistChoice)
OTHERS += (WeChatPerson, WeChatInbox, WeChatOutgoing, WeChatToken, WeChatLogin, WeChatMedia)
OWN_TABLES = {
    "petitioner",
    "personal",
    "petition",
    "petition_text",
    "running_clock",
    "event",
    "event_private",
    "event_seal",
    "outbox_message",
    "notice",
    "photo",
}


def file(session: Session, form_key: str = "form-1", draft: Draft = DRAFT, now: datetime = NOW) -> Filed:
    return file_petition(
        session,
        draft,
        triage(draft.text, JURISDICTION),
        form_key=form_key,
        conversation="conversation-1",
        channel="web",
        secret=SECRET,
        keyring=KEYRING,
        now=now,
    )


def import_models() -> None:
    """Every table belongs to the schema once its module is imported."""
    packages = ("actions", "channels", "desk", "knowledge", "petitions", "storage", "suqiutong")
    for path in (path for package in packages for path in sorted((ROOT / package).rglob("*.py"))):
        if "(Base):" in path.read_text(encoding="utf-8"):
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def is_of_a_model(name: str | None, _kind: str, _parents: object) -> bool:
    """Whether the models know it: the full-text index of each database is the migration's alone."""
    return not (name or "").startswith("petition_words") and name not in {"ix_petition_text_words", "terms"}


def test_the_tables_are_those_of_the_models_and_go_away_again(engine: Engine) -> None:
    import_models()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_of_a_model})
        differences = compare_metadata(context, Base.metadata)
        assert differences == []
    downgrade(engine, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    upgrade(engine)
    assert set(inspect(engine).get_table_names()) >= OWN_TABLES | {model.__tablename__ for model in OTHERS}


def test_a_filed_petition_is_kept_with_its_petitioner_clocks_and_first_event(engine: Engine) -> None:
    with Session(engine) as session:
        filed = file(session)
        session.commit()
    with Session(engine) as session:
        petition = session.scalars(select(Petition)).one()
        assert (petition.number, petition.matter, petition.state) == (filed.number, "楼下垃圾三天没人清", "received")
        assert masked(KEYRING, petition.petitioner) == {"name": "**", "phone": "138****8000"}
        assert petition.filed_at == NOW
        assert petition.filed_at.tzinfo is UTC
        assert [step.state_to for step in petition.events] == ["received"]
        assert ticket_of(petition) == filed.ticket
        assert filed.ticket["unit"] == "碧眼社区群众诉求服务大厅"
        assert [due["clock"] for due in filed.ticket["due"]] == ["dispatch", "contact", "accept", "close"]
        assert filed.ticket["due"][0]["at"] == "2026-11-23T14:00:00+08:00"
        assert state_label(petition.state)


def test_the_same_form_is_filed_once_and_shows_the_same_code(engine: Engine) -> None:
    with Session(engine) as session:
        first = file(session)
        session.commit()
        again = file(session, now=NOW + timedelta(hours=1))
        session.commit()
        assert again == replace(first, is_new=False)
        assert session.scalar(select(func.count()).select_from(Petition)) == 1
        assert session.scalar(select(func.count()).select_from(Petitioner)) == 1


def test_racing_calls_file_one_petition(engine: Engine) -> None:
    barrier, results, lock = threading.Barrier(4), [], threading.Lock()

    def run() -> None:
        barrier.wait()
        with Session(engine) as session:
            filed = file(session)
            session.commit()
        with lock:
            results.append(filed)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert {(filed.number, filed.code) for filed in results} == {(results[0].number, results[0].code)}
    assert sum(filed.is_new for filed in results) == 1


def test_who_loses_the_race_after_looking_gets_the_winners_petition(engine: Engine) -> None:
    with Session(engine) as session:
        winner = file(session)
        session.commit()

    class Late(Session):
        """Sees nothing at its first look, as when the other one commits a moment later."""

        looks = 0

        def scalar(self, *args: object, **kwargs: object) -> object:
            self.looks += 1
            return None if self.looks == 1 else super().scalar(*args, **kwargs)  # type: ignore[call-overload]

    with Late(engine) as session:
        late = file(session)
        session.commit()
        assert late == replace(winner, is_new=False)
        assert session.scalar(select(func.count()).select_from(Petition)) == 1


def test_nothing_is_kept_unless_the_caller_commits(engine: Engine) -> None:
    with Session(engine) as session:
        file(session)
        session.rollback()
        assert session.scalar(select(func.count()).select_from(Petition)) == 0


def test_an_anonymous_petition_has_no_name(engine: Engine) -> None:
    with Session(engine) as session:
        file(session, draft=replace(DRAFT, is_anonymous=True))
        petitioner = session.scalars(select(Petitioner)).one()
        assert petitioner.is_anonymous
        assert petitioner.personal == []


def test_an_accusation_is_restricted(engine: Engine) -> None:
    with Session(engine) as session:
        file(session, draft=replace(DRAFT, matter="碧眼社区书记贪污集体的钱"))
        petition = session.scalars(select(Petition)).one()
        assert petition.is_restricted
        assert (petition.level, petition.office, petition.community) == ("1", None, None)


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (replace(DRAFT, matter="福田区的垃圾没人清", place=None), "not_accepted_here"),
        (Draft(place="碧眼社区"), "incomplete"),
    ],
)
def test_what_cannot_be_filed_is_refused(engine: Engine, draft: Draft, code: str) -> None:
    with Session(engine) as session, pytest.raises(PetitionError) as refused:
        file(session, draft=draft)
    assert refused.value.code == code


def test_a_ticket_is_found_only_by_who_knows_its_code(engine: Engine) -> None:
    with Session(engine) as session:
        filed, other = file(session), file(session, form_key="form-2")
        assert find_ticket(session, filed.number, filed.code, secret=SECRET).number == filed.number
        assert find_ticket(session, filed.number, filed.code.replace("-", ""), secret=SECRET).number == filed.number
        for number, code in [
            (filed.number, other.code),
            ("GM2611230999990", filed.code),
            ("x", ""),
            (filed.number, ""),
        ]:
            with pytest.raises(PetitionError) as refused:
                find_ticket(session, number, code, secret=SECRET)
            assert refused.value.code == "not_found"


def test_the_code_itself_is_nowhere_in_the_database(engine: Engine) -> None:
    with Session(engine) as session:
        filed = file(session)
        session.commit()
        row = session.execute(text("SELECT * FROM petition")).one()
        assert not any(filed.code.replace("-", "") in str(value).replace("-", "") for value in row)


def test_foreign_keys_hold(engine: Engine) -> None:
    with Session(engine) as session:
        values = {"unit": "", "category": "", "data": {}, "previous_hash": "", "hash": "", "role": "system"}
        session.add(Event(petition_id=99, number=1, at=NOW, actor="x", action="file", state_to="received", **values))
        with pytest.raises(IntegrityError):
            session.flush()


def test_two_who_change_a_petition_at_once_do_not_both_win(engine: Engine) -> None:
    with Session(engine) as session:
        file(session)
        session.commit()
    with Session(engine) as one, Session(engine, expire_on_commit=False) as two:
        theirs = two.scalars(select(Petition)).one()
        two.commit()
        begin_writing(one)
        mine = one.scalars(select(Petition)).one()
        mine.state = "accepted"
        one.commit()
        theirs.state = "returned"
        with pytest.raises(StaleDataError):
            two.commit()


def test_a_naive_time_is_refused(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Petitioner(is_anonymous=True, created_at=datetime(2026, 1, 1)))  # noqa: DTZ001 - refused
        with pytest.raises(StatementError, match="time zone"):
            session.flush()
