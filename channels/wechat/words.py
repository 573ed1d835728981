"""Messages of the contract as the text that WeChat shows, and a long text in parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from channels.texts import say

_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
# Where a text may be cut, the better places first.
_BORDERS = (re.compile(r"(?<=[。！？；\n])"), re.compile(r"(?<=[，、：,;])|(?<=\s)"))
# A figure, a number or an address is cut only when nothing else is left.
_UNBROKEN = re.compile(r"[0-9A-Za-z.,%:/?=&_~+-]+|.", re.DOTALL)
_PART_BYTES = len("（99/99）".encode())


def text_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """All messages as one text: what they say, which names its sources itself, and what may be answered."""
    return "\n\n".join(_one(message) for message in messages)


def _one(message: Mapping[str, Any]) -> str:
    # Whoever reads it must know when it is a person who speaks.
    author = say("page.staff") if "author" in message else ""
    lines = [author + inert(_BOLD.sub(r"\1", message["text"]))]
    if buttons := message.get("buttons", ()):
        lines.append(say("wechat.choices", choices="".join(_choice(button) for button in buttons)))
    return "\n".join(lines)


def _choice(button: Mapping[str, str]) -> str:
    if button["title"] == button["text"]:
        return say("wechat.choice", text=button["text"])
    return say("wechat.choice_titled", title=button["title"], text=button["text"])


def inert(text: str) -> str:
    """The text without markup: WeChat would make `<a …>` a link, also where it was a resident who typed it."""
    return text.replace("<", "＜")


def split(text: str, limit_bytes: int) -> list[str]:
    """The text in parts of at most so many bytes of UTF-8, cut between sentences where that is possible.

    Of several parts each ends with its number. Nothing but space at the cuts is lost.
    """
    if _size(text) <= limit_bytes:
        return [text]
    parts = _packed(text, limit_bytes - _PART_BYTES)
    return [say("wechat.part", text=part, number=number, count=len(parts)) for number, part in enumerate(parts, 1)]


def _packed(text: str, limit_bytes: int) -> list[str]:
    parts = [""]
    for piece in _pieces(text, limit_bytes):
        if _size(parts[-1]) + _size(piece) <= limit_bytes:
            parts[-1] += piece
        else:
            parts.append(piece)
    return [part.strip() for part in parts if part.strip()]


def _pieces(text: str, limit_bytes: int, level: int = 0) -> Iterator[str]:
    """The text in pieces that each fit, cut no finer than needed."""
    if _size(text) <= limit_bytes:
        yield text
    elif level < len(_BORDERS):
        for piece in _BORDERS[level].split(text):
            yield from _pieces(piece, limit_bytes, level + 1)
    else:
        for found in _UNBROKEN.finditer(text):
            yield from [found[0]] if _size(found[0]) <= limit_bytes else found[0]


def _size(text: str) -> int:
    return len(text.encode())
