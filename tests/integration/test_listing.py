"""A page of petitions by whatever may be wanted, in order, without reading the others."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, delete, event
from sqlalchemy.orm import Session

from petitions.cases import running_clocks
from petitions.errors import PetitionError
from petitions.listing import ALL, Wanted, count_by_state, list_petitions
from petitions.model import PetitionText
from petitions.search import find_by_each, find_by_words, write_missing_texts
from tests.integration.cases import DISTRICT, HALL, NOW, OTHER_STATION, STATION, file_case, person, route, step

TOP = person("supervisor", DISTRICT)
HANDLER = person("handler", STATION)


def numbers(session: Session, wanted: Wanted = ALL, limit: int = 50) -> list[int]:
    """The ids of all pages, which are in order and whole."""
    found, after = [], None
    while True:
        page = list_petitions(session, TOP, wanted, now=NOW, after=after, limit=limit)
        found += [petition.id for petition in page.petitions]
        if page.next is None:
            return found
        assert len(page.petitions) == limit
        after = page.next


def test_each_wish_leaves_out_the_others(engine: Engine) -> None:
    with Session(engine) as session:
        plain = file_case(session, "plain")
        urgent = file_case(session, "urgent", where=route(HALL, class_="求助", priority="urgent"))
        taken = file_case(session, "taken", where=route(OTHER_STATION))
        step(session, taken, "accept", person("handler", OTHER_STATION))
        ended = file_case(session, "ended")
        step(session, ended, "withdraw")
        moved = file_case(session, "moved", where=route(DISTRICT))
        step(session, moved, "transfer", TOP, unit=STATION, reason="属地")
        moved.community, moved.topic = "白花", "环境保护"
        for wanted, found in (
            (Wanted(), [moved, ended, taken, urgent, plain]),
            (Wanted(state="received"), [urgent, plain]),
            (Wanted(state="open"), [moved, taken, urgent, plain]),
            (Wanted(is_open=True), [moved, taken, urgent, plain]),
            (Wanted(is_open=False), [ended]),
            (Wanted(units=(STATION,)), [ended, plain]),
            (Wanted(units=(HALL,)), [urgent]),
            (Wanted(units=(HALL,), with_below=True), [ended, taken, urgent, plain]),
            (Wanted(units=(HALL,), with_below=True, state="unaccepted"), [urgent, plain]),
            (Wanted(units=(HALL,), with_below=True, is_open=True), [taken, urgent, plain]),
            (Wanted(offered_to=STATION), [moved]),
            (Wanted(first="环境保护"), [moved]),
            (Wanted(first="城乡建设", community="碧眼"), [ended, taken, urgent, plain]),
            (Wanted(community="白花"), [moved]),
            (Wanted(class_="求助"), [urgent]),
            (Wanted(priority="urgent"), [urgent]),
            (Wanted(search="垃圾", state="withdrawn"), [ended]),
            (Wanted(search="垃圾", due_before=NOW + timedelta(minutes=40)), [urgent]),
        ):
            for limit in (1, 2, 50):
                assert numbers(session, wanted, limit) == [petition.id for petition in found], wanted


def test_what_is_due_first_comes_first(engine: Engine) -> None:
    with Session(engine) as session:
        late = file_case(session, "late", now=NOW + timedelta(hours=3))
        early = file_case(session, "early")
        same = file_case(session, "same")
        paused = file_case(session, "paused")
        step(session, paused, "accept", HANDLER)
        step(session, paused, "ask_material", HANDLER, reason="请补充")
        wanted = Wanted(due_before=NOW + timedelta(days=1))
        for limit in (1, 2, 50):
            assert numbers(session, wanted, limit) == [early.id, same.id, late.id]
        assert numbers(session, Wanted(due_before=NOW + timedelta(hours=2))) == []
        assert paused.due_at is None
        step(session, paused, "resume", HANDLER)
        assert paused.due_at == min(clock.due_at for clock in running_clocks(paused) if not clock.is_window)


def test_words_are_found_in_matter_place_and_number(engine: Engine) -> None:
    with Session(engine) as session:
        first, second = file_case(session, "one"), file_case(session, "two")
        for text in (
            "垃圾",
            "没人清",
            "楼下垃圾三天没人清",
            "清",
            "碧眼社区",
            "垃圾 碧眼",
            "樓下垃圾",
            " 垃圾，",
            str(first.number),
        ):
            found = numbers(session, Wanted(search=text), 1)
            assert found == ([first.id] if text == first.number else [second.id, first.id]), text
        for text in ("圾垃", "垃圾 路灯", "138", "陈", '"', "垃圾*x", "，。"):
            assert numbers(session, Wanted(search=text)) == [], text


def test_a_search_goes_on_until_the_page_is_full(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("petitions.listing._FIRST_ROUND", 2)
    with Session(engine) as session:
        ids = [file_case(session, f"form-{i}", where=route(STATION if i < 3 else HALL)).id for i in range(12)]
        assert numbers(session, Wanted(search="垃圾", units=(STATION,))) == ids[2::-1]
        assert numbers(session, Wanted(search="垃圾"), 5) == ids[::-1]


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(search="垃圾"), Wanted(due_before=NOW)])
@pytest.mark.parametrize("after", ["", "x", "1_2", "2026-03-02_1", "-1", "2026-03-02T02:00:00_1", "9" * 19])
def test_a_page_that_was_never_given_is_refused(engine: Engine, wanted: Wanted, after: str) -> None:
    with Session(engine) as session, pytest.raises(PetitionError) as refused:
        list_petitions(session, TOP, wanted, now=NOW, after=after)
    assert refused.value.code == "no_such_page"


def test_counts_are_of_all_or_of_a_unit(engine: Engine) -> None:
    with Session(engine) as session:
        for key, unit in (("a", STATION), ("b", HALL), ("c", DISTRICT)):
            file_case(session, key, where=route(unit))
        step(session, file_case(session, "d"), "withdraw")
        assert count_by_state(session, TOP, now=NOW) == {"received": 3, "withdrawn": 1}
        assert count_by_state(session, TOP, now=NOW, most=1) == {"received": 3, "withdrawn": 1}
        assert count_by_state(session, TOP, now=NOW, most=0) == {"received": 3}
        assert count_by_state(session, TOP, Wanted(units=(HALL,)), now=NOW) == {"received": 1}
        assert count_by_state(session, TOP, Wanted(units=(HALL,), with_below=True), now=NOW) == {
            "received": 2,
            "withdrawn": 1,
        }


def test_what_was_filed_before_there_were_words_gets_them(engine: Engine) -> None:
    with Session(engine) as session:
        number = file_case(session).id
        session.execute(delete(PetitionText))
        session.commit()
    for written in (1, 0):
        with Session(engine) as session:
            assert write_missing_texts(session) == written
            session.commit()
    with Session(engine) as session:
        assert numbers(session, Wanted(search="垃圾")) == [number]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(state="received"), "ix_petition_state"),
        (Wanted(units=(STATION,)), "ix_petition_unit"),
        (Wanted(units=(STATION,), state="received"), "ix_petition_unit"),
        (Wanted(units=(HALL,), with_below=True), "ix_petition_unit"),
        (Wanted(first="城乡建设"), "ix_petition_topic"),
        (Wanted(community="碧眼"), "ix_petition_community"),
        (Wanted(class_="求助"), "ix_petition_class"),
        (Wanted(priority="urgent"), "ix_petition_priority"),
        (Wanted(due_before=NOW), "ix_petition_due_at"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_page_is_read_from_an_index_in_its_order(engine: Engine, wanted: Wanted, index: str) -> None:
    plans = plans_of(engine, lambda session: list_petitions(session, TOP, wanted, now=NOW))
    assert any(index in plan for plan in plans), plans
    # The last step of merging puts a page of ids in order, never more.
    assert all("TEMP B-TREE FOR ORDER BY" not in plan or "COMPOUND" in plan or "MERGE" in plan for plan in plans), plans


def test_words_are_read_from_their_index_in_order(engine: Engine) -> None:
    *_, plan = plans_of(engine, lambda session: find_by_each(session, ["垃圾"], limit=50))
    assert "VIRTUAL TABLE" in plan or "ix_petition_text_words" in plan
    assert "TEMP B-TREE" not in plan


def test_what_many_petitions_say_is_read_newest_first(engine: Engine) -> None:
    *_, plan = plans_of(engine, lambda session: find_by_words(session, ["垃圾"], limit=50))
    assert "VIRTUAL TABLE" in plan or "pk_petition_text" in plan
    assert "TEMP B-TREE" not in plan
    assert "ix_petition_text_words" not in plan


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 9])
def test_older_petitions_are_found_beyond_those_that_are_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr("petitions.search._READ_FOR_EACH", 2)
    with Session(engine) as session:
        said = ["垃圾", "路灯", "路灯", "垃圾", "路灯", "路灯", "路灯", "垃圾", "路灯"]
        filed = [file_case(session, f"form-{place}", matter=matter) for place, matter in enumerate(said)]
        wanted = [one.id for one, matter in zip(filed, said, strict=True) if matter == "垃圾"][::-1]
        assert find_by_words(session, ["垃圾"], limit=limit) == wanted[:limit]
        before = wanted[0]
        assert find_by_words(session, ["垃圾"], before_id=before, limit=limit) == wanted[1:][:limit]


def plans_of(engine: Engine, work) -> list[str]:
    """How the database would find what each statement asks for."""
    statements: list[tuple[str, object]] = []
    with Session(engine) as session:
        file_case(session)
        session.commit()

        def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
            statements.append((statement, parameters))

        event.listen(engine, "before_cursor_execute", note)
        work(session)
        event.remove(engine, "before_cursor_execute", note)
        connection = session.connection()
        is_sqlite = engine.dialect.name == "sqlite"
        if not is_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return [
            str(connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{one}", values).all())
            for one, values in statements
            if one.startswith("SELECT")
        ]
