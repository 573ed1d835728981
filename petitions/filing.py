"""Filing a petition once, and finding it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from petitions.cases import act, open_case, running_clocks
from petitions.clocks import SHANGHAI
from petitions.errors import PetitionError
from petitions.intake import Draft
from petitions.lifecycle import own_lifecycle
from petitions.log import PETITIONER
from petitions.model import Petition, Petitioner
from petitions.numbers import is_code, is_ticket_number, query_code, shown_code, ticket_number
from petitions.photos import take_photos
from petitions.privacy import Keyring, protect_texts, seal_personal
from petitions.rules import Rules
from petitions.search import write_text
from petitions.triage import Route
from storage import begin_writing


@dataclass(frozen=True, slots=True)
class Filed:
    """A filed petition: `code` (XXXX-XXXX) can be had only here; `is_new` is False for a repeated filing."""

    number: str
    code: str
    ticket: dict[str, Any]
    is_new: bool


def file_petition(
    session: Session,
    draft: Draft,
    route: Route,
    *,
    form_key: str,
    conversation: str,
    channel: str,
    secret: bytes,
    keyring: Keyring,
    now: datetime,
    join: str | None = None,
    photos_of: str | None = None,
    rules: Rules | None = None,
) -> Filed:
    """File `draft` under `route`, in the caller's transaction, once for each `form_key` however often it is sent.

    Args:
        session: Open; the caller commits.
        draft: What the resident said.
        route: Where it goes.
        form_key: Key of this filing; a repeat with the same key returns the first petition.
        conversation: Id of the conversation it comes from.
        channel: Name of the door it came through.
        secret: Key from which query codes are derived; a repeat shows the same code.
        keyring: Keys that seal what is personal.
        now: Aware.
        join: Number of the ticket that the resident says is the same matter; where it has ended meanwhile, the petition
            stands by itself.
        photos_of: The conversation or form whose photos go along.
        rules: Other rules of the case work than those beside the code.

    Raises:
        PetitionError: `not_accepted_here` when the matter lies outside the district, `incomplete` without a matter,
            `concluded_matter` when nobody may join that ticket any more.
    """
    code = query_code(secret, form_key)
    begin_writing(session)
    if known := session.scalar(select(Petition).where(Petition.form_key == form_key)):
        return _filed(known, code, is_new=False)
    if route.unit is None:
        raise PetitionError("not_accepted_here")
    if not draft.matter:
        raise PetitionError("incomplete")
    is_anonymous = bool(draft.is_anonymous)
    petitioner = Petitioner(token=token_hex(16), is_anonymous=is_anonymous, created_at=now)
    if not is_anonymous:
        seal_personal(keyring, petitioner, {"name": draft.name, "phone": draft.phone})
    said = {"matter": draft.matter, "place": draft.place, "occurred": draft.occurred}
    kept = protect_texts(keyring, petitioner, said)
    # A vector of words that are personal is not kept: the worker makes one of the masked text.
    vector = route.vector if kept == said and route.vector else None
    petition = Petition(
        form_key=form_key,
        petitioner=petitioner,
        conversation=conversation,
        channel=channel,
        filed_at=now,
        clocks=[],
        **kept,
        **_routed(route, route.unit),
    )
    try:
        with session.begin_nested():
            session.add(petition)
            session.flush()
            petition.number = ticket_number(route.prefix, petition.id, now)
            write_text(session, petition, vector)
            open_case(session, petition, reason="；".join(route.reasons), now=now, rules=rules)
            if photos_of is not None:
                take_photos(session, photos_of, petition)
    except IntegrityError:
        # Somebody filed the same key between our look and our insert: theirs is the petition.
        known = session.scalar(select(Petition).where(Petition.form_key == form_key))
        if known is None:
            raise
        return _filed(known, code, is_new=False)
    if join is not None:
        _join(session, petition, join, now=now, rules=rules)
    return _filed(petition, code, is_new=True)


def find_ticket(session: Session, number: str, code: str, *, secret: bytes) -> Petition:
    """The petition with this number, for who knows its query code.

    Args:
        session: Open.
        number: As shown.
        code: With or without its dash.
        secret: Key from which query codes are derived.

    Raises:
        PetitionError: `not_found`, alike for an unknown number and for a wrong code.
    """
    known = session.scalar(select(Petition).where(Petition.number == number)) if is_ticket_number(number) else None
    # The code is computed for an unknown number too, so that the time taken tells nothing.
    is_right = is_code(secret, code.replace("-", ""), known.form_key if known is not None else "")
    if known is None or not is_right:
        raise PetitionError("not_found")
    return known


def find_own_ticket(session: Session, conversation: str) -> Petition | None:
    """The newest petition filed in this conversation, whose signed session proves whose it is; None without any."""
    return session.scalar(
        select(Petition).where(Petition.conversation == conversation).order_by(Petition.id.desc()).limit(1)
    )


def list_own_tickets(session: Session, conversation: str, *, limit: int) -> Sequence[Petition]:
    """The petitions filed in this conversation, newest first."""
    return session.scalars(
        select(Petition).where(Petition.conversation == conversation).order_by(Petition.id.desc()).limit(limit)
    ).all()


def ticket_of(petition: Petition) -> dict[str, Any]:
    """The `ticket` object that residents and other systems see; a due time that may still move says so."""
    return {
        "number": petition.number,
        "state": petition.state,
        "class": petition.class_,
        "category": petition.category,
        "level": petition.level,
        "unit": petition.unit,
        "office": petition.office,
        "community": petition.community,
        "priority": petition.priority,
        "flags": petition.flags,
        "due": [
            {"clock": clock.clock, "at": clock.due_at.astimezone(SHANGHAI).isoformat()}
            | ({"is_provisional": True} if clock.is_provisional else {})
            for clock in sorted(running_clocks(petition), key=lambda clock: clock.due_at)
            if clock.paused_at is None and not clock.is_window
        ],
    }


def state_label(state: str) -> str:
    """A state in a resident's words.

    Raises:
        KeyError: lifecycle.yml has no such state.
    """
    return own_lifecycle().states[state].label


def joined_label(state: str) -> str:
    """A state in the words for those whose petitions were merged into the one that has it.

    Raises:
        KeyError: lifecycle.yml has no such state.
    """
    named = own_lifecycle().states[state]
    return named.joined or named.label


def staff_label(state: str) -> str:
    """A state in the short words of those who work here.

    Raises:
        KeyError: lifecycle.yml has no such state.
    """
    return own_lifecycle().states[state].staff


def _routed(route: Route, unit: str) -> dict[str, Any]:
    """The columns of a petition that follow from its route."""
    return {
        "class_": route.class_,
        "category": list(route.category),
        "topic": route.category[0],
        "level": route.level,
        "unit": unit,
        "office": route.office,
        "community": route.community,
        "priority": route.priority,
        "flags": list(route.flags),
        "legal_path": route.legal_path,
        "is_restricted": route.is_restricted,
        "route": route.to_json(),
        "state": own_lifecycle().initial,
        "hops": 0,
        "unsatisfied": 0,
        "event_count": 0,
        "event_hash": "",
    }


def _join(session: Session, petition: Petition, number: str, *, now: datetime, rules: Rules | None) -> None:
    try:
        act(session, petition.id, "join", PETITIONER, {"into": number}, now=now, rules=rules)
    except PetitionError as error:
        if error.code == "concluded_matter":
            raise


def _filed(petition: Petition, code: str, *, is_new: bool) -> Filed:
    if petition.number is None:
        raise LookupError("a petition without number was committed")
    return Filed(petition.number, shown_code(code), ticket_of(petition), is_new)
