"""What a released version left in its database is all there after an upgrade, and can be worked on."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from channels import store, waiting
from channels.waiting import Seal
from desk.accounts import list_staff
from petitions.cases import act
from petitions.errors import PetitionError
from petitions.filing import find_ticket
from petitions.log import PETITIONER, replay, seal, snapshot_of, verify
from petitions.model import Petition
from petitions.numbers import query_code
from petitions.photos import export_photos
from petitions.privacy import masked
from petitions.ticking import tick
from storage import seal_with
from storage.switches import switched_off
from suqiutong.database import current, downgrade, make_engine, newest, revisions, upgrade
from tests.conftest import ROOT
from tests.integration.cases import file_case
from tests.releases.keep import KEYRING, SECRET, TALK, WAITS, Release, read, releases

RELEASES = releases()


@pytest.fixture(params=RELEASES, ids=lambda release: release.version)
def release(request: pytest.FixtureRequest) -> Release:
    return request.param


@pytest.fixture
def old(new_database: Callable[[], URL], release: Release) -> Engine:
    """A database as the release left it."""
    engine = make_engine(new_database().render_as_string(hide_password=False))
    downgrade(engine, "base")
    read(engine, release)
    assert current(engine) == release.revision
    yield engine
    engine.dispose()


def kept(release: Release) -> dict[str, list[dict[str, object]]]:
    """The rows of every table, as they are kept."""
    tables: dict[str, list[dict[str, object]]] = {}
    rows, columns = [], []
    for line in map(json.loads, release.path.read_text(encoding="utf-8").splitlines()[1:]):
        if isinstance(line, dict):
            rows, columns = tables.setdefault(line["table"], []), line["columns"]
        else:
            rows.append(dict(zip(columns, line, strict=True)))
    return tables


def test_every_release_of_the_changelog_is_kept():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert [one.version for one in RELEASES] == re.findall(r"^## (\d\S*?)（", changelog, re.MULTILINE)
    assert RELEASES
    assert all(one.path.exists() and one.revision in revisions() for one in RELEASES)


def test_all_of_a_release_is_there_after_the_upgrade(old: Engine, release: Release) -> None:
    rows = kept(release)
    upgrade(old)
    assert current(old) == newest()
    with old.connect() as connection:
        for name in rows.keys() & set(inspect(old).get_table_names()):
            assert connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar() == len(rows[name]), name
    seal_with(old, SECRET)
    now = datetime.now(UTC)
    with Session(old) as session:
        assert verify(session).holds
        petitions = session.scalars(select(Petition)).all()
        assert {(one.number, one.state) for one in petitions} == {
            (one["number"], one["state"]) for one in rows["petition"]
        }
        for petition in petitions:
            assert replay(session, petition.id, now) == snapshot_of(petition)
            code = query_code(SECRET, petition.form_key)
            assert find_ticket(session, petition.number, code, secret=SECRET) is petition
            with pytest.raises(PetitionError):
                find_ticket(session, petition.number, "AAAA-AAAA", secret=SECRET)
        assert any("phone" in masked(KEYRING, one.petitioner) for one in petitions)
        pictures = [photo for one in petitions for _, photo in export_photos(session, KEYRING, one.id)]
        assert len(pictures) == len(rows["photo"])
        assert all(picture.startswith(b"\xff\xd8") for picture in pictures)
        said = [row.payload["text"] for row in store.transcript(session, TALK)]
        assert said == ["去年办了几场招聘会", "您好", WAITS]
        assert [one.text for one in waiting.waiting_before(session, Seal(SECRET), TALK)] == [WAITS]
        assert [flip.name for flip in switched_off(session, now=now)] == ["open311"]
        assert len(list_staff(session)) == len(rows["staff"])


def test_work_goes_on_after_the_upgrade(old: Engine, release: Release) -> None:
    upgrade(old)
    seal_with(old, SECRET)
    now = datetime.now(UTC)
    with Session(old) as session:
        opened = session.scalars(select(Petition.id).where(Petition.state == "in_progress")).first()
    with Session(old) as session:
        file_case(session, "form-new", now=now)
        session.commit()
    with Session(old) as session:
        act(session, opened, "urge", PETITIONER, {}, now=now, key="after")
        session.commit()
    with Session(old) as session:
        tick(session, now)
        session.commit()
    with Session(old) as session:
        seal(session, now=now)
        session.commit()
        assert verify(session).holds
        assert verify(session).petitions == len(kept(release)["petition"]) + 1
