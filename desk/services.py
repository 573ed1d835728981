"""What the desk needs from the rest of the product, as structural types: the wiring fits them, tests fake them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from language.vectors import Encoder
    from petitions import Actor, Keyring, Route


class DeskSettings(Protocol):
    """The settings that the desk reads."""

    @property
    def desk_idle_minutes(self) -> int:
        """After how many minutes without use a login ends."""

    @property
    def desk_session_hours(self) -> int:
        """How long a login lasts at most."""

    @property
    def desk_second_factor(self) -> str:
        """Roles that need a second factor, separated by commas."""

    @property
    def desk_oidc_issuer(self) -> str:
        """The OpenID Connect provider; empty when there is none."""

    @property
    def desk_oidc_client_id(self) -> str:
        """What the provider calls the desk."""

    @property
    def desk_oidc_client_secret(self) -> str:
        """What the desk proves itself with."""

    @property
    def desk_oidc_claim(self) -> str:
        """The claim that holds the name of an account."""


class Office(Protocol):
    """An office of the subdistrict."""

    @property
    def name(self) -> str:
        """Its name."""


class Jurisdiction(Protocol):
    """The local facts that the desk shows."""

    @property
    def name(self) -> str:
        """Name of the subdistrict, such as 光明街道."""

    @property
    def offices(self) -> Sequence[Office]:
        """The offices of the subdistrict."""


class Sessions(Protocol):
    """Makes database sessions: a SQLAlchemy sessionmaker."""

    def __call__(self) -> Session:
        """A new session, to be used as a context manager."""


class AssistantShare(Protocol):
    """What became of the conversations of a stretch of time."""

    @property
    def conversations(self) -> int:
        """How many there were."""

    @property
    def answered(self) -> int:
        """Of those, with an answer and without a ticket."""

    @property
    def filed(self) -> int:
        """Of those, with a ticket."""

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many replies of each kind of the contract were given."""


class Services(Protocol):
    """All that the application is given when it is created."""

    @property
    def settings(self) -> DeskSettings:
        """Settings."""

    @property
    def jurisdiction(self) -> Jurisdiction:
        """Local facts."""

    @property
    def sessions(self) -> Sessions:
        """Database sessions."""

    @property
    def secret(self) -> bytes:
        """Key of every keyed digest made here."""

    @property
    def keyring(self) -> Keyring:
        """Keys of personal data and of second factors."""

    @property
    def encoder(self) -> Encoder:
        """Sentence vectors."""

    def clock(self) -> datetime:
        """Now, aware."""

    def similar(self, text: str, actor: Actor) -> Sequence[dict[str, Any]]:
        """Petitions like this one that the actor may see: `number`, `title`, `score`, `state`."""

    def said_in(self, conversation: str) -> Sequence[tuple[str, str]]:
        """What was said in a conversation, oldest first: a kind of the contract or `resident`, and the text."""

    def triage(self, text: str) -> Route:
        """Where a petition goes."""

    def assistant_share(self, since: datetime, until: datetime) -> AssistantShare:
        """What the assistant did from one moment to another, both aware."""

    def holds_demo(self) -> bool:
        """Whether the database holds a demonstration."""
