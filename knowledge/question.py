"""What a question asks for: kind of answer, year, and the words that carry its meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from language.normalise import normalise
from language.quantities import Quantity, arabic_numbers, arabic_years, find_quantities
from language.words import Words

_LEXICON = Path(__file__).with_name("lexicon.yml")
_FULL_YEAR = re.compile(r"(?<!\d)(20\d\d)(?=年|的|还|要|会|计|打|准|年度|$|[^\d.])")
_SHORT_YEAR = re.compile(r"(?<!\d)([12]\d)年(?!级|前|后|来|多)")
_PLAN = re.compile("计划|打算|准备|目标|将会|将要|会不会|要不要|还会|争取|力争|安排|规划|下一步|接下来|未来")
_YES_NO = re.compile("吗|是不是|有没有|对不对|对吧|没错吧|真的|是否|会不会|能不能|超过|过了?.成|不到")
_SPLIT = re.compile("[,;。?!、，；？！]|还有就是|另外|以及|顺便")
_COMPARED = re.compile("(?:比|较|相比|对比)(?:起)?(?:前年|去年|上年|上一年|往年|20\\d\\d年)(?:同期)?")
# Counts and question words that say which kind of answer is wanted, not what it is about.
_ASKED = re.compile(
    r"[几哪](?:万|千|百|十)?(?:个|场|次|户|套|家|宗|件|条|项|轮|年|批|人|所|座|位|名|天|月|号|起|单|类|边|里|儿|些|处|种)?(?:人次|人)?"
    r"|多少(?:个|场|次|户|套|家|宗|件|条|项|轮|人次|人|钱|平方米|平方|吨|公里)?"
    r"|[零一二两三四五六七八九十百千万亿]{1,8}[余多几]?(?:个|场|次|户|套|家|宗|件|条|项|轮|人次|人|成|万|亿|元|块|平方米)"
)

# Kinds of answer that no figure or statement of a report gives unless its words say so themselves.
BEYOND = ("phone", "procedure", "date", "person", "reason", "address", "price", "breakdown")
FIGURES = ("rank", "money", "rate", "area", "concentration", "people", "household", "firm", "flat", "event", "case",
           "length", "weight", "text", "item")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """A question, ready to be looked up.

    Attributes:
        text: Normalised.
        core: The same without polite frames.
        terms: Words that carry meaning.
        asks: Kinds of answer wanted, ids of `lexicon.yml`.
        year: The year it names or implies, as digits, or None.
        is_plan: It speaks of intentions.
        is_yes_no: It wants a yes or a no.
        figures: Figures that the resident named.
        places: Names of places narrower than, or other than, the subdistrict itself.
        scopes: Wider areas that it names, each with all its names: a figure of the subdistrict is none of the city.
        decisive: What narrows it to a part or a stage, each with the words that tell of the same.
    """

    text: str
    core: str
    terms: tuple[str, ...]
    asks: frozenset[str]
    year: str | None
    is_plan: bool
    is_yes_no: bool
    figures: tuple[Quantity, ...]
    places: tuple[str, ...]
    scopes: tuple[tuple[str, ...], ...] = ()
    decisive: tuple[re.Pattern[str], ...] = ()

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of figure that it asks for by their unit."""
        return self.asks & frozenset(FIGURES)


class Lexicon:
    """`lexicon.yml`: other names, frames, stop words and what questions ask for."""

    def __init__(self, places: Iterable[str] = (), path: Path = _LEXICON) -> None:
        """Read the lexicon; `places` are names that a question may ask about, the subdistrict's own left out."""
        data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.aliases: Mapping[str, Sequence[str]] = data["aliases"]
        self.stop_words = frozenset(data["stop_words"])
        self._frames = re.compile("|".join(map(re.escape, sorted(data["frames"], key=len, reverse=True))))
        self._home = re.compile(data["scopes"]["home"])
        self._scopes = [tuple(names) for names in data["scopes"]["wider"]]
        self._decisive = [re.compile(words) for words in data["decisive"]]
        self._asks = [(row["id"], re.compile(row["pattern"])) for row in data["asks"]]
        self.places = sorted(places, key=len, reverse=True)
        self._places = re.compile("|".join(map(re.escape, self.places)) or "(?!)")
        self._words = Words([*self.places, *self.aliases, *(name for names in self.aliases.values() for name in names)])

    def words(self, text: str) -> list[str]:
        """The words of a text, stop words left out."""
        return [word for word in self._words.cut(text) if word not in self.stop_words]

    def read(self, text: str, report_year: int) -> Question:
        """What `text` asks.

        Args:
            text: As typed, its spelling repaired.
            report_year: The year whose results the newest document gives; 去年 is this year for a reader of the report.
        """
        text = arabic_numbers(arabic_years(normalise(text)))
        if report_year:
            # Said as a number or in words, it is the same year and the same question.
            text = re.sub(rf"(?<!\d){report_year}年度?", "去年", text)
        core = self._frames.sub(" ", text)
        asks = frozenset(name for name, pattern in self._asks if pattern.search(core))
        year = _year(_COMPARED.sub(" ", text), report_year)
        return Question(
            text=text,
            core=" ".join(core.split()),
            terms=tuple(dict.fromkeys(self._terms(core))),
            asks=asks,
            year=year,
            is_plan=bool(_PLAN.search(text)),
            is_yes_no=bool(_YES_NO.search(text)),
            figures=tuple(find_quantities(core)),
            places=tuple(dict.fromkeys(self._places.findall(text))),
            scopes=self._scopes_of(text),
            decisive=tuple(words for words in self._decisive if words.search(text)),
        )

    def _scopes_of(self, text: str) -> tuple[tuple[str, ...], ...]:
        elsewhere = self._home.sub(" ", text)
        return tuple(names for names in self._scopes if any(name in elsewhere for name in names))

    def _terms(self, core: str) -> list[str]:
        plain = _COMPARED.sub(" ", _FULL_YEAR.sub(" ", _SHORT_YEAR.sub(" ", core)))
        for quantity in reversed(find_quantities(plain)):
            plain = plain[: quantity.start] + " " + plain[quantity.end :]
        words = self.words(_ASKED.sub(" ", plain))
        return [word for word in words if (len(word) > 1 or word in self.aliases) and not word.isdecimal()]


def parts_of(text: str) -> list[str]:
    """The pieces of a message that may be questions of their own, in order."""
    return [part.strip() for part in _SPLIT.split(text) if len(part.strip()) >= 3]


def _year(text: str, report_year: int) -> str | None:
    if match := _FULL_YEAR.search(text) or _SHORT_YEAR.search(text):
        return match[1][-4:] if len(match[1]) == 4 else f"20{match[1]}"
    for words, years in (("前年", -1), ("去年", 0), ("今年", 1), ("明年", 2)):
        if words in text:
            return str(report_year + years)
    return None
