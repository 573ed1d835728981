"""Personal data are sealed, found, masked, seen with a reason, kept for their time, exported and erased with proof."""

import os
import re
import signal
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from petitions.errors import PetitionError
from petitions.filing import file_petition
from petitions.intake import Draft
from petitions.log import PETITIONER, SYSTEM, verify
from petitions.model import Event, EventPrivate, Personal, Petition
from petitions.privacy import (
    Keyring,
    check_proof,
    erase_person,
    export_person,
    find_by_personal,
    keys_in_use,
    masked,
    own_privacy,
    purge,
    reseal,
    unmask,
    unseal,
)
from petitions.rules import own_rules
from storage import begin_writing
from suqiutong.database import make_engine
from tests.integration.cases import (
    DISTRICT,
    HALL,
    KEYRING,
    NOW,
    OTHER_STATION,
    STATION,
    actions,
    person,
    route,
    step,
)
from tests.integration.test_at_once import at_once

ID_NUMBER = "11010519491231002X"
DRAFT = Draft(
    matter=f"我叫王小红，身份证{ID_NUMBER}，楼下垃圾没人清",
    place="碧眼社区光明大街12号3栋502",
    occurred="昨晚",
    name="王小红",
    phone="138 0013 8000",
)
HANDLER = person("handler", STATION)
HEAD = person("supervisor", STATION)
NEW_KEYS = Keyring("k2", {"k1": b"1" * 32, "k2": b"2" * 32})
REASON = "核实地址后上门"


def file(session: Session, key: str = "form-1", draft: Draft = DRAFT) -> Petition:
    filed = file_petition(
        session,
        draft,
        route(),
        form_key=key,
        conversation=f"conversation-{key}",
        channel="chat",
        secret=b"0" * 32,
        keyring=KEYRING,
        now=NOW,
    )
    return session.scalars(select(Petition).where(Petition.number == filed.number)).one()


def test_nothing_personal_stands_in_the_database(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file(session)
        session.commit()
        assert petition.matter == "我叫〔姓名〕，身份证〔证件号〕，楼下垃圾没人清"
        assert petition.place == "碧眼社区光明大街〔门牌〕"
        assert petition.occurred == "昨晚"
        assert masked(KEYRING, petition.petitioner) == {
            "name": "王**",
            "phone": "138****8000",
            "id_number": "110****2X",
        }
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT * FROM petition, petitioner, personal, event")).all()
        kept = str(tables)
    # Sealed and hashed words have any digits in them, between other signs.
    words = ("王小红", "0013 8000", ID_NUMBER, "502")
    assert not [word for word in words if re.search(f"(?<![0-9A-Za-z+/=_-]){word}(?![0-9A-Za-z+/=_-])", kept)]


def test_an_unmasking_needs_a_reason_and_a_right_and_is_written_down(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file(session)
        values = unmask(session, KEYRING, petition.id, ["phone", "place"], reason=REASON, actor=HANDLER, now=NOW)
        session.commit()
        assert values == {"phone": "138 0013 8000", "place": DRAFT.place}
        told = petition.events[-1]
        assert (told.action, told.actor, told.data["kinds"], told.reason) == (
            "unmask", HANDLER.name, ["phone", "place"], REASON,
        )  # fmt: skip
        assert verify(session).holds


@pytest.mark.parametrize(
    ("actor", "reason", "code"),
    [
        (HANDLER, " 看 ", "reason_needed"),
        (person("handler", OTHER_STATION), REASON, "not_permitted"),
        (person("editor", STATION), REASON, "not_permitted"),
        (PETITIONER, REASON, "not_permitted"),
        (SYSTEM, REASON, "not_permitted"),
    ],
)
def test_an_unmasking_is_refused_and_leaves_no_event(engine: Engine, actor, reason, code) -> None:
    with Session(engine) as session:
        petition = file(session)
        with pytest.raises(PetitionError) as refused:
            unmask(session, KEYRING, petition.id, ["phone"], reason=reason, actor=actor, now=NOW)
        assert refused.value.code == code
        assert actions(session, petition) == ["file"]


def test_those_above_may_look_too_and_what_is_unknown_is_not_there(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file(session)
        for unit in (HALL, DISTRICT):
            actor = person("operator", unit)
            assert unmask(session, KEYRING, petition.id, ["name", "email"], reason=REASON, actor=actor, now=NOW) == {
                "name": "王小红"
            }
        with pytest.raises(PetitionError) as refused:
            unmask(session, KEYRING, 99, ["name"], reason=REASON, actor=HANDLER, now=NOW)
        assert refused.value.code == "not_found"


def test_many_who_look_at_once_are_all_written_down(engine: Engine) -> None:
    with Session(engine) as session:
        petition_id = file(session).id
        session.commit()

    def look(_index: int) -> str:
        with Session(engine) as session:
            values = unmask(session, KEYRING, petition_id, ["name"], reason=REASON, actor=HANDLER, now=NOW)
            session.commit()
            return values["name"]

    assert at_once(6, look) == ["王小红"] * 6
    with Session(engine) as session:
        assert actions(session, session.get_one(Petition, petition_id)).count("unmask") == 6
        assert verify(session).holds


@pytest.mark.parametrize(
    ("kind", "value"), [("phone", "+86 138-0013-8000"), ("name", "王小红"), ("id_number", ID_NUMBER.lower())]
)
def test_petitions_are_found_by_what_is_personal_under_every_key(engine: Engine, kind: str, value: str) -> None:
    with Session(engine) as session:
        petition = file(session)
        file(session, "form-2", replace(DRAFT, matter="路灯坏了", name="李四", phone="13900139000"))
        assert find_by_personal(session, KEYRING, kind, value, HANDLER) == [petition]
        # Not sealed anew yet, and half of it.
        assert find_by_personal(session, NEW_KEYS, kind, value, HANDLER) == [petition]
        reseal(session, NEW_KEYS, limit=3)
        assert find_by_personal(session, NEW_KEYS, kind, value, HANDLER) == [petition]
        assert find_by_personal(session, KEYRING, kind, "x", HANDLER) == []


def test_what_was_moved_changed_or_has_lost_its_key_does_not_open(engine: Engine) -> None:
    with Session(engine) as session:
        one, other = file(session), file(session, "form-2", replace(DRAFT, phone="13900139000"))
        rows = [next(row for row in found.petitioner.personal if row.kind == "phone") for found in (one, other)]
        rows[0].sealed = rows[1].sealed
        for keyring, code in ((KEYRING, "damaged"), (Keyring("k2", {"k2": b"2" * 32}), "key_missing")):
            with pytest.raises(PetitionError) as refused:
                unmask(session, keyring, one.id, ["phone"], reason=REASON, actor=HANDLER, now=NOW)
            assert refused.value.code == code


def test_keys_do_not_stand_in_what_is_printed() -> None:
    assert "1111" not in repr(KEYRING)


def test_keys_are_changed_in_pieces_and_back(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file(session)
        count = len(petition.petitioner.personal)
        assert [reseal(session, NEW_KEYS, limit=count - 1) for _ in range(3)] == [count - 1, 1, 0]
        assert keys_in_use(session) == {"k2"}
        session.expire_all()
        only_new = Keyring("k2", {"k2": b"2" * 32})
        assert unmask(session, only_new, petition.id, ["matter"], reason=REASON, actor=HANDLER, now=NOW) == {
            "matter": DRAFT.matter
        }
        assert unseal(session, NEW_KEYS) == count
        session.expire_all()
        assert (petition.matter, petition.place) == (DRAFT.matter, DRAFT.place)
        assert keys_in_use(session) == set()
        assert reseal(session, KEYRING) == count
        session.expire_all()
        assert petition.matter == "我叫〔姓名〕，身份证〔证件号〕，楼下垃圾没人清"
        assert masked(KEYRING, petition.petitioner)["phone"] == "138****8000"


def test_killed_while_keys_change_all_can_still_be_read(engine: Engine) -> None:
    with Session(engine) as session:
        for number in range(4):
            file(session, f"form-{number}")
        session.commit()
    runs = 0
    while reseal_and_die(engine, 1):
        runs += 1
    assert runs > 4
    with Session(engine) as session:
        assert keys_in_use(session) == {"k2"}
        for petition in session.scalars(select(Petition)):
            assert masked(NEW_KEYS, petition.petitioner)["name"] == "王**"


def reseal_and_die(engine: Engine, after: int) -> bool:
    """Change the keys in pieces in a process that is killed before its n-th commit; whether it was killed."""
    engine.dispose()
    child = os.fork()
    if child == 0:
        own = make_engine(engine.url.render_as_string(hide_password=False))
        pieces = 0
        try:
            while True:
                with Session(own) as session:
                    if not reseal(session, NEW_KEYS, limit=3):
                        os._exit(0)
                    if pieces == after:
                        os.kill(os.getpid(), signal.SIGKILL)
                    session.commit()
                    pieces += 1
        except BaseException:  # noqa: BLE001 - a child must never return into the tests
            os._exit(1)
    _, status = os.waitpid(child, 0)
    with Session(engine) as session:
        for row in session.scalars(select(Personal)):
            assert NEW_KEYS.open(row.key_id, row.sealed, f"{row.petitioner.token}:{row.kind}")
    return os.WIFSIGNALED(status)


def closed(session: Session, key: str = "form-1") -> Petition:
    """A petition that its petitioner withdrew, with words in its events."""
    petition = file(session, key)
    step(session, petition, "withdraw", reason="王小红不想反映了")
    return petition


def test_one_person_gets_all_that_is_kept_of_them(engine: Engine) -> None:
    with Session(engine) as session:
        petition = closed(session)
        content = export_person(session, KEYRING, [petition.id], reason=REASON, actor=PETITIONER, now=NOW)
        (exported,) = content["petitions"]
        assert exported["number"] == petition.number
        said = {"matter": DRAFT.matter, "place": DRAFT.place, "occurred": "昨晚", "phone": DRAFT.phone}
        assert exported["said"] == said | {"name": "王小红", "id_number": ID_NUMBER}
        assert [event["step"] for event in exported["events"]] == ["登记", "撤回诉求"]
        assert exported["events"][1]["words"] == {"reason": "王小红不想反映了"}
        assert actions(session, petition) == ["file", "withdraw", "export"]
        with pytest.raises(PetitionError) as refused:
            export_person(session, KEYRING, [petition.id], reason=REASON, actor=HANDLER, now=NOW)
        assert refused.value.code == "not_permitted"


def test_an_erasure_leaves_nothing_and_proves_it(engine: Engine) -> None:
    with Session(engine) as session:
        petition, other = closed(session), file(session, "form-2")
        erased = erase_person(session, KEYRING, [petition.id], reason="本人要求删除", actor=HEAD, now=NOW)
        session.commit()
        begin_writing(session)
        assert erased.conversations == ("conversation-form-1",)
        assert check_proof(session, KEYRING, erased.proof) == []
        assert {name: getattr(petition, name) for name in ("matter", "place", "occurred")} == dict.fromkeys(
            ("matter", "place", "occurred"), own_privacy().erased
        )
        assert petition.petitioner.personal == []
        assert petition.petitioner.erased_at == NOW
        assert verify(session).holds
        assert find_by_personal(session, KEYRING, "phone", str(DRAFT.phone), SYSTEM) == [other]
        assert (
            session.scalar(
                select(func.count()).select_from(EventPrivate).join(Event).where(Event.petition_id == petition.id)
            )
            == 1
        )  # why it was erased
        again = erase_person(session, KEYRING, [petition.id], reason="本人要求删除", actor=HEAD, now=NOW)
        assert check_proof(session, KEYRING, again.proof) == []


def test_a_proof_that_does_not_hold_says_where(engine: Engine) -> None:
    with Session(engine) as session:
        petition = closed(session)
        proof = erase_person(session, KEYRING, [petition.id], reason="本人要求删除", actor=HEAD, now=NOW).proof
        assert check_proof(session, KEYRING, proof | {"actor": "x"}) == ["signature"]
        petition.matter = "王小红的垃圾"
        session.add(Personal(petitioner_id=petition.petitioner_id, kind="name", key_id="", sealed="王小红"))
        event = petition.events[0]
        session.add(EventPrivate(event_id=event.id, salt="x", payload={"reason": "x"}))
        session.flush()
        session.expire_all()
        assert check_proof(session, KEYRING, proof) == [
            f"{petition.number}: {fault}" for fault in ("personal", "text", "words")
        ]


def test_what_is_still_worked_on_is_not_erased(engine: Engine) -> None:
    with Session(engine) as session:
        done, running = closed(session), file(session, "form-2")
        with pytest.raises(PetitionError) as refused:
            erase_person(session, KEYRING, [done.id, running.id], reason="本人要求删除", actor=PETITIONER, now=NOW)
        assert refused.value.code == "still_open"
        assert refused.value.fields["numbers"] == running.number
        assert len(done.petitioner.personal) == 5


def test_each_kind_is_kept_for_its_time(engine: Engine) -> None:
    days = own_privacy().retention
    with Session(engine) as session:
        petition, running = closed(session), file(session, "form-2")
        assert purge(session, now=NOW + timedelta(days=days["id_number"] - 1)) == 0
        assert purge(session, now=NOW + timedelta(days=days["id_number"])) == 1
        session.commit()
        begin_writing(session)
        assert {row.kind for row in petition.petitioner.personal} == {"name", "phone", "matter", "place"}
        assert purge(session, now=NOW + timedelta(days=days["id_number"])) == 0
        assert purge(session, now=NOW + timedelta(days=days["phone"])) == 1
        session.commit()
        begin_writing(session)
        assert petition.petitioner.personal == []
        assert session.scalar(select(func.count()).select_from(EventPrivate)) == 3
        assert purge(session, now=NOW + timedelta(days=days["words"])) == 1
        session.commit()
        begin_writing(session)
        assert purge(session, now=NOW + timedelta(days=9999)) == 0
        assert actions(session, petition) == ["file", "withdraw", "erase", "erase", "erase"]
        assert len(running.petitioner.personal) == 5
        assert verify(session).holds


def test_an_old_database_is_sealed_after_its_upgrade(engine: Engine) -> None:
    with Session(engine) as session:
        petition = file(session)
        unseal(session, KEYRING)
        session.expire_all()
        # As it was before there were keys, also what holds nothing personal.
        session.add(Personal(petitioner_id=petition.petitioner_id, kind="occurred", key_id="", sealed="昨晚"))
        session.flush()
        reseal(session, KEYRING)
        session.expire_all()
        assert sorted(row.kind for row in petition.petitioner.personal) == [
            "id_number",
            "matter",
            "name",
            "phone",
            "place",
        ]
        assert "502" not in str(petition.place)


def test_the_actions_of_the_log_have_a_word() -> None:
    assert {"unmask", "export", "erase"} <= set(own_rules().lifecycle.labels)
