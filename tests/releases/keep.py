"""Databases as released versions left them: `python -m tests.releases.keep` keeps one of the present version.

A kept database is lines of JSON: the revision of its schema, then each table with its columns and its rows. It holds
the made-up petitions of the demonstration and a made-up conversation. It is written once, when a version is released,
and never changed.
"""

from __future__ import annotations

import base64
import json
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import Column, DateTime, Engine, LargeBinary, MetaData, Table, func, insert, select, text

from channels.store import receive, record_replies
from channels.waiting import Seal, keep
from petitions.privacy import Keyring
from storage.switches import turn_off
from suqiutong.database import current, upgrade
from suqiutong.demo import add_accounts, fill
from suqiutong.settings import ROOT, Settings
from suqiutong.wiring import Services

FOLDER = Path(__file__).parent
# Of the demonstration alone.
SECRET, KEYRING = b"0" * 32, Keyring("k1", {"k1": b"1" * 32})
PETITIONS, DAYS = 24, 40
TALK, WAITS = "talk-1", "还有一件事"
_RELEASE = re.compile(r"^## (?P<version>\d+\.\d+\.\d+)（.*）\n+数据库版本：(?P<revision>\d{4})。$", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """A released version and the revision of the schema that it left."""

    version: str
    revision: str

    @property
    def path(self) -> Path:
        """Where its database is kept."""
        return FOLDER / f"{self.version}.jsonl"


def releases() -> list[Release]:
    """All released versions, the newest first, as the changelog names them."""
    found = _RELEASE.finditer((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    return [Release(one["version"], one["revision"]) for one in found]


class _DemoServices(Services):
    secret = SECRET
    keyring = KEYRING


def write(engine: Engine, release: Release) -> None:
    """Keep the rows of a database."""
    tables = _tables(engine)
    with engine.connect() as connection:
        rows = {
            table.name: [[_to_json(value) for value in row] for row in connection.execute(select(table))]
            for table in tables
        }
    revision = current(engine)
    assert revision == release.revision, f"the changelog names {release.revision}, this is {revision}"
    # A row a line, so that people can read it.
    lines = [json.dumps({"revision": revision})]
    for table in tables:
        lines.append(json.dumps({"table": table.name, "columns": table.columns.keys()}))
        lines += [json.dumps(row, ensure_ascii=False) for row in rows[table.name]]
    release.path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(engine: Engine, release: Release) -> None:
    """Bring an empty database to the state in which the release left one."""
    first, *lines = map(json.loads, release.path.read_text(encoding="utf-8").splitlines())
    assert first == {"revision": release.revision}
    upgrade(engine, release.revision)
    tables = {table.name: table for table in _tables(engine)}
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        columns: list[Column[Any]] = []
        for line in lines:
            if isinstance(line, dict):
                table = tables[line["table"]]
                columns = [table.columns[name] for name in line["columns"]]
                # What a migration has put there is in the kept rows too.
                connection.execute(table.delete())
            else:
                row = {one.name: _from_json(one.type, value) for one, value in zip(columns, line, strict=True)}
                connection.execute(insert(table).values(row))
        if engine.dialect.name == "postgresql":
            for table in tables.values():
                _set_sequence(connection, table)


def _tables(engine: Engine) -> list[Table]:
    metadata = MetaData()
    # Those of full-text search keep themselves, and Alembic keeps its own.
    metadata.reflect(engine, only=lambda name, _metadata: not name.startswith(("petition_words", "alembic")))
    return sorted(metadata.tables.values(), key=lambda table: table.name)


def _set_sequence(connection: Any, table: Table) -> None:
    if "id" not in table.columns or connection.scalar(func.pg_get_serial_sequence(table.name, "id")) is None:
        return
    sequence = func.pg_get_serial_sequence(table.name, "id")
    connection.execute(select(func.setval(sequence, select(func.coalesce(func.max(table.c.id), 1)).scalar_subquery())))


def _to_json(value: object) -> object:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, date):
        return {"at": value.isoformat()}
    return value


def _from_json(kind: object, value: object) -> object:
    if isinstance(value, dict) and value.keys() == {"bytes"}:
        return base64.b64decode(value["bytes"])
    if isinstance(value, dict) and value.keys() == {"at"}:
        at = datetime.fromisoformat(value["at"])
        if not isinstance(kind, DateTime):
            return at.date()
        return at.replace(tzinfo=UTC) if kind.timezone else at
    assert not isinstance(kind, LargeBinary) or value is None
    return value


def _talk(services: Services, now: datetime) -> None:
    """What the demonstration leaves out: a conversation with a message that waits, a password, a switch."""
    with services.writing() as session:
        said = receive(session, TALK, "去年办了几场招聘会", "m-1", now=now)
        record_replies(session, TALK, said.number, [{"kind": "smalltalk", "text": "您好"}], now=now)
        waits = receive(session, TALK, WAITS, "m-2", now=now)
        keep(session, Seal(SECRET), TALK, waits.number, WAITS, now=now)
        turn_off(session, "open311", reason="核对", by="演示", now=now)
    add_accounts(services, now=now)


def main() -> None:
    """Keep a database of the newest release of the changelog, filled with the demonstration."""
    release = releases()[0]
    assert release.version == version("suqiutong"), f"the changelog says {release.version}"
    with tempfile.TemporaryDirectory() as folder:
        services = _DemoServices(Settings(data=Path(folder)))
        fill(services, lambda _line: None, now=datetime.now(UTC), count=PETITIONS, days=DAYS)
        _talk(services, datetime.now(UTC))
        write(services.engine, release)


if __name__ == "__main__":
    main()
