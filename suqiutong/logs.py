"""What reaches the log files: ids and places in the code, never what somebody said."""

from __future__ import annotations

import logging
import traceback
from types import TracebackType

FORMAT = "%(asctime)s %(levelname)s %(name)s - %(message)s"
ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class WordlessFormatter(logging.Formatter):
    """Writes of an exception where it happened and its type.

    Its text is left out: that of a database holds the row, that of an action server the whole conversation.
    """

    def formatException(self, ei: ErrorInfo) -> str:  # noqa: N802 - the name in the library
        """The stack of each exception of the chain, the last one first."""
        lines, error = ["Traceback (most recent call last):\n"], ei[1]
        while error is not None:
            lines += [*traceback.format_tb(error.__traceback__), f"{type(error).__module__}.{type(error).__name__}\n"]
            error = error.__cause__ or error.__context__
        return "".join(lines).rstrip("\n")


def start_logging(level: str) -> None:
    """Log to stderr, which `up` keeps in a file; libraries speak from warning on."""
    handler = logging.StreamHandler()
    handler.setFormatter(WordlessFormatter(FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in ("actions", "channels", "desk", "knowledge", "petitions", "suqiutong", "web"):
        logging.getLogger(name).setLevel(level.upper())
