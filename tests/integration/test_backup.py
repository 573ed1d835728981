"""A backup brings everything back on another machine, and nothing is lost by a wrong one."""

import io
import json
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from petitions import Draft, file_petition, find_ticket
from petitions.log import verify
from petitions.model import Petition
from petitions.privacy import masked
from storage import begin_writing
from suqiutong.backup import back_up, restore
from suqiutong.database import make_engine, upgrade
from suqiutong.errors import CommandError
from suqiutong.settings import Settings
from suqiutong.wiring import Services
from tests.integration.cases import NOW, route

MOMENT = datetime(2026, 11, 26, 4, 30, 5, tzinfo=UTC)


@pytest.fixture
def old(tmp_path: Path, database_url: str) -> Services:
    """An installation with a petition and a document."""
    services = Services(Settings(data=tmp_path / "old", database_url=database_url, web_port=1))
    (tmp_path / "old" / "sources").mkdir(parents=True)
    (tmp_path / "old" / "sources" / "report.txt").write_text("一份文件", encoding="utf-8")
    return services


@pytest.fixture
def filed(old: Services) -> tuple[str, str]:
    """Number and query code of its petition."""
    upgrade(old.engine)
    with old.writing() as session:
        made = file_petition(
            session,
            Draft(matter="楼下垃圾三天没人清", place="碧眼社区", community="碧眼", name="陈", phone="13800138000"),
            route(),
            form_key="form-1",
            conversation="",
            channel="form",
            secret=old.secret,
            keyring=old.keyring,
            now=NOW,
        )
    old.engine.dispose()
    return made.number, made.code


def another(tmp_path: Path, new_database: object, old: Services) -> Services:
    """A machine on which nothing was installed before, with the same kind of database."""
    data = tmp_path / "new"
    if old.engine.dialect.name == "sqlite":
        return Services(Settings(data=data, web_port=1))
    url = new_database().render_as_string(hide_password=False)  # type: ignore[operator]
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return Services(Settings(data=data, database_url=url, web_port=1))


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suqiutong.backup.check_ports", lambda _settings: None)


def test_everything_is_there_again(tmp_path: Path, new_database: object, old: Services, filed: tuple[str, str]) -> None:
    data, keys = back_up(old.settings, tmp_path / "backups", now=MOMENT)
    assert (data.name, keys.name) == ("suqiutong-20261126-043005.tar.gz", "suqiutong-20261126-043005-keys.tar.gz")
    assert {path.stat().st_mode & 0o777 for path in (data, keys)} == {0o600}
    assert not [path for path in data.parent.iterdir() if path not in {data, keys}]
    with tarfile.open(data) as archive:
        assert not {"secrets.json", "keys.json"} & set(archive.getnames())
    fresh = another(tmp_path, new_database, old)
    lines: list[str] = []
    restore(fresh.settings, data, keys, lines.append)
    upgrade(fresh.engine)
    with fresh.sessions() as session:
        assert verify(session).holds
        petition = find_ticket(session, *filed, secret=fresh.secret)
        assert masked(fresh.keyring, petition.petitioner)["phone"] == "138****8000"
    assert (fresh.settings.sources_folder / "report.txt").read_text(encoding="utf-8") == "一份文件"
    assert lines == [f"restored what was backed up at {MOMENT.isoformat()}"]
    fresh.engine.dispose()
    with pytest.raises(CommandError, match=r"would be overwritten|holds tables"):
        restore(fresh.settings, data, keys, lines.append)


def test_a_backup_is_taken_while_others_write(
    tmp_path: Path, new_database: object, old: Services, filed: tuple[str, str]
) -> None:
    with Session(old.engine) as session:
        begin_writing(session)
        # Not committed, so that the copy must not hold it.
        session.scalars(select(Petition)).one().place = "另一个地方"
        session.flush()
        data, keys = back_up(old.settings, tmp_path / "backups", now=MOMENT)
        session.rollback()
    old.engine.dispose()
    fresh = another(tmp_path, new_database, old)
    restore(fresh.settings, data, keys, lambda _line: None)
    with Session(fresh.engine) as session:
        assert [petition.place for petition in session.scalars(select(Petition))] == ["碧眼社区"]
    fresh.engine.dispose()
    with pytest.raises(CommandError, match="is there already"):
        back_up(old.settings, tmp_path / "backups", now=MOMENT)
    assert filed[0]


def test_an_empty_database_is_no_backup(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with pytest.raises(CommandError, match="nothing to back up"):
        back_up(settings, tmp_path / "backups", now=MOMENT)


def test_what_does_not_belong_together_is_refused_and_changes_nothing(
    tmp_path: Path, new_database: object, old: Services, filed: tuple[str, str]
) -> None:
    assert filed
    data, keys = back_up(old.settings, tmp_path / "backups", now=MOMENT)
    _, other_keys = back_up(old.settings, tmp_path / "later", now=MOMENT)
    fresh = another(tmp_path, new_database, old)
    damaged, changed, strange = (tmp_path / name for name in ("damaged", "changed", "strange"))
    damaged.write_bytes(data.read_bytes()[:-200])
    rewrite(data, changed, lambda manifest: manifest["files"].update({"sources/report.txt": "0" * 64}))
    rewrite(data, strange, lambda manifest: manifest.update(revision="9999"))
    for wrong, of_keys, cause in (
        (damaged, keys, "cannot be read|is damaged"),
        (changed, keys, "is damaged"),
        (strange, keys, "newer version"),
        (tmp_path / "nowhere", keys, "cannot be read"),
        (keys, keys, "newer version"),
        (data, other_keys, "another backup"),
        (data, None, "is missing here"),
    ):
        with pytest.raises(CommandError, match=cause):
            restore(fresh.settings, wrong, of_keys, lambda _line: None)
        assert not fresh.settings.data_folder.exists() or not list(fresh.settings.data_folder.iterdir())


def test_other_keys_in_place_are_never_overwritten(
    tmp_path: Path, new_database: object, old: Services, filed: tuple[str, str]
) -> None:
    assert filed
    data, keys = back_up(old.settings, tmp_path / "backups", now=MOMENT)
    fresh = another(tmp_path, new_database, old)
    fresh.settings.data_folder.mkdir()
    shutil.copy(old.settings.data_folder / "secrets.json", fresh.settings.data_folder)
    (fresh.settings.data_folder / "keys.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CommandError, match="is another one"):
        restore(fresh.settings, data, keys, lambda _line: None)
    assert (fresh.settings.data_folder / "keys.json").read_text(encoding="utf-8") == "{}"


def rewrite(data: Path, to: Path, change: object) -> None:
    """The archive with another manifest."""
    with tarfile.open(data) as archive, tarfile.open(to, "w:gz") as changed:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            body = content.read()
            if member.name == "manifest.json":
                manifest = json.loads(body)
                change(manifest)  # type: ignore[operator]
                body = json.dumps(manifest).encode()
            member.size = len(body)

            changed.addfile(member, io.BytesIO(body))
