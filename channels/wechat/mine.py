"""`/wechat/my`: a resident's petitions, opened from the menu, without number and code; works without JavaScript."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from channels.chat import Chat
from channels.render import Pages
from channels.services import Services
from channels.wechat.account import Account
from channels.wechat.client import WeChatError, make_http
from channels.wechat.login import ATTEMPT_HOURS, LOGIN_HOURS, Logins, conversation_of
from channels.wechat.route import make_client
from channels.wechat.store import Box
from petitions import Petition, Progress, list_own_tickets, progress_of, ticket_of
from web.errors import WebError
from web.requests import address_of, set_cookie

logger = logging.getLogger(__name__)

PATH = "/wechat/my"
BY_CODE = "/my"
ATTEMPT_COOKIE, COOKIE = "wechat_attempt", "wechat_login"
# A WeChat code is some dozens of signs.
CODE_LIMIT = 200
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Own:
    """A petition as its petitioner is shown it; `matter` is what was said, without what is personal in it."""

    ticket: dict[str, Any]
    matter: str
    progress: Progress


class Mine:
    """What the page's addresses do."""

    def __init__(self, services: Services, chat: Chat, pages: Pages, account: Account) -> None:
        """Make it.

        Args:
            services: What the channels are given.
            chat: Limits the pace.
            pages: The templates.
            account: The account as it is set up.
        """
        self._services = services
        self._chat = chat
        self._pages = pages
        self._account = account
        self._logins = Logins(services.secret)
        self._box = Box(services.secret)
        self.http = make_http(account.api_url)
        self._client = make_client(services, account, self.http)

    async def show(self, request: Request) -> Response:
        """The petitions of whoever WeChat has said it is; in WeChat's browser the way there is taken at once."""
        if not self._account.may_log_in:
            return RedirectResponse(BY_CODE, 303)
        found = await run_in_threadpool(self._own_petitions, request)
        if found is not None:
            return self._pages.response(request, "wechat_my.html", {"petitions": found, "by_code": BY_CODE})
        is_in_wechat = "MicroMessenger" in request.headers.get("User-Agent", "")
        return self.begin(request) if is_in_wechat else self._show_way(request)

    def begin(self, request: Request) -> Response:
        """Go and ask WeChat."""
        if not self._account.may_log_in:
            return RedirectResponse(BY_CODE, 303)
        self._limit_pace(request)
        here = self._services.settings.public_url or str(request.base_url).rstrip("/")
        attempt = self._logins.begin(self._account.login_url, self._account.app_id, f"{here}{PATH}/enter")
        response = RedirectResponse(attempt.address, 303)
        set_cookie(response, request, ATTEMPT_COOKIE, attempt.cookie, hours=ATTEMPT_HOURS)
        return response

    async def enter(self, request: Request, code: str, state: str) -> Response:
        """Come back from WeChat; the address with its code is left at once."""
        self._limit_pace(request)
        is_good = bool(code) and len(code) <= CODE_LIMIT and self._account.may_log_in
        if not (is_good and await run_in_threadpool(self._use, request.cookies.get(ATTEMPT_COOKIE), state)):
            # WeChat's browser may open an address twice: the second time it is known already.
            is_known = await run_in_threadpool(self._own_petitions, request) is not None
            return RedirectResponse(PATH, 303) if is_known else self._show_way(request, has_failed=True)
        try:
            conversation = await run_in_threadpool(self._find, await self._client.openid_of(code))
        except WeChatError as error:
            logger.warning("wechat_login_failed code=%s", error.code)
            return self._show_way(request, has_failed=True)
        response: Response
        if conversation is None:
            response = self._pages.response(request, "wechat_my.html", {"petitions": [], "by_code": BY_CODE})
        else:
            response = RedirectResponse(PATH, 303)
            set_cookie(response, request, COOKIE, self._logins.sign(conversation), hours=LOGIN_HOURS)
        response.delete_cookie(ATTEMPT_COOKIE, httponly=True, samesite="lax")
        return response

    def _show_way(self, request: Request, *, has_failed: bool = False) -> Response:
        context = {"has_failed": has_failed, "login": f"{PATH}/login", "by_code": BY_CODE}
        return self._pages.response(request, "wechat_login.html", context, status=400 if has_failed else 200)

    def _limit_pace(self, request: Request) -> None:
        if (wait_seconds := self._chat.address_limit.take(address_of(request))) is not None:
            raise WebError("too_fast", retry_after_seconds=wait_seconds)

    def _own_petitions(self, request: Request) -> list[Own] | None:
        with self._services.sessions() as session:
            conversation = self._logins.read(session, request.cookies.get(COOKIE))
            if conversation is None:
                return None
            return [self._own(session, petition) for petition in list_own_tickets(session, conversation, limit=SHOWN)]

    def _own(self, session: Session, petition: Petition) -> Own:
        return Own(ticket_of(petition), petition.matter, progress_of(session, petition, self._services.keyring))

    def _use(self, cookie: str | None, state: str) -> bool:
        with self._services.sessions() as session:
            is_good = self._logins.use(session, cookie, state, now=self._services.clock())
            session.commit()
            return is_good

    def _find(self, openid: str) -> str | None:
        with self._services.sessions() as session:
            return conversation_of(session, self._box, openid)


def mine_router(services: Services, chat: Chat, pages: Pages) -> APIRouter:
    """The page, and the way through WeChat to it; an account that is told nothing sends residents to the page by code.

    Without an account there is none.
    """
    if services.wechat is None:
        return APIRouter()
    mine = Mine(services, chat, pages, services.wechat)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        yield
        await mine.http.aclose()

    router = APIRouter(lifespan=lifespan)

    @router.get(PATH)
    async def get_mine(request: Request) -> Response:
        """A resident's petitions."""
        return await mine.show(request)

    @router.get(f"{PATH}/login")
    async def get_login(request: Request) -> Response:
        """The way to WeChat."""
        return mine.begin(request)

    @router.get(f"{PATH}/enter")
    async def get_enter(request: Request, code: str = "", state: str = "") -> Response:
        """The way back."""
        return await mine.enter(request, code, state)

    return router
