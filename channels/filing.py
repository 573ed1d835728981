"""The few calls into `petitions` that the plain form makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.services import Services
from petitions import Draft, Filed, PetitionError, file_petition, find_ticket, parse_reference, ticket_of

CHANNEL = "form"


def draft_of(entry: Mapping[str, Any]) -> Draft:
    """A form's fields as a draft; those left empty are absent, and the review has shown what must be seen."""
    given = {f"petition_{name}": value for name, value in entry.items() if value}
    seen = {"petition_place_asked": 1, "petition_legal_seen": True, "petition_is_confirmed": True}
    return Draft.from_slots(given | seen)


def route_of(services: Services, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Where a petition with these fields goes."""
    return services.triage(draft_of(entry).text).to_json()


def file(services: Services, entry: Mapping[str, Any], form_key: str) -> Filed:
    """File what was reviewed, in one transaction; the same form key again gives the same petition."""
    draft = draft_of(entry)
    route = services.triage(draft.text)
    with services.sessions() as session:
        filed = file_petition(
            session,
            draft,
            route,
            form_key=f"{CHANNEL}:{form_key}",
            conversation="",
            channel=CHANNEL,
            secret=services.secret,
            keyring=services.keyring,
            now=services.clock(),
            photos_of=f"{CHANNEL}:{form_key}",
        )
        session.commit()
    return filed


def find(services: Services, number: str, code: str) -> dict[str, Any] | None:
    """The ticket, to whoever holds its code; None for a wrong code as for an unknown number."""
    # People type both with spaces, dashes and small letters.
    number, code = parse_reference(number).number or number, parse_reference(code).code or code
    with services.sessions() as session:
        try:
            return ticket_of(find_ticket(session, number, code, now=services.clock()))
        except PetitionError:
            return None
