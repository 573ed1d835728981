"""Repair of homophones and look-alikes against the words of the knowledge base."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import accumulate

import jieba

from language.normalise import normalise
from language.personal import find_personal
from language.words import sound

# Numerals and question words: a stretch with one of them means what it says.
_NEVER = frozenset("零一二两三四五六七八九十百千万亿第几哪多少个是有没不的了吗呢在")


class Speller:
    """Knows the words of the documents by their sound and by their signs with one left out."""

    def __init__(self, words: Iterable[str], names: Iterable[str] = ()) -> None:
        """Take the words of the documents, in lower case, and the local names, which stay as they are."""
        names = sorted(map(normalise, names), key=len, reverse=True)
        # Names that sound the same are spellings of one place (径口, 迳口): the documents' own is put in.
        sounds = Counter(sound(name) for name in names)
        kept = [re.escape(name) for name in names if sounds[sound(name)] == 1]
        self._names = re.compile("|".join(kept) or "(?!)")
        jieba.dt.initialize()
        self._by_sound: dict[str, str] = {}
        self._by_gap: dict[tuple[str, int, str], str] = {}
        self._lengths: set[int] = set()
        known: defaultdict[int, set[str]] = defaultdict(set)
        for word in words:
            if len(word) >= 2 and all("一" <= sign <= "鿿" for sign in word):
                known[len(word)].add(word)
        for length in sorted(known, reverse=True):
            for word in sorted(known[length]):
                self._lengths.add(length)
                self._by_sound.setdefault(sound(word), word)
                if length >= 3:
                    for k in range(1, length if length > 3 else length - 1):
                        self._by_gap.setdefault((word[:k], length, word[k + 1 :]), word)
        self._words = {word for words_ in known.values() for word in words_}

    def repair(self, text: str) -> str:
        """`text` with every stretch that is no word itself, but sounds or looks like one of the documents, put right.

        Names and numbers stay: only stretches of Chinese signs are touched, never one that a dictionary knows or that
        shares signs with a word of the documents.
        """
        taken, edges = self._taken(text), _edges(text)
        for length in sorted(self._lengths, reverse=True):
            for start in range(len(text) - length + 1):
                # Two signs that sound right are mere chance where one of them begins or ends another word: 刚|位于.
                if length == 2 and not {start, start + 2} <= edges:
                    continue
                if not any(taken[start : start + length]) and (right := self._right(text[start : start + length])):
                    text = text[:start] + right + text[start + length :]
                    taken[start : start + length] = [True] * length
        return text

    def _taken(self, text: str) -> list[bool]:
        """For each sign, whether it is part of a word of the documents, a local name or the resident's own."""
        taken = [False] * len(text)
        own = [(name.start, name.end) for name in find_personal(text)]
        for start, end in (*own, *(match.span() for match in self._names.finditer(text))):
            taken[start:end] = [True] * (end - start)
        for length in self._lengths:
            for start in range(len(text) - length + 1):
                if text[start : start + length] in self._words:
                    taken[start : start + length] = [True] * length
        return taken

    def _right(self, stretch: str) -> str | None:
        if stretch in self._words or jieba.dt.FREQ.get(stretch) or not all(map(_is_repairable, stretch)):
            return None
        same_sound = self._by_sound.get(sound(stretch))
        if same_sound is not None:
            return same_sound
        for k in range(1, len(stretch)):
            if (right := self._by_gap.get((stretch[:k], len(stretch), stretch[k + 1 :]))) is not None:
                return right
        return None


def _edges(text: str) -> set[int]:
    """Where the dictionary's words begin and end."""
    return {0, *accumulate(map(len, jieba.dt.lcut(text, HMM=False)))}


def _is_repairable(sign: str) -> bool:
    return "一" <= sign <= "鿿" and sign not in _NEVER
