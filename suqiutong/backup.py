"""Backups: all that cannot be made again in one file, the keys that open it in another; and putting both back.

Model, knowledge base and queue are made anew at the next start. The keys lie apart because whoever has both reads every
name and phone number. A file appears whole or not at all, and what it holds is checked before anything is replaced.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.engine import URL, make_url

from suqiutong import database
from suqiutong.errors import CommandError
from suqiutong.settings import SECRETS, Settings
from suqiutong.up import check_ports

MANIFEST = "manifest.json"
SQLITE, DUMP = "database.db", "database.dump"
SOURCE = "sources/"
# Nothing else is ever taken out of a backup: a name in it is no path on this machine.
_NAME = re.compile(r"database\.(?:db|dump)|(?:secrets|keys|wechat)\.json|sources/[\w.-]+")
DATA_NAME, KEYS_NAME = (re.compile(rf"suqiutong-\d{{8}}-\d{{6}}{end}\.tar\.gz") for end in ("", "-keys"))
Report = Callable[[str], None]


def back_up(settings: Settings, folder: Path, keys_folder: Path | None = None, *, now: datetime) -> tuple[Path, Path]:
    """Write both files while the product runs; their paths.

    Args:
        settings: Of the product.
        folder: Where to; made when it is not there.
        keys_folder: Where the keys go, if not there too.
        now: Aware; names the files.

    Raises:
        CommandError: there is no database yet, `pg_dump` is missing or failed, or a file of that second is there.
    """
    keys_folder = keys_folder or folder
    for place in (folder, keys_folder):
        place.mkdir(parents=True, exist_ok=True)
    mark = {"id": secrets.token_hex(8), "made_at": now.isoformat(), "version": version("suqiutong")}
    name = f"suqiutong-{now:%Y%m%d-%H%M%S}"
    engine = database.make_engine(settings.database, may_make=False)
    try:
        revision = database.current(engine)
    finally:
        engine.dispose()
    if revision is None:
        raise CommandError("there is nothing to back up: the database is empty")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        copied = _copy_database(make_url(settings.database), Path(scratch))
        found = {copied.name: copied}
        if settings.sources_folder.is_dir():
            found |= {f"{SOURCE}{path.name}": path for path in sorted(settings.sources_folder.iterdir())}
        data = _write(folder / f"{name}.tar.gz", found, mark | {"revision": revision})
        present = {key: path for key, path in _key_files(settings).items() if path.exists()}
        keys = _write(keys_folder / f"{name}-keys.tar.gz", present, mark)
    return data, keys


def restore(settings: Settings, data: Path, keys: Path | None, report: Report) -> None:
    """Put a backup in place of an empty database; whoever calls brings the schema up to date afterwards.

    Args:
        settings: Of the product.
        data: The file of the data.
        keys: The file of the keys; not needed where they still are.
        report: Told what was done.

    Raises:
        CommandError: the product runs, a file is damaged or of another backup, the keys are missing or others, or
            there is a database with tables. Nothing was changed then.
    """
    check_ports(settings)
    with tempfile.TemporaryDirectory() as scratch:
        manifest = _read(data, Path(scratch) / "data")
        if manifest.get("revision") not in database.revisions():
            raise CommandError(f"{data} was made by a newer version ({manifest['version']}): install that one first")
        given = _checked_keys(settings, manifest, keys, Path(scratch) / "keys")
        found = next((path for path in (Path(scratch) / "data").glob("database.*")), None)
        if found is None:
            raise CommandError(f"{data} holds no database")
        url = make_url(settings.database)
        _check_empty(settings, url, found)
        settings.data_folder.mkdir(parents=True, exist_ok=True)
        for target, path in given.items():
            _put(path, target)
        settings.sources_folder.mkdir(parents=True, exist_ok=True)
        for path in sorted((Path(scratch) / "data" / SOURCE).glob("*")):
            _put(path, settings.sources_folder / path.name)
        # Last, so that a restore that was cut off is begun anew.
        if found.name == SQLITE:
            _put(found, Path(url.database or ""))
        else:
            _run("pg_restore", "--no-owner", "--single-transaction", "--exit-on-error", "--dbname", _libpq(url), found)
    report(f"restored what was backed up at {manifest['made_at']}")


def _key_files(settings: Settings) -> dict[str, Path]:
    return {
        SECRETS: settings.data_folder / SECRETS,
        "keys.json": settings.keys_file,
        "wechat.json": settings.wechat_file,
    }


def _copy_database(url: URL, folder: Path) -> Path:
    """A consistent copy of a database that others write to."""
    if url.get_backend_name() != "sqlite":
        _run("pg_dump", "--format=custom", "--no-owner", "--file", folder / DUMP, "--dbname", _libpq(url))
        return folder / DUMP
    with (
        closing(sqlite3.connect(f"file:{url.database}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(folder / SQLITE)) as copy,
    ):
        source.backup(copy)
        # One file: the copy must not need a journal beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
    return folder / SQLITE


def _write(path: Path, files: Mapping[str, Path], mark: Mapping[str, str]) -> Path:
    """A new archive, readable by its owner alone, with the digest of everything in it."""
    if path.exists():
        raise CommandError(f"{path} is there already")
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    digests = {name: _digest(file) for name, file in files.items()}
    try:
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz") as archive:
                manifest = json.dumps({**mark, "files": digests}).encode()
                head = tarfile.TarInfo(MANIFEST)
                head.size = len(manifest)
                archive.addfile(head, io.BytesIO(manifest))
                for name, file in files.items():
                    archive.add(file, name, recursive=False)
            raw.flush()
            os.fsync(raw.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    return path


def _read(path: Path, folder: Path) -> dict[str, Any]:
    """Unpack an archive whose manifest comes first, and check everything in it.

    Raises:
        CommandError: it is no backup, or damaged.
    """
    (folder / SOURCE).mkdir(parents=True)
    try:
        with tarfile.open(path, "r:gz") as archive:
            head = archive.next()
            stream = archive.extractfile(head) if head is not None and head.name == MANIFEST else None
            if stream is None:
                raise CommandError(f"{path} is no backup")
            manifest: dict[str, Any] = json.load(stream)
            wanted: dict[str, str] = manifest["files"]
            for member in archive:
                content = archive.extractfile(member)
                if member.name == MANIFEST:
                    continue
                if content is None or member.name not in wanted or not _NAME.fullmatch(member.name):
                    raise CommandError(f"{path} holds something that no backup holds")
                with (folder / member.name).open("xb") as file:
                    shutil.copyfileobj(content, file)
    except (OSError, EOFError, ValueError, KeyError, tarfile.TarError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    for name, digest in wanted.items():
        if not (folder / name).exists() or _digest(folder / name) != digest:
            raise CommandError(f"{path} is damaged: {name} is not what was backed up")
    return manifest


def _checked_keys(settings: Settings, manifest: Mapping[str, Any], keys: Path | None, folder: Path) -> dict[Path, Path]:
    """Which key files go where; those that are in place already stay.

    Raises:
        CommandError: they are missing, of another backup, or others are in place.
    """
    places = _key_files(settings)
    if keys is None:
        if missing := [name for name in (SECRETS, "keys.json") if not places[name].exists()]:
            raise CommandError(f"{', '.join(missing)} is missing here: give the file of the keys with --keys")
        return {}
    if _read(keys, folder)["id"] != manifest["id"]:
        raise CommandError(f"{keys} belongs to another backup")
    given = {places[path.name]: path for path in sorted(folder.glob("*.json"))}
    for place, path in given.items():
        if place.exists() and place.read_bytes() != path.read_bytes():
            raise CommandError(f"{place} is another one than in the backup: move it away first")
    return given


def _check_empty(settings: Settings, url: URL, found: Path) -> None:
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite != (found.name == SQLITE):
        raise CommandError(f"the backup is of another kind of database than SUQIUTONG_DATABASE_URL ({found.name})")
    if is_sqlite:
        beside = [f"{url.database}{ending}" for ending in ("", "-wal", "-shm")]
        if there := [path for path in beside if Path(path).exists()]:
            raise CommandError(f"{' and '.join(there)} would be overwritten: move it away first")
        return
    engine = database.make_engine(settings.database, may_make=False)
    try:
        if inspect(engine).get_table_names():
            raise CommandError("the database of SUQIUTONG_DATABASE_URL holds tables: name an empty one")
    finally:
        engine.dispose()


def _put(path: Path, target: Path) -> None:
    """Copy a file so that its name never stands for half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    with path.open("rb") as source, os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    half.replace(target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _libpq(url: URL) -> str:
    """The address as the programs of PostgreSQL read it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _run(program: str, *words: object) -> None:
    try:
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)  # noqa: S603 - fixed program
    except FileNotFoundError as error:
        raise CommandError(f"{program} is not installed: it comes with the client of PostgreSQL") from error
    if done.returncode:
        cause = next(iter(done.stderr.strip().splitlines()), "no reason given")
        raise CommandError(f"{program} failed: {cause}")
