"""The people of the desk, for whoever administers it: added, moved, disabled, given another password."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from desk import audit, sessions
from desk.accounts import (
    PERSONS,
    AccountError,
    Role,
    add_staff,
    change_staff,
    disable_staff,
    drop_factor,
    find_staff,
    list_staff,
    reset_password,
)
from desk.entry import Entry, Person
from desk.pages import Pages
from desk.services import Services
from desk.texts import say
from petitions.network import own_network
from storage import begin_writing
from web.errors import WebError
from web.requests import field, read_form

Form = Annotated[FormData, Depends(read_form)]
ADMIN = Entry((Role.ADMIN,))


def people_router(services: Services, pages: Pages) -> APIRouter:
    """The page and its forms."""
    router = APIRouter(prefix="/people")

    def show(request: Request, *, problem: str = "", name: str = "", password: str = "") -> Response:
        settings = services.settings
        idle, longest = timedelta(minutes=settings.desk_idle_minutes), timedelta(hours=settings.desk_session_hours)
        logins: dict[int, list[sessions.StaffSession]] = {}
        with services.sessions() as session:
            people = list_staff(session)
            for login in sessions.list_sessions(session, now=services.clock(), idle=idle, longest=longest):
                logins.setdefault(login.staff_id, []).append(login)
        context = {
            "people": people,
            "logins": logins,
            "person_roles": PERSONS,
            "units": own_network().names,
            "problem_sentence": problem,
            "name": name,
            "password": password,
        }
        return pages.response(request, "people.html", context, status=422 if problem else 200)

    @router.get("", dependencies=[Depends(Entry((Role.ADMIN,), menu="people"))])
    def get_people(request: Request) -> Response:
        """Everybody."""
        return show(request)

    @router.post("")
    def post_people(request: Request, person: Annotated[Person, Depends(ADMIN)], form: Form) -> Response:
        """Add, move, disable, log out, take the second factor away, or give a new initial password."""
        step, name = field(form, "step"), field(form, "name").strip()
        password = ""
        try:
            with services.sessions() as session:
                begin_writing(session)
                password = _change(session, step, name, form, person, services.clock())
                session.commit()
        except AccountError as error:
            return show(request, problem=say(f"account_errors.{error.code}"), name=name)
        return show(request, name=name, password=password)

    return router


def _change(session: Session, step: str, name: str, form: FormData, person: Person, now: datetime) -> str:
    """Do what a form asks for and write it down; the initial password when there is a new one, which is shown once.

    Raises:
        AccountError: it cannot be done.
    """
    if name == person.member.name:
        # Whoever administers cannot lock themselves out; another one or the command line can.
        raise AccountError("oneself", "nobody changes their own account here")
    password, given = "", dict[str, str]()
    member = find_staff(session, name)
    match step:
        case "disable":
            disable_staff(session, name, now=now)
        case "reset":
            password = reset_password(session, name)[1]
        case "unfactor":
            drop_factor(session, name)
        case "logout":
            if member is None:
                raise AccountError("unknown", "there is no such member of staff")
        case "add":
            given = {"role": field(form, "role"), "unit": field(form, "unit")}
            password = add_staff(session, name, _role(given["role"]), given["unit"], now=now)[1]
        case "change":
            given = {"role": field(form, "role"), "unit": field(form, "unit")}
            if member is not None:
                given |= {"before_role": member.role, "before_unit": member.unit or ""}
            change_staff(session, name, role=_role(given["role"]), unit=given["unit"], now=now)
        case _:
            raise WebError("malformed")
    if member is not None:
        sessions.close_all(session, member)
    audit.note(session, person.member, f"staff_{step}", name, given, now=now)
    return password


def _role(text: str) -> Role:
    if text not in PERSONS:
        raise AccountError("role", "no such role")
    return Role(text)
