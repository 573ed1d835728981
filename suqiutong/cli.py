"""The command line. Every failure is one line on stderr and a non-zero exit."""

# ruff: noqa: PLC0415 - what is slow to import is imported by the command that needs it
from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from desk import accounts, sessions
from desk.accounts import Role
from suqiutong import (
    calls,
    casework,
    curating,
    database,
    processes,
    protecting,
    reporting,
    sending,
    showing,
    switching,
    wechat,
)
from suqiutong.backup import back_up
from suqiutong.backup import restore as put_back
from suqiutong.doctor import examine
from suqiutong.errors import CommandError
from suqiutong.settings import read_settings, settings_table, shown_settings
from suqiutong.transactions import transaction
from suqiutong.up import prepare as prepare_all
from suqiutong.up import run_everything, train_model
from suqiutong.wiring import Services

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
knowledge = typer.Typer(no_args_is_help=True)
schema = typer.Typer(no_args_is_help=True)
people = typer.Typer(no_args_is_help=True)
tokens = typer.Typer(no_args_is_help=True)
serve = typer.Typer(no_args_is_help=True)
commands.add_typer(
    knowledge, name="knowledge", help="Build, show and check the knowledge base; add and remove its documents."
)
commands.add_typer(schema, name="db", help="Change the database schema.")
commands.add_typer(people, name="staff", help="Manage staff.")
commands.add_typer(tokens, name="token", help="Manage access tokens.")
curating.add_to(commands)
commands.add_typer(casework.petitions, name="petitions", help="Handle petitions, their clocks and their log.")
reporting.add_to(casework.petitions)
commands.command("demo")(showing.demo)
commands.add_typer(calls.assist, name="assist", help="Handle what operators made of the proposals they were shown.")
commands.add_typer(protecting.privacy, name="privacy", help="Handle personal data and their keys.")
commands.add_typer(sending.outbox, name="outbox", help="Handle messages that wait to be delivered.")
commands.add_typer(wechat.wechat, name="wechat", help="Set the WeChat menu; simulate WeChat.")
commands.add_typer(switching.switch, name="switch", help="Turn a channel or free answers off and on.")
commands.add_typer(serve, name="serve", help="Run one process of the Procfile; `up` runs them all.")

# Packages whose errors are sentences for people.
OURS = {"suqiutong", "desk", "knowledge", "petitions", "jurisdiction", "language", "storage"}
UnitOption = Annotated[
    str | None, typer.Option("--unit", help="The unit they work for; by default the subdistrict's own hall.")
]
RoleOption = Annotated[Role, typer.Option("--role", help="What the holder may do.")]
InstanceOption = Annotated[
    int,
    typer.Option(
        "--instance",
        min=0,
        max=99,
        help="Which of several behind a proxy (docs/operations.md): it listens so many ports above the usual one.",
    ),
]


def app() -> None:
    """Run the command line; every failure becomes one line."""
    # Database, transcripts and logs are for the account that runs the product, and for nobody else on the machine.
    os.umask(0o077)
    try:
        commands()
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {_cause(error)}", file=sys.stderr)  # noqa: T201 - a terminal is where it belongs
        sys.exit(1)


def _cause(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    is_ours = type(error).__module__.partition(".")[0] in OURS
    return text if is_ours else f"{text.partition(' [SQL:')[0]} ({type(error).__name__}; --debug shows where)"


def _report(line: str) -> None:
    typer.echo(line, err=True)


def _print_json(value: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"suqiutong {version('suqiutong')}")
        raise typer.Exit


@commands.callback()
def main(
    _debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """诉求通: answers residents from the report of their subdistrict and keeps their petitions."""


@commands.command()
def up() -> None:
    """Bring everything up to date and run it until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    services = Services(read_settings())
    raise typer.Exit(run_everything(services.settings, lambda: _upgrade(services), _report))


@commands.command()
def prepare() -> None:
    """Bring schema, knowledge base and model up to date as `up` does, and start nothing."""
    services = Services(read_settings())
    prepare_all(services.settings, lambda: _upgrade(services), _report)


def _upgrade(services: Services, revision: str = "head") -> None:
    keys = services.settings.keys_file
    # An empty database in the place of a lost one would look as if nothing had ever been filed.
    if database.is_missing(services.engine) and keys.exists():
        where = services.engine.url.database
        raise CommandError(
            f"{where} is missing: put it back or `suqiutong restore` it (to begin anew, move {keys} away)"
        )
    database.upgrade(services.engine, revision)
    if database.current(services.engine) == database.newest():
        services.protect()


@commands.command()
def train() -> None:
    """Train the model and put it in place; the one before is kept."""
    train_model(read_settings(), _report)


@commands.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Where the file of the data goes.")],
    keys_folder: Annotated[
        Path | None, typer.Option("--keys", help="Where the file of the keys goes; by default beside the other.")
    ] = None,
) -> None:
    """Back up all that cannot be made again, and apart from it the keys; the product may run."""
    services = Services(read_settings())
    data, keys = back_up(services.settings, folder, keys_folder, now=services.clock())
    typer.echo(data)
    typer.echo(keys)
    if keys_folder is None:
        _report("Keep the second one elsewhere: whoever has both reads every name and phone number.")


@commands.command()
def restore(
    data: Annotated[Path, typer.Argument(help="The file of the data.")],
    keys: Annotated[Path | None, typer.Option("--keys", help="The file of the keys; not where they still are.")] = None,
) -> None:
    """Put a backup in place of an empty database, bring it up to date and check its log; the product must not run."""
    from petitions.log import verify

    services = Services(read_settings())
    put_back(services.settings, data, keys, _report)
    _upgrade(services)
    with services.sessions() as session:
        found = verify(session)
    typer.echo(f"petitions: {found.petitions}, events: {found.events}, log: {'holds' if found.holds else 'broken'}")
    if not found.holds:
        raise CommandError("the log does not hold: `suqiutong petitions verify` says where")


@commands.command()
def ask(text: Annotated[str, typer.Argument(help="A resident's question.")]) -> None:
    """Answer a question as JSON, without any server."""
    _print_json(Services(read_settings()).ask(text))


@commands.command()
def triage(text: Annotated[str, typer.Argument(help="A resident's complaint or wish.")]) -> None:
    """Tell as JSON where a petition goes; files nothing."""
    _print_json(Services(read_settings()).triage(text).to_json())


@commands.command()
def settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="All settings and their defaults as a table.")] = False,
) -> None:
    """Show the settings in force, or document them all."""
    if markdown:
        typer.echo(settings_table())
        return
    for name, value in shown_settings(read_settings()).items():
        typer.echo(f"SUQIUTONG_{name.upper()}={value}")


@commands.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Check what the product needs and say what to do; non-zero exit when something is broken."""
    findings = []
    for finding in examine(Services(read_settings())):
        if not as_json:
            typer.echo(finding)
        findings.append(finding)
    broken = sum(finding.level == "fail" for finding in findings)
    if as_json:
        warnings = sum(finding.level == "warn" for finding in findings)
        _print_json({"broken": broken, "warnings": warnings, "findings": [asdict(finding) for finding in findings]})
    if broken:
        raise typer.Exit(1)


@knowledge.command("build")
def build_knowledge() -> None:
    """Build the knowledge base from the sources; the old one stays until the new one is whole."""
    from suqiutong import corpus

    corpus.build_knowledge(Services(read_settings()), _report)


@knowledge.command("show")
def show_knowledge() -> None:
    """Show every fact with the clause it stands in, one JSON object a line."""
    from suqiutong import corpus

    for row in corpus.show_knowledge(Services(read_settings())):
        typer.echo(json.dumps(row, ensure_ascii=False))


@knowledge.command("check")
def check_knowledge() -> None:
    """Check that every quote stands at its place and every figure is a fact or known to be none."""
    from suqiutong import corpus

    count, problems = corpus.check_knowledge(Services(read_settings()))
    for problem in problems:
        typer.echo(problem.text if problem.is_fatal else f"warning: {problem.text}")
    if fatal := sum(problem.is_fatal for problem in problems):
        raise CommandError(f"{fatal} places do not hold")
    typer.echo(f"{count} facts hold")


@knowledge.command("add")
def add_knowledge(
    file: Annotated[Path, typer.Argument(help="A .txt, .md, .html, .docx or .pdf.")],
    title: Annotated[
        str | None, typer.Option("--title", help="As answers cite it; by default its first heading.")
    ] = None,
    published_on: Annotated[
        str | None, typer.Option("--published-on", help="YYYY-MM-DD; by default as it dates itself.")
    ] = None,
    year: Annotated[
        int | None,
        typer.Option("--year", min=1950, max=2099, help="Year of what stands under no heading that names a year."),
    ] = None,
    name: Annotated[str | None, typer.Option("--id", help="Its id; by default the name of the file.")] = None,
) -> None:
    """Add a document and build the knowledge base with it; on any failure both stay as they were."""
    from suqiutong import corpus

    day = _day(published_on) if published_on else None
    corpus.add_document(Services(read_settings()), file, _report, title=title, published_on=day, year=year, name=name)


def _day(text: str) -> date:
    from knowledge import KnowledgeError

    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise KnowledgeError("bad_date", value=text) from error


@knowledge.command("list")
def list_knowledge() -> None:
    """List all documents: id, years, sentences, facts, since when, title."""
    from suqiutong import corpus

    for row in corpus.list_documents(Services(read_settings())):
        typer.echo("\t".join(map(str, row)))


@knowledge.command("remove")
def remove_knowledge(name: Annotated[str, typer.Argument(help="Its id in `knowledge list`.")]) -> None:
    """Remove a document that was added, and build the knowledge base without it."""
    from suqiutong import corpus

    corpus.remove_document(Services(read_settings()), name, _report)


@knowledge.command("rollback")
def roll_back_knowledge() -> None:
    """Bring the build before back, with the documents that it was made from."""
    from suqiutong import corpus

    corpus.roll_back(Services(read_settings()), _report)


@knowledge.command("train")
def train_knowledge() -> None:
    """Train the verifier on the written questions (a few minutes) and show its figures as JSON."""
    from suqiutong import corpus

    _print_json(corpus.train_verifier(Services(read_settings()), _report))


@schema.command("upgrade")
def upgrade_schema(revision: Annotated[str, typer.Argument(help="A revision.")] = "head") -> None:
    """Bring the schema up to a revision, by default the newest."""
    _upgrade(Services(read_settings()), revision)


@schema.command("downgrade")
def downgrade_schema(revision: Annotated[str, typer.Argument(help="A revision, `-1`, or `base`.")]) -> None:
    """Take the schema back to a revision; what later ones hold is lost."""
    database.downgrade(Services(read_settings()).engine, revision)


@schema.command("current")
def current_schema() -> None:
    """Show the schema's revision and the newest."""
    typer.echo(f"{database.current(Services(read_settings()).engine) or 'empty'} (newest: {database.newest()})")


@people.command("add")
def add_person(
    name: Annotated[str, typer.Argument(help="Their name, unique.")], role: RoleOption, unit: UnitOption = None
) -> None:
    """Add a member of staff and show their initial password, this once."""
    services = Services(read_settings())
    own_hall = services.jurisdiction.hall("6", subdistrict=services.jurisdiction.name).name
    with services.writing() as session:
        _, password = accounts.add_staff(session, name, role, unit or own_hall, now=services.clock())
    _report("The initial password, shown once; it has to be changed at the first login:")
    typer.echo(password)


@people.command("change")
def change_person(
    name: Annotated[str, typer.Argument(help="Their name.")],
    role: Annotated[Role | None, typer.Option("--role", help="Their new role.")] = None,
    unit: UnitOption = None,
) -> None:
    """Give a member another role or unit; they have to log in again."""
    with transaction(read_settings()) as (session, now):
        sessions.close_all(session, accounts.change_staff(session, name, role=role, unit=unit, now=now))


@people.command("reset-password")
def reset_password(name: Annotated[str, typer.Argument(help="Their name.")]) -> None:
    """Show a new initial password, this once; the second factor has to be set up anew, every login ends."""
    with transaction(read_settings()) as (session, _now):
        member, password = accounts.reset_password(session, name)
        sessions.close_all(session, member)
    typer.echo(password)


@people.command("list")
def list_people() -> None:
    """List all staff: name, role, unit, state."""
    with transaction(read_settings()) as (session, _now):
        for member in accounts.list_staff(session):
            state = "disabled" if member.disabled_at else "active"
            typer.echo(f"{member.name}\t{member.role}\t{member.unit or '-'}\t{state}")


@people.command("disable")
def disable_person(name: Annotated[str, typer.Argument(help="Their name.")]) -> None:
    """End a member's access at once and revoke their tokens."""
    with transaction(read_settings()) as (session, now):
        _report(f"revoked tokens: {accounts.disable_staff(session, name, now=now)}")


@tokens.command("create")
def create_token(
    role: RoleOption,
    holder: Annotated[str, typer.Option("--name", help="A member of staff, or what the token is for.")] = "unnamed",
) -> None:
    """Make a token and show it, this once."""
    with transaction(read_settings()) as (session, now):
        token = accounts.create_token(session, holder, role, now=now)
    typer.echo(token)


@tokens.command("list")
def list_tokens() -> None:
    """List all tokens, without what is secret."""
    with transaction(read_settings()) as (session, _now):
        for token in accounts.list_tokens(session):
            state = "revoked" if token.revoked_at else "active"
            typer.echo(f"{token.id}\t{token.name}\t{token.role}\t{token.created_at:%Y-%m-%d}\t{state}")


@tokens.command("revoke")
def revoke_token(number: Annotated[int, typer.Argument(help="Its number in `token list`.")]) -> None:
    """Withdraw a token."""
    with transaction(read_settings()) as (session, now):
        accounts.revoke_token(session, number, now=now)


@serve.command("rasa")
def serve_rasa(instance: InstanceOption = 0) -> None:
    """Run Rasa on the loopback address, its HTTP API closed."""
    processes.run_rasa(read_settings().instance("rasa", instance))


@serve.command("actions")
def serve_actions(instance: InstanceOption = 0) -> None:
    """Run the action server on the loopback address."""
    processes.run_actions(Services(read_settings().instance("actions", instance)))


@serve.command("web")
def serve_web(instance: InstanceOption = 0) -> None:
    """Run the web process."""
    processes.run_web(Services(read_settings().instance("web", instance)))


@serve.command("desk")
def serve_desk() -> None:
    """Run the desk of the office."""
    processes.run_desk(Services(read_settings()))


@serve.command("worker")
def serve_worker() -> None:
    """Run the worker: messages, clocks, retention."""
    processes.run_worker(Services(read_settings()))
