"""The only place that joins the parts: every engine, client and clock is made here and passed in."""

# ruff: noqa: PLC0415 - each part is imported at its first use: a command pays only for what it needs
from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from storage import begin_writing, seal_with
from storage.switches import ANSWERS, Switches
from suqiutong.database import current, is_missing, make_engine, newest
from suqiutong.errors import CommandError
from suqiutong.latest import Latest
from suqiutong.settings import Settings, read_secret

if TYPE_CHECKING:
    from spacy.language import Language

    from channels.store import AssistantShare
    from channels.wechat.account import Account
    from desk.services import Conversations, Turns
    from jurisdiction import Jurisdiction
    from knowledge import KnowledgeBase
    from knowledge.build import DocumentRow, Problem
    from knowledge.serving import Answers
    from knowledge.worklist import WorkList
    from language.danger import Danger
    from language.vectors import SentenceEncoder
    from petitions import Actor, Draft
    from petitions.privacy import Keyring
    from petitions.triage import Route
    from suqiutong.assisting import Assistance
    from web.limits import RateLimit
    from web.shared_limits import SharedLimits

logger = logging.getLogger(__name__)


class Services:
    """All parts of the product, each imported and made at its first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Times a stage of the work, once the process that works has set it.
        self.stage: Callable[[str], AbstractContextManager[object]] = lambda _name: nullcontext()
        self._latest_knowledge = Latest(self._knowledge_mark, self._try_knowledge)

    @cached_property
    def jurisdiction(self) -> Jurisdiction:
        """The local facts."""
        from jurisdiction import load_jurisdiction

        return load_jurisdiction()

    @cached_property
    def encoder(self) -> SentenceEncoder:
        """Sentence vectors."""
        from language.vectors import SentenceEncoder

        return SentenceEncoder()

    def load_knowledge(self) -> KnowledgeBase:
        """The knowledge base.

        Raises:
            KnowledgeError: it was never built, or a file is damaged.
        """
        from knowledge import KnowledgeBase

        return KnowledgeBase.load(self.settings.knowledge_folder.resolve(), self.jurisdiction.place_names, self.encoder)

    @cached_property
    def pipeline(self) -> Language:
        """Words, names and quantities."""
        from language.pipeline import build_pipeline

        return build_pipeline(self.settings.base_pipeline, self.jurisdiction.place_names)

    @property
    def knowledge(self) -> Answers | None:
        """What answers questions, from the newest build; None when none could be loaded, which `/readyz` reports."""
        return self._latest_knowledge.get()

    def answers(self) -> Answers:
        """What answers questions, loaded anew.

        Raises:
            KnowledgeError: the knowledge base was never built, or a file is damaged.
        """
        from knowledge.serving import Answers, CuratedAnswers

        base = self.load_knowledge()
        curated = CuratedAnswers(self.sessions, self.encoder, base.index.lexicon, self.clock)
        return Answers(
            base,
            curated,
            self.jurisdiction.phones.values(),
            is_off=lambda: self.switches.off(ANSWERS) is not None,
            timed=lambda: self.stage("knowledge"),
        )

    def note_unanswered(self, text: str, kind: str) -> None:
        """Put a question on the editors' list; one that cannot be kept never costs the reply."""
        from knowledge.unanswered import record_unanswered

        try:
            with self.sessions.begin() as session:
                begin_writing(session)
                record_unanswered(session, text, kind=kind, channel="chat", now=self.clock())
        except SQLAlchemyError as error:
            logger.error("unanswered_not_kept error=%s", type(error).__name__)

    @cached_property
    def work_list(self) -> WorkList:
        """The open questions in groups."""
        from knowledge.question import Lexicon
        from knowledge.worklist import WorkList

        return WorkList(self.sessions, lambda: self.encoder, Lexicon(self.jurisdiction.place_names))

    @property
    def turns(self) -> Turns:
        """The turns of the transcript that wait for a look."""
        from channels import turns

        return turns

    @property
    def conversations(self) -> Conversations:
        """The conversations of residents, as the desk reads and takes them."""
        from channels.handover import board

        return board

    def documents(self) -> list[DocumentRow]:
        """Every document, with what the base in use holds of it."""
        from suqiutong import corpus

        return corpus.documents_in_use(self)

    def builds(self) -> tuple[str, str]:
        """The number of the build in use, and of the one before."""
        from suqiutong import corpus

        return corpus.builds_of(self)

    def document_problems(self) -> tuple[int, list[Problem]]:
        """How many facts have been built, and what does not hold against the documents."""
        from suqiutong import corpus

        return corpus.check_knowledge(self)

    def _knowledge_mark(self) -> tuple[int, int] | None:
        """What changes with every build."""
        try:
            found = (self.settings.knowledge_folder / "clauses.json").stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _try_knowledge(self) -> Answers | None:
        from knowledge import KnowledgeError

        try:
            return self.answers()
        except KnowledgeError as error:
            logger.error("knowledge_not_loaded code=%s", error.code)
            return None

    @cached_property
    def engine(self) -> Engine:
        """The database engine."""
        self.settings.data_folder.mkdir(parents=True, exist_ok=True)
        engine = make_engine(self.settings.database, may_make=False)
        seal_with(engine, self.secret)
        return engine

    @cached_property
    def sessions(self) -> sessionmaker[Session]:
        """Database sessions."""
        return sessionmaker(self.engine, expire_on_commit=False)

    @cached_property
    def switches(self) -> Switches:
        """What is off."""
        return Switches(self.sessions, self.clock)

    @cached_property
    def _shared_limits(self) -> SharedLimits | None:
        if not self.settings.queue_url:
            return None
        from web.shared_limits import SharedLimits, connect

        return SharedLimits(connect(self.settings.queue_url))

    def limit(self, name: str, per_minute: int) -> RateLimit:
        """A limit of pace, counted in Redis where the settings name one, otherwise by this process alone."""
        from web.limits import RateLimit

        return RateLimit(per_minute, shared=self._shared_limits, name=name)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that writes and commits at the end.

        Raises:
            CommandError: the database is a file that is not there, or its schema is not the newest.
        """
        if is_missing(self.engine):
            raise CommandError("the database is missing: put it back, or make one with `suqiutong db upgrade`")
        if current(self.engine) != newest():
            raise CommandError("the database is not at the newest schema: run `suqiutong db upgrade`")
        with self.sessions.begin() as session:
            begin_writing(session)
            yield session

    @cached_property
    def secret(self) -> bytes:
        """Key of every signature made here."""
        return read_secret(self.settings.data_folder)

    @property
    def keyring(self) -> Keyring:
        """The keys of personal data as they are now: another process may have made a new one."""
        from suqiutong.keys import read_keyring

        return read_keyring(self.settings.keys_file, now=self.clock())

    @cached_property
    def wechat(self) -> Account | None:
        """The WeChat account; None without one.

        Raises:
            CommandError: it is not set up as it must be.
        """
        from suqiutong.wechat import read_account

        return read_account(self.settings)

    def protect(self) -> int:
        """Seal with the present key what is not; how many pieces of personal data and messages.

        Raises:
            CommandError: something is sealed with a key that is not there.
        """
        from channels.store import seal_transcripts
        from desk import factor
        from petitions.privacy import keys_in_use, reseal

        done = 0
        while True:
            with self.writing() as session:
                used = keys_in_use(session) | factor.keys_in_use(session)
                if lost := used - set(self.keyring.keys):
                    raise CommandError(f"{self.settings.keys_file} lacks {', '.join(sorted(lost))}: restore it")
                count = reseal(session, self.keyring) + factor.reseal(session, self.keyring)
                count += seal_transcripts(session)
            done += count
            if not count:
                return done

    def clock(self) -> datetime:
        """Now, aware."""
        return datetime.now(UTC)

    def triage(self, text: str) -> Route:
        """Where this petition goes."""
        from petitions.triage import triage

        with self.stage("triage"):
            return triage(text, self.jurisdiction, self.encoder)

    def ask(self, text: str) -> dict[str, Any]:
        """The contract message that answers one question: safety first, then the knowledge base.

        Raises:
            KnowledgeError: there is no knowledge base.
        """
        if danger := self.find_danger(text):
            from channels.chat import danger_message

            return danger_message(danger)
        return self.answers().answer(text).to_json()

    def find_danger(self, text: str) -> Danger | None:
        """The danger that the text reports."""
        from language.danger import find_danger

        return find_danger(text, self.jurisdiction)

    def is_harmless(self, text: str) -> bool:
        """Whether what sounds of danger in the text is a saying, denied or past."""
        from language.danger import is_harmless

        return is_harmless(text, self.jurisdiction)

    @cached_property
    def _assisting(self) -> ThreadPoolExecutor:
        """The threads in which slow parts run while a caller waits: a few, so that nothing piles up on the cores."""
        return ThreadPoolExecutor(max_workers=8, thread_name_prefix="assist")

    def assist(self, text: str, actor: Actor | None = None) -> Assistance:
        """What an operator is shown for a caller's words so far."""
        from suqiutong.assisting import assist

        return assist(self, self._assisting, text, actor)

    def read_draft(self, text: str) -> Draft:
        """The draft of a petition that a caller's words make."""
        from petitions import Draft, read_message

        return read_message(Draft(), text, None, self.jurisdiction)

    def similar(self, text: str, actor: Actor | None = None) -> list[dict[str, Any]]:
        """Petitions like this one that the actor may see; without one, those that everybody may."""
        from language.normalise import normalise
        from language.personal import mask_personal
        from petitions.search import quantised
        from petitions.similar import find_similar
        from petitions.visibility import STRANGER

        vector = quantised(self.encoder.encode([normalise(text)])[0])
        with self.sessions() as session:
            found = find_similar(session, mask_personal(text), vector, actor or STRANGER)
            return [one.to_json() for one in found]

    def said_in(self, conversation: str) -> list[tuple[str, str]]:
        """What was said in a conversation, oldest first, each text with its kind or `resident` or `staff` before it."""
        from channels.store import transcript

        with self.sessions() as session:
            rows = transcript(session, conversation)
        return [(str(row.payload.get("author", row.kind)), str(row.payload["text"])) for row in rows]

    def assistant_share(self, since: datetime, until: datetime) -> AssistantShare:
        """What became of the conversations in which residents wrote from one moment to another."""
        from channels.store import assistant_share

        with self.sessions() as session:
            return assistant_share(session, since=since, until=until)

    def holds_demo(self) -> bool:
        """Whether the database holds a demonstration."""
        from suqiutong.demo_mark import holds_demo

        with self.sessions() as session:
            return holds_demo(session)

    def check_token(self, token: str, role: str) -> str | None:
        """Name of the holder when the token is valid for the role."""
        from desk.accounts import check_token

        with self.sessions() as session:
            return check_token(session, token, role)
