"""Words of a Chinese text, by jieba, with the local names kept whole."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache

import jieba
from pypinyin import Style, lazy_pinyin

jieba.setLogLevel(logging.WARNING)

# Sounds that speakers of the south do not tell apart, and input methods mix up.
_ALIKE = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ang", "an"), ("eng", "en"), ("ing", "in"))


class Words:
    """A word cutter of its own, so that names added here change no other user of jieba."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Take every name as one word."""
        self._cutter = jieba.Tokenizer()
        for name in names:
            self._cutter.add_word(name)

    def cut(self, text: str) -> list[str]:
        """The words of `text` that hold a letter or digit, in order."""
        return [word for word in self._cutter.lcut(text) if any(sign.isalnum() for sign in word)]


# Bounded, because what people type goes through it too.
@lru_cache(maxsize=65_536)
def sound(text: str) -> str:
    """How `text` sounds, for telling homophones: pinyin without tones, near sounds made one, `|` behind each sign."""
    syllables = lazy_pinyin(text, style=Style.NORMAL, errors="|".join)
    for heard, kept in _ALIKE:
        syllables = [syllable.replace(heard, kept) for syllable in syllables]
    return "".join(f"{syllable}|" for syllable in syllables)
