"""Questions that found no answer: masked, counted, grouped, closed, deleted."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker

from jurisdiction import load_jurisdiction
from knowledge import KnowledgeError, curated
from knowledge.question import Lexicon
from knowledge.unanswered import (
    RETENTION,
    TEXT_LIMIT_CHARACTERS,
    UnansweredQuestion,
    dismiss,
    group_unanswered,
    link,
    purge_unanswered,
    record_unanswered,
)
from language.vectors import SentenceEncoder
from storage import begin_writing
from suqiutong import database

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
ENTRY = {
    "id": "school",
    "variants": ["学位申请找谁"],
    "answer": "由区教育局负责。",
    "source": "分工",
    "source_on": date(2026, 11, 1),
    "owner": "党政综合办",
    "valid_from": date(2026, 11, 1),
    "written_by": "甲",
}


@pytest.fixture(scope="module")
def encoder():
    return SentenceEncoder()


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon(load_jurisdiction().place_names)


@pytest.fixture
def sessions(tmp_path):
    engine = database.make_engine(f"sqlite:///{tmp_path / 'test.db'}")
    database.upgrade(engine)
    yield sessionmaker(engine, expire_on_commit=False)
    engine.dispose()


@pytest.fixture
def session(sessions):
    with sessions() as session:
        yield session


def record(session, *texts, now=NOW):
    session.rollback()
    begin_writing(session)
    for text in texts:
        record_unanswered(session, text, kind="no_answer", channel="web", now=now)
    session.commit()


def rows(session):
    session.expire_all()
    return session.scalars(select(UnansweredQuestion).order_by(UnansweredQuestion.id)).all()


def test_what_is_kept_is_masked_and_short(session):
    record(session, "我叫李小红，电话13800138000，学位怎么申请？" + "很急" * 300)
    (kept,) = rows(session)
    assert kept.text.startswith("我叫〔姓名〕，电话〔电话〕，学位怎么申请？很急")
    assert len(kept.text) == TEXT_LIMIT_CHARACTERS
    assert (kept.kind, kept.channel, kept.state, kept.asks) == ("no_answer", "web", "open", 1)


def test_a_number_at_the_limit_is_not_half_kept(session):
    record(session, "问" * (TEXT_LIMIT_CHARACTERS - 6) + "13800138000")
    assert "1380" not in rows(session)[0].text


def test_the_same_question_is_counted(session):
    record(session, "学位怎么申请？")
    record(session, "學位怎麼申請", "学位 怎么申请！", now=NOW + timedelta(days=2))
    (kept,) = rows(session)
    assert (kept.asks, kept.first_asked_at, kept.last_asked_at) == (3, NOW, NOW + timedelta(days=2))


def test_what_differs_in_private_data_alone_is_the_same(session):
    record(session, "电话13800138000，学位怎么申请", "电话13900139000，学位怎么申请")
    assert [kept.asks for kept in rows(session)] == [2]


def test_nothing_is_no_question(session):
    record(session, "", "？！", "\u200b")
    assert rows(session) == []


def test_asked_at_once_it_is_kept_once(session, sessions):
    def ask(_):
        with sessions.begin() as own:
            record_unanswered(own, "学位怎么申请", kind="no_answer", channel="web", now=NOW)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(24)))
    assert [kept.asks for kept in rows(session)] == [24]


def test_questions_of_one_meaning_are_one_piece_of_work(session, encoder, lexicon):
    record(session, "小学学位怎么申请", "公园几点关门")
    record(session, "小学学位要怎么申请呢", "小学学位如何申请", "公园几点关门", now=NOW + timedelta(days=1))
    record(session, "小学学位怎么申请", "初中学位几号截止", "翠湖社区小学学位怎么申请", "办社保卡要带什么材料")
    work = group_unanswered(session, encoder, lexicon)
    assert [(one.question, one.asks) for one in work] == [
        ("小学学位怎么申请", 4),
        ("公园几点关门", 2),
        ("初中学位几号截止", 1),
        ("翠湖社区小学学位怎么申请", 1),
        ("办社保卡要带什么材料", 1),
    ]
    assert work[0].examples == ("小学学位要怎么申请呢", "小学学位如何申请")
    assert (work[0].first_asked_at, work[0].last_asked_at) == (NOW, NOW + timedelta(days=1))
    assert group_unanswered(session, encoder, lexicon) == work
    assert [one.question for one in group_unanswered(session, encoder, lexicon, since=NOW + timedelta(hours=1))] == [
        "公园几点关门",
        "小学学位要怎么申请呢",
    ]


def test_an_empty_list_is_no_work(session, encoder, lexicon):
    assert group_unanswered(session, encoder, lexicon) == []


def test_what_is_dismissed_stays_so(session, encoder, lexicon):
    record(session, "小学学位怎么申请")
    begin_writing(session)
    dismiss(session, [1], "乙", "不归街道", NOW)
    session.commit()
    record(session, "小学学位怎么申请")
    (kept,) = rows(session)
    assert (kept.state, kept.closed_by, kept.closed_at, kept.reason, kept.asks) == (
        "dismissed",
        "乙",
        NOW,
        "不归街道",
        2,
    )
    assert group_unanswered(session, encoder, lexicon) == []
    with pytest.raises(KnowledgeError, match="没有编号为 1"):
        dismiss(session, [1], "乙", "", NOW)


def test_what_is_answered_and_asked_again_is_open_again(session):
    begin_writing(session)
    curated.import_entries(session, [ENTRY], NOW)
    session.commit()
    record(session, "小学学位怎么申请")
    begin_writing(session)
    link(session, [1], "school", "乙", NOW)
    session.commit()
    assert [(kept.state, kept.entry_id) for kept in rows(session)] == [("answered", "school")]
    record(session, "小学学位怎么申请")
    assert [(kept.state, kept.entry_id, kept.closed_by) for kept in rows(session)] == [("open", None, None)]


def test_only_an_entry_in_use_answers(session):
    begin_writing(session)
    curated.import_entries(session, [ENTRY], NOW)
    session.commit()
    record(session, "小学学位怎么申请")
    with pytest.raises(KnowledgeError, match="nothing"):
        link(session, [1], "nothing", "乙", NOW)
    with pytest.raises(KnowledgeError, match="由谁"):
        link(session, [1], "school", " ", NOW)
    session.rollback()
    begin_writing(session)
    curated.retire(session, "school", "乙", NOW)
    with pytest.raises(KnowledgeError, match="已停用"):
        link(session, [1], "school", "乙", NOW)


def test_what_nobody_asks_any_more_is_deleted(session):
    record(session, "小学学位怎么申请", now=NOW - RETENTION - timedelta(seconds=1))
    record(session, "公园几点关门", now=NOW - RETENTION)
    assert purge_unanswered(session, NOW - RETENTION) == 1
    assert [kept.text for kept in rows(session)] == ["公园几点关门"]
