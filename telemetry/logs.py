"""Log lines of one shape in every process, with the id of the request that they stem from.

No line ever holds the text of an error: a database names the values that it refused, a parser what it could not read.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal

PACKAGES = (
    *("actions", "channels", "desk", "jurisdiction", "knowledge", "language"),
    *("petitions", "storage", "suqiutong", "telemetry", "web"),
)
LogFormat = Literal["text", "json"]

# A letter among it, so that a phone number is none.
_REQUEST_ID = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9._-]{8,64}")
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
# Our own lines are an event and fields: `job_done job=tick seconds=0.1`.
_EVENT = re.compile(r"([a-z][a-z0-9_]*)(?:$| (?=[a-z]))")
_FIELD = re.compile(r"([a-z][a-z0-9_]*)=(.*?)(?= [a-z][a-z0-9_]*=|$)", re.DOTALL)
_KEPT_PLACES = 6
_KEPT_CAUSES = 4


def request_id() -> str | None:
    """The id of the request that is being served; None outside of any."""
    return _request_id.get()


def valid_request_id(given: object) -> str | None:
    """What was given, when it is an id."""
    return given if isinstance(given, str) and _REQUEST_ID.fullmatch(given) else None


def new_request_id() -> str:
    """An id that nobody has yet."""
    return secrets.token_hex(12)


@contextmanager
def in_request(given: object) -> Iterator[None]:
    """Lines written in here carry this id; none where it is no id. Threads and tasks begun in here inherit it."""
    token = _request_id.set(valid_request_id(given))
    try:
        yield
    finally:
        _request_id.reset(token)


def event_of(record: logging.LogRecord) -> str | None:
    """The event that one of our own lines tells of; None for a line of a library."""
    found = _EVENT.match(str(record.msg)) if _is_ours(record) else None
    return found[1] if found else None


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in PACKAGES


def trace_of(error: BaseException | None) -> str:
    """Kinds and places of an error and its causes, innermost place last; never their text."""
    told: list[str] = []
    while error is not None and len(told) < _KEPT_CAUSES:
        frames = traceback.extract_tb(error.__traceback__)[-_KEPT_PLACES:]
        places = ">".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
        told.append(f"{type(error).__name__}@{places}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "<-".join(told)


class RequestFilter(logging.Filter):
    """Puts the id of the request on every record, and stops libraries that set a level of their own."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let what we say pass, and what libraries warn of."""
        record.request = request_id() or "-"
        return _is_ours(record) or record.levelno >= logging.WARNING


class TextFormatter(logging.Formatter):
    """A line for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request)s] - %(message)s", defaults={"request": "-"})

    def formatException(  # noqa: N802 - the name is logging's
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """Kinds and places alone."""
        return f"trace={trace_of(ei[1])}"


class JsonFormatter(logging.Formatter):
    """A line for programs: one JSON object, the fields of our own lines beside its event."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        message = record.getMessage()
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
        }
        if (identity := getattr(record, "request", "-")) != "-":
            line["request"] = identity
        if event := event_of(record):
            line["event"] = event
            line |= {name: value for name, value in _FIELD.findall(message) if name not in line}
        else:
            line["message"] = message
        if record.exc_info:
            line["trace"] = trace_of(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def start_logging(level: str, log_format: LogFormat) -> None:
    """Log to stderr, which whoever started the process keeps; libraries speak from warning on.

    Args:
        level: The least that our own packages tell: `debug`, `info`, `warning`, `error`.
        log_format: `text` for people, `json` for programs.
    """
    handler = logging.StreamHandler()
    handler.addFilter(RequestFilter())
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in PACKAGES:
        logging.getLogger(name).setLevel(level.upper())
