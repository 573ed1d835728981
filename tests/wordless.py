"""Listens to every log record of the suite: none may hold a phone number, an identity number or a word of Chinese.

Logs carry ids, codes and digests, which are written in ASCII; whatever is Chinese was said by somebody.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telemetry.logs import TextFormatter

# Letters beside it: eleven digits of a digest are no phone number.
PERSONAL = re.compile(
    r"(?P<phone>(?<![0-9A-Za-z])(?:\+?86)?1[3-9]\d{9}(?![0-9A-Za-z]))"
    r"|(?P<id_number>(?<![0-9A-Za-z])[1-9]\d{16}[\dXx](?![0-9A-Za-z]))"
    r"|(?P<words>[\u3400-\u9fff]|\\u[3-9][0-9a-f]{3})"
)


def personal_in(text: str) -> str | None:
    """What a text holds that no log may: `phone`, `id_number` or `words`; None when it holds nothing of the kind."""
    found = PERSONAL.search(text)
    return found.lastgroup if found else None


def personal_lines(folder: Path) -> list[str]:
    """The lines of the log files of a folder that hold something personal, without what they hold."""
    return [
        f"{path.name}:{number} {kind}"
        for path in sorted(folder.glob("*.log*"))
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if (kind := personal_in(line))
    ]


class Ear(logging.Handler):
    """Keeps where a record came from that should not have been written, as the product would have written it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(TextFormatter())
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Listen."""
        # What a traceback quotes of the tests' own code is in no log of the product.
        known, record.exc_info, record.exc_text = record.exc_info, None, None
        if kind := personal_in(self.format(record)):
            self.heard.append(f"{record.pathname}:{record.lineno} {record.name} {record.msg!r}: {kind}")
        record.exc_info = known


EAR = Ear()


def pytest_configure() -> None:
    """Listen from the first import on."""
    logging.getLogger().addHandler(EAR)


def pytest_unconfigure() -> None:
    """Listen no more."""
    logging.getLogger().removeHandler(EAR)


@pytest.fixture(scope="session")
def lines_with_words() -> Callable[[Path], list[str]]:
    """`personal_lines`, for a conftest, which may not import a plug-in."""
    return personal_lines


@pytest.fixture(autouse=True)
def no_words_in_logs() -> Iterator[None]:
    """Fail the test during which something personal was logged."""
    yield
    heard = EAR.heard.copy()
    EAR.heard.clear()
    assert not heard
