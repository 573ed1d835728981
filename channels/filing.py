"""The few calls into `petitions` that the plain form makes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from channels.services import Services
from petitions import Draft, Filed, Repeat, file_petition, find_repeat

logger = logging.getLogger(__name__)

CHANNEL = "form"


def draft_of(entry: Mapping[str, Any]) -> Draft:
    """A form's fields as a draft; those left empty are absent, and the review has shown what must be seen."""
    given = {f"petition_{name}": value for name, value in entry.items() if value}
    seen = {"petition_place_asked": 1, "petition_legal_seen": True, "petition_is_confirmed": True}
    return Draft.from_slots(given | seen)


def route_of(services: Services, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Where a petition with these fields goes."""
    return services.triage(draft_of(entry).text).to_json()


def repeat_of(services: Services, entry: Mapping[str, Any]) -> Repeat | None:
    """The ticket that may be the same matter; a search that fails never keeps a petition from being filed."""
    draft = draft_of(entry)
    try:
        with services.sessions() as session:
            return find_repeat(session, draft, services.triage(draft.text), now=services.clock())
    except SQLAlchemyError as error:
        logger.error("repeat_not_searched error=%s", type(error).__name__)
        return None


def file(
    services: Services, entry: Mapping[str, Any], form_key: str, *, conversation: str, join: str | None = None
) -> Filed:
    """File what was reviewed, in one transaction; the same form key again gives the same petition.

    Args:
        services: The rest of the product.
        entry: The form's fields.
        form_key: Key of this filing.
        conversation: That of the browser, whose petitions it joins; empty without one.
        join: Number of the ticket that the resident says is the same matter.
    """
    draft = draft_of(entry)
    route = services.triage(draft.text)
    with services.sessions() as session:
        filed = file_petition(
            session,
            draft,
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
