"""Who may enter a page: declared by every route with one dependency, checked before anything else is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute

from desk import sessions
from desk.accounts import PERSONS, Role, Staff
from desk.errors import DeskError
from desk.services import Services
from web.requests import check_origin

COOKIE = "desk"
# What asks by itself says so: it keeps no login alive.
BY_ITSELF = "X-By-Itself"
CASEWORKERS = (Role.OPERATOR, Role.HANDLER, Role.SUPERVISOR)
_READING = {"GET", "HEAD"}


class Detour(Exception):  # noqa: N818 - no error, another page comes first
    """The person has to go to another page first: to log in, to give a second factor, to choose a password."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever is logged in, with the cookie of this browser."""

    member: Staff
    token: str
    is_complete: bool


class Entry:
    """A rule of who may enter, used as a dependency.

    Args:
        roles: Who may enter; everybody, even without login, when None.
        menu: Name of the entry that leads here in the navigation of those who may enter.
        is_gate: Whether it is one of the pages on the way in, open to those who have not given all that is asked for.
    """

    def __init__(self, roles: Sequence[Role] | None, *, menu: str = "", is_gate: bool = False) -> None:
        self.roles = None if roles is None else frozenset(roles)
        self.menu = menu
        self.is_gate = is_gate

    def __call__(self, request: Request) -> Person | None:
        """The person.

        Raises:
            Detour: another page comes first.
            WebError: a form of another site, or the role is another.
        """
        if request.method not in _READING:
            check_origin(request)
        services: Services = request.app.state.services
        person = _find(services, request)
        request.state.person = person
        if self.roles is None:
            return person
        if person is None:
            raise Detour("/login")
        if not self.is_gate and (path := next_gate(services, person)):
            raise Detour(path)
        if person.member.role not in self.roles:
            raise DeskError("forbidden")
        return person


def next_gate(services: Services, person: Person) -> str | None:
    """Where a person has to go before they may enter; None when there is nothing left."""
    if not person.is_complete:
        return "/login/code"
    if person.member.must_change and not goes_by_provider(services, person.member):
        return "/account/password"
    if needs_factor(services, person.member) and not person.member.has_factor:
        return "/account/factor"
    return None


def needs_factor(services: Services, member: Staff) -> bool:
    """Whether the member's role needs a second factor."""
    return member.role in {role.strip() for role in services.settings.desk_second_factor.split(",")}


def goes_by_provider(services: Services, member: Staff) -> bool:
    """Whether a member logs in through the office's own provider and uses no password here."""
    return bool(services.settings.desk_oidc_issuer) and member.role != Role.ADMIN


def _find(services: Services, request: Request) -> Person | None:
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    settings, now = services.settings, services.clock()
    idle, longest = timedelta(minutes=settings.desk_idle_minutes), timedelta(hours=settings.desk_session_hours)
    with services.sessions() as session:
        found = sessions.read_session(session, token, now=now, idle=idle, longest=longest)
        if found is None:
            return None
        person = Person(found.staff, token, found.is_complete)
        session.expunge(found.staff)
        if BY_ITSELF not in request.headers:
            sessions.note_use(session, found, now=now)
        return person


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Every route of the desk, but for its fixed files."""
    return [route for router in app.state.routers for route in router.routes if isinstance(route, APIRoute)]


def entries_of(route: APIRoute) -> list[Entry]:
    """The rules that a route declares."""
    return [found.call for found in route.dependant.dependencies if isinstance(found.call, Entry)]


ANYBODY = Entry(None)
# On the way in, or about one's own account.
MYSELF = Entry(PERSONS, is_gate=True)

Myself = Annotated[Person, Depends(MYSELF)]
