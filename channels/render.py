"""From messages of the contract to HTML: the one place where text becomes markup, always escaped first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

from channels.kiosk import Kiosks
from channels.services import Jurisdiction, Phone
from channels.store import QUERY_CODE
from channels.texts import load_texts, say
from petitions import state_label
from petitions.images import own_photos, too_large
from web.markup import rich
from web.templates import Templates

_FIGURE = re.compile(r"\d(?:[\d,，.]*\d)?")
_HERE = ZoneInfo("Asia/Shanghai")
LARGE_COOKIE = "large_text"


def marked(quote: str, message: Mapping[str, Any]) -> Markup:
    """A quote in which the figures that the answer uses stand out."""
    used = {found[0] for found in _FIGURE.finditer(message["text"])}
    used |= {found[0] for fact in message["facts"] for found in _FIGURE.finditer(str(fact.get("value", "")))}
    parts: list[Markup] = []
    end = 0
    for found in _FIGURE.finditer(quote):
        if found[0] in used:
            parts += [escape(quote[end : found.start()]), Markup("<mark>{}</mark>").format(found[0])]
            end = found.end()
    return Markup("").join([*parts, escape(quote[end:])])


def query_code(text: str) -> str | None:
    """The query code that a filed ticket's text names."""
    found = QUERY_CODE.search(text)
    return found["code"] if found else None


def due_words(due: Mapping[str, str]) -> str:
    """One running clock of a ticket, in words, in local time."""
    texts = load_texts()["ticket"]
    at = datetime.fromisoformat(due["at"]).astimezone(_HERE)
    clocks = texts["clocks"]
    return say(
        "ticket.due_at",
        clock=clocks.get(due["clock"], clocks["other"]),
        year=at.year,
        month=at.month,
        day=at.day,
        weekday=texts["weekdays"][at.weekday()],
        time=at.strftime("%H:%M"),
    )


def moment_words(at: datetime) -> str:
    """A moment in words, in local time."""
    here = at.astimezone(_HERE)
    return say("my.moment", year=here.year, month=here.month, day=here.day, time=here.strftime("%H:%M"))


def phones_in(text: str, phones: Mapping[str, Phone]) -> list[Phone]:
    """The known phones whose numbers a text names, in its order."""
    places = {phone.number: (_number_pattern(phone.number).search(text), phone) for phone in phones.values()}
    named = [(found.start(), phone) for found, phone in places.values() if found]
    return [phone for _, phone in sorted(named, key=lambda pair: pair[0])]


def _number_pattern(number: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\d-]){re.escape(number)}(?![\d-])")


class Pages:
    """The templates with everything they all need."""

    def __init__(self, jurisdiction: Jurisdiction, kiosks: Kiosks) -> None:
        self._kiosks = kiosks
        texts = load_texts()
        self._environment = Templates(Path(__file__).with_name("templates"))
        filters = {"marked": marked, "query_code": query_code, "due_words": due_words, "moment_words": moment_words}
        self._environment.filters |= filters | {"rich": rich}
        self._environment.globals |= {
            "texts": texts,
            "say": say,
            "title": say("page.title", name=jurisdiction.name),
            "place_name": jurisdiction.name,
            "state_label": state_label,
            "photo_limits": own_photos(),
            "photo_too_large": too_large().message,
            "phones_in": partial(phones_in, phones=jurisdiction.phones),
            "emergency_phones": [
                jurisdiction.phones[key] for key in texts["emergency_phones"] if key in jurisdiction.phones
            ],
        }

    def fragment(self, name: str, context: Mapping[str, Any]) -> str:
        """A template that is part of a page."""
        return self._environment.get_template(name).render(context)

    def response(
        self,
        request: Request,
        name: str,
        context: Mapping[str, Any],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """A whole page."""
        shared = {
            "path": request.url.path,
            "is_large": request.cookies.get(LARGE_COOKIE) == "1",
            "idle_seconds": self._kiosks.idle_seconds(request),
        }
        return HTMLResponse(self.fragment(name, shared | dict(context)), status, dict(headers or {}))
