"""The knowledge base is built whole or not at all, and what it answers stands in the report."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from jurisdiction import load_jurisdiction
from knowledge import Context, KnowledgeBase, KnowledgeError, Reply
from knowledge.base import Index, asked_words
from knowledge.build import SOURCES, build, fact_rows, facts_of, problems, read_sources
from knowledge.document import make_document
from knowledge.question import Lexicon
from language.normalise import normalise
from language.pipeline import build_pipeline
from language.vectors import SentenceEncoder

PLACES = load_jurisdiction().place_names
REPORT = (SOURCES / "guangming-2022-report.txt").read_text(encoding="utf-8")
SMALL = "一、2030年工作总结\n(一)民生服务。举办读书会12场,服务老人3万余人次。\n"


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


@pytest.fixture(scope="module")
def pipeline():
    return build_pipeline("lac", PLACES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, encoder, pipeline) -> Path:
    target = tmp_path_factory.mktemp("base")
    said: list[tuple[str, int]] = []
    build(target, read_sources(), PLACES, encoder, pipeline, lambda what, count: said.append((what, count)))
    assert list(dict.fromkeys(what for what, _ in said)) == ["documents", "encoded", "clauses"]
    assert all(count > 0 for _, count in said)
    return target


@pytest.fixture(scope="module")
def base(folder: Path, encoder: SentenceEncoder) -> KnowledgeBase:
    return KnowledgeBase.load(folder, PLACES, encoder)


@pytest.mark.parametrize(
    ("text", "figure", "quote"),
    [
        ("2022年招聘会一共办了几场", "13场", "开展线上线下招聘会13场"),
        ("去年招聘会企业给出多少个岗位", "9113个", "提供岗位9113个"),
        ("去年煤气点火率达到百分之几", "89.14%", "点火率达89.14%"),
        ("二零二二年舉辦咗幾多場文體活動", "109场", "文体活动109场"),
        ("去年招骋会开了多少场？", "13场", "开展线上线下招聘会13场"),
        ("建筑垃圾的案子罚了多少钱", "1418800元", "罚款1418800元"),
        ("2022年整备了多少土地", "55.55万平方米", "整备土地55.55万平方米"),
    ],
)
def test_a_figure_is_told_with_the_place_it_stands_at(base: KnowledgeBase, text: str, figure: str, quote: str) -> None:
    reply = base.answer(text)
    assert reply.kind == "answer"
    assert f"**{figure}**" in reply.text
    assert any(quote in citation["quote"] for citation in reply.citations)
    assert {(fact["period"], fact["status"]) for fact in reply.facts} == {("2022", "achieved")}
    assert any(fact["value"] + fact["unit"] == figure for fact in reply.facts)


@pytest.mark.parametrize("text", ["2023年打算完成多少土地整备", "今年科裕新村第五批安置房分给几户"])
def test_a_plan_is_never_told_as_a_result(base: KnowledgeBase, text: str) -> None:
    reply = base.answer(text)
    assert reply.kind == "answer"
    assert "2023年计划" in reply.text
    assert "不是结果" in reply.text
    assert {fact["status"] for fact in reply.facts} == {"planned"}


@pytest.mark.parametrize(
    "text",
    [
        "2021年招聘会办了几场",
        "前年的点火率是多少",
        "2019年整备了多少土地",
        "公明街道去年招聘会办了几场",
        "玉塘街道的点火率是多少",
        "科裕新村第三批安置房分给几户",
        "招聘会的咨询电话是多少",
        "申请补助金要带什么材料",
        "明天会下雨吗",
    ],
)
def test_what_the_report_does_not_say_is_refused_with_an_offer(base: KnowledgeBase, text: str) -> None:
    reply = base.answer(text)
    assert reply.kind == "no_answer"
    assert reply.facts == []
    assert "报告里没有写明" in reply.text
    assert "登记" in reply.buttons[0]["text"]
    assert "咨询" in reply.buttons[0]["text"]


def test_a_figure_that_a_resident_has_wrong_is_corrected(base: KnowledgeBase) -> None:
    wrong, right = base.answer("去年招聘会是不是办了30场"), base.answer("去年招聘会是不是办了13场")
    assert wrong.text.startswith("与报告写的不同")
    assert "**13场**" in wrong.text
    assert "30" not in wrong.text
    assert right.text.startswith("是的")


def test_two_questions_in_one_message_get_two_answers(base: KnowledgeBase) -> None:
    reply = base.answer("去年招聘会办了几场？整治了多少宗六乱一超？")
    quotes = " ".join(citation["quote"] for citation in reply.citations)
    assert reply.kind == "answer"
    assert len(reply.citations) == 2
    assert "招聘会13场" in quotes
    assert "12万余宗" in quotes


def test_a_question_leans_on_the_one_before(base: KnowledgeBase) -> None:
    first = base.answer("去年招聘会办了几场")
    assert first.context is not None
    context = Context.from_json(json.loads(json.dumps(first.context.to_json())))
    assert context == first.context
    follow = base.answer("那岗位有多少个", context)
    assert follow.kind == "answer"
    assert "**9113个**" in follow.text
    again = base.answer("2021年呢", context)
    assert again.kind == "no_answer"
    assert Context.from_json(None) is None


def test_a_question_of_its_own_does_not_lean(base: KnowledgeBase) -> None:
    context = base.answer("去年招聘会办了几场").context
    text = "去年社会消费品零售总额同比增长多少"
    assert base.answer(text, context).to_json() == base.answer(text).to_json()


@pytest.mark.parametrize("text", ["多少", "有几个?", "去年呢", "？？", ""])
def test_a_vague_question_is_asked_back(base: KnowledgeBase, text: str) -> None:
    reply = base.answer(text)
    assert reply.kind == "clarify"
    assert reply.citations == []
    assert 1 <= len(reply.buttons) <= 4
    assert all(button["title"] and button["title"] in button["text"] for button in reply.buttons)


QUESTIONS = [
    "去年招聘会办了几场",
    "工业总产值是多少",
    "河流有几条,都治理好了吗",
    "办理政务服务多少宗,满意度多少",
    "培训和公益活动分别办了多少场",
    "白花片区有什么打算",
    "今年要完成多少平方米土地整备",
    "去年花了多少钱做民生微实事",
    "安置房选了多少套",
    "查违减了多少",
    "PM2.5是多少",
    "核酸检测做了几轮,采样多少人次",
    "劳资纠纷325宗对吗",
    "是不是走访了600家企业",
    "网格巡查了多少公里",
    "纪委立案多少",
    "高标准安全小区有什么计划",
    "今年文明实践活动要开展多少场",
]


@pytest.fixture(scope="module")
def replies(base: KnowledgeBase) -> list[Reply]:
    return [base.answer(text) for text in QUESTIONS]


def test_most_questions_on_the_report_are_answered(replies: list[Reply]) -> None:
    assert sum(reply.kind == "answer" for reply in replies) >= 0.7 * len(QUESTIONS)


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?", text))


def test_every_number_of_an_answer_stands_in_its_evidence(replies: list[Reply]) -> None:
    for reply in (one for one in replies if one.kind == "answer"):
        quoted = " ".join(f"{row['quote']} {row['document']} {row['section']}" for row in reply.citations)
        assert numbers(reply.text) <= numbers(quoted) | {"2022", "2023"}
        assert all(fact["value"] in quoted for fact in reply.facts)


def test_every_quote_stands_at_its_offsets(replies: list[Reply]) -> None:
    citations = [citation for reply in replies for citation in reply.citations]
    assert citations
    assert all(REPORT[row["start"] : row["end"]] == row["quote"] for row in citations)
    answers = [reply for reply in replies if reply.kind == "answer"]
    assert all(f"“{row['quote']}”" in reply.text for reply in answers for row in reply.citations)


def test_a_reply_is_a_message_of_the_contract(replies: list[Reply]) -> None:
    for reply in replies:
        message = reply.to_json()
        assert list(message) == ["kind", "text", "citations", "facts", "buttons"]
        assert json.loads(json.dumps(message)) == message
        assert 0 <= reply.chance <= 1


def test_local_names_stay_but_for_other_spellings_of_one_place(base: KnowledgeBase) -> None:
    read = {name: base.read(name).text for name in PLACES}
    changed = {name: text for name, text in read.items() if text != normalise(name)}
    assert changed
    assert all(re.sub("[径泾]口", "迳口", name) == text for name, text in changed.items())


def test_a_very_long_message_is_still_answered(base: KnowledgeBase) -> None:
    assert base.answer("去年招聘会办了几场，" + "我想了很久也没有想明白这件事情。" * 60).kind in {"answer", "no_answer"}


# ---- building


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    made = tmp_path / "sources"
    made.mkdir()
    (made / "small.txt").write_text(SMALL, encoding="utf-8")
    (made / "small.yml").write_text("title: 小报告\npublished_on: 2031-01-01\n", encoding="utf-8")
    return made


@pytest.fixture
def built(tmp_path: Path, sources: Path, encoder, pipeline) -> Path:
    target = tmp_path / "built"
    target.mkdir()
    build(target, read_sources(sources), PLACES, encoder, pipeline, lambda _what, _count: None)
    return target


def facts(target: Path) -> list[str]:
    return [row["text"] for row in fact_rows(Index.load(target, Lexicon(PLACES)))]


def test_what_is_built_holds_against_its_sources(folder: Path) -> None:
    index, documents = Index.load(folder, Lexicon(PLACES)), read_sources()
    assert list(problems(documents, index)) == []
    assert len(facts_of(index, documents[0].id)) == len(list(fact_rows(index))) > 80
    row = next(row for row in fact_rows(index) if row["text"] == "9113个")
    assert (row["period"], row["status"], row["quote"]) == ("2022", "achieved", "发动企业提供岗位9113个")
    assert row["document"] == "guangming-2022-report"


def test_what_the_base_before_knows_is_not_encoded_again(built: Path, sources: Path, tmp_path: Path, pipeline) -> None:
    seen: list[str] = []

    class Counting(SentenceEncoder):
        def encode(self, texts):
            seen.extend(texts)
            return super().encode(texts)

    (sources / "small.txt").write_text(SMALL.replace("12场", "15场"), encoding="utf-8")
    (tmp_path / "next").mkdir()
    index = build(
        tmp_path / "next", read_sources(sources), PLACES, Counting(), pipeline, lambda _what, _count: None, built
    )
    assert facts(tmp_path / "next") == ["15场", "3万余人次"]
    again, *fresh = seen  # the first asks whether the encoder is still the same
    assert again == "举办读书会12场"
    assert all("15" in text for text in fresh)
    for name, texts in (("clauses", [normalise(one.text) for one in index.clauses]), ("words", index.vocabulary)):
        assert np.allclose(index.vectors[name], SentenceEncoder().encode(texts), atol=1e-4)


def test_words_that_were_asked_before_need_no_encoding(base: KnowledgeBase, encoder) -> None:
    index = base.index
    words = asked_words(index.memory.known, index.vocabulary)
    assert len(words) > 1000
    assert index.vector_of(words[0]) @ encoder.encode(words[:1])[0] > 0.999
    assert index.vector_of("从没有人问过的词") is None


def test_what_another_encoder_saw_is_not_taken_over(built: Path, sources: Path, tmp_path: Path, pipeline) -> None:
    class Other(SentenceEncoder):
        def encode(self, texts):
            return -super().encode(texts)

    (tmp_path / "next").mkdir()
    index = build(
        tmp_path / "next", read_sources(sources), PLACES, Other(), pipeline, lambda _what, _count: None, built
    )
    old = Index.load(built, Lexicon(PLACES))
    assert np.allclose(index.vectors["clauses"], -old.vectors["clauses"], atol=1e-4)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("没有大标题。修路9条。\n", "no_sections"),
        (SMALL.replace("12场", "12.5分"), "does_not_hold"),
    ],
)
def test_a_source_that_fails_makes_no_base(sources: Path, tmp_path: Path, encoder, pipeline, text, code) -> None:
    (sources / "small.txt").write_text(text, encoding="utf-8")
    (tmp_path / "next").mkdir()
    with pytest.raises(KnowledgeError) as caught:
        build(tmp_path / "next", read_sources(sources), PLACES, encoder, pipeline, lambda _what, _count: None)
    assert caught.value.code == code
    assert list((tmp_path / "next").iterdir()) == []


def test_no_sources_at_all_are_told(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="里没有资料"):
        read_sources(tmp_path)


def test_a_quote_that_does_not_stand_is_fatal_and_a_loose_figure_of_an_added_document_is_not(
    built: Path, sources: Path, encoder, pipeline
) -> None:
    index = Index.load(built, Lexicon(PLACES))
    (sources / "small.txt").write_text(SMALL.replace("12场", "15场"), encoding="utf-8")
    assert any(problem.is_fatal and problem.text.endswith("12场") for problem in problems(read_sources(sources), index))
    about = {"title": "甲", "published_on": "2031-01-01"}
    text = "一、2030年总结\n得分98.5。2030年3月5日开园。\n"
    for extra, is_fatal in (({}, True), ({"added_at": "2031-01-02"}, False)):
        document = make_document("new", text, about | extra)
        found = list(problems([document], Index.build([document], Lexicon(PLACES), encoder, pipeline)))
        assert (f"new:{text.index('98.5')}: 98.5", is_fatal) in [(problem.text, problem.is_fatal) for problem in found]
        assert is_fatal or len(found) == 1


def test_a_base_that_was_never_built_is_told(tmp_path: Path, encoder: SentenceEncoder) -> None:
    with pytest.raises(KnowledgeError, match="知识库还没有建立"):
        KnowledgeBase.load(tmp_path / "none", PLACES, encoder)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("clauses.json", None, "not_built"),
        ("vectors.npz", None, "not_built"),
        ("clauses.json", b"", "broken"),
        ("clauses.json", b"\xff\xfe", "broken"),
        ("clauses.json", b'[{"text": "x"}]', "broken"),
        ("clauses.json", b"{}", "broken"),
        ("clauses.json", b"[]", "broken"),
        ("clauses.json", b"7", "broken"),
        ("digests.json", b"", "broken"),
        ("digests.json", b"[]", "broken"),
        ("vectors.npz", b"", "broken"),
        ("vectors.npz", b"no archive", "broken"),
        ("vectors.npz", b"PK\x03\x04 half an archive", "broken"),
    ],
)
def test_a_damaged_base_is_told(
    folder: Path, tmp_path: Path, encoder: SentenceEncoder, name: str, content: bytes | None, code: str
) -> None:
    damaged = tmp_path / "knowledge"
    shutil.copytree(folder, damaged)
    (damaged / name).unlink() if content is None else (damaged / name).write_bytes(content)
    with pytest.raises(KnowledgeError) as caught:
        KnowledgeBase.load(damaged, PLACES, encoder)
    assert caught.value.code == code
    assert "suqiutong knowledge build" in str(caught.value)


def test_one_changed_digit_is_noticed(folder: Path, tmp_path: Path, encoder: SentenceEncoder) -> None:
    damaged = tmp_path / "knowledge"
    shutil.copytree(folder, damaged)
    path = damaged / "clauses.json"
    said = path.read_text(encoding="utf-8")
    assert "13场" in said
    path.write_text(said.replace("13场", "18场"), encoding="utf-8")
    with pytest.raises(KnowledgeError) as found:
        KnowledgeBase.load(damaged, PLACES, encoder)
    assert found.value.code == "broken"


def test_files_of_two_builds_do_not_mix(folder: Path, built: Path, tmp_path: Path, encoder: SentenceEncoder) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    shutil.copy(built / "vectors.npz", mixed)
    with pytest.raises(KnowledgeError, match="损坏"):
        KnowledgeBase.load(mixed, PLACES, encoder)
