"""What the channels need from the rest of the product, as structural types: the wiring fits them, tests fake them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from channels.wechat.account import Account
    from petitions import Keyring, Route
    from storage.switches import Switches
    from web.limits import RateLimit


class ChannelSettings(Protocol):
    """The settings that the channels read."""

    @property
    def rasa_url(self) -> str:
        """Base address of Rasa, such as `http://127.0.0.1:5005`."""

    @property
    def rasa_timeout_seconds(self) -> float:
        """Longest wait for one answer of Rasa."""

    @property
    def public_url(self) -> str:
        """Address under which residents reach this application, without a closing slash; may be empty."""

    @property
    def session_hours(self) -> int:
        """How long a conversation lives after its last message."""

    @property
    def late_answer_minutes(self) -> int:
        """A message older than that is not answered any more: the resident is asked to say it again."""

    @property
    def rasa_at_once(self) -> int:
        """Messages that Rasa is asked at once; a further one waits for its turn."""

    @property
    def monitor_token(self) -> str:
        """What shows that a reader of metrics runs the product; empty: nobody has to show it."""

    @property
    def messages_per_minute(self) -> int:
        """Messages that one conversation may send in a minute."""

    @property
    def address_messages_per_minute(self) -> int:
        """Messages that one network address may send in a minute: a service hall shares one."""

    @property
    def messages_at_once(self) -> int:
        """Messages that are answered at once; a further one is answered later."""

    @property
    def lookups_per_minute(self) -> int:
        """Look-ups by number and code that one network address may make in a minute."""

    @property
    def embed_origins(self) -> str:
        """Sites that may show the page in a frame, separated by spaces; may be empty."""

    @property
    def kiosk_addresses(self) -> str:
        """Networks whose devices many people use, separated by commas; may be empty."""

    @property
    def kiosk_idle_minutes(self) -> int:
        """After how many minutes without use such a device forgets."""


class Danger(Protocol):
    """A danger found in a text: what `language.find_danger` returns."""

    @property
    def kind(self) -> str:
        """`emergency` or `crisis`."""

    @property
    def name(self) -> str:
        """Machine name such as `gas`."""

    @property
    def advice(self) -> str:
        """What to do at once, in Chinese."""

    @property
    def phones(self) -> Sequence[str]:
        """Numbers to call."""


class Reply(Protocol):
    """What the knowledge base says, or what an operator is shown."""

    def to_json(self) -> dict[str, Any]:
        """An object of the contract."""


class Knowledge(Protocol):
    """The knowledge base."""

    def answer(self, text: str, context: None) -> Reply:
        """The answer, the refusal or the question back."""


class Phone(Protocol):
    """A dated, sourced phone number."""

    @property
    def name(self) -> str:
        """Who answers."""

    @property
    def number(self) -> str:
        """The number to dial."""


class Jurisdiction(Protocol):
    """The local facts that the channels show."""

    @property
    def name(self) -> str:
        """Name of the subdistrict, such as 光明街道."""

    @property
    def phones(self) -> Mapping[str, Phone]:
        """Phones by their key."""


class Sessions(Protocol):
    """Makes database sessions: a SQLAlchemy sessionmaker."""

    def __call__(self) -> Session:
        """A new session, to be used as a context manager."""


class Services(Protocol):
    """All that the application is given when it is created."""

    @property
    def settings(self) -> ChannelSettings:
        """Settings."""

    @property
    def jurisdiction(self) -> Jurisdiction:
        """Local facts."""

    @property
    def knowledge(self) -> Knowledge | None:
        """The knowledge base; None when it could not be loaded."""

    @property
    def sessions(self) -> Sessions:
        """Database sessions."""

    @property
    def secret(self) -> bytes:
        """Key of every signature made here."""

    @property
    def keyring(self) -> Keyring:
        """Keys of personal data."""

    @property
    def wechat(self) -> Account | None:
        """The WeChat account; None without one."""

    @property
    def switches(self) -> Switches:
        """What is off."""

    def clock(self) -> datetime:
        """Now, aware."""

    def limit(self, name: str, per_minute: int) -> RateLimit:
        """A limit of pace, counted for all processes that serve residents."""

    def triage(self, text: str) -> Route:
        """Where this petition goes."""

    def find_danger(self, text: str) -> Danger | None:
        """The danger that the text reports."""

    def assist(self, text: str) -> Reply:
        """What an operator is shown for a caller's words so far."""

    def check_token(self, token: str, role: str) -> str | None:
        """Name of the holder when the token is valid for the role."""
