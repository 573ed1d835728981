"""The page that shows what people took out of the desk or changed of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from desk import audit
from desk.accounts import Role, list_staff
from desk.entry import Entry, Person
from desk.pages import Pages
from desk.services import Services
from desk.texts import TEXTS
from petitions.filing import staff_label
from petitions.lifecycle import own_lifecycle

AUDIT = Entry((Role.ADMIN,), menu="audit")


def audit_router(services: Services, pages: Pages) -> APIRouter:
    """The page."""
    router = APIRouter()

    @router.get("/audit")
    def get_audit(request: Request, _person: Annotated[Person, Depends(AUDIT)]) -> Response:
        """Who did what, newest first."""
        query = request.query_params
        actor, action, before = query.get("actor", ""), query.get("action", ""), query.get("before", "")
        number = int(before) if before.isascii() and before.isdecimal() and len(before) < 16 else None
        with services.sessions() as session:
            found = audit.entries(session, actor=actor, action=action, before=number)
            people = [member.name for member in list_staff(session)]
        context = {
            "entries": [(entry, _given(entry)) for entry in found[: audit.PAGE]],
            "next_before": found[audit.PAGE - 1].id if len(found) > audit.PAGE else None,
            "before": number,
            "actor": actor,
            "action": action,
            "actions": TEXTS.all["audit"]["actions"],
            "people": people,
        }
        return pages.response(request, "audit.html", context)

    return router


def _given(entry: audit.AuditEntry) -> list[tuple[str, str]]:
    """What an entry says besides who and when, in words."""
    names = TEXTS.all["audit"]["data"]
    given = dict(entry.data)
    given |= given.pop("filter", {})
    return [(names.get(name, name), _shown(name, value)) for name, value in given.items() if value != ""]


def _shown(name: str, value: object) -> str:
    if isinstance(value, list):
        return "、".join(map(str, value))
    # Values that have a word: a role, a clock, a state.
    kind = {"role": "roles", "before_role": "roles", "overdue": "clocks"}.get(name)
    words: Mapping[str, str] = TEXTS.all[kind] if kind else {}
    return (
        staff_label(str(value))
        if name == "state" and str(value) in own_lifecycle().states
        else words.get(str(value), str(value))
    )
