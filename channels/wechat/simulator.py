"""Stands in for WeChat: delivers what residents do, has the interfaces, and fails as WeChat does.

It closes after five seconds and delivers three times, hands out tokens, counts what may still be sent, and shows every
exchange. Developers talk through it (`suqiutong wechat simulate`), tests drive it.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import socket
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from channels.wechat.account import Account
from channels.wechat.codec import CodecError, Crypt, build_xml, parse_xml, sign
from channels.wechat.rules import Allowance, Rules, own_rules

ORIGINAL_ID = "gh_simulated"
# What WeChat itself refuses, which is more than we send.
TEXT_LIMIT_BYTES = 2_048
TOKEN_SECONDS = 7_200
SPARE_SECONDS = 300

Draw = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a resident sees: `reply`, `message` (customer service), `notice`, or `fault` in WeChat's own words."""

    how: str
    text: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one call of an interface.

    `code` or the HTTP `status` is answered in place of doing it. It takes `slow_seconds`, after which nothing is done
    for a caller who has gone, or, when it `is_done_first`, everything was done before.
    """

    code: int = 0
    status: int = 200
    slow_seconds: float = 0.0
    is_done_first: bool = False


@dataclass
class Resident:
    """A follower as WeChat knows them."""

    quota: int = 0
    until: float = 0.0
    shown: list[Shown] = field(default_factory=list)


class Simulator:
    """WeChat, for one account."""

    def __init__(
        self,
        account: Account,
        *,
        callback: str,
        rules: Rules | None = None,
        draw: Draw = lambda _line: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make it.

        Args:
            account: As the product has it: what is posted is signed and sealed with its keys.
            callback: Address of the product, with `/wechat`.
            rules: Other times than WeChat's.
            draw: Takes a line for every exchange.
            clock: Seconds since 1970.
        """
        self._account = account
        self._callback = callback
        self._rules = rules or own_rules()
        self._draw = draw
        self._clock = clock
        self._crypt = Crypt(account.aes_keys, account.app_id) if account.aes_keys else None
        self._http = httpx.AsyncClient(timeout=None, trust_env=False)  # noqa: S113 - closing in time is its own business
        self._tokens: dict[str, float] = {}
        self._notices: set[str] = set()
        self._message_id = int(clock()) << 20
        self.residents: dict[str, Resident] = defaultdict(Resident)
        # Taken by the next calls, one each; tokens and photos have their own.
        self.faults: deque[Fault] = deque()
        self.token_faults: deque[Fault] = deque()
        self.media_faults: deque[Fault] = deque()
        self.tokens_given = 0
        self.menu: dict[str, Any] | None = None
        # Whose browser it is that opens pages, and whose the codes are that were handed out; None once used.
        self.visitor = ""
        self._codes: dict[str, str | None] = {}
        # Photos by their names; as at WeChat, one that is gone is no longer known.
        self.media: dict[str, bytes] = {}
        self.reply_seconds: list[float] = []
        # Deliveries to which no reply came in time, and replies that showed nothing.
        self.closed = self.silent = 0

    @property
    def product(self) -> str:
        """Address of the product."""
        return self._callback.removesuffix("/wechat")

    # What residents do.

    async def write(self, openid: str, text: str) -> Shown | None:
        """A resident writes; what is shown at once."""
        return await self.deliver(openid, "text", {"Content": text})

    async def photograph(self, openid: str, content: bytes) -> Shown | None:
        """A resident sends a photo; what is shown at once."""
        media_id = secrets.token_urlsafe(24)
        self.media[media_id] = content
        return await self.deliver(openid, "image", {"PicUrl": "", "MediaId": media_id})

    async def touch(self, openid: str, event: str, key: str = "") -> Shown | None:
        """A resident touches the menu, follows, unfollows, scans."""
        if event == "unsubscribe":
            self.residents.pop(openid, None)
        return await self.deliver(openid, "event", {"Event": event, "EventKey": key})

    async def deliver(self, openid: str, kind: str, fields: Mapping[str, str]) -> Shown | None:
        """Deliver a message until it is answered, three times at most; what is shown at once."""
        resident = None if fields.get("Event") == "unsubscribe" else self.residents[openid]
        if resident:
            self._open_window(resident, is_written=kind != "event")
        self._message_id += 1
        common = {"ToUserName": ORIGINAL_ID, "FromUserName": openid, "CreateTime": str(int(self._clock()))}
        identity = {} if kind == "event" else {"MsgId": str(self._message_id)}
        body = build_xml(common | {"MsgType": kind} | dict(fields) | identity)
        words = next((fields[name] for name in ("Content", "Event", "Label") if name in fields), "")
        for delivery in range(1, self._rules.deliveries + 1):
            self._draw(f"resident {openid} → product  {kind} {words!r}, delivery {delivery}")
            started = time.perf_counter()
            try:
                async with asyncio.timeout(self._rules.closes_seconds):
                    response = await self._post(body)
            except TimeoutError:
                self.closed += 1
                self._draw(f"  closed after {self._rules.closes_seconds} s")
                continue
            except httpx.HTTPError as error:
                self._draw(f"  {type(error).__name__}")
                continue
            seconds = time.perf_counter() - started
            self.reply_seconds.append(seconds)
            shown = self._read(response)
            self.silent += shown is None
            self._draw(f"  {seconds * 1000:.0f} ms: {'nothing' if shown is None else f'{shown.how} {shown.text}'}")
            break
        else:
            shown = Shown("fault", "该公众号提供的服务出现故障，请稍后再试")
            self._draw(f"  {shown.text}")
        if shown and resident:
            resident.shown.append(shown)
        return shown

    async def _post(self, body: str) -> httpx.Response:
        query = {"timestamp": str(int(self._clock())), "nonce": secrets.token_hex(5)}
        query["signature"] = sign(self._account.token, *query.values())
        if self._crypt and self._account.mode != "plain":
            cipher = self._crypt.encrypt(body)
            signature = sign(self._account.token, query["timestamp"], query["nonce"], cipher)
            query |= {"encrypt_type": "aes", "msg_signature": signature}
            plain = parse_xml(body) if self._account.mode == "compatible" else {"ToUserName": ORIGINAL_ID}
            body = build_xml(plain | {"Encrypt": cipher})
        return await self._http.post(self._callback, params=query, content=body.encode())

    def _read(self, response: httpx.Response) -> Shown | None:
        """What a resident sees of a reply; whatever WeChat cannot use is a fault to them."""
        if response.status_code == httpx.codes.OK and response.content in {b"", b"success"}:
            return None
        fault = Shown("fault", "该公众号提供的服务出现故障，请稍后再试")
        if response.status_code != httpx.codes.OK:
            return fault
        try:
            fields = parse_xml(response.content)
            if self._crypt and "Encrypt" in fields:
                signed = sign(self._account.token, fields["TimeStamp"], fields["Nonce"], fields["Encrypt"])
                if signed != fields["MsgSignature"]:
                    return fault
                fields = parse_xml(self._crypt.decrypt(fields["Encrypt"])[0])
            elif self._account.mode == "safe":
                return fault
        except (CodecError, KeyError):
            return fault
        content = fields.get("Content", "")
        is_usable = fields.get("MsgType") == "text" and 0 < len(content.encode()) <= TEXT_LIMIT_BYTES
        return Shown("reply", content) if is_usable else fault

    def _open_window(self, resident: Resident, *, is_written: bool) -> None:
        allowance: Allowance = self._rules.written if is_written else self._rules.touched
        if is_written or resident.until < self._clock():
            resident.quota, resident.until = allowance.messages, self._clock() + allowance.minutes * 60

    # The interfaces.

    def end_tokens(self) -> None:
        """End every token, as it happens when somebody else fetches one by force."""
        self._tokens.clear()
        self._draw("all tokens have ended")

    def app(self) -> Starlette:
        """The interfaces as an application."""
        posts = {
            "/cgi-bin/stable_token": self._token,
            "/cgi-bin/message/custom/send": self._guarded(self._custom),
            "/cgi-bin/message/template/send": self._guarded(self._notice),
            "/cgi-bin/message/subscribe/bizsend": self._guarded(self._notice),
            "/cgi-bin/menu/create": self._guarded(self._menu),
        }
        gets = {"/connect/oauth2/authorize": self._authorize, "/sns/oauth2/access_token": self._exchange}
        gets["/cgi-bin/media/get"] = self._get_media
        return Starlette(
            routes=[
                *(Route(path, serve, methods=["POST"]) for path, serve in posts.items()),
                *(Route(path, serve, methods=["GET"]) for path, serve in gets.items()),
            ]
        )

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncIterator[None]:
        """Listen on the loopback address."""
        async with listening(self.app(), port), self._http:
            yield

    async def _token(self, request: Request) -> Response:
        fault = self.token_faults.popleft() if self.token_faults else Fault()
        await asyncio.sleep(fault.slow_seconds)
        if fault.code or fault.status != httpx.codes.OK:
            return self._answer(request, fault.code, status=fault.status)
        asked = await request.json()
        if (asked.get("appid"), asked.get("secret")) != (self._account.app_id, self._account.secret):
            return self._answer(request, 40001)
        now = self._clock()
        token = next((name for name, until in self._tokens.items() if until - now > SPARE_SECONDS), None)
        if asked.get("force_refresh"):
            self._tokens.clear()
            token = None
        if token is None:
            token = secrets.token_urlsafe(96)
            self._tokens[token] = now + TOKEN_SECONDS
            self.tokens_given += 1
        self._draw("product → WeChat  stable_token")
        return JSONResponse({"access_token": token, "expires_in": int(self._tokens[token] - now)})

    async def _authorize(self, request: Request) -> Response:
        """Tell a page whose browser it is (网页授权)."""
        asked = request.query_params
        wanted = ["appid", "redirect_uri", "response_type", "scope", "state"]
        is_right = (asked.get("appid"), asked.get("response_type")) == (self._account.app_id, "code")
        if list(asked) != wanted or not is_right or not re.fullmatch(r"[A-Za-z0-9]{1,128}", asked["state"]):
            self._draw("browser → WeChat  authorize: wrong address")
            return Response("wrong address", 400)
        code = secrets.token_hex(16)
        self._codes[code] = self.visitor
        self._draw(f"browser of {self.visitor} → WeChat  authorize")
        back = asked["redirect_uri"]
        return RedirectResponse(f"{back}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def _exchange(self, request: Request) -> Response:
        """Whose code it is, once."""
        fault = self.token_faults.popleft() if self.token_faults else Fault()
        await asyncio.sleep(fault.slow_seconds)
        asked = request.query_params
        if fault.code or fault.status != httpx.codes.OK:
            return self._answer(request, fault.code, status=fault.status)
        if (asked.get("appid"), asked.get("secret")) != (self._account.app_id, self._account.secret):
            return self._answer(request, 40001)
        code = asked.get("code", "")
        openid = self._codes.get(code)
        if openid is None:
            return self._answer(request, 40163 if code in self._codes else 40029)
        self._codes[code] = None
        self._draw("product → WeChat  sns/oauth2/access_token")
        return JSONResponse({"access_token": secrets.token_hex(16), "expires_in": TOKEN_SECONDS, "openid": openid})

    async def _get_media(self, request: Request) -> Response:
        fault = self.media_faults.popleft() if self.media_faults else Fault()
        await asyncio.sleep(fault.slow_seconds)
        if fault.code or fault.status != httpx.codes.OK:
            return self._answer(request, fault.code, status=fault.status)
        if self._tokens.get(request.query_params.get("access_token", ""), 0.0) < self._clock():
            return self._answer(request, 40001)
        content = self.media.get(request.query_params.get("media_id", ""))
        if content is None:
            return self._answer(request, 40007)
        self._draw(f"product → WeChat  media/get: {len(content)} bytes")
        return Response(content, media_type="image/jpeg")

    def _guarded(self, serve: Callable[[dict[str, Any]], int]) -> Callable[[Request], Any]:
        """An interface that wants a token and may fail."""

        async def call(request: Request) -> Response:
            fault = self.faults.popleft() if self.faults else Fault()
            asked = json.loads(await request.body())
            if fault.is_done_first:
                answer = self._serve(request, serve, asked, fault)
                await asyncio.sleep(fault.slow_seconds)
                return answer
            await asyncio.sleep(fault.slow_seconds)
            if await request.is_disconnected():
                return Response(status_code=499)
            return self._serve(request, serve, asked, fault)

        return call

    def _serve(
        self, request: Request, serve: Callable[[dict[str, Any]], int], asked: dict[str, Any], fault: Fault
    ) -> Response:
        if fault.code or fault.status != httpx.codes.OK:
            return self._answer(request, fault.code, status=fault.status)
        until = self._tokens.get(request.query_params.get("access_token", ""))
        if until is None:
            return self._answer(request, 40001)
        return self._answer(request, 42001 if until < self._clock() else serve(asked))

    def _answer(self, request: Request, code: int, *, status: int = 200) -> Response:
        outcome = code if status == httpx.codes.OK else f"HTTP {status}"
        self._draw(f"product → WeChat  {request.url.path.removeprefix('/cgi-bin/')}: {outcome}")
        return JSONResponse({"errcode": code, "errmsg": "ok" if code == 0 else "error"}, status)

    def _custom(self, asked: dict[str, Any]) -> int:
        resident, content = self.residents.get(asked["touser"]), asked["text"]["content"]
        if len(content.encode()) > TEXT_LIMIT_BYTES:
            return 45002
        if resident is None or resident.until < self._clock():
            return 45015
        if resident.quota <= 0:
            return 45047
        resident.quota -= 1
        self._show(asked["touser"], Shown("message", content))
        return 0

    def _notice(self, asked: dict[str, Any]) -> int:
        if asked["touser"] not in self.residents:
            return 43004
        values = {name: value["value"] for name, value in asked["data"].items()}
        if any(len(value) > 20 for name, value in values.items() if name.startswith("thing")):
            return 47003
        key = asked.get("client_msg_id", secrets.token_hex(8))
        if key not in self._notices:
            self._notices.add(key)
            self._show(asked["touser"], Shown("notice", " ".join(values.values())))
        return 0

    def _menu(self, asked: dict[str, Any]) -> int:
        self.menu = asked
        return 0

    def _show(self, openid: str, shown: Shown) -> None:
        self.residents[openid].shown.append(shown)
        self._draw(f"WeChat → resident {openid}  {shown.how} {shown.text}")


def made_up_photo() -> bytes:
    """A photo that is like no other."""
    content = BytesIO()
    Image.effect_noise((640, 480), 60).convert("RGB").save(content, "JPEG")
    return content.getvalue()


@asynccontextmanager
async def listening(app: ASGIApp, port: int) -> AsyncIterator[None]:
    """Serve an application on the loopback address.

    Raises:
        OSError: the port is taken.
    """
    with socket.create_server(("127.0.0.1", port)) as bound:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5))
        # Signals are the caller's business.
        task = asyncio.create_task(server._serve([bound]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield
        finally:
            server.should_exit = True
            await task


class Console:
    """A developer in the terminal, as a resident: what they type is sent; lines that begin with `:` do other things."""

    HELP = """\
text            is sent as a message
:click KEY      touch the menu             :subscribe  :unsubscribe  :scan KEY
:photo [FILE]   send a photo, or one that is made up
:lost COUNT     the next photos cannot be fetched
:image  :voice  :location NAME             other kinds of messages, of a photo that is gone too
:error CODE     the next call of an interface gets this code (40001, 42001, 45015, 45047, 45002, -1 …)
:down COUNT     the next calls get a 502   :slow SECONDS  the next call is slow
:expire         all tokens end             :quit
:my             the address of the page 我的诉求, to be opened in a browser as this resident"""

    def __init__(self, simulator: Simulator, openid: str, draw: Draw) -> None:
        self._simulator = simulator
        self._openid = openid
        self._draw = draw

    async def run(self, read_line: Callable[[], str]) -> None:
        """Do what the lines say until they end, or `:quit`."""
        self._draw(self.HELP)
        while line := await asyncio.to_thread(read_line):
            if line.strip() == ":quit":
                return
            with suppress(ValueError, OSError):
                await self._do(line.strip())

    async def _do(self, line: str) -> None:  # noqa: PLR0912 - one branch a command
        word, _, rest = line.partition(" ")
        simulator = self._simulator
        match word:
            case "":
                return
            case ":click" | ":scan":
                await simulator.touch(self._openid, word[1:].upper(), rest)
            case ":subscribe" | ":unsubscribe":
                await simulator.touch(self._openid, word[1:])
            case ":photo":
                await simulator.photograph(self._openid, Path(rest).read_bytes() if rest else made_up_photo())
            case ":image" | ":voice":
                await simulator.deliver(self._openid, word[1:], {"MediaId": "simulated"})
            case ":location":
                await simulator.deliver(self._openid, "location", {"Label": rest})
            case ":error":
                simulator.faults.append(Fault(code=int(rest)))
            case ":down":
                simulator.faults.extend([Fault(status=502)] * int(rest or 1))
            case ":slow":
                simulator.faults.append(Fault(slow_seconds=float(rest)))
            case ":lost":
                simulator.media_faults.extend([Fault(status=502)] * int(rest or 1))
            case ":expire":
                simulator.end_tokens()
            case ":my":
                simulator.visitor = self._openid
                self._draw(f"{simulator.product}/wechat/my/login")
            case _ if word.startswith(":"):
                self._draw(self.HELP)
            case _:
                await simulator.write(self._openid, line)
