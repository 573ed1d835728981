"""The way to WeChat's interfaces: one access token for all processes, errors by their code, nothing without end.

Source: developers.weixin.qq.com, 获取稳定版接口调用凭据, 发送客服消息, 模板消息, 订阅通知, 自定义菜单, 获取临时素材,
网页授权.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from channels.services import Sessions
from channels.wechat import store
from channels.wechat.store import Box

logger = logging.getLogger(__name__)

CALL_SECONDS = 5.0
DOWNLOAD_SECONDS = 20.0
CONNECT_SECONDS = 2.0
# WeChat gives the next token five minutes before this one ends; both are good in between.
RENEW_BEFORE = timedelta(minutes=5)
REFRESH_SECONDS = 15.0
POLL_SECONDS = 0.1
BUSY_PAUSE_SECONDS = 0.3
MEDIA_LIMIT_BYTES = 10_000_000

BUSY = "-1"
TOKEN_CODES = frozenset({"40001", "40014", "42001"})
TOO_LONG = "45002"
TOO_LARGE = "too_large"
# A name of a photo that WeChat does not know, or no longer.
GONE = frozenset({"40007"})
# Nothing more reaches this person before they write again: window over, quota used up, unfollowed, blocked, unknown.
UNREACHABLE = frozenset({"45015", "45047", "43004", "43019", "40003", "50002"})
# Busy, too often in this minute, today: later it may work.
_LATER = frozenset({BUSY, "45009", "45011", *TOKEN_CODES})

Result = TypeVar("Result")


class WeChatError(Exception):
    """A call that failed; `code` is WeChat's own or `timeout`, `unreachable`, `status_…`, `not_json`.

    `retryable`: later it may work. `is_doubtful`: it may have worked.
    """

    def __init__(self, code: str, *, retryable: bool, is_doubtful: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.retryable = retryable
        self.is_doubtful = is_doubtful


class Api(Protocol):
    """What the assistant needs of WeChat."""

    async def send_text(self, openid: str, text: str) -> None:
        """Send a customer-service message.

        Raises:
            WeChatError: it was not sent, or nobody knows.
        """

    async def send_notice(self, openid: str, fields: Mapping[str, str], *, url: str, key: str) -> None:
        """Send a notice by the account's template; the same key again is sent once.

        Raises:
            WeChatError: it was not sent, or nobody knows.
        """

    async def download(self, media_id: str) -> bytes:
        """A photo that a resident sent in the last three days.

        Raises:
            WeChatError: it is gone, too large or cannot be had.
        """


class Tokens:
    """The access token in the database: whoever finds it ending fetches the next one, the others wait for it."""

    def __init__(
        self,
        sessions: Sessions,
        box: Box,
        app_id: str,
        clock: Callable[[], datetime],
        fetch: Callable[[bool], Awaitable[tuple[str, int]]],
    ) -> None:
        """Make it.

        Args:
            sessions: Database sessions.
            box: Seals the token.
            app_id: Whose token.
            clock: Now, aware.
            fetch: Coroutine function that returns a token and its seconds; its argument: whether the present one is
                to be ended.
        """
        self._sessions = sessions
        self._box = box
        self._app_id = app_id
        self._clock = clock
        self._fetch = fetch

    async def get(self, refused: str | None = None) -> str:
        """A token.

        Args:
            refused: A token that WeChat took no longer.

        Raises:
            WeChatError: none can be had.
        """
        for _ in range(int(2 * REFRESH_SECONDS / POLL_SECONDS)):
            token = await self._known(RENEW_BEFORE)
            if token and token != refused:
                return token
            if await self._in_transaction(
                lambda session: store.begin_refresh(session, self._app_id, seconds=REFRESH_SECONDS, now=self._clock())
            ):
                return await self._refresh(refused)
            token = await self._known(timedelta(0))
            if token and token != refused:
                return token
            await asyncio.sleep(POLL_SECONDS)
        raise WeChatError("no_token", retryable=True)

    async def _refresh(self, refused: str | None) -> str:
        ended: tuple[str | None, datetime | None] = (None, None)
        try:
            token, seconds = await self._fetch(False)
            if token == refused:
                # WeChat holds it for good and refuses it: only then it is worth one of the twenty a day.
                token, seconds = await self._fetch(True)
            ended = token, self._clock() + timedelta(seconds=seconds)
        finally:
            await self._in_transaction(
                lambda session: store.end_refresh(session, self._box, self._app_id, ended[0], expires_at=ended[1])
            )
        return token

    async def _known(self, ahead: timedelta) -> str | None:
        def look() -> str | None:
            with self._sessions() as session:
                return store.known_token(session, self._box, self._app_id, now=self._clock() + ahead)

        return await run_in_threadpool(look)

    async def _in_transaction(self, work: Callable[[Session], Result]) -> Result:
        def run() -> Result:
            with self._sessions() as session:
                result = work(session)
                session.commit()
                return result

        return await run_in_threadpool(run)


class WeChatClient:
    """WeChat's interfaces over HTTP."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        sessions: Sessions,
        box: Box,
        *,
        app_id: str,
        secret: str,
        clock: Callable[[], datetime],
        notice: str = "",
        is_subscription: bool = False,
    ) -> None:
        """Make it.

        Args:
            http: From `make_http`.
            sessions: Database sessions.
            box: Seals the token.
            app_id: AppID.
            secret: AppSecret.
            clock: Now, aware.
            notice: Template of notices.
            is_subscription: Notices are 订阅通知, to which a resident must have agreed, not 模板消息.
        """
        self._http = http
        self._app_id = app_id
        self._secret = secret
        self._notice = notice
        self._is_subscription = is_subscription
        self._tokens = Tokens(sessions, box, app_id, clock, self._fetch_token)

    async def send_text(self, openid: str, text: str) -> None:
        """Send a customer-service message.

        Raises:
            WeChatError: it was not sent, or nobody knows.
        """
        body = {"touser": openid, "msgtype": "text", "text": {"content": text}}
        await self._call("/cgi-bin/message/custom/send", body)

    async def send_notice(self, openid: str, fields: Mapping[str, str], *, url: str, key: str) -> None:
        """Send a notice by the account's template.

        Raises:
            WeChatError: it was not sent, or nobody knows.
        """
        body: dict[str, Any] = {"touser": openid, "template_id": self._notice}
        body["data"] = {name: {"value": value} for name, value in fields.items()}
        if self._is_subscription:
            await self._call("/cgi-bin/message/subscribe/bizsend", body | ({"page": url} if url else {}))
            return
        body |= {"client_msg_id": key} | ({"url": url} if url else {})
        await self._call("/cgi-bin/message/template/send", body)

    async def create_menu(self, menu: Mapping[str, Any]) -> None:
        """Replace the menu of the account.

        Raises:
            WeChatError: it was refused.
        """
        await self._call("/cgi-bin/menu/create", menu)

    async def openid_of(self, code: str) -> str:
        """Whose browser got this code from WeChat; WeChat takes a code once, for some minutes.

        Raises:
            WeChatError: the code is not good, or nobody knows.
        """
        query = {
            "appid": self._app_id, "secret": self._secret, "code": code, "grant_type": "authorization_code",
        }  # fmt: skip
        try:
            async with asyncio.timeout(CALL_SECONDS):
                response = await self._http.get("/sns/oauth2/access_token", params=query)
        except (TimeoutError, httpx.HTTPError) as error:
            raise WeChatError("unreachable", retryable=True) from error
        openid = _check(_read_json(response.status_code, response.content)).get("openid")
        if not (isinstance(openid, str) and openid):
            raise WeChatError("no_openid", retryable=False)
        return openid

    async def download(self, media_id: str) -> bytes:
        """A photo, voice message or film that a resident sent in the last three days.

        Raises:
            WeChatError: it is gone, too large or cannot be had.
        """

        async def get(token: str) -> bytes:
            query = {"access_token": token, "media_id": media_id}
            content = bytearray()
            async with self._http.stream("GET", "/cgi-bin/media/get", params=query) as response:
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > MEDIA_LIMIT_BYTES:
                        raise WeChatError(TOO_LARGE, retryable=False)
            if response.headers.get("Content-Type", "").startswith(("application/json", "text/plain")):
                _check(_read_json(response.status_code, bytes(content)))
            return bytes(content)

        return await self._with_token(get, seconds=DOWNLOAD_SECONDS)

    async def _call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async def post(token: str) -> dict[str, Any]:
            return _check(await self._post(path, body, {"access_token": token}))

        return await self._with_token(post)

    async def _with_token(self, call: Callable[[str], Awaitable[Result]], *, seconds: float = CALL_SECONDS) -> Result:
        """Make a call; a token that has ended is renewed once, a busy WeChat asked once more."""
        token = await self._tokens.get()
        is_renewed = has_waited = False
        while True:
            try:
                async with asyncio.timeout(seconds):
                    return await call(token)
            except WeChatError as error:
                if error.code in TOKEN_CODES and not is_renewed:
                    is_renewed = True
                elif error.code == BUSY and not has_waited:
                    has_waited = True
                else:
                    raise
                logger.info("wechat_called_again code=%s", error.code)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise WeChatError("unreachable", retryable=True) from error
            except (TimeoutError, httpx.TimeoutException) as error:
                raise WeChatError("timeout", retryable=True, is_doubtful=True) from error
            except httpx.HTTPError as error:
                raise WeChatError("broken_off", retryable=True, is_doubtful=True) from error
            if is_renewed:
                token = await self._tokens.get(refused=token)
            if has_waited:
                await asyncio.sleep(BUSY_PAUSE_SECONDS)

    async def _fetch_token(self, is_forced: bool) -> tuple[str, int]:
        body = {"grant_type": "client_credential", "appid": self._app_id, "secret": self._secret}
        try:
            async with asyncio.timeout(CALL_SECONDS):
                reply = _check(await self._post("/cgi-bin/stable_token", body | {"force_refresh": is_forced}, {}))
        except (TimeoutError, httpx.HTTPError) as error:
            raise WeChatError("no_token", retryable=True) from error
        token, seconds = reply.get("access_token"), reply.get("expires_in")
        if not (isinstance(token, str) and token and isinstance(seconds, int)):
            raise WeChatError("no_token", retryable=True)
        return token, seconds

    async def _post(self, path: str, body: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        # WeChat shows an escaped character as it is escaped.
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        response = await self._http.post(path, content=content, params=dict(query), headers=headers)
        return _read_json(response.status_code, response.content)


def make_http(api_url: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The connections to WeChat, or to what stands in for it on this machine."""
    is_here = urlsplit(api_url).hostname in {"127.0.0.1", "localhost"}
    timeout = httpx.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS)
    return httpx.AsyncClient(base_url=api_url, timeout=timeout, transport=transport, trust_env=not is_here)


def _read_json(status: int, content: bytes) -> dict[str, Any]:
    if status != httpx.codes.OK:
        # Below 500 it was not done; a gateway's 5xx may hide that it was.
        is_server_error = status >= httpx.codes.INTERNAL_SERVER_ERROR
        raise WeChatError(f"status_{status}", retryable=is_server_error, is_doubtful=is_server_error)
    try:
        read = json.loads(content)
    except ValueError as error:
        raise WeChatError("not_json", retryable=True, is_doubtful=True) from error
    if not isinstance(read, dict):
        raise WeChatError("not_json", retryable=True, is_doubtful=True)
    return read


def _check(reply: dict[str, Any]) -> dict[str, Any]:
    """The reply. HTTP says 200 whatever happens: the code stands inside."""
    code = str(reply.get("errcode", 0))
    if code != "0":
        raise WeChatError(code, retryable=code in _LATER)
    return reply
