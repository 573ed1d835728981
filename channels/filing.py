"""The few calls into `petitions` that the plain form makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.services import Services
from petitions import Draft, Filed, PetitionError, Route, file_petition, find_ticket, ticket_of

CHANNEL = "form"


def route_of(services: Services, matter: str, place: str) -> Route:
    """Where a petition about this matter at this place goes."""
    return services.triage(f"{matter}\n{place}")


def file(services: Services, entry: Mapping[str, Any], form_key: str) -> Filed:
    """File what was reviewed, in one transaction; the same form key again gives the same petition."""
    route = route_of(services, entry["matter"], entry["place"])
    seen = {"legal_seen": True, "place_asked": True, "is_confirmed": True, "community": route.community}
    draft = Draft.from_slots({f"petition_{name}": value for name, value in {**entry, **seen}.items()})
    with services.sessions() as session:
        filed = file_petition(
            session,
            draft,
            route,
            form_key=f"{CHANNEL}:{form_key}",
            conversation="",
            channel=CHANNEL,
            secret=services.secret,
            now=services.clock(),
        )
        session.commit()
    return filed


def find(services: Services, number: str, code: str) -> dict[str, Any] | None:
    """The ticket, to whoever holds its code; None for a wrong code as for an unknown number."""
    with services.sessions() as session:
        try:
            return ticket_of(find_ticket(session, number, code, now=services.clock()))
        except PetitionError:
            return None
        finally:
            # Failed attempts may be counted against the ticket.
            session.commit()
