"""A desk with stand-ins behind it, and people who have logged in; shared by unit, integration and browser tests."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import numpy as np
from sqlalchemy.orm import sessionmaker

from channels import turns
from channels.handover import board
from channels.store import AssistantShare
from desk.accounts import Role, add_staff, find_staff, set_password
from desk.sessions import open_session
from jurisdiction import Jurisdiction, load_jurisdiction
from knowledge.question import Lexicon
from knowledge.worklist import WorkList
from language.danger import Danger
from petitions import Draft, Route, read_message
from storage import begin_writing
from storage.switches import Switches
from suqiutong.assisting import assist
from tests.integration.cases import KEYRING

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PASSWORD = "一个足够长的好密码"


@dataclass
class FakeSettings:
    desk_idle_minutes: int = 30
    desk_session_hours: int = 12
    desk_second_factor: str = ""
    desk_oidc_issuer: str = ""
    desk_oidc_client_id: str = ""
    desk_oidc_client_secret: str = ""
    desk_oidc_claim: str = "preferred_username"


@dataclass
class FakeOffice:
    name: str


@dataclass
class FakePhone:
    name: str
    number: str


@dataclass
class FakeJurisdiction:
    name: str = "光明街道"
    offices: tuple[FakeOffice, ...] = (FakeOffice("综合行政执法办"), FakeOffice("城市建设办"))
    phones: dict[str, FakePhone] = field(default_factory=lambda: {"gas": FakePhone("深圳燃气", "0755-25199999")})
    communities: tuple[str, ...] = ("碧眼", "白花")
    classes: tuple[str, ...] = ("投诉", "求助", "咨询", "检举控告")
    accusation: str = "检举控告"


@dataclass
class FakeReply:
    content: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return self.content


@dataclass
class FakeKnowledge:
    """Knows one answer."""

    asked: list[str] = field(default_factory=list)

    def answer(self, text: str, context: None, *, is_counted: bool) -> FakeReply:  # noqa: ARG002
        assert not is_counted
        self.asked.append(text)
        if "招聘会" not in text:
            return FakeReply(
                {"kind": "no_answer", "text": "这一点报告里没有写明。", "citations": [], "facts": [], "buttons": []}
            )
        return FakeReply(ANSWER)


ANSWER = {
    "kind": "answer",
    "text": "2022年：开展招聘会**13场**。",
    "citations": [{"document": "年度报告", "section": "六、民生", "quote": "开展招聘会13场。", "start": 0, "end": 8}],
    "facts": [{"indicator": "招聘会", "value": "13", "unit": "场", "period": "2022", "status": "achieved"}],
    "buttons": [],
}
GAS = Danger("emergency", "gas", "关总阀，开门窗，到室外再打电话。", ("0755-25199999", "119"))
ROUTE = Route(
    class_="投诉",
    category=("环境保护", "环境污染", "噪音污染"),
    level="N",
    unit="碧眼社区群众诉求服务大厅",
    office=None,
    community="碧眼",
    priority="normal",
    flags=(),
    legal_path=None,
    reasons=("事项判断为“工地施工噪音”",),
    alternatives=(
        {
            "matter": "违法建设",
            "category": ["城乡建设", "城乡规划", "违章建筑"],
            "office": "综合行政执法办",
            "score": 0.2,
        },
    ),
    is_time_asked=True,
    prefix="GM",
)
THREADS = ThreadPoolExecutor(2)


class FakeEncoder:
    """Finds no two sentences alike."""

    def encode(self, texts: Any) -> Any:
        return np.zeros((len(texts), 384), dtype=np.float32)


@cache
def lexicon() -> Lexicon:
    """One for all: its dictionary takes a second to read, and stays in memory."""
    return Lexicon()


@dataclass
class FakeDesk:
    """What the desk is given; the clock stands until it is moved."""

    sessions: Any
    settings: FakeSettings = field(default_factory=FakeSettings)
    jurisdiction: FakeJurisdiction = field(default_factory=FakeJurisdiction)
    secret: bytes = b"a secret of thirty-two bytes long"
    keyring: Any = KEYRING
    encoder: Any = field(default_factory=FakeEncoder)
    now: datetime = NOW
    said: list[tuple[str, str]] = field(default_factory=lambda: [("resident", "楼下垃圾三天没人清，电话13800138000")])
    alike: list[dict[str, Any]] = field(default_factory=list)
    share: AssistantShare = field(default_factory=lambda: AssistantShare(0, 0, 0, {}, {}))
    is_demo: bool = False
    knowledge: Any = field(default_factory=FakeKnowledge)
    route: Route = ROUTE
    turns: Any = turns
    conversations: Any = board
    rows: list[Any] = field(default_factory=list)
    problems: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.switches = Switches(self.sessions, self.clock, every_seconds=0.0)
        self.work_list = WorkList(self.sessions, lambda: self.encoder, lexicon())

    def documents(self) -> list[Any]:
        return self.rows

    def builds(self) -> tuple[str, str]:
        return ("7", "6") if self.rows else ("", "")

    def document_problems(self) -> tuple[int, list[Any]]:
        return len(self.rows), self.problems

    def clock(self) -> datetime:
        return self.now

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

    def assist(self, text: str, actor: Any) -> Any:
        return assist(self, THREADS, text, actor)

    def triage(self, text: str) -> Route:  # noqa: ARG002
        return self.route

    def find_danger(self, text: str) -> Danger | None:
        return GAS if "煤气" in text else None

    def read_draft(self, text: str) -> Draft:
        return read_message(Draft(), text, None, own_jurisdiction())

    def similar(self, text: str, actor: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        return self.alike

    def said_in(self, conversation: str) -> list[tuple[str, str]]:
        return self.said if conversation else []

    def assistant_share(self, since: datetime, until: datetime) -> AssistantShare:  # noqa: ARG002
        return self.share

    def holds_demo(self) -> bool:
        return self.is_demo

    def add(self, name: str, role: Role, unit: str) -> str:
        """Somebody who has chosen their password; their name."""
        with self.sessions() as session:
            begin_writing(session)
            member, _ = add_staff(session, name, role, unit, now=self.now)
            set_password(member, PASSWORD)
            session.commit()
        return name

    def cookie(self, name: str) -> str:
        """The cookie of somebody who has logged in."""
        with self.sessions() as session:
            begin_writing(session)
            member = find_staff(session, name)
            token = open_session(session, member, is_complete=True, now=self.now)
            session.commit()
        return token


@cache
def own_jurisdiction() -> Jurisdiction:
    """The local facts, read once."""
    return load_jurisdiction()


def desk_on(engine: Any) -> FakeDesk:
    """A desk on a migrated database."""
    return FakeDesk(sessionmaker(engine, expire_on_commit=False))


class Browser:
    """A browser without script: it keeps its cookies and does not follow redirects by itself."""

    def __init__(self, application: Any) -> None:
        self.application = application
        transport = httpx.ASGITransport(application)
        self._client = httpx.AsyncClient(
            transport=transport, base_url="http://desk.test", headers={"Accept": "text/html"}, trust_env=False
        )
        self.cookies = self._client.cookies

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(self._client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)
