"""The templates with everything they all need, the navigation among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from desk.entry import Person, entries_of, next_gate, routes_of
from desk.periods import list_address, period_words
from desk.services import Services
from desk.texts import TEXTS, say
from desk.vendor import vendor_address
from petitions.clocks import SHANGHAI
from petitions.filing import staff_label
from web.markup import rich
from web.templates import Templates


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """An entry of the navigation."""

    path: str
    label: str
    is_here: bool


def menu_of(app: FastAPI, person: Person, path: str) -> list[MenuEntry]:
    """The entries that lead somewhere for this person: the routes that declare one, in the order of texts.yml."""
    found = {
        entry.menu: route.path
        for route in routes_of(app)
        for entry in entries_of(route)
        if entry.menu and entry.roles and person.member.role in entry.roles
    }
    return [
        MenuEntry(found[name], label, path == found[name] or path.startswith(f"{found[name]}/"))
        for name, label in TEXTS.all["menu"].items()
        if name in found
    ]


def local_time(moment: datetime) -> str:
    """A moment as people here write it."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


class Pages:
    """Makes pages and parts of pages."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._templates = Templates(Path(__file__).with_name("templates"))
        self._templates.filters |= {"local_time": local_time, "rich": rich}
        self._templates.globals |= {
            "texts": TEXTS.all,
            "say": say,
            "title": say("page.title", name=services.jurisdiction.name),
            "state_label": staff_label,
            "vendor": vendor_address,
            "holds_demo": services.holds_demo,
            "waiting_count": self._waiting_count,
            "all_off": services.switches.all_off,
            "period_words": period_words,
            "list_address": list_address,
        }

    def _waiting_count(self) -> int:
        with self._services.sessions() as session:
            return self._services.conversations.waiting_count(session)

    def menu(self, request: Request) -> list[MenuEntry]:
        """The navigation of whoever is logged in and has given all that is asked for."""
        person: Person | None = getattr(request.state, "person", None)
        if person is None or next_gate(self._services, person) is not None:
            return []
        return menu_of(request.app, person, request.url.path)

    def response(
        self,
        request: Request,
        name: str,
        context: Mapping[str, Any] | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """A whole page."""
        shared = {
            "path": request.url.path,
            "person": getattr(request.state, "person", None),
            "menu": self.menu(request),
        }
        html = self._templates.get_template(name).render(shared | dict(context or {}))
        return HTMLResponse(html, status, dict(headers or {}))
