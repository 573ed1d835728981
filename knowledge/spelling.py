"""Repair of homophones and look-alikes against the words of the knowledge base."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import accumulate

import jieba
from pypinyin import lazy_pinyin

from language.normalise import normalise
from language.personal import find_personal
from language.words import sound

# Numerals and question words: a stretch with one of them means what it says.
_NEVER = frozenset("零一二两三四五六七八九十百千万亿第几哪多少个是有没不的了吗呢在")
_HAN = re.compile("[一-鿿]+")
# Shorter runs are more often units and brands than pinyin.
_LATIN_RUN = re.compile(r"(?<![A-Za-z0-9])[a-z][a-z' ]{2,}[a-z](?![A-Za-z0-9])")


class Speller:
    """Knows the words of the documents by their sound and by their signs with one left out."""

    def __init__(self, words: Iterable[str], names: Iterable[str] = (), spoken: Iterable[str] = ()) -> None:
        """Know what may be meant.

        Args:
            words: Of the documents, in lower case.
            names: Local names, which stay as they are.
            spoken: Residents' own words, which may stand in a message in pinyin, as those of the documents may.
        """
        words = list(words)
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

        self._latin = _Latin([*words, *spoken])

    def repair(self, text: str) -> str:
        """`text` with every stretch that is no word itself, but sounds or looks like one of the documents, put right.

        Names and numbers stay: only stretches of Chinese signs are touched, never one that a dictionary knows or that
        shares signs with a word of the documents. Pinyin that spells known words becomes these words.
        """
        text = self._latin.put_right(text)
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


class _Latin:
    """Words by their pinyin without tones, as somebody types them who has no Chinese keyboard."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words: dict[str, str] = {}
        for word in words:
            if len(word) >= 2 and _HAN.fullmatch(word):
                self._words.setdefault("".join(lazy_pinyin(word)), word)
        self._longest = max(map(len, self._words), default=0)

    def put_right(self, text: str) -> str:
        """`text` with every run of Latin letters that wholly spells known words replaced by them."""
        return _LATIN_RUN.sub(lambda match: self._spelt(match[0]) or match[0], text)

    def _spelt(self, run: str) -> str:
        """The fewest known words that a run spells; empty when it spells none."""
        letters = run.replace(" ", "").replace("'", "")
        best: list[list[str] | None] = [[], *[None] * len(letters)]
        for end in range(1, len(letters) + 1):
            for start in range(max(0, end - self._longest), end):
                before, word = best[start], self._words.get(letters[start:end])
                if before is not None and word and (best[end] is None or len(before) + 1 < len(best[end] or [])):
                    best[end] = [*before, word]
        return "".join(best[-1] or [])


def _edges(text: str) -> set[int]:
    """Where the dictionary's words begin and end."""
    return {0, *accumulate(map(len, jieba.dt.lcut(text, HMM=False)))}


def _is_repairable(sign: str) -> bool:
    return "一" <= sign <= "鿿" and sign not in _NEVER
