"""Commands of the editors: curated entries, questions that found no answer, labels of reviewed turns."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from suqiutong.errors import CommandError
from suqiutong.settings import read_settings
from suqiutong.transactions import transaction
from suqiutong.wiring import Services

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from knowledge.curated import CuratedEntry
    from knowledge.unanswered import Work

faq = typer.Typer(no_args_is_help=True)
unanswered = typer.Typer(no_args_is_help=True)
review = typer.Typer(no_args_is_help=True)

EntryArgument = Annotated[str, typer.Argument(help="Id of the entry.")]
WorkArgument = Annotated[int, typer.Argument(help="Number in `unanswered list`; its whole group is meant.")]
ByOption = Annotated[str, typer.Option("--by", help="Name of the person who does it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


def add_to(commands: typer.Typer) -> None:
    """Add the groups of commands."""
    commands.add_typer(faq, name="faq", help="Manage the curated questions and answers.")
    commands.add_typer(unanswered, name="unanswered", help="Work through questions that found no answer.")
    commands.add_typer(review, name="review", help="Use what reviewers found at the desk.")


@faq.command("import")
def import_file(path: Annotated[Path, typer.Argument(help="YAML file, such as knowledge/curated.yml.")]) -> None:
    """Take in the entries of a file as drafts, all or none."""
    from knowledge import curated

    rows = curated.read_entries(path)
    with transaction(read_settings()) as (session, now):
        done = curated.import_entries(session, rows, now)
    typer.echo(f"added {done.added}, changed {done.changed}, unchanged {done.unchanged}")


@faq.command("export")
def export_entries() -> None:
    """Write all entries that are not retired as YAML that `faq import` reads."""
    from knowledge import curated

    with transaction(read_settings()) as (session, _now):
        entries = [entry.content() for entry in curated.list_entries(session) if not entry.retired_at]
    typer.echo(yaml.safe_dump({"entries": entries}, allow_unicode=True, sort_keys=False, width=120), nl=False)


@faq.command("list")
def list_entries(as_json: JsonOption = False) -> None:
    """List all entries: state, validity, hits, owner and the first question."""
    from knowledge import curated

    with transaction(read_settings()) as (session, now):
        rows = [_row(entry, curated.today_of(now)) for entry in curated.list_entries(session)]
    if as_json:
        _print_json(rows)
        return
    words = curated.texts()
    for row in rows:
        until = row["valid_until"] or words["open_end"]
        validity = f"{row['valid_from']}~{until}" + (f" {words['expiring']}" if row["is_expiring"] else "")
        state = words["states"][row["state"]]
        typer.echo("\t".join((row["id"], state, validity, str(row["hits"]), row["owner"], row["variants"][0])))


@faq.command("show")
def show_entry(entry_id: EntryArgument) -> None:
    """Show an entry and all its versions as JSON."""
    from knowledge import curated

    with transaction(read_settings()) as (session, now):
        entry = curated.find_entry(session, entry_id)
        versions = [
            {"version": one.version, "step": one.step, "by": one.by, "at": one.at, "content": one.content}
            for one in curated.history(session, entry_id)
        ]
        _print_json(_row(entry, curated.today_of(now)) | {"versions": versions})


@faq.command("return")
def return_entry(
    entry_id: EntryArgument, by: ByOption, reason: Annotated[str, typer.Option("--reason", help="What to change.")]
) -> None:
    """Return a draft to whoever wrote it."""
    from knowledge import curated

    with transaction(read_settings()) as (session, now):
        curated.send_back(session, entry_id, by, reason, now)


@faq.command("approve")
def approve_entry(
    entry_id: EntryArgument,
    by: ByOption,
    version: Annotated[int | None, typer.Option("--version", help="The version that was read; default: any.")] = None,
) -> None:
    """Put a draft into service; by another person than who wrote it."""
    from knowledge import curated

    with transaction(read_settings()) as (session, now):
        curated.approve(session, entry_id, by, now, version=version)


@faq.command("retire")
def retire_entry(entry_id: EntryArgument, by: ByOption) -> None:
    """Take an entry out of service."""
    from knowledge import curated

    with transaction(read_settings()) as (session, now):
        curated.retire(session, entry_id, by, now)


@faq.command("revert")
def revert_entry(
    entry_id: EntryArgument, version: Annotated[int, typer.Argument(help="A version in `faq show`.")], by: ByOption
) -> None:
    """Make an older version the newest, as a draft that somebody else has to approve."""
    from knowledge import curated

    with transaction(read_settings()) as (session, now):
        curated.revert(session, entry_id, version, by, now)


@unanswered.command("list")
def list_unanswered(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many groups.")] = 20,
    since: Annotated[datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="Asked since a day.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the open questions, those that ask the same in one group, most asked first."""
    with transaction(read_settings()) as (session, _now):
        work = _work(session, since)[:limit]
    if as_json:
        _print_json([asdict(one) for one in work])
        return
    for one in work:
        days = f"{_day(one.first_asked_at)}~{_day(one.last_asked_at)}"
        typer.echo("\t".join((str(one.id), str(one.asks), days, one.question, *one.examples)))


@unanswered.command("dismiss")
def dismiss_unanswered(
    number: WorkArgument, by: ByOption, reason: Annotated[str, typer.Option("--reason", help="Why.")] = ""
) -> None:
    """Say that a group of questions needs no answer."""
    from knowledge.unanswered import dismiss

    with transaction(read_settings()) as (session, now):
        dismiss(session, _group(session, number), by, reason, now)


@unanswered.command("link")
def link_unanswered(number: WorkArgument, entry_id: EntryArgument, by: ByOption) -> None:
    """Say that a curated entry answers a group of questions."""
    from knowledge.unanswered import link

    with transaction(read_settings()) as (session, now):
        link(session, _group(session, number), entry_id, by, now)


@unanswered.command("purge")
def purge() -> None:
    """Delete the questions that were last asked more than twelve months ago."""
    from knowledge.unanswered import RETENTION, purge_unanswered

    with transaction(read_settings()) as (session, now):
        gone = purge_unanswered(session, now - RETENTION)
    typer.echo(f"deleted {gone}")


@review.command("export")
def export_review() -> None:
    """Write what reviewers found as training examples, for a person to look through and merge into data/nlu."""
    from channels.turns import training_examples

    with transaction(read_settings()) as (session, _now):
        typer.echo(training_examples(session), nl=False)


def _work(session: Session, since: datetime | None = None) -> list[Work]:
    from knowledge.curated import ZONE
    from knowledge.question import Lexicon
    from knowledge.unanswered import group_unanswered

    services = Services(read_settings())
    lexicon = Lexicon(services.jurisdiction.place_names)
    begin = datetime.combine(since, time.min, tzinfo=ZONE).astimezone(UTC) if since else None
    return group_unanswered(session, services.encoder, lexicon, since=begin)


def _group(session: Session, number: int) -> Sequence[int]:
    """All questions of the group that a question represents."""
    ids = next((one.ids for one in _work(session) if one.id == number), None)
    if ids is None:
        raise CommandError(f"there is no open group {number}: see `suqiutong unanswered list`")
    return ids


def _day(moment: datetime) -> date:
    from knowledge.curated import today_of

    return today_of(moment)


def _row(entry: CuratedEntry, today: date) -> dict[str, Any]:
    fields = ("approved_by", "approved_at", "retired_at", "hits", "last_hit_at", "version")
    return (
        entry.content()
        | {"reference": entry.reference, "valid_until": entry.valid_until}
        | {field: getattr(entry, field) for field in fields}
        | {"state": entry.state(today), "is_expiring": entry.is_expiring(today)}
    )


def _print_json(value: object) -> None:
    """As JSON; dates and times as ISO 8601."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_iso))


def _iso(value: date) -> str:
    return value.isoformat()
