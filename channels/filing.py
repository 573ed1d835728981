"""The few calls into `petitions` that the plain form makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.services import Services
from petitions import Draft, Filed, Repeat, Route, file_petition, look_for_repeat

CHANNEL = "form"


def draft_of(entry: Mapping[str, Any]) -> Draft:
    """A form's fields as a draft; those left empty are absent, and the review has shown what must be seen."""
    given = {f"petition_{name}": value for name, value in entry.items() if value}
    seen = {"petition_place_asked": 1, "petition_legal_seen": True, "petition_is_confirmed": True}
    return Draft.from_slots(given | seen)


def route_of(services: Services, entry: Mapping[str, Any]) -> Route:
    """Where a petition with these fields goes."""
    return services.triage(draft_of(entry).text)


def repeat_of(services: Services, entry: Mapping[str, Any], route: Route) -> Repeat | None:
    """The ticket that may be the same matter."""
    return look_for_repeat(services.sessions, draft_of(entry), route, now=services.clock())


def file(
    services: Services,
    entry: Mapping[str, Any],
    route: Route,
    form_key: str,
    *,
    conversation: str,
    join: str | None = None,
) -> Filed:
    """File what was reviewed, in one transaction; the same form key again gives the same petition.

    Args:
        services: The rest of the product.
        entry: The form's fields.
        route: Of them.
        form_key: Key of this filing.
        conversation: That of the browser, whose petitions it joins; empty without one.
        join: Number of the ticket that the resident says is the same matter.
    """
    with services.sessions() as session:
        filed = file_petition(
            session,
            draft_of(entry),
            route,
            form_key=f"{CHANNEL}:{form_key}",
            conversation=conversation,
            channel=CHANNEL,
            secret=services.secret,
            keyring=services.keyring,
            now=services.clock(),
            join=join,
            photos_of=f"{CHANNEL}:{form_key}",
        )
        session.commit()
    return filed
