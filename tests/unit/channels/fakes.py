"""Stand-ins for what the channels are given, shared by unit, integration and browser tests."""

import asyncio
import atexit
import itertools
import json
import shutil
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.orm import sessionmaker

from channels import store  # noqa: F401 - its table belongs to the schema
from petitions import Keyring
from storage import Base
from storage.switches import Switches
from suqiutong.assisting import assist
from suqiutong.database import make_engine
from web.limits import RateLimit

THREADS = ThreadPoolExecutor(2)
_NUMBERS = itertools.count()
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
OPERATOR_TOKEN = "operator-token"
KEYRING = Keyring("k1", {"k1": b"1" * 32})

QUOTE = "全年举办各类招聘会23场，提供岗位8,412个，达成就业意向2,306人次。"
ANSWER = {
    "kind": "answer",
    "text": "去年街道一共举办了**23**场招聘会，提供岗位8,412个。",
    "citations": [{"document": "年度工作报告", "section": "三、民生保障", "quote": QUOTE, "start": 10, "end": 48}],
    "facts": [
        {"indicator": "招聘会", "value": 23, "unit": "场", "period": "去年", "status": "achieved"},
        {"indicator": "提供岗位", "value": "8,412", "unit": "个", "period": "去年", "status": "achieved"},
    ],
    "buttons": [{"title": "达成多少就业意向？", "text": "招聘会达成了多少就业意向？"}],
}
TICKET = {
    "number": "GM202611230001",
    "state": "registered",
    "class": "投诉",
    "category": ["城市管理", "噪声扰民", "餐饮噪声"],
    "level": "6",
    "unit": "光明街道群众诉求服务大厅",
    "office": "综合行政执法办",
    "community": "白花",
    "priority": "normal",
    "flags": [],
    "due": [{"clock": "accept", "at": "2026-11-25T10:00:00+00:00"}],
}
CODE = "K7QF29XM"
REPLIES = {
    "去年办了几场招聘会？": [ANSWER],
    "确认提交": [
        {"kind": "ticket", "text": f"已登记，编号 GM202611230001，查询码：{CODE}。请保存好。", "ticket": TICKET}
    ],
    "核对": [
        {
            "kind": "confirm",
            "text": "请核对：白花社区烧烤店夜里噪声扰民，将转综合行政执法办。",
            "ticket": TICKET | {"number": None, "due": []},
            "buttons": [{"title": "确认提交", "text": "确认提交"}, {"title": "地点不对", "text": "地点不对"}],
        }
    ],
}


@dataclass
class FakeSettings:
    rasa_url: str = "http://rasa.test"
    rasa_timeout_seconds: float = 2.0
    rasa_at_once: int = 4
    public_url: str = "https://example.test"
    session_hours: int = 12
    late_answer_minutes: int = 60
    monitor_token: str = ""
    messages_per_minute: int = 100
    address_messages_per_minute: int = 1000
    messages_at_once: int = 100
    lookups_per_minute: int = 100
    embed_origins: str = ""
    kiosk_addresses: str = ""
    kiosk_idle_minutes: int = 3


@dataclass
class FakeDanger:
    kind: str
    name: str
    advice: str
    phones: tuple[str, ...]


@dataclass
class FakePhone:
    number: str
    name: str


@dataclass
class FakeJurisdiction:
    name: str = "光明街道"
    phones: dict[str, FakePhone] = field(
        default_factory=lambda: {
            "police": FakePhone("110", "公安报警"),
            "fire": FakePhone("119", "消防救援"),
            "ambulance": FakePhone("120", "医疗急救"),
            "hotline": FakePhone("12345", "政务服务便民热线"),
            "gas": FakePhone("0755-25199999", "深圳燃气"),
            "mind": FakePhone("12356", "全国统一心理援助热线"),
        }
    )


DANGERS = {
    "煤气": FakeDanger(
        "emergency",
        "gas",
        "可能是燃气泄漏：\n1. 关总阀，开门窗；\n2. 不要点火，不要开关电器；\n3. 到室外安全处拨打0755-25199999。",
        ("0755-25199999", "119"),
    ),
    "不想活": FakeDanger("crisis", "self_harm", "您不用一个人扛着，请拨打12356。", ("12356", "120")),
}


@dataclass
class FakeJson:
    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return self.content


class FakeKnowledge:
    def answer(self, text: str, context: None, *, is_counted: bool = True) -> FakeJson:  # noqa: ARG002
        return FakeJson(ANSWER if "招聘会" in text else {"kind": "no_answer", "text": "没有查到", "citations": []})


ROUTE = {
    name: TICKET[name] for name in ("class", "category", "level", "unit", "office", "community", "priority", "flags")
} | {"legal_path": None, "reasons": ["餐饮噪声归街道执法办"], "alternatives": []}


@cache
def empty_database() -> Path:
    """A database with all tables, copied for each test: a connection in memory could not be used by two threads."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    path = folder / "empty.db"
    engine = make_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


def own_sessions() -> sessionmaker:
    path = empty_database().with_name(f"{next(_NUMBERS)}.db")
    shutil.copy(empty_database(), path)
    engine = make_engine(f"sqlite:///{path}")
    weakref.finalize(engine, partial(path.unlink, missing_ok=True))
    return sessionmaker(engine)


@dataclass
class FakeServices:
    settings: FakeSettings = field(default_factory=FakeSettings)
    jurisdiction: Any = field(default_factory=FakeJurisdiction)
    knowledge: FakeKnowledge | None = field(default_factory=FakeKnowledge)
    sessions: Any = field(default_factory=own_sessions)
    secret: bytes = b"a secret of thirty-two bytes long"
    keyring: Keyring = KEYRING
    wechat: Any = None

    def __post_init__(self) -> None:
        self.switches = Switches(self.sessions, self.clock, every_seconds=0.0)

    def clock(self) -> datetime:
        return NOW

    def limit(self, name: str, per_minute: int) -> RateLimit:
        return RateLimit(per_minute, name=name)

    def triage(self, text: str) -> FakeJson:  # noqa: ARG002
        return FakeJson(ROUTE)

    def find_danger(self, text: str) -> FakeDanger | None:
        return next((danger for word, danger in DANGERS.items() if word in text), None)

    def assist(self, text: str) -> Any:
        return assist(self, THREADS, text)

    def similar(self, text: str, actor: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        return [{"number": "GM202611010002", "title": "烧烤店噪声", "score": 0.83, "state": "closed"}]

    def check_token(self, token: str, role: str) -> str | None:
        return "wang" if (token, role) == (OPERATOR_TOKEN, "operator") else None


class FakeRasa:
    """Rasa's REST channel as an HTTP transport: answers from `replies`, remembers what it was told."""

    def __init__(self) -> None:
        self.replies: dict[str, list[dict[str, Any]]] = dict(REPLIES)
        self.received: list[tuple[str, str]] = []
        self.metadata: list[dict[str, Any]] = []
        self.understood: dict[str, Any] | None = None
        self.is_down = False
        self.pause_seconds = 0.0
        self.at_once = 0
        self.most_at_once = 0
        self.transport = httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_down:
            raise httpx.ConnectError("refused", request=request)
        body = json.loads(request.content)
        assert request.headers["X-Conversation"] == body["sender"]
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.pause_seconds)
        self.at_once -= 1
        self.received.append((body["sender"], body["message"]))
        self.metadata.append(body["metadata"])
        default = [{"kind": "smalltalk", "text": f"收到：{body['message']}"}]
        items = self.replies.get(body["message"], default)
        told = [{"recipient_id": body["sender"], "understood": self.understood}] if self.understood else []
        said = [{"recipient_id": body["sender"], "custom": item} for item in items]
        return httpx.Response(200, json=told + said)

    @property
    def messages(self) -> list[str]:
        """What residents said, without warm-up."""
        return [message for sender, message in self.received if sender != "warm-up"]
