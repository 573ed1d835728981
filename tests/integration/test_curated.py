"""Curated entries in a database: taken in, approved, served, counted, taken back."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
import yaml
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import sessionmaker

from knowledge import KnowledgeError, curated
from knowledge.curated import CuratedEntry, CuratedVersion
from knowledge.lock import unproved_figures
from knowledge.question import Lexicon
from knowledge.serving import CuratedAnswers
from knowledge.unanswered import UnansweredQuestion
from storage import Base
from suqiutong import database
from tests.unit.knowledge.conftest import SameEncoder

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
LEXICON = Lexicon()
ROW = {
    "id": "gas",
    "variants": ["煤气公司电话", "燃气公司怎么联系"],
    "answer": "拨 0755-25199999。",
    "source": "服务电话公告",
    "source_on": date(2026, 11, 1),
    "owner": "城市建设办",
    "valid_from": date(2026, 11, 1),
    "written_by": "甲",
}
OTHER = ROW | {"id": "law", "variants": ["法律援助电话"], "answer": "拨 12348。"}


@pytest.fixture
def engine(tmp_path):
    engine = database.make_engine(f"sqlite:///{tmp_path / 'test.db'}")
    database.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine):
    return sessionmaker(engine, expire_on_commit=False)


@pytest.fixture
def session(sessions):
    with sessions() as session:
        yield session


def put(session, *rows, now=NOW):
    done = curated.import_entries(session, rows, now)
    session.commit()
    return done


def live(session, row=ROW):
    put(session, row)
    curated.approve(session, row["id"], "乙", NOW)
    session.commit()


def refusal(session, *rows):
    with pytest.raises(KnowledgeError) as caught:
        put(session, *rows)
    assert caught.value.code == "entries_invalid"
    session.rollback()
    return str(caught.value)


# Schema


def test_the_migration_makes_what_the_models_say_and_takes_it_back(engine):
    names = {model.__tablename__ for model in (CuratedEntry, CuratedVersion, UnansweredQuestion)}
    for name in names:
        made = {column["name"]: column["nullable"] for column in inspect(engine).get_columns(name)}
        assert made == {column.name: column.nullable for column in Base.metadata.tables[name].columns}
    database.downgrade(engine, "0003")
    assert not names & set(inspect(engine).get_table_names())
    database.upgrade(engine)
    assert names <= set(inspect(engine).get_table_names())


# Import


def test_importing_twice_changes_nothing(session):
    assert put(session, ROW, OTHER) == curated.Imported(2, 0, 0)
    curated.approve(session, "gas", "乙", NOW)
    session.commit()
    before = curated.stamp(session)
    assert put(session, ROW, OTHER, now=NOW + timedelta(days=1)) == curated.Imported(0, 0, 2)
    assert curated.stamp(session) == before
    assert curated.find_entry(session, "gas").state(NOW.date()) == "live"


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "拨 95000。"},
        {"variants": ["煤气公司电话"]},
        {"source": "另一份公告"},
        {"valid_until": date(2027, 1, 1)},
    ],
)
def test_what_is_changed_needs_approval_anew(session, change):
    live(session)
    assert put(session, ROW | change) == curated.Imported(0, 1, 0)
    entry = curated.find_entry(session, "gas")
    assert (entry.state(NOW.date()), entry.approved_by) == ("draft", None)
    assert curated.served_entries(session, NOW.date()) == []


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"source": " "}, "source", "没有填写"),
        ({"answer": ""}, "answer", "没有填写"),
        ({"answer": "长" * 1001}, "answer", "超过 1000 个字符"),
        ({"variants": []}, "variants", "没有填写"),
        ({"variants": None}, "variants", "没有填写"),
        ({"variants": ["？"]}, "variants", "没有填写"),
        ({"variants": "煤气公司电话"}, "variants", "要写成列表"),
        ({"variants": ["煤气公司电话", "煤氣公司電話？"]}, "variants", "写了两次"),
        ({"variants": ["问" * 101]}, "variants", "超过 100 个字符"),
        ({"owner": None}, "owner", "没有填写"),
        ({"written_by": None}, "written_by", "没有填写"),
        ({"source_on": None}, "source_on", "没有填写"),
        ({"valid_from": "明天"}, "valid_from", "日期"),
        ({"valid_until": date(2026, 10, 31)}, "valid_until", "早于 valid_from"),
        ({"source": "〔2020〕53号文"}, "source", "2020 53"),
        ({"valid_untill": date(2027, 1, 1)}, "valid_untill", "没有这个字段"),
        ({"id": "煤气"}, "id", "小写字母"),
    ],
)
def test_a_wrong_entry_is_named_with_its_field(session, change, field, sentence):
    row = ROW | change
    message = refusal(session, OTHER, row)
    assert f"{row['id']}：{field}：" in message
    assert sentence in message
    assert curated.list_entries(session) == []


def test_all_that_is_wrong_is_said_at_once(session):
    message = refusal(session, ROW | {"answer": ""}, "no entry", ROW)
    assert message.startswith("3 处不对")
    assert "第2条：entries：" in message
    assert "gas：id：文件里出现了两次" in message


def test_a_variant_belongs_to_one_entry_that_is_not_over(session):
    assert "条目 gas 重复" in refusal(session, ROW, OTHER | {"variants": ["煤氣公司，電話"]})
    put(session, ROW | {"valid_until": date(2026, 11, 30)})
    same = OTHER | {"variants": ROW["variants"]}
    assert "条目 gas 重复" in refusal(session, same)
    put(session, same, now=NOW + timedelta(days=30))
    assert "条目 law 重复" in refusal(session, ROW)
    curated.retire(session, "law", "乙", NOW)
    put(session, ROW)
    with pytest.raises(KnowledgeError, match="条目 gas 重复"):
        curated.revert(session, "law", 1, "乙", NOW)


def test_variants_may_be_swapped_between_entries(session):
    put(session, ROW, OTHER)
    assert put(session, ROW | {"variants": OTHER["variants"]}, OTHER | {"variants": ROW["variants"]}).changed == 2


def test_what_is_exported_is_imported_without_a_change(session):
    put(session, ROW | {"valid_until": date(2027, 1, 1), "reference": "某号文"}, OTHER)
    written = yaml.safe_dump([entry.content() for entry in curated.list_entries(session)], allow_unicode=True)
    assert put(session, *yaml.safe_load(written)) == curated.Imported(0, 0, 2)


@pytest.mark.parametrize("content", ["", "entries: 3", "- a", "entries: [", b"\xff\xfe"])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "file.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(KnowledgeError, match=r"file\.yml"):
        curated.read_entries(path)


# Approval, retirement, versions


@pytest.mark.parametrize("by", ["甲", " 甲 "])
def test_nobody_approves_their_own(session, by):
    put(session, ROW)
    with pytest.raises(KnowledgeError, match="另一个人") as caught:
        curated.approve(session, "gas", by, NOW)
    assert caught.value.code == "entry_own"


def test_what_was_changed_since_it_was_read_is_not_approved(session):
    put(session, ROW)
    put(session, ROW | {"answer": "拨 95000。"})
    with pytest.raises(KnowledgeError, match="已被别人改动"):
        curated.approve(session, "gas", "乙", NOW, version=1)
    curated.approve(session, "gas", "乙", NOW, version=2)


def test_two_at_once_do_not_both_change_an_entry(session, sessions):
    put(session, ROW)
    with sessions() as other:
        seen = curated.find_entry(other, "gas")
        curated.retire(session, "gas", "乙", NOW)
        session.commit()
        # SQLite itself may refuse to write over what was changed since it was read.
        with pytest.raises((KnowledgeError, OperationalError), match=r"已被别人改动|locked"):
            curated.approve(other, seen.id, "丙", NOW)
    session.expire_all()
    assert curated.find_entry(session, "gas").approved_by is None


def test_an_approved_or_retired_entry_is_not_approved_again(session):
    live(session)
    with pytest.raises(KnowledgeError, match="生效"):
        curated.approve(session, "gas", "丙", NOW)
    curated.retire(session, "gas", "乙", NOW)
    with pytest.raises(KnowledgeError, match="已停用"):
        curated.approve(session, "gas", "丙", NOW)
    with pytest.raises(KnowledgeError, match="已停用"):
        curated.retire(session, "gas", "乙", NOW)


def test_every_step_has_somebody(session):
    put(session, ROW)
    with pytest.raises(KnowledgeError, match="由谁"):
        curated.approve(session, "gas", " ", NOW)


def test_reverting_brings_an_old_version_back_as_a_draft(session):
    live(session)
    put(session, ROW | {"answer": "拨 95000。", "valid_until": date(2027, 1, 1)})
    entry = curated.revert(session, "gas", 1, "丙", NOW)
    session.commit()
    assert (entry.answer, entry.valid_until, entry.state(NOW.date())) == (ROW["answer"], None, "draft")
    with pytest.raises(KnowledgeError, match="另一个人"):
        curated.approve(session, "gas", "丙", NOW)
    steps = [(one.version, one.step, one.by, one.content["answer"]) for one in curated.history(session, "gas")]
    assert steps == [
        (1, "written", "甲", ROW["answer"]),
        (2, "approved", "乙", ROW["answer"]),
        (3, "written", "甲", "拨 95000。"),
        (4, "reverted", "丙", ROW["answer"]),
    ]
    with pytest.raises(KnowledgeError, match="没有第 9 版"):
        curated.revert(session, "gas", 9, "丙", NOW)
    with pytest.raises(KnowledgeError, match="nothing"):
        curated.revert(session, "nothing", 1, "丙", NOW)


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "state", "is_expiring"),
    [
        (date(2026, 11, 24), None, "live", False),
        (date(2026, 11, 25), None, "early", False),
        (date(2026, 11, 1), date(2026, 11, 24), "live", True),
        (date(2026, 11, 1), date(2026, 12, 24), "live", True),
        (date(2026, 11, 1), date(2026, 12, 25), "live", False),
        (date(2026, 11, 1), date(2026, 11, 23), "expired", False),
    ],
)
def test_only_what_is_valid_today_is_served(session, valid_from, valid_until, state, is_expiring):
    live(session, ROW | {"valid_from": valid_from, "valid_until": valid_until})
    entry, today = curated.find_entry(session, "gas"), NOW.date()
    assert (entry.state(today), entry.is_expiring(today)) == (state, is_expiring)
    assert [one.id for one in curated.served_entries(session, today)] == (["gas"] if state == "live" else [])


def test_the_day_is_that_of_shenzhen():
    assert curated.today_of(datetime(2026, 11, 23, 16, tzinfo=UTC)) == date(2026, 11, 24)


# Serving


def answers(sessions, now=NOW, encoder=None):
    return CuratedAnswers(sessions, encoder or SameEncoder(), LEXICON, lambda: now)


def test_an_answer_is_a_message_whose_figures_stand_in_its_quote(session, sessions):
    live(session)
    message = answers(sessions).answer("燃气公司的电话是多少").to_json()
    assert message == {
        "kind": "answer",
        "text": "拨 0755-25199999。\n出处：服务电话公告",
        "citations": [
            {"document": "curated:gas", "section": "服务电话公告", "quote": ROW["answer"], "start": 0, "end": 16}
        ],
        "facts": [],
        "buttons": [],
    }
    (citation,) = message["citations"]
    assert citation["quote"] == ROW["answer"][citation["start"] : citation["end"]]
    assert unproved_figures(message["text"], [citation["quote"]]) == []


def test_a_change_of_the_table_or_of_the_day_reaches_the_next_question(session, sessions):
    encoder, today = SameEncoder(), [NOW]
    served = CuratedAnswers(sessions, encoder, LEXICON, lambda: today[0])
    ask = lambda: served.answer("煤气公司电话")  # noqa: E731
    assert ask() is None
    put(session, ROW | {"valid_until": date(2026, 11, 24)})
    assert ask() is None
    curated.approve(session, "gas", "乙", NOW)
    session.commit()
    assert ask()
    today[0] = NOW + timedelta(days=1)
    assert ask() is None
    today[0] = NOW
    assert ask()
    curated.retire(session, "gas", "乙", NOW)
    session.commit()
    assert ask() is None


def test_a_change_encodes_only_what_changed(session, sessions):
    live(session)
    encoder = SameEncoder()
    served = answers(sessions, encoder=encoder)
    served.refresh()
    live(session, OTHER)
    encoder.encoded.clear()
    served.refresh()
    served.refresh()
    assert encoder.encoded == OTHER["variants"]


def test_hits_at_once_are_all_counted_and_change_no_version(session, sessions):
    live(session)
    served = answers(sessions)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: served.answer("煤气公司电话"), range(40)))
    session.expire_all()
    entry = curated.find_entry(session, "gas")
    assert (entry.hits, entry.last_hit_at, entry.version) == (40, NOW, 2)
    assert len(session.scalars(select(CuratedVersion)).all()) == 2


def test_an_answer_that_cannot_be_counted_is_still_given(session, sessions, caplog):
    live(session)
    session.execute(
        text("CREATE TRIGGER full BEFORE UPDATE ON curated_entry BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    )
    session.commit()
    with caplog.at_level(logging.WARNING):
        assert answers(sessions).answer("煤气公司电话")
    assert "curated_hit_not_counted entry=gas" in caplog.text
    assert "煤气" not in caplog.text


def test_without_its_tables_it_answers_nothing(engine, sessions, caplog):
    database.downgrade(engine, "0003")
    assert answers(sessions).answer("煤气公司电话") is None
    assert "curated_not_read" in caplog.text


def test_entries_do_not_lose_hits_by_an_import(session, sessions):
    live(session)
    answers(sessions).answer("煤气公司电话")
    put(session, ROW | {"answer": "拨 95000。"})
    assert session.scalar(select(CuratedEntry.hits)) == 1
