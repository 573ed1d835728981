"""Documents come and go, and builds with them: both or nothing, whatever happens in between."""

from __future__ import annotations

import errno
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from knowledge import KnowledgeBase, KnowledgeError
from knowledge.base import Index
from knowledge.build import SOURCES, fact_rows
from knowledge.builds import KEPT, Builds
from knowledge.question import Lexicon
from language.pipeline import build_pipeline
from suqiutong import corpus
from suqiutong.freshness import STAMP, is_fresh, knowledge_digest
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from tests.conftest import product_environment, run_command
from tests.unit.knowledge.conftest import HashEncoder

REPORT = """某街道2021年工作总结和2022年工作计划
一、2021年工作总结
2021年，街道各项工作平稳推进。
（一）就业服务稳中有进。全年开展招聘会17场，发动企业提供岗位6840个，达成就业意向1325人次。开展职业技能培训46场，培训居民2180人次。认定就业困难人员213人。发放创业补贴386.4万元。
（二）土地整备提速增效。全年整备土地41.27万平方米，入库9.6公顷。查违减存量18.05万平方米。管道燃气改造6400户，点火率达76.5%。拆除违法建筑132宗。盘活闲置厂房12万平方米。
（三）城市管理精细有序。新建口袋公园7个，改造公厕19座。整治六乱一超8.3万宗。清运建筑废弃物5.2万吨。开展垃圾分类宣传210场，参与居民3.6万人次。查处建筑废弃物案件29宗，罚款963000元。
（四）民生保障不断加强。发放各类救助金874.62万元，惠及困难群众1460人。实施民生微实事项目187个，投入902.3万元。建成长者饭堂4家。服务老人2.1万人次。举办文体活动88场。
（五）基层治理更加扎实。受理群众诉求4.1万宗，办结率99.2%。调解矛盾纠纷683宗，成功率97.4%。排查隐患2.9万处，整改率98.6%。受理劳资纠纷412宗。组建志愿队伍36支。
（六）经济运行总体平稳。规模以上工业总产值198.3亿元。固定资产投资152.7亿元。走访企业438家次，解决企业诉求61宗。引进重点项目23个。新登记企业1206家。兑现惠企资金3120万元。
二、2022年工作计划
（一）坚持就业优先。计划开展招聘会15场以上，提供岗位9000个以上。新增培训基地2个。
（二）坚持城市更新。力争完成土地整备50万平方米。新建口袋公园5个。改造老旧小区8个。
（三）坚持民生为本。安排民生微实事项目200个。新建长者饭堂3家。新增托育点6个。开展义诊活动24场。
某街道办事处
2022年1月20日
"""
SHIPPED = {"shipped"}


@pytest.fixture(scope="module")
def parts():
    """Encoder and pipeline, made once; vectors mean nothing here."""
    services = Services(Settings())
    return HashEncoder(), build_pipeline("lac", services.jurisdiction.place_names)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shipped report of one sentence, which is quick to build."""
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "shipped.txt").write_text("一、2022年工作总结\n全年开展招聘会13场。\n", encoding="utf-8")
    (folder / "shipped.yml").write_text("title: 某报告\npublished_on: 2023-01-01\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def use_shipped(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.build.SOURCES", shipped)
    monkeypatch.setattr("knowledge.base.written_questions", list)  # takes seconds to read, and is about the real report


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, shipped: Path, parts) -> Path:
    """Data with a base of the shipped report alone."""
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("knowledge.build.SOURCES", shipped)
        patch.setattr("knowledge.base.written_questions", list)
        corpus.build_knowledge(services_of(folder, parts), lambda _line: None)
    return folder


def services_of(folder: Path, parts) -> Services:
    services = Services(Settings(data=folder, knowledge=None))
    services.__dict__["encoder"], services.__dict__["pipeline"] = parts
    return services


@pytest.fixture
def services(tmp_path: Path, built: Path, parts) -> Services:
    shutil.copytree(built, tmp_path / "data", symlinks=True)
    return services_of(tmp_path / "data", parts)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "2021年报告.txt"
    path.write_text(REPORT, encoding="utf-8")
    return path


def quiet(_line: str) -> None:
    """A command that says nothing."""


def state(services: Services) -> tuple[object, ...]:
    """What must not change: the base in use, its facts, the added documents."""
    folder = services.settings.knowledge_folder
    sources = {path.name: path.read_bytes() for path in services.settings.sources_folder.glob("*")}
    index = Index.load(folder, Lexicon(services.jurisdiction.place_names))
    return folder.resolve(), len(list(fact_rows(index))), sources


def documents(services: Services) -> dict[str, tuple[object, ...]]:
    return {row[0]: row for row in corpus.list_documents(services)}


# Adding and removing


def test_a_document_is_added_beside_the_shipped_one(services: Services, report: Path) -> None:
    said: list[str] = []
    corpus.add_document(services, report, said.append)
    assert "  title: 某街道2021年工作总结和2022年工作计划" in said
    assert "  published on: 2022-01-20" in said
    assert "  years: 2021, 2022" in said
    assert not any("warning" in line for line in said)
    rows = documents(services)
    assert set(rows) == {"shipped", "2021年报告"}
    assert rows["shipped"][1:] == ("2022", 1, 1, "shipped", "某报告")
    years, sentences, facts, since = rows["2021年报告"][1:5]
    assert (years, since) == ("2021,2022", services.clock().date().isoformat())
    assert sentences >= 40
    assert facts >= 50
    kept = services.settings.sources_folder
    assert sorted(path.name for path in kept.iterdir()) == ["2021年报告.txt", "2021年报告.yml"]
    assert corpus.check_knowledge(services)[1] == []
    assert is_fresh(services.settings.knowledge_folder / STAMP, knowledge_digest(services.settings))


def test_the_shipped_report_stays_as_it_is_beside_another(
    tmp_path: Path, parts, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.build.SOURCES", SOURCES)
    services = services_of(tmp_path / "data", parts)
    corpus.add_document(services, report, quiet)
    rows = documents(services)
    assert rows["guangming-2022-report"][1:5] == ("2022,2023", 87, 88, "shipped")
    assert rows["2021年报告"][1] == "2021,2022"
    assert corpus.check_knowledge(services)[1] == []


def test_a_document_that_was_put_in_place_by_hand_counts_for_the_next_build(services: Services) -> None:
    stamp = services.settings.knowledge_folder / STAMP
    assert is_fresh(stamp, knowledge_digest(services.settings))
    folder = services.settings.sources_folder
    (folder / "new.yml").write_text("title: 新\npublished_on: 2024-01-01\n", encoding="utf-8")
    (folder / "new.txt").write_text("一、2023年总结\n修路9条。\n", encoding="utf-8")
    assert not is_fresh(stamp, knowledge_digest(services.settings))
    corpus.build_knowledge(services, quiet)
    assert is_fresh(stamp, knowledge_digest(services.settings))
    assert documents(services)["new"][2:4] == (1, 1)


def test_two_documents_may_speak_of_the_same_with_different_figures(services: Services, report: Path) -> None:
    corpus.add_document(services, report, quiet)
    told = {
        (row["document"], row["period"], row["status"]): row["value"]
        for row in corpus.show_knowledge(services)
        if "招聘会" in row["indicator"]
    }
    assert told["2021年报告", "2021", "achieved"] == "17"
    assert told["2021年报告", "2022", "planned"] == "15"
    assert told["shipped", "2022", "achieved"] == "13"


def test_what_is_given_counts_more_than_what_is_guessed(services: Services, tmp_path: Path) -> None:
    path = tmp_path / "说明 (终稿).md"
    path.write_text("# 情况说明\n\n- 修路9条\n- 建园2个，得分98.5\n", encoding="utf-8")
    said: list[str] = []
    corpus.add_document(
        services, path, said.append, title="道路说明", published_on=date(2020, 5, 6), year=2019, name="roads"
    )
    assert documents(services)["roads"][1:] == (
        "2019", 2, 2, services.clock().date().isoformat(), "道路说明",
    )  # fmt: skip
    assert any("98.5" in line and "warning" in line for line in said)
    ((problem),) = corpus.check_knowledge(services)[1]
    assert not problem.is_fatal


def test_a_file_names_its_document(services: Services, tmp_path: Path) -> None:
    path = tmp_path / "说明 (终稿).md"
    path.write_text("# 2019年情况说明\n\n修路9条。\n\n2020年5月6日\n", encoding="utf-8")
    assert corpus.add_document(services, path, quiet).id == "说明-终稿"


@pytest.mark.parametrize(
    ("text", "given", "code"),
    [
        ("修路9条。\n2020年5月6日\n", {}, "no_title"),
        ("# 2019年情况\n修路9条。\n", {}, "no_date"),
        ("# 情况\n修路9条。\n2020年5月6日\n", {}, "no_year"),
        ("# 2019年总结和2020年计划\n## 教育\n修学校3所。\n2020年5月6日\n", {}, "no_year"),
        ("# 2019年情况\n2020年5月6日\n", {}, "nothing_said"),
        ("# 2019年情况\n修路9条。\n2020年5月6日\n", {"name": "../up"}, "bad_id"),
        ("# 2019年情况\n修路9条。\n2020年5月6日\n", {"name": "shipped"}, "id_taken"),
        ("", {}, "empty"),
        ("# \n", {}, "no_text"),
    ],
)
def test_what_cannot_be_taken_in_changes_nothing(
    services: Services, tmp_path: Path, text: str, given: dict[str, str], code: str
) -> None:
    before = state(services)
    path = tmp_path / "new.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KnowledgeError) as caught:
        corpus.add_document(services, path, quiet, **given)
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 1
    assert state(services) == before


def test_the_same_content_under_another_name_is_there_already(services: Services, report: Path) -> None:
    corpus.add_document(services, report, quiet)
    before = state(services)
    with pytest.raises(KnowledgeError, match="已经在知识库里，编号 2021年报告"):
        corpus.add_document(services, report, quiet, name="other")
    report.write_text(REPORT.replace("17场", "18场"), encoding="utf-8")
    with pytest.raises(KnowledgeError, match="suqiutong knowledge remove 2021年报告"):
        corpus.add_document(services, report, quiet)
    assert state(services) == before


def test_an_added_document_can_be_removed_and_no_other(services: Services, report: Path) -> None:
    before = state(services)
    corpus.add_document(services, report, quiet)
    corpus.remove_document(services, "2021年报告", quiet)
    assert set(documents(services)) == SHIPPED
    assert state(services)[1:] == before[1:]
    for name, code in (("2021年报告", "not_there"), ("../x", "not_there"), ("shipped", "is_shipped")):
        with pytest.raises(KnowledgeError) as caught:
            corpus.remove_document(services, name, quiet)
        assert caught.value.code == code
    assert set(documents(services)) == SHIPPED


# Builds


def test_the_build_before_comes_back_with_its_documents(services: Services, report: Path) -> None:
    with pytest.raises(KnowledgeError, match="没有更早的知识库"):
        corpus.roll_back(services, quiet)
    first = state(services)
    corpus.add_document(services, report, quiet)
    added = state(services)
    corpus.remove_document(services, "2021年报告", quiet)
    corpus.roll_back(services, quiet)
    assert state(services) == added
    assert is_fresh(services.settings.knowledge_folder / STAMP, knowledge_digest(services.settings))
    corpus.roll_back(services, quiet)
    assert state(services) == first
    # A new build goes on from here, and not from what was rolled away.
    corpus.add_document(services, report, quiet, name="again")
    corpus.roll_back(services, quiet)
    assert state(services) == first


def test_a_build_that_cannot_be_read_does_not_come_back(services: Services, report: Path) -> None:
    corpus.add_document(services, report, quiet)
    before = state(services)
    broken = Builds(services.settings.knowledge_folder).before
    assert broken is not None
    (broken / "clauses.json").write_text("[]")
    with pytest.raises(KnowledgeError, match="损坏"):
        corpus.roll_back(services, quiet)
    assert state(services) == before


def test_the_last_builds_are_kept(services: Services) -> None:
    for _ in range(KEPT + 1):
        corpus.build_knowledge(services, quiet)
    link = services.settings.knowledge_folder
    numbers = sorted(int(path.name) for path in link.resolve().parent.iterdir() if path.is_dir())
    assert numbers == list(range(3, KEPT + 3))
    assert link.resolve().name == str(KEPT + 2)


def test_a_base_of_an_older_version_is_taken_in(services: Services, report: Path) -> None:
    link = services.settings.knowledge_folder
    old = link.resolve()
    link.unlink()
    old.rename(link)
    shutil.rmtree(link.with_name("knowledge-builds"))
    corpus.add_document(services, report, quiet)
    assert link.is_symlink()
    corpus.roll_back(services, quiet)
    assert set(documents(services)) == SHIPPED
    assert not list(services.settings.sources_folder.iterdir())


def test_a_link_that_was_lost_comes_back(services: Services, report: Path) -> None:
    services.settings.knowledge_folder.unlink()
    corpus.add_document(services, report, quiet)
    corpus.roll_back(services, quiet)
    assert set(documents(services)) == SHIPPED


def full_disk(*_args: object, **_kwargs: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "step",
    [
        "knowledge.library.yaml.safe_dump",
        "knowledge.base.np.savez",
        "knowledge.build.np.save",
        "suqiutong.corpus.write_stamp",
        "knowledge.builds.os.fsync",
        "pathlib.Path.rename",
        "knowledge.builds.replace_sources",
        "pathlib.Path.symlink_to",
    ],
)
def test_a_full_disk_at_any_step_changes_nothing(
    services: Services, report: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = state(services)
    with monkeypatch.context() as patch:
        patch.setattr(step, full_disk)
        with pytest.raises(KnowledgeError, match="磁盘空间不够"):
            corpus.add_document(services, report, quiet)
    assert state(services)[:2] == before[:2]
    folder = services.settings.knowledge_folder.with_name("knowledge-builds")
    assert sorted(path.name for path in folder.iterdir()) == ["1", "lock"]


def test_a_full_disk_while_documents_are_put_in_place_changes_none(
    services: Services, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus.add_document(services, report, quiet, name="first")
    before = state(services)
    report.write_text(REPORT.replace("17场", "18场"), encoding="utf-8")
    copy, calls = shutil.copy2, []

    def copy_or_fail(source: Path, target: Path) -> None:
        calls.append(source)
        full_disk() if len(calls) == 5 else copy(source, target)  # two to the stage, then the third of four back

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", copy_or_fail)
        with pytest.raises(KnowledgeError, match="磁盘空间不够"):
            corpus.add_document(services, report, quiet, name="second")
    assert state(services) == before


def test_a_folder_that_may_not_be_written_is_told(
    services: Services, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/data")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(KnowledgeError, match="写不进 /data"):
        corpus.add_document(services, report, quiet)


# Two at once, and sudden death


def test_two_at_once_both_arrive(services: Services, report: Path, parts, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(REPORT.replace("17场", "18场"), encoding="utf-8")
    second = services_of(services.settings.data_folder, parts)
    said: list[str] = []
    threads = [
        threading.Thread(target=corpus.add_document, args=(one, path, said.append))
        for one, path in ((services, report), (second, other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(documents(services)) == {*SHIPPED, "2021年报告", "other"}
    assert any("waiting" in line for line in said)


KILLED = """
import sys
from pathlib import Path
from types import SimpleNamespace
from tests.integration.test_knowledge_library import HashEncoder, services_of, build_pipeline, corpus
from knowledge import base, build
data, report, shipped = map(Path, sys.argv[1:])
build.SOURCES, base.written_questions = shipped, list
services = services_of(data, (HashEncoder(), lambda text: type("Doc", (), {"ents": ()})))
print("ready", flush=True)
corpus.add_document(services, report, lambda line: None)
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_process_that_is_killed_leaves_the_base_whole(
    services: Services, report: Path, shipped: Path, seed: int
) -> None:
    before = state(services)
    command = [sys.executable, "-c", KILLED, str(services.settings.data_folder), str(report), str(shipped)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(random.Random(seed).uniform(0.0, 1.5))
        process.send_signal(signal.SIGKILL)
    _, facts, sources = state(services)
    assert (facts, sources) == before[1:] or {"2021年报告.txt", "2021年报告.yml"} <= set(sources)
    # The next command clears up.
    corpus.build_knowledge(services, quiet)
    folder = services.settings.knowledge_folder.with_name("knowledge-builds")
    assert not list(folder.glob("*.part"))
    assert corpus.check_knowledge(services)[1] == []


# A running product


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders from which an index was loaded; no verifier is needed to see which."""
    folders: list[Path] = []

    def load(folder: Path, places: list[str], _encoder: object) -> SimpleNamespace:
        folders.append(folder)
        return SimpleNamespace(index=Index.load(folder, Lexicon(places)))

    monkeypatch.setattr(KnowledgeBase, "load", load)
    return folders


def test_a_running_product_uses_the_new_build(services: Services, report: Path, loaded: list[Path]) -> None:
    first = services.knowledge
    assert first is not None
    assert services.knowledge is first
    corpus.add_document(services, report, quiet)
    second = services.knowledge
    assert second is not None
    assert {clause.document for clause in second.base.index.clauses} == {*SHIPPED, "2021年报告"}
    assert services.knowledge is second
    assert [path.name for path in loaded] == ["1", "2"]


def test_the_old_base_serves_while_the_new_one_cannot_be_loaded(
    services: Services, loaded: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    first = services.knowledge
    link = services.settings.knowledge_folder
    folder = link.resolve()
    broken = folder.with_name("9")
    shutil.copytree(folder, broken)
    (broken / "vectors.npz").write_bytes(b"PK half")
    (broken / "clauses.json").touch()
    link.unlink()
    link.symlink_to(broken)
    assert services.knowledge is first
    assert services.knowledge is first
    assert loaded == [folder, broken]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "knowledge_not_loaded code=broken"
    ]
    shutil.rmtree(broken)
    assert services.knowledge is first


@pytest.mark.usefixtures("loaded")
def test_a_base_that_is_built_later_is_found(tmp_path: Path, parts) -> None:
    services = services_of(tmp_path / "data", parts)
    assert services.knowledge is None
    corpus.build_knowledge(services, quiet)
    assert services.knowledge is not None


# From the command line


@pytest.fixture
def command(built: Path, tmp_path: Path):
    shutil.copytree(built, tmp_path / "cli", symlinks=True)
    environment = product_environment(tmp_path / "cli") | {"SUQIUTONG_KNOWLEDGE": str(tmp_path / "cli" / "knowledge")}
    return lambda *arguments: run_command("knowledge", *arguments, environment=environment)


def test_documents_are_listed(command) -> None:
    (row,) = command("list").stdout.splitlines()
    assert row.split("\t") == [
        "guangming-2022-report", "2022,2023", "0", "0", "shipped", "光明街道2022年工作总结和2023年工作计划",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "none.txt"), "读不到文件 none.txt"),
        (("add", "."), "是文件夹"),
        (("add", "a.doc"), "不认识 a.doc 的格式"),
        (("add", "a.txt", "--published-on", "昨天"), "昨天 不是日期"),
        (("remove", "nothing"), "没有编号为 nothing 的资料"),
        (("rollback",), "没有更早的知识库"),
    ],
)
def test_a_command_that_fails_says_why_in_one_line(command, arguments: tuple[str, ...], message: str) -> None:
    result = command(*arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert message in line
