"""What the database tells of the health of the product."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from desk import factor
from knowledge.curated import EXPIRING_DAYS, list_entries, today_of
from petitions.model import Event
from petitions.privacy import keys_in_use
from petitions.standing import Standing, standing
from storage import begin_writing
from suqiutong import database
from suqiutong.errors import CommandError
from suqiutong.finding import Finding, found, whether
from suqiutong.keys import read_keyring
from suqiutong.settings import Settings
from suqiutong.wiring import Services

# Older ones get no corrections any more. Source: https://www.postgresql.org/support/versioning/, read 2026-11-26.
LEAST_POSTGRESQL = 15
SKEW = timedelta(seconds=5)
LATE_SECONDS = 600.0
# The notice of the holidays of a year comes in November of the year before.
NOTICE_MONTH = 12


def examine_data(services: Services) -> Iterator[Finding]:
    """All that takes the database: whether it is there comes first, the rest only where it is."""
    reached = _schema(services)
    yield reached
    if reached.level != "ok":
        yield _keys(services.settings, set(), services.clock())
        return
    # Not that of the services, which would make secrets where there are none.
    engine = database.make_engine(services.settings.database, may_make=False)
    try:
        yield _writable(engine)
        with Session(engine) as session:
            now = services.clock()
            yield _version(session)
            yield _clock(session, now)
            yield _keys(services.settings, keys_in_use(session) | factor.keys_in_use(session), now)
            stands = standing(session, now=now)
            yield check_outbox(stands)
            yield check_due_times(stands, now)
            yield _entries(session, now)
    except SQLAlchemyError as error:
        yield Finding("database", "fail", f"failed while it was read ({type(error).__name__})", "see its own log")
    finally:
        engine.dispose()


def check_outbox(stands: Standing) -> Finding:
    """Whether messages reach residents and units."""
    name, dead, pending = "outbox", stands.outbox["dead"], stands.outbox["pending"]
    if stands.late_seconds > LATE_SECONDS:
        late = f"{pending} messages wait, one of them {stands.late_seconds / 60:.0f} minutes over its time"
        return Finding(name, "fail", late, "see that the worker runs; suqiutong outbox deliver")
    if dead:
        advice = "suqiutong outbox dead says why; then suqiutong outbox retry"
        return Finding(name, "warn", f"{dead} messages were given up", advice)
    return Finding(name, "ok", f"{pending} messages wait, none over its time")


def check_due_times(stands: Standing, now: datetime) -> Finding:
    """Whether due times are certain; those of the next year are not before its holidays are announced."""
    text = f"{stands.provisional} due times wait for the workdays of a year, {sum(stands.overdue.values())} are over"
    is_known_by_now = stands.provisional and today_of(now).month >= NOTICE_MONTH
    advice = "update chinesecalendar or write the notice into petitions/calendar.yml; the worker computes them anew"
    return found("due times", "warn" if is_known_by_now else "ok", text, advice)


def _schema(services: Services) -> Finding:
    name, engine = "database", None
    try:
        engine = database.make_engine(services.settings.database, may_make=False)
        backend = engine.url.get_backend_name()
        if backend == "sqlite" and not Path(engine.url.database or "").exists():
            return Finding(name, "fail", "not made yet", "suqiutong db upgrade")
        revision = database.current(engine)
    except CommandError as error:
        return Finding(name, "fail", str(error))
    except SQLAlchemyError as error:
        advice = "see that it runs, and check SUQIUTONG_DATABASE_URL and the password in it"
        return Finding(name, "fail", f"cannot be reached ({type(error).__name__})", advice)
    finally:
        if engine is not None:
            engine.dispose()
    head = database.newest()
    told = f"{backend}, schema {revision or 'empty'}, newest {head}"
    return found(name, "ok" if revision == head else "fail", told, "suqiutong db upgrade")


def _writable(engine: Engine) -> Finding:
    """Whether it takes what is written: a change that changes nothing, and is taken back."""
    advice = "see that its disk is neither full nor read-only, that no program holds its lock, and whose the file is"
    try:
        with Session(engine) as session:
            begin_writing(session)
            session.execute(text("UPDATE alembic_version SET version_num = version_num"))
            session.rollback()
    except SQLAlchemyError as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        return Finding("writing", "fail", f"the database takes nothing ({cause})", advice)
    return Finding("writing", "ok", "the database takes what is written")


def _version(session: Session) -> Finding:
    if session.get_bind().dialect.name == "sqlite":
        return Finding("database version", "ok", f"SQLite {sqlite3.sqlite_version}")
    number = int(session.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    is_kept = number >= LEAST_POSTGRESQL
    advice = f"plan the move to PostgreSQL {LEAST_POSTGRESQL} or newer: this one gets no corrections"
    return found("database version", "ok" if is_kept else "warn", f"PostgreSQL {number}", advice)


def _clock(session: Session, now: datetime) -> Finding:
    """Whether this machine's clock agrees with that of the database, and with what was written before."""
    advice = "let both machines keep their time by NTP (timedatectl); due times are computed from it"
    if session.get_bind().dialect.name == "postgresql":
        there = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        skew = abs(there - datetime.now(UTC))
        if skew > SKEW:
            told = f"{skew.total_seconds():.0f} seconds apart from the database"
            return Finding("clock", "warn", told, advice)
    newest = session.scalar(select(func.max(Event.at)))
    if newest and newest > now + SKEW:
        return Finding("clock", "warn", "it was turned back: the newest event lies ahead of it", advice)
    return Finding("clock", "ok", f"{now.astimezone():%Y-%m-%d %H:%M %Z}")


def _keys(settings: Settings, used: set[str], now: datetime) -> Finding:
    """Whether every key that something is sealed with is there."""
    name, path = "keys", settings.keys_file
    advice = f"put {path.name} back from the backup of the keys: nobody can read names and phones without it"
    if not path.exists():
        if used:
            return Finding(name, "fail", f"{path} is missing, and {len(used)} keys of it are in use", advice)
        return Finding(name, "ok", "made at the first petition")
    readable = whether(name, lambda: read_keyring(path, now=now), "")
    if readable.level != "ok":
        return readable
    if lost := used - set(read_keyring(path, now=now).keys):
        return Finding(name, "fail", f"{path} lacks {', '.join(sorted(lost))}", advice)
    return Finding(name, "ok", f"{path}: all keys in use are there, readable by their owner alone")


def _entries(session: Session, now: datetime) -> Finding:
    today = today_of(now)
    entries = list_entries(session)
    ending = [entry.id for entry in entries if entry.state(today) == "live" and entry.is_expiring(today)]
    over = [entry.id for entry in entries if entry.state(today) == "expired"]
    told = f"{len(entries)} curated entries"
    if ending or over:
        told += f"; over: {', '.join(over) or 'none'}; over within {EXPIRING_DAYS} days: {', '.join(ending) or 'none'}"
        return Finding("entries", "warn", told, "renew or retire them at the desk under the knowledge pages")
    return Finding("entries", "ok", told)
