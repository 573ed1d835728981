"""A desk with stand-ins behind it, and people who have logged in; shared by unit, integration and browser tests."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
from sqlalchemy.orm import sessionmaker

from channels import turns
from channels.store import AssistantShare
from desk.accounts import Role, add_staff, find_staff, set_password
from desk.sessions import open_session
from knowledge.question import Lexicon
from knowledge.worklist import WorkList
from petitions import Route
from tests.integration.cases import KEYRING, route
from tests.unit.knowledge.conftest import SameEncoder

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
class FakeJurisdiction:
    name: str = "光明街道"
    offices: tuple[FakeOffice, ...] = (FakeOffice("综合行政执法办"), FakeOffice("城市建设办"))


class FakeEncoder:
    """Finds no two sentences alike."""

    def encode(self, texts: Any) -> Any:
        return np.zeros((len(texts), 384), dtype=np.float32)


@dataclass
class FakeDesk:
    """What the desk is given; the clock stands until it is moved."""

    sessions: Any
    settings: FakeSettings = field(default_factory=FakeSettings)
    jurisdiction: FakeJurisdiction = field(default_factory=FakeJurisdiction)
    secret: bytes = b"a secret of thirty-two bytes long"
    keyring: Any = KEYRING
    encoder: Any = field(default_factory=FakeEncoder)
    route: Route = field(default_factory=route)
    now: datetime = NOW
    said: list[tuple[str, str]] = field(default_factory=lambda: [("resident", "楼下垃圾三天没人清，电话13800138000")])
    alike: list[dict[str, Any]] = field(default_factory=list)
    share: AssistantShare = field(default_factory=lambda: AssistantShare(0, 0, 0, {}))
    is_demo: bool = False
    knowledge: Any = None
    turns: Any = turns
    rows: list[Any] = field(default_factory=list)
    problems: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.work_list = WorkList(self.sessions, SameEncoder, Lexicon())

    def documents(self) -> list[Any]:
        return self.rows

    def builds(self) -> tuple[str, str]:
        return ("7", "6") if self.rows else ("", "")

    def document_problems(self) -> tuple[int, list[Any]]:
        return len(self.rows), self.problems

    def clock(self) -> datetime:
        return self.now

    def triage(self, text: str) -> Route:  # noqa: ARG002
        return self.route

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

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
            member, _ = add_staff(session, name, role, unit, now=self.now)
            set_password(member, PASSWORD)
            session.commit()
        return name

    def cookie(self, name: str) -> str:
        """The cookie of somebody who has logged in."""
        with self.sessions() as session:
            member = find_staff(session, name)
            token = open_session(session, member, is_complete=True, now=self.now)
            session.commit()
        return token


def desk_on(engine: Any) -> FakeDesk:
    """A desk on a migrated database."""
    return FakeDesk(sessionmaker(engine, expire_on_commit=False))


class Browser:
    """A browser without script: it keeps its cookies and does not follow redirects by itself."""

    def __init__(self, application: Any) -> None:
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
