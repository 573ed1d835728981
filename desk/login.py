"""Logging in and out, and one's own account: password, second factor, all sessions."""

from __future__ import annotations

import logging
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from desk import factor, sessions
from desk.accounts import LEAST_PASSWORD, Staff, find_staff, is_password, is_weak, set_password
from desk.entry import ANYBODY, COOKIE, Myself, Person, goes_by_provider, needs_factor, next_gate
from desk.errors import DeskError
from desk.oidc import OpenId
from desk.pages import Pages
from desk.services import Services
from storage import begin_writing
from web.requests import address_of, field, read_form, set_cookie

logger = logging.getLogger(__name__)

Form = Annotated[FormData, Depends(read_form)]
OIDC_COOKIE = "desk_login"


def inside(path: str) -> str:
    """A path of the desk, such as a form may ask to go on to; the start page when it leads anywhere else."""
    parts = urlsplit(path)
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return path if is_ours and path.isprintable() and "\\" not in path else "/"


class Logins:
    """The steps of logging in, each in transactions of its own."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def by_password(self, name: str, password: str, *, address: str, old: str | None) -> str:
        """The cookie of a new session.

        Raises:
            DeskError: `wrong_login`, `locked_out`, `oidc_only`.
        """
        services = self._services
        attempt = self._count(name, address)
        with services.sessions() as session:
            member = find_staff(session, name)
        # Outside of any transaction: the hash takes its time.
        if not is_password(member, password) or member is None:
            raise _refused("wrong_login", attempt)
        if goes_by_provider(services, member):
            raise _refused("oidc_only", attempt)
        return self._open(member, attempt, is_complete=not member.has_factor, old=old)

    def by_code(self, person: Person, code: str, *, address: str) -> str:
        """The cookie of the session that is complete.

        Raises:
            DeskError: `wrong_code`, `locked_out`.
        """
        services, member = self._services, person.member
        attempt = self._count(f"code {member.id}", address)
        with services.sessions() as session:
            begin_writing(session)
            locked = session.get_one(Staff, member.id, with_for_update=True)
            is_right = factor.use_code(locked, services.keyring, code, now=services.clock(), key=services.secret)
            session.commit()
        if not is_right:
            raise _refused("wrong_code", attempt)
        return self._open(member, attempt, is_complete=True, old=person.token)

    def change_password(self, person: Person, current: str, new: str, again: str, *, address: str) -> str:
        """Choose another password; every session ends, and a new one begins.

        Raises:
            DeskError: `wrong_password`, `weak_password`, `different_passwords`, `locked_out`.
        """
        services, member = self._services, person.member
        if new != again:
            raise DeskError("different_passwords")
        if is_weak(member, new, words=(services.jurisdiction.name,)):
            raise DeskError("weak_password", least=LEAST_PASSWORD)
        attempt = self.check_password(person, current, address=address)
        with services.sessions() as session:
            begin_writing(session)
            locked = session.get_one(Staff, member.id, with_for_update=True)
            set_password(locked, new)
            sessions.close_all(session, locked)
            session.commit()
        return self._open(member, attempt, is_complete=True, old=person.token)

    def check_password(self, person: Person, password: str, *, address: str) -> sessions.Attempt:
        """Make sure that it is still the same person at the browser.

        Raises:
            DeskError: `wrong_password`, `locked_out`.
        """
        attempt = self._count(person.member.name, address)
        if not is_password(person.member, password):
            raise _refused("wrong_password", attempt)
        with self._services.sessions() as session:
            begin_writing(session)
            sessions.forget_attempt(session, attempt)
            session.commit()
        return attempt

    def _count(self, account: str, address: str) -> sessions.Attempt:
        services = self._services
        with services.sessions() as session:
            try:
                attempt = sessions.count_attempt(session, services.secret, account, address, now=services.clock())
            except DeskError:
                logger.warning("login_locked_out")
                raise
            session.commit()
        return attempt

    def _open(self, member: Staff, attempt: sessions.Attempt, *, is_complete: bool, old: str | None) -> str:
        with self._services.sessions() as session:
            begin_writing(session)
            sessions.forget_attempt(session, attempt)
            token = sessions.open_session(session, member, is_complete=is_complete, now=self._services.clock(), old=old)
            session.commit()
        logger.info("login staff=%d complete=%s", member.id, is_complete)
        return token


def _refused(code: str, attempt: sessions.Attempt) -> DeskError:
    """A refusal that the log tells of, by the digest of what was tried: a password may have been typed as the name."""
    logger.warning("login_refused code=%s account=%s", code, attempt.account[:12])
    return DeskError(code)


def login_router(services: Services, pages: Pages) -> APIRouter:
    """The way in and the way out."""
    router = APIRouter()
    logins = Logins(services)
    hours = services.settings.desk_session_hours

    def go(request: Request, token: str, path: str) -> Response:
        response = RedirectResponse(path, 303)
        set_cookie(response, request, COOKIE, token, hours=hours)
        return response

    def show_login(request: Request, then: str, *, name: str = "", error: DeskError | None = None) -> Response:
        has_provider = bool(services.settings.desk_oidc_issuer)
        context = {"then": then, "name": name, "error": error, "has_provider": has_provider}
        headers = error.headers if error else None
        return pages.response(request, "login.html", context, status=error.status if error else 200, headers=headers)

    @router.get("/login", dependencies=[Depends(ANYBODY)])
    def get_login(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
        """The form."""
        return show_login(request, inside(next))

    @router.post("/login", dependencies=[Depends(ANYBODY)])
    def post_login(request: Request, form: Form) -> Response:
        """Log in by name and password."""
        name, then = field(form, "name").strip()[:100], inside(field(form, "next"))
        try:
            token = logins.by_password(
                name, field(form, "password"), address=address_of(request), old=request.cookies.get(COOKIE)
            )
        except DeskError as error:
            return show_login(request, then, name=name, error=error)
        return go(request, token, then)

    @router.get("/login/code")
    def get_code(request: Request, _person: Myself) -> Response:
        """The form for the second factor."""
        return pages.response(request, "code.html", {"error": None})

    @router.post("/login/code")
    def post_code(request: Request, person: Myself, form: Form) -> Response:
        """Give the second factor."""
        if person.is_complete:
            return RedirectResponse("/", 303)
        try:
            token = logins.by_code(person, field(form, "code")[:40], address=address_of(request))
        except DeskError as error:
            return pages.response(request, "code.html", {"error": error}, status=error.status, headers=error.headers)
        return go(request, token, "/")

    @router.post("/logout")
    def post_logout(person: Myself, form: Form) -> Response:
        """Log out here, or everywhere."""
        with services.sessions() as session:
            begin_writing(session)
            if field(form, "everywhere") and person.is_complete:
                sessions.close_all(session, person.member)
            sessions.close_session(session, person.token)
            session.commit()
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response

    return router


def oidc_router(services: Services, provider: OpenId) -> APIRouter:
    """The way in through the office's own provider; there is none unless the settings name one."""
    router = APIRouter(prefix="/login/oidc")
    hours = services.settings.desk_session_hours

    def back(request: Request) -> str:
        if not services.settings.desk_oidc_issuer:
            raise DeskError("not_found")
        return f"{request.base_url}login/oidc/back"

    @router.get("", dependencies=[Depends(ANYBODY)])
    def get_oidc(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
        """Go to the provider."""
        address, note = provider.begin(back(request), inside(next))
        response = RedirectResponse(address, 303)
        set_cookie(response, request, OIDC_COOKIE, note, hours=1)
        return response

    @router.get("/back", dependencies=[Depends(ANYBODY)])
    def get_back(request: Request, state: str = "", code: str = "") -> Response:
        """Come back from the provider."""
        member, then = provider.finish(request.cookies.get(OIDC_COOKIE, ""), state, code, back(request))
        with services.sessions() as session:
            begin_writing(session)
            is_complete, old = not member.has_factor, request.cookies.get(COOKIE)
            token = sessions.open_session(session, member, is_complete=is_complete, now=services.clock(), old=old)
            session.commit()
        logger.info("login staff=%d complete=%s by=oidc", member.id, is_complete)
        response = RedirectResponse(then, 303)
        set_cookie(response, request, COOKIE, token, hours=hours)
        response.delete_cookie(OIDC_COOKIE, httponly=True, samesite="lax")
        return response

    return router


def account_router(services: Services, pages: Pages) -> APIRouter:
    """One's own account."""
    router = APIRouter(prefix="/account")
    logins = Logins(services)
    hours = services.settings.desk_session_hours

    def show(request: Request, name: str, error: DeskError | None = None, **context: Any) -> Response:  # noqa: ANN401
        status = error.status if error else 200
        return pages.response(request, name, {"error": error, "least": LEAST_PASSWORD} | context, status=status)

    def complete(person: Person) -> Person:
        """Whoever has given only the password yet may not change the account."""
        if not person.is_complete:
            raise DeskError("wrong_code")
        return person

    @router.get("")
    def get_account(request: Request, person: Myself) -> Response:
        """What there is to change."""
        is_needed = needs_factor(services, complete(person).member)
        return show(request, "account.html", is_needed=is_needed)

    @router.get("/password")
    def get_password(request: Request, person: Myself) -> Response:
        """The form for another password."""
        complete(person)
        return show(request, "password.html")

    @router.post("/password")
    def post_password(request: Request, person: Myself, form: Form) -> Response:
        """Choose another password."""
        current, new, again = (field(form, name) for name in ("current", "new", "again"))
        try:
            token = logins.change_password(complete(person), current, new, again, address=address_of(request))
        except DeskError as error:
            return show(request, "password.html", error)
        response = RedirectResponse("/", 303)
        set_cookie(response, request, COOKIE, token, hours=hours)
        return response

    def show_factor(request: Request, person: Person, secret: str, error: DeskError | None = None) -> Response:
        address = factor.address_of_secret(person.member, secret, services.jurisdiction.name)
        return show(request, "factor.html", error, secret=secret, picture=factor.picture(address))

    @router.get("/factor")
    def get_factor(request: Request, person: Myself) -> Response:
        """A new secret as a picture, and the form that proves that a phone has it."""
        if next_gate(services, complete(person)) == "/account/password":
            return RedirectResponse("/account/password", 303)
        return show_factor(request, person, factor.new_secret())

    @router.post("/factor")
    def post_factor(request: Request, person: Myself, form: Form) -> Response:
        """Set up the second factor, or a new one, and show the recovery codes."""
        secret, password = field(form, "secret"), field(form, "password")
        complete(person)
        if not factor.is_secret(secret):
            return show_factor(request, person, factor.new_secret(), DeskError("malformed"))
        # A browser that was left open must not be able to lock its owner out.
        try:
            logins.check_password(person, password, address=address_of(request))
        except DeskError as error:
            return show_factor(request, person, secret, error)
        step = factor.step_of(secret, field(form, "code"), now=services.clock())
        if step is None:
            return show_factor(request, person, secret, DeskError("wrong_code"))
        with services.sessions() as session:
            begin_writing(session)
            member = session.get_one(Staff, person.member.id, with_for_update=True)
            codes = factor.set_factor(member, services.keyring, secret, step=step, key=services.secret)
            # Whoever is logged in elsewhere has not given it.
            sessions.close_all(session, member)
            token = sessions.open_session(session, member, is_complete=True, now=services.clock())
            session.commit()
        response = show(request, "recovery.html", codes=codes)
        set_cookie(response, request, COOKIE, token, hours=hours)
        return response

    return router
