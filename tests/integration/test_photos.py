"""Photos wait for their petition, go along with it once, stay sealed, and go with all else that is personal."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session

from petitions.errors import PetitionError
from petitions.filing import file_petition
from petitions.images import Picture, own_photos, redraw
from petitions.intake import Draft
from petitions.listing import list_petitions
from petitions.log import PETITIONER, SYSTEM, verify
from petitions.model import Petition
from petitions.photo_model import Photo
from petitions.photos import (
    add_photo,
    drop_photo,
    drop_photos_of,
    expect_photo,
    fill_photo,
    open_photo,
    photos_of,
    previews,
    purge_photos,
    waiting_photos,
)
from petitions.privacy import (
    Keyring,
    check_proof,
    erase_person,
    export_person,
    keys_in_use,
    own_privacy,
    purge,
    reseal,
)
from storage import begin_writing
from suqiutong.database import make_engine
from tests.integration.cases import (
    HALL,
    KEYRING,
    NOW,
    OTHER_STATION,
    STATION,
    file_case,
    person,
    route,
    run_and_kill,
    step,
)
from tests.integration.test_at_once import at_once
from tests.photos import photo

OWNER = "conversation-1"
NEW_KEYS = Keyring("k2", {"k1": b"1" * 32, "k2": b"2" * 32})
HANDLER = replace(person("handler", STATION), is_confined=True)
COLOURS = ("teal", "navy", "olive", "maroon")
PICTURES = [redraw(photo(colour)) for colour in COLOURS]
LATER = NOW + timedelta(days=1)


def give(engine: Engine, picture: Picture, owner: str = OWNER) -> bool:
    with Session(engine) as session:
        is_new = add_photo(session, KEYRING, owner, picture, now=NOW)
        session.commit()
        return is_new


def file(session: Session, key: str = "form-1", owner: str | None = OWNER, **fields: object) -> Petition:
    filed = file_petition(
        session,
        Draft(matter="楼下垃圾三天没人清", place="碧眼社区", name="陈", phone="13800138000"),
        fields.get("where") or route(),
        form_key=key,
        conversation=OWNER,
        channel="chat",
        secret=b"0" * 32,
        keyring=KEYRING,
        now=NOW,
        photos_of=owner,
    )
    return session.scalars(select(Petition).where(Petition.number == filed.number)).one()


def filed_with_photos(engine: Engine, count: int = 2, **fields: object) -> str:
    for picture in PICTURES[:count]:
        give(engine, picture)
    with Session(engine) as session:
        number = str(file(session, **fields).number)
        session.commit()
    return number


def test_photos_go_along_with_the_petition_of_their_conversation_once(engine: Engine) -> None:
    give(engine, PICTURES[3], "another")
    number = filed_with_photos(engine)
    with Session(engine) as session:
        again = file(session)
        assert again.number == number
        assert [(shown.position, shown.width) for shown in photos_of(session, number, HANDLER)] == [(1, 64), (2, 64)]
        assert open_photo(session, KEYRING, number, 2, HANDLER) == PICTURES[1].large
        assert open_photo(session, KEYRING, number, 1, HANDLER, size="small") == PICTURES[0].small
        assert (waiting_photos(session, OWNER), waiting_photos(session, "another")) == (0, 1)
        # Another petition of the same conversation has none of them, and one that is filed without looks at nobody's.
        session.commit()
        give(engine, PICTURES[2])
        assert photos_of(session, str(file(session, "form-2", owner=None).number), HANDLER) == []
        assert waiting_photos(session, OWNER) == 1


def test_the_same_photo_is_one_and_no_more_are_taken_than_may_be(engine: Engine) -> None:
    assert [give(engine, PICTURES[0]) for _ in range(2)] == [True, False]
    assert give(engine, PICTURES[0], "another")
    for picture in PICTURES[1:3]:
        give(engine, picture)
    with pytest.raises(PetitionError) as refused:
        give(engine, PICTURES[3])
    assert refused.value.code == "too_many_photos"
    # One that is there is no further one, also when there is no room.
    assert not give(engine, PICTURES[2])


def test_many_at_once_are_neither_double_nor_too_many(engine: Engine) -> None:
    assert sorted(map(str, at_once(4, lambda _index: give(engine, PICTURES[0])))) == ["False", "False", "False", "True"]
    results = at_once(4, lambda index: give(engine, redraw(photo("white", size=(20 + index, 20)))))
    refused = [result for result in results if isinstance(result, PetitionError)]
    assert [error.code for error in refused] == ["too_many_photos"] * 2
    with Session(engine) as session:
        assert waiting_photos(session, OWNER) == own_photos().most


def test_a_process_killed_while_it_files_leaves_all_or_nothing(database_url: str, engine: Engine) -> None:
    for picture in PICTURES[:2]:
        give(engine, picture)
    engine.dispose()

    def work(_count: object) -> None:
        with Session(make_engine(database_url)) as session:
            file(session)
            session.commit()

    statements = 0
    is_done = False
    while not is_done:
        is_done = run_and_kill(work, statements)
        statements += 3
        with Session(engine) as session:
            number = session.scalar(select(Petition.number))
            waiting = waiting_photos(session, OWNER)
            taken = len(photos_of(session, str(number), HANDLER))
        assert (waiting, taken) == ((0, 2) if number else (2, 0))
        is_done = is_done or number is not None
        engine.dispose()
    assert (waiting, taken) == (0, 2)


def test_a_photo_given_while_the_petition_is_filed_is_taken_or_waits(engine: Engine) -> None:
    give(engine, PICTURES[0])

    def do(index: int) -> object:
        if index:
            return give(engine, PICTURES[index])
        with Session(engine) as session:
            number = file(session).number
            session.commit()
            return number

    number, *_ = at_once(3, do)
    with Session(engine) as session:
        assert len(photos_of(session, str(number), SYSTEM)) + waiting_photos(session, OWNER) == 3


def test_nothing_of_a_photo_stands_in_the_database_and_it_opens_at_its_place_alone(engine: Engine) -> None:
    number = filed_with_photos(engine)
    with Session(engine) as session:
        begin_writing(session)
        rows = session.execute(text("SELECT * FROM photo ORDER BY position")).mappings().all()
        assert b"JFIF" not in b"".join(bytes(row["large"]) + bytes(row["small"]) for row in rows)
        begin = bytes(rows[0]["large"])
        session.execute(text("UPDATE photo SET large = :content WHERE position = 2").bindparams(content=begin))
        with pytest.raises(PetitionError) as moved:
            open_photo(session, KEYRING, number, 2, HANDLER)
        assert moved.value.code == "damaged"


def test_lists_and_the_names_of_photos_do_not_load_them(engine: Engine) -> None:
    number = filed_with_photos(engine)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    with Session(engine) as session:
        list_petitions(session, SYSTEM, now=NOW, limit=10)
        photos_of(session, number, HANDLER)
        waiting_photos(session, OWNER)
    assert statements
    assert not [line for line in statements if "photo.small" in line or "photo.large" in line]


def test_who_may_not_see_the_ticket_has_no_photo_of_it(engine: Engine) -> None:
    number = filed_with_photos(engine, where=replace(route(HALL), is_restricted=True))
    head = replace(person("supervisor", HALL), is_confined=True)
    with Session(engine) as session:
        begin_writing(session)
        assert len(photos_of(session, number, head)) == 2
        petition = session.scalars(select(Petition)).one()
        petition.accused_unit = HALL
        session.commit()
        for actor in (head, HANDLER, replace(person("handler", OTHER_STATION), is_confined=True)):
            assert photos_of(session, number, actor) == []
            with pytest.raises(PetitionError) as refused:
                open_photo(session, KEYRING, number, 1, actor)
            assert refused.value.code == "no_such_photo"


def test_an_owner_sees_and_takes_back_their_own_alone(engine: Engine) -> None:
    give(engine, PICTURES[0])
    with Session(engine) as session:
        (mine,) = previews(session, KEYRING, OWNER)
        assert mine.small == PICTURES[0].small
        assert previews(session, KEYRING, "another") == []
        session.rollback()
        assert not drop_photo(session, mine.token, owner="another")
        assert drop_photo(session, mine.token, owner=OWNER)
        session.commit()
    number = filed_with_photos(engine)
    with Session(engine) as session:
        token = session.scalars(select(Photo.token)).first()
        session.rollback()
        assert not drop_photo(session, str(token), owner=OWNER)
        assert drop_photos_of(session, [OWNER]) == 0
        assert len(photos_of(session, number, HANDLER)) == 2


def test_what_no_petition_takes_goes_after_its_time(engine: Engine) -> None:
    number = filed_with_photos(engine)
    give(engine, PICTURES[2])
    hours = timedelta(hours=own_photos().staged_hours)
    with Session(engine) as session:
        assert purge_photos(session, now=NOW + hours - timedelta(seconds=1)) == 0
        assert purge_photos(session, now=NOW + hours) == 1
        session.commit()
        assert len(photos_of(session, number, HANDLER)) == 2


def test_a_photo_that_comes_late_finds_the_place_that_was_held_for_it(engine: Engine) -> None:
    with Session(engine) as session:
        waits, goes = (expect_photo(session, owner, expires_at=LATER, now=NOW) for owner in ("another", OWNER))
        session.commit()
        begin_writing(session)
        number = str(file(session).number)
        session.commit()
        assert [shown.width for shown in photos_of(session, number, HANDLER)] == [None]
        with pytest.raises(PetitionError):
            open_photo(session, KEYRING, number, 1, HANDLER)
        session.rollback()
        for token in (waits, goes, goes):
            assert fill_photo(session, KEYRING, token, PICTURES[0], now=NOW)
            session.commit()
            begin_writing(session)
        assert open_photo(session, KEYRING, number, 1, HANDLER) == PICTURES[0].large
        assert [one.small for one in previews(session, KEYRING, "another")] == [PICTURES[0].small]
        assert not fill_photo(session, KEYRING, "gone", PICTURES[0], now=NOW)


def test_a_late_photo_that_is_there_already_leaves_its_place(engine: Engine) -> None:
    give(engine, PICTURES[0])
    with Session(engine) as session:
        token = expect_photo(session, OWNER, expires_at=LATER, now=NOW)
        assert waiting_photos(session, OWNER) == 2
        assert fill_photo(session, KEYRING, token, PICTURES[0], now=NOW)
        assert waiting_photos(session, OWNER) == 1
        empty = expect_photo(session, OWNER, expires_at=LATER, now=NOW)
        assert drop_photo(session, empty)
        (left,) = previews(session, KEYRING, OWNER)
        assert not drop_photo(session, left.token)


def test_a_new_key_seals_photos_too_and_the_same_photo_is_still_known(engine: Engine) -> None:
    number = filed_with_photos(engine)
    give(engine, PICTURES[2])
    with Session(engine) as session:
        assert not add_photo(session, NEW_KEYS, OWNER, PICTURES[2], now=NOW)
        while reseal(session, NEW_KEYS):
            pass
        session.commit()
        assert keys_in_use(session) == {"k2"}
        only_new = Keyring("k2", {"k2": b"2" * 32})
        assert open_photo(session, only_new, number, 1, HANDLER) == PICTURES[0].large
        session.rollback()
        assert not add_photo(session, only_new, OWNER, PICTURES[2], now=NOW)


def test_an_export_holds_the_photos(engine: Engine) -> None:
    filed_with_photos(engine)
    with Session(engine) as session:
        petition_id = session.scalars(select(Petition.id)).one()
        session.rollback()
        content = export_person(session, KEYRING, [petition_id], reason="本人查阅", actor=PETITIONER, now=NOW)
        photos = content["petitions"][0]["photos"]
        assert [base64.b64decode(one["jpeg"]) for one in photos] == [picture.large for picture in PICTURES[:2]]


def test_an_erasure_takes_photos_that_wait_too_and_its_proof_misses_none(engine: Engine) -> None:
    filed_with_photos(engine)
    give(engine, PICTURES[2])
    with Session(engine) as session:
        begin_writing(session)
        petition = session.scalars(select(Petition)).one()
        step(session, petition, "withdraw")
        erased = erase_person(session, KEYRING, [petition.id], reason="本人要求删除", actor=PETITIONER, now=NOW)
        session.commit()
        assert "photo" in erased.proof["petitions"][0]["kinds"]
        assert session.scalars(select(Photo.id)).all() == []
        assert check_proof(session, KEYRING, erased.proof) == []
        session.rollback()
        begin_writing(session)
        session.add(Photo(token="x", petition_id=petition.id, position=1, added_at=NOW))
        session.flush()
        assert check_proof(session, KEYRING, erased.proof) == [f"{petition.number}: photo"]


def test_photos_are_kept_for_their_time_after_the_end(engine: Engine) -> None:
    number = filed_with_photos(engine)
    days = own_privacy().retention["photo"]
    with Session(engine) as session:
        begin_writing(session)
        petition = session.scalars(select(Petition)).one()
        step(session, petition, "withdraw")
        other = file_case(session, "form-2")
        session.commit()
        purge(session, now=NOW + timedelta(days=days - 1))
        session.commit()
        assert len(photos_of(session, number, HANDLER)) == 2
        session.rollback()
        assert purge(session, now=NOW + timedelta(days=days)) == 1
        session.commit()
        assert photos_of(session, number, HANDLER) == []
        assert petition.events[-1].data["kinds"].count("photo") == 1
        assert other.petitioner.personal
        session.rollback()
        begin_writing(session)
        assert purge(session, now=NOW + timedelta(days=days)) == 0
        assert verify(session).holds
