"""`/wechat`: where WeChat delivers; and the worker's way to answer what was left behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from channels.chat import Chat
from channels.metrics import Metrics
from channels.rasa import RasaClient
from channels.services import Services
from channels.wechat.account import Account
from channels.wechat.client import WeChatClient, make_http
from channels.wechat.codec import BODY_LIMIT_BYTES, CodecError, text_reply
from channels.wechat.door import Door
from channels.wechat.messages import Ignore, read_message
from channels.wechat.rules import Rules, menu_words, own_menu
from channels.wechat.store import Box
from web.errors import WebError
from web.requests import read_body

logger = logging.getLogger(__name__)

NOTHING = "success"
# How soon what somebody at the desk has written is sent.
WRITTEN_SECONDS = 2.0
# Refusals of what carries no signature of WeChat's; everything else is just malformed.
FORBIDDEN = frozenset({"signature", "stale", "mode", "receiver"})


def make_client(services: Services, account: Account, http: httpx.AsyncClient) -> WeChatClient:
    """The way to WeChat's interfaces."""
    return WeChatClient(
        http,
        services.sessions,
        Box(services.secret),
        app_id=account.app_id,
        secret=account.secret,
        clock=services.clock,
        notice=account.notice,
        is_subscription=account.notice_is_subscription,
    )


def wechat_router(services: Services, chat: Chat, metrics: Metrics, *, rules: Rules | None = None) -> APIRouter:
    """The address that is entered at WeChat; without an account there is none."""
    account = services.wechat
    if account is None:
        return APIRouter()
    http = make_http(account.api_url)
    door = Door(services, chat, account, make_client(services, account, http), rules=rules)
    codec = account.codec()
    words = menu_words(own_menu())
    messages = Counter("suqiutong_wechat_messages", "Deliveries by kind.", ["kind"], registry=metrics.registry)

    async def send_written() -> None:
        while account.may_send:
            await asyncio.sleep(WRITTEN_SECONDS)
            try:
                await door.send_written()
            except SQLAlchemyError as error:
                logger.error("wechat_not_looked error=%s", type(error).__name__)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        sending = asyncio.create_task(send_written())
        yield
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        await door.finish()
        await http.aclose()

    router = APIRouter(lifespan=lifespan)

    def refuse(error: CodecError) -> Response:
        metrics.refusals.labels(f"wechat_{error.code}").inc()
        logger.warning("wechat_refused code=%s", error.code)
        return PlainTextResponse("", 403 if error.code in FORBIDDEN else 400)

    @router.get("/wechat")
    async def get_wechat(request: Request) -> Response:
        """Prove to WeChat that this address knows the token."""
        try:
            return PlainTextResponse(codec.check_address(request.query_params, now=services.clock().timestamp()))
        except CodecError as error:
            return refuse(error)

    @router.post("/wechat")
    async def post_wechat(request: Request) -> Response:
        """Take one delivery and reply to it."""
        now = services.clock().timestamp()
        try:
            body = await read_body(request, BODY_LIMIT_BYTES)
        except WebError as error:
            return PlainTextResponse("", error.status)
        try:
            opened = codec.open(request.query_params, body, now=now)
            inbound = read_message(opened.fields, words)
        except CodecError as error:
            return refuse(error)
        is_known = not isinstance(inbound.meaning, Ignore) or inbound.meaning.is_known
        messages.labels(inbound.kind if is_known else "unknown").inc()
        text = await door.receive(inbound, request.is_disconnected)
        if text is None:
            return PlainTextResponse(NOTHING)
        reply = text_reply(to=inbound.openid, account=inbound.account, text=text, created_at=int(now))
        return Response(codec.seal(reply, opened.key_number, now=now), media_type="application/xml")

    return router


async def catch_up(services: Services) -> int:
    """Answer and send what no process is at, for how many people; the worker does it every minute."""
    account = services.wechat
    if account is None:
        return 0
    settings = services.settings
    async with (
        make_http(account.api_url) as http,
        httpx.AsyncClient(base_url=settings.rasa_url, timeout=settings.rasa_timeout_seconds, trust_env=False) as rasa,
    ):
        metrics = Metrics()
        chat = Chat(
            services,
            RasaClient(rasa, timeout_seconds=settings.rasa_timeout_seconds, at_once=settings.rasa_at_once),
            metrics,
        )
        door = Door(services, chat, account, make_client(services, account, http))
        done = await door.catch_up()
        await door.finish()
        await chat.finish()
    return done
