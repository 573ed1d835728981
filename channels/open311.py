"""Tickets for other systems: the Open311 GeoReport v2 facade under `/open311/v2`, in XML and JSON.

Everybody may read which services there are and how far a ticket is. What was written, and where, is shown only to the
holder of the key that filed it, and masked; accusations are shown to nobody.

Source: https://wiki.open311.org/GeoReport_v2/
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from lxml import etree
from starlette.concurrency import run_in_threadpool

from channels.chat import TEXT_LIMIT
from channels.fallback import emergency_numbers, hotline_number
from channels.sanitise import strip_hidden
from channels.services import Services
from language.personal import dialled, is_phone
from petitions import Draft, PetitionError, Route, file_petition, state_label
from petitions.clocks import SHANGHAI
from petitions.filed import expected_at, last_changes, list_filed
from petitions.model import Petition
from petitions.visibility import STRANGER
from storage.switches import OPEN311
from web.errors import WebError
from web.requests import address_of, read_body

CHANNEL = "open311"
ROLE = "open311"
# Those that no address serves are refused in the standard's form as well.
METHODS = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
MOST_REQUESTS = 1000
SPAN = timedelta(days=90)
LIMITS = {"description": TEXT_LIMIT - 400, "address_string": 200, "first_name": 20, "last_name": 20, "media_url": 300}
LIMITS |= {"phone": 30, "attribute[occurred]": 100}
_FILE = Path(__file__).with_name("open311.yml")
_FORMAT = re.compile(r"(?P<name>.*?)(?:\.(?P<format>xml|json))?")
_ITEMS = {"services": "service", "service_requests": "request", "errors": "error"}
_ITEMS |= {"attributes": "attribute", "keywords": "keyword"}


class Open311Error(Exception):
    """A refusal in the standard's form: the status, and a sentence in English, as its clients expect."""

    def __init__(self, status: int, key: str, *, allow: Sequence[str] = (), **fields: object) -> None:
        self.status = status
        self.headers = {"Allow": ", ".join(allow)} if allow else {}
        self.description = str(offer()["errors"][key]).format(**fields)
        super().__init__(key)


@dataclass(frozen=True, slots=True)
class Filing:
    """A request to be filed."""

    service: Mapping[str, Any]
    draft: Draft


@cache
def offer() -> Mapping[str, Any]:
    """The content of open311.yml."""
    content: Mapping[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return content


def open311_router(services: Services) -> APIRouter:
    """The facade's addresses."""
    router = APIRouter(prefix="/open311/v2")
    pace = services.limit("open311", services.settings.address_messages_per_minute)

    async def holder_of(key: str | None) -> str | None:
        return await run_in_threadpool(services.check_token, key, ROLE) if key else None

    async def answer(request: Request, path: str) -> tuple[str, list[dict[str, Any]]]:
        parts = tuple(path.split("/"))
        if parts not in {("services",), ("requests",)} and (
            len(parts) != 2 or parts[0] not in {"services", "requests"}
        ):
            raise Open311Error(404, "path")
        served = ("GET", "POST") if parts == ("requests",) else ("GET",)
        if request.method not in served:
            raise Open311Error(405, "method", allow=served)
        if request.method == "POST":
            return "service_requests", [await post(request)]
        check_jurisdiction(services, request.query_params.get("jurisdiction_id"))
        match parts:
            case ("services",):
                return "services", [service_json(service) for service in offer()["services"]]
            case ("services", code):
                return "service_definition", [definition_of(service_of(code))]
            case _:
                if pace.take(address_of(request)) is not None:
                    raise Open311Error(429, "fast")
                holder = await holder_of(request.query_params.get("api_key"))
                number = parts[1] if len(parts) == 2 else None
                query = dict(request.query_params) if number is None else {"service_request_id": number}
                found = await run_in_threadpool(find, services, query, holder)
                if number is not None and not found:
                    raise Open311Error(404, "request")
                return "service_requests", found

    async def post(request: Request) -> dict[str, Any]:
        given = await read_fields(request)
        check_jurisdiction(services, given.get("jurisdiction_id"))
        holder = await holder_of(given.get("api_key"))
        if holder is None:
            raise Open311Error(403, "key")
        if pace.take(holder) is not None:
            raise Open311Error(429, "fast")
        key = request.headers.get("Idempotency-Key", "")[:60] or secrets.token_urlsafe(24)
        return await run_in_threadpool(file, services, filing_of(given), holder, key)

    @router.api_route("/{path:path}", methods=METHODS)
    async def serve(request: Request, path: str) -> Response:
        """One request of the standard, answered in the form that its address or its header asks for."""
        name, form = form_of(path, request.headers.get("Accept", ""))
        try:
            if await run_in_threadpool(services.switches.off, OPEN311):
                numbers = ", ".join(emergency_numbers(services.jurisdiction))
                raise Open311Error(503, "off", numbers=numbers, hotline=hotline_number(services.jurisdiction))
            root, items = await answer(request, name)
        except Open311Error as error:
            return refusal(error.status, error.description, form, error.headers)
        except PetitionError as error:
            return refusal(error.status, error.message, form)
        except WebError as error:
            return refusal(error.status, error.sentence, form, error.headers)
        return reply(root, items, form, 201 if request.method == "POST" else 200)

    return router


def form_of(path: str, accept: str) -> tuple[str, str]:
    """The address without its ending, and `xml` or `json`; the ending counts more than the header."""
    found = _FORMAT.fullmatch(path)
    name, form = (found["name"], found["format"]) if found else (path, None)
    return name, form or ("json" if "json" in accept else "xml")


def reply(root: str, items: Sequence[Mapping[str, Any]], form: str, status: int) -> Response:
    """Records in the form of the standard: a list in JSON, elements under `root` in XML."""
    is_one = root == "service_definition"
    if form == "json":
        return JSONResponse(items[0] if is_one else list(items), status)
    element = etree.Element(root)
    if is_one:
        fill(element, items[0])
    else:
        for item in items:
            fill(etree.SubElement(element, _ITEMS[root]), item)
    content = etree.tostring(element, xml_declaration=True, encoding="utf-8")
    return Response(content, status, media_type="text/xml; charset=utf-8")


def refusal(status: int, description: str, form: str, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal in the form of the standard."""
    response = reply("errors", [{"code": status, "description": description}], form, status)
    response.headers.update(headers or {})
    return response


def fill(element: Any, values: Mapping[str, Any]) -> None:  # noqa: ANN401 - lxml has no types
    """Write values as the children of an element; what is None is an empty one."""
    for name, value in values.items():
        child = etree.SubElement(element, name)
        if isinstance(value, list):
            for item in value:
                fill(etree.SubElement(child, _ITEMS[name]), item)
        elif isinstance(value, bool):
            child.text = str(value).lower()
        elif value is not None:
            child.text = strip_hidden(str(value))


def check_jurisdiction(services: Services, given: str | None) -> None:
    """Raises: Open311Error: the request is meant for somebody else."""
    if given not in {None, "", services.jurisdiction.name}:
        raise Open311Error(404, "jurisdiction")


def service_of(code: str) -> Mapping[str, Any]:
    """The service of that code.

    Raises:
        Open311Error: there is none.
    """
    for service in offer()["services"]:
        if service["code"] == code:
            found: Mapping[str, Any] = service
            return found
    raise Open311Error(404, "service")


def service_json(service: Mapping[str, Any]) -> dict[str, Any]:
    """A service as `GET services` lists it."""
    return {
        "service_code": service["code"],
        "service_name": service["name"],
        "description": "、".join(service["keywords"]),
        "metadata": True,
        "type": "realtime",
        "keywords": ",".join(service["keywords"]),
        "group": offer()["group"],
    }


def definition_of(service: Mapping[str, Any]) -> dict[str, Any]:
    """What may be said besides, as `GET services/{code}` tells."""
    attribute = {"variable": True, "datatype": "string", "required": False, "order": 1} | offer()["attribute"]
    return {"service_code": service["code"], "attributes": [attribute]}


async def read_fields(request: Request) -> dict[str, str]:
    """The fields of a posted form.

    Raises:
        Open311Error: it is no form.
        WebError: it is too large.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
    body = await read_body(request)
    try:
        if kind == "application/x-www-form-urlencoded":
            parsed = parse_qs(body.decode("ascii"), keep_blank_values=False, max_num_fields=50, errors="strict")
            return {name: strip_hidden(values[0]) for name, values in parsed.items()}
    except ValueError as error:
        raise Open311Error(400, "form") from error
    raise Open311Error(400, "form")


def filing_of(given: Mapping[str, str]) -> Filing:
    """What a posted form asks for.

    Raises:
        Open311Error: something is missing, too long or malformed.
    """
    if not given.get("service_code"):
        raise Open311Error(400, "service_missing")
    service = service_of(given["service_code"])
    for name, limit in LIMITS.items():
        if len(given.get(name, "")) > limit:
            raise Open311Error(400, "long", name=name, limit=limit)
    place = given.get("address_string") or given.get("address_id") or point_of(given)
    if place is None:
        raise Open311Error(400, "location")
    matter = given.get("description")
    if not matter:
        raise Open311Error(400, "description")
    if url := given.get("media_url"):
        # A note for whoever handles it: what is behind an address of somebody else's is never fetched.
        if not url.startswith(("http://", "https://")):
            raise Open311Error(400, "media_url")
        matter = offer()["attachment"].format(text=matter, url=url)
    name = given.get("last_name", "") + given.get("first_name", "")
    phone = dialled(given["phone"]) if given.get("phone") else None
    if phone and not is_phone(phone):
        raise Open311Error(400, "phone")
    draft = Draft(
        matter=matter,
        place=place[: LIMITS["address_string"]],
        occurred=given.get("attribute[occurred]"),
        name=name or None,
        phone=phone,
        is_anonymous=not (name or phone),
        is_confirmed=True,
    )
    return Filing(service, draft)


def point_of(given: Mapping[str, str]) -> str | None:
    """The place of a request that names only coordinates; None when it names none.

    Raises:
        Open311Error: they are no coordinates.
    """
    if not given.get("lat") or not given.get("long"):
        return None
    try:
        lat, long = float(given["lat"]), float(given["long"])
    except ValueError as error:
        raise Open311Error(400, "point") from error
    if not (math.isfinite(lat) and math.isfinite(long) and abs(lat) <= 90 and abs(long) <= 180):
        raise Open311Error(400, "point")
    return str(offer()["point"].format(lat=f"{lat:.6f}", long=f"{long:.6f}"))


def file(services: Services, filing: Filing, holder: str, key: str) -> dict[str, Any]:
    """File a request; the same `Idempotency-Key` of the same holder again gives the same ticket.

    Raises:
        PetitionError: it cannot be accepted here.
    """
    route = _with_service(services.triage(filing.draft.text), filing.service)
    danger = services.find_danger(str(filing.draft.matter))
    with services.sessions() as session:
        filed = file_petition(
            session,
            filing.draft,
            route,
            form_key=f"{CHANNEL}:{sha256(holder.encode()).hexdigest()[:16]}:{key}",
            conversation=own_conversation(holder),
            channel=CHANNEL,
            secret=services.secret,
            keyring=services.keyring,
            now=services.clock(),
        )
        session.commit()
    notice = offer()["notice"].format(code=filed.code)
    return {
        "service_request_id": filed.number,
        "service_notice": f"{danger.advice}\n{notice}" if danger else notice,
        "account_id": None,
    }


def own_conversation(holder: str) -> str:
    """What marks the tickets of a holder as theirs."""
    return f"{CHANNEL}:{holder}"[:100]


def find(services: Services, query: Mapping[str, str], holder: str | None) -> list[dict[str, Any]]:
    """The tickets that a query asks for.

    Raises:
        Open311Error: a parameter is malformed.
    """
    numbers = [number for number in query.get("service_request_id", "").split(",") if number][:MOST_REQUESTS]
    codes = [code for code in query.get("service_code", "").split(",") if code]
    names = [service_of(code)["name"] for code in codes]
    statuses = {status for status in query.get("status", "").split(",") if status}
    if not statuses <= {"open", "closed"}:
        raise Open311Error(400, "status")
    since, until = (moment_of(query.get(name)) for name in ("start_date", "end_date"))
    if not numbers:
        # Without both ends: the span of the standard, up to now.
        until = until or (since + SPAN if since else services.clock())
        since = max(since or until - SPAN, until - SPAN)
        if since > until:
            raise Open311Error(400, "moment")
    with services.sessions() as session:
        petitions = list_filed(
            session,
            STRANGER,
            numbers=numbers,
            categories=names,
            since=None if numbers else since,
            until=None if numbers else until,
            is_ended=None if len(statuses) != 1 else statuses == {"closed"},
            limit=MOST_REQUESTS,
        )
        changes = last_changes(session, petitions, STRANGER)
        return [request_json(petition, changes[petition.id], holder) for petition in petitions]


def moment_of(text: str | None) -> datetime | None:
    """A moment of a query.

    Raises:
        Open311Error: it is none, or has no time zone.
    """
    if not text:
        return None
    try:
        # In a query a plus sign may have become a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Open311Error(400, "moment") from error
    if moment.tzinfo is None:
        raise Open311Error(400, "moment")
    return moment


def request_json(petition: Petition, changed_at: datetime, holder: str | None) -> dict[str, Any]:
    """A ticket as the standard shows it; words and place only to who filed it."""
    is_own = holder is not None and petition.conversation == own_conversation(holder)
    service = next(one for one in offer()["services"] if one["name"] == petition.category[0])
    point = re.fullmatch(r"坐标(-?[\d.]+),(-?[\d.]+)", petition.place or "") if is_own else None
    expected = expected_at(petition)
    return {
        "service_request_id": petition.number,
        "status": "open" if petition.ended_at is None else "closed",
        "status_notes": state_label(petition.state),
        "service_name": service["name"],
        "service_code": service["code"],
        "description": petition.matter if is_own else None,
        "agency_responsible": petition.unit,
        "service_notice": None,
        "requested_datetime": _written(petition.filed_at),
        "updated_datetime": _written(changed_at),
        "expected_datetime": _written(expected) if expected else None,
        "address": petition.place if is_own and not point else None,
        "address_id": None,
        "zipcode": None,
        "lat": float(point[1]) if point else None,
        "long": float(point[2]) if point else None,
        "media_url": None,
    }


def _with_service(route: Route, service: Mapping[str, Any]) -> Route:
    """The route; where the text does not tell the category, the service that was chosen does."""
    unsure = offer()["unsure"]
    if route.category[1:] == (unsure, unsure):
        return replace(route, category=(service["name"], unsure, unsure))
    return route


def _written(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).isoformat(timespec="seconds")
