"""The form in which a resident's words are matched: simplified, half width, standard Mandarin function words."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

import yaml
from opencc import OpenCC

_DIALECT = Path(__file__).with_name("dialect.yml")

# Invisible characters that split words or hide commands: zero-width signs, direction marks, byte order mark, controls.
_HIDDEN = re.compile(
    r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff\x00-\x08\x0b-\x1f\x7f]"
)
_CJK = r"[\u3400-\u9fff\U00020000-\U0003ffff]"
_SPACE_IN_CHINESE = re.compile(rf"(?<={_CJK})\s+(?={_CJK})")
_SPACES = re.compile(r"\s+")


def normalise(text: str) -> str:
    """`text` as it is matched, never as it is shown or stored.

    Args:
        text: What somebody typed or spoke, in simplified or Traditional characters, Mandarin or Cantonese.

    Returns:
        NFKC, lower case, simplified, without hidden signs, pictographs and spaces between Chinese characters, with the
        function words of `dialect.yml` replaced. Idempotent.
    """
    # What one pass puts together the next may change: a mark behind a hidden sign, a word of which half was dialect.
    while (plain := _simplified(_clean(text))) != text:
        text = plain
    return text


def _clean(text: str) -> str:
    text = unicodedata.normalize("NFKC", strip_hidden(unicodedata.normalize("NFKC", text)).lower())
    text = "".join(" " if unicodedata.category(sign) in {"So", "Cn", "Co", "Cs", "Sk"} else sign for sign in text)
    return _SPACE_IN_CHINESE.sub("", _SPACES.sub(" ", text)).strip()


def _simplified(text: str) -> str:
    pattern, words = _dialect()
    return pattern.sub(lambda found: words.get(found[0], found[0]), _simplifier().convert(text))


def strip_hidden(text: str) -> str:
    """`text` without characters that nobody sees."""
    return _HIDDEN.sub("", text)


def simplify_signs(text: str) -> str:
    """`text` in simplified characters, sign for sign: offsets stay, for what is cut out of it as it was written."""
    return "".join(map(_simple_sign, text))


@cache
def _simple_sign(sign: str) -> str:
    simple = _simplifier().convert(sign)
    return simple if len(simple) == 1 else sign


@cache
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


@cache
def _dialect() -> tuple[re.Pattern[str], dict[str, str]]:
    data = yaml.safe_load(_DIALECT.read_text(encoding="utf-8"))
    # OpenCC changes some signs of Cantonese too, and the words are looked for behind it.
    words = {_simplifier().convert(word): mandarin for word, mandarin in data["words"].items()}
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join([*data["keep"], *map(re.escape, longest_first)])), words
