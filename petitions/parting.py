"""A second matter of a petition, filed as a petition with a number and clocks of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from petitions.cases import act, lock_petitions, part_key
from petitions.errors import PetitionError
from petitions.filing import Filed, file_petition
from petitions.intake import Draft
from petitions.log import SYSTEM, Actor, append
from petitions.model import Petition
from petitions.privacy import Keyring, personal_of
from petitions.rules import Rules, own_rules
from petitions.triage import Route
from petitions.visibility import may_see, visible_to
from storage import begin_writing


def split_petition(
    session: Session,
    petition_id: int,
    actor: Actor,
    *,
    part: str,
    consent: str,
    triage: Callable[[str], Route],
    secret: bytes,
    keyring: Keyring,
    now: datetime,
    key: str,
    expected_version: int | None = None,
    rules: Rules | None = None,
) -> Filed:
    """File a part of a petition as a second one of the same petitioner; both tell of it in their log.

    The first keeps all of its words and its clocks: nothing that was said is lost. The caller commits, or rolls all of
    it back when it was refused.

    Args:
        session: At the start of a transaction.
        petition_id: The petition that holds two matters.
        actor: Who splits.
        part: The second matter, in the petitioner's words.
        consent: How the petitioner agreed.
        triage: Says where the part goes.
        secret: Key from which query codes are derived.
        keyring: Keys that seal what is personal.
        now: Aware.
        key: Names this very step: the same key again files nothing new.
        expected_version: The version that the actor has seen; None when it does not matter.
        rules: Other rules than those beside the code.

    Raises:
        PetitionError: what `act` and `file_petition` refuse; `not_splittable` for an accusation.
    """
    rules = rules or own_rules()
    begin_writing(session)
    found = lock_petitions(session, {petition_id})
    if not found or not may_see(found[0], actor, rules.network):
        raise PetitionError("not_found")
    petition = found[0]
    if not part.strip():
        raise PetitionError("wrong_fields", fields="part")
    person = personal_of(keyring, petition.petitioner)
    filed = file_petition(
        session,
        Draft(
            matter=part.strip(),
            place=petition.place,
            community=petition.community,
            occurred=petition.occurred,
            is_anonymous=petition.petitioner.is_anonymous,
            name=person.get("name"),
            phone=person.get("phone"),
        ),
        triage(f"{part.strip()}。{petition.place or ''}"),
        form_key=part_key(petition, key),
        conversation=petition.conversation,
        channel=petition.channel,
        secret=secret,
        keyring=keyring,
        now=now,
        rules=rules,
    )
    fields = {"part": part, "consent": consent, "second": filed.number}
    outcome = act(
        session, petition_id, "split", actor, fields, now=now, expected_version=expected_version, key=key, rules=rules
    )
    if outcome.is_new:
        second = session.scalars(select(Petition).where(Petition.number == filed.number, visible_to(SYSTEM))).one()
        append(
            session,
            second,
            "split_off",
            actor,
            state_from=second.state,
            data={"fields": {"first": petition.number}},
            now=now,
        )
    return filed
