"""Answers that are provably from the documents, or an honest refusal."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from knowledge.base import Clause, Index
from knowledge.errors import KnowledgeError
from knowledge.facts import Fact
from knowledge.leftover import Leftover
from knowledge.lock import unproved_in
from knowledge.question import Lexicon, Question, parts_of
from knowledge.spelling import Speller
from knowledge.verify import Candidate, Verifiers, candidates
from knowledge.wording import Wording
from language.normalise import normalise
from language.vectors import Encoder

logger = logging.getLogger(__name__)

Kind = Literal["answer", "no_answer", "clarify"]

# Chance from which a clause counts as the answer (docs/benchmarks.md).
ACCEPT = 0.3
# Chance from which a clause is worth showing as related.
_RELATED = 0.08
_CHOICES = 4
_LEANING = re.compile("^(?:那|那么|这|它|他们|她们|其中|还有|然后)|呢$|^(?:多少|几|第几|哪|在哪|是谁|排)")
_BOTH = re.compile(
    r"(?P<first>[^,。?]{2,12}?)(?:和|跟|与|同|、)(?P<second>[^,。?]{2,12}?)(?P<rest>(?:各|分别|都)[^,。?]*)"
)


@dataclass(frozen=True, slots=True)
class Context:
    """The question before, for one that leans on it."""

    core: str
    terms: tuple[str, ...]
    asks: tuple[str, ...]
    year: str | None

    @classmethod
    def of(cls, question: Question) -> Self:
        """What a later question may lean on."""
        return cls(question.core, question.terms, tuple(sorted(question.asks)), question.year)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Self | None:
        """What `to_json` gave; None for nothing."""
        if not data:
            return None
        return cls(data["core"], tuple(data["terms"]), tuple(data["asks"]), data["year"])

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the knowledge base says to one message.

    Attributes:
        kind: `answer`, `no_answer` or `clarify`.
        text: What the resident reads, complete.
        citations: As in the contract.
        facts: As in the contract.
        buttons: As in the contract.
        chance: The verifier's chance of the best clause.
        context: For the next question.
        is_paused: The documents were not asked, so that it tells nothing of what they lack.
    """

    kind: Kind
    text: str
    citations: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    buttons: list[dict[str, str]] = field(default_factory=list)
    chance: float = 0.0
    context: Context | None = None
    is_paused: bool = False

    def to_json(self) -> dict[str, Any]:
        """A message of the contract."""
        names = ("kind", "text", "citations", "facts", "buttons")
        return {name: getattr(self, name) for name in names}


class KnowledgeBase:
    """Finds, verifies and phrases answers. Safe from threads: nothing changes after it is made."""

    def __init__(
        self, index: Index, encoder: Encoder, verifiers: Verifiers, wording: Wording, leftover: Leftover
    ) -> None:
        """Join the parts; `index` carries the lexicon."""
        self.index = index
        self.encoder = encoder
        self.verifiers = verifiers
        self.wording = wording
        self.leftover = leftover
        lexicon = index.lexicon
        spoken = [
            *lexicon.aliases,
            *(name for names in lexicon.aliases.values() for name in names),
            *lexicon.stop_words,
        ]
        self.speller = Speller((word.lower() for word in index.vocabulary), lexicon.places, sorted(spoken))
        self._years = frozenset(clause.period for clause in index.clauses)
        achieved = [int(clause.period) for clause in index.clauses if clause.status == "achieved"]
        self._report_year = max(achieved, default=max(map(int, self._years), default=0))

    @classmethod
    def load(cls, folder: Path, places: Iterable[str], encoder: Encoder) -> KnowledgeBase:
        """The knowledge base built into `folder`.

        Raises:
            KnowledgeError: It was never built, or a file is damaged.
        """
        return cls(Index.load(folder, Lexicon(places)), encoder, Verifiers.load(), Wording.load(), Leftover.load())

    def under(self, verifiers: Verifiers) -> KnowledgeBase:
        """The same documents under other verifiers."""
        return KnowledgeBase(self.index, self.encoder, verifiers, self.wording, self.leftover)

    def read(self, text: str) -> Question:
        """What a message asks, its spelling repaired."""
        return self.index.lexicon.read(self.speller.repair(normalise(text)), self._report_year)

    def candidates(self, question: Question) -> list[Candidate]:
        """Clauses that may answer."""
        return candidates(question, self.index, self.encoder, self.wording, self.leftover)

    def answer(self, text: str, context: Context | None = None) -> Reply:
        """What the documents say to `text`.

        Args:
            text: One message, possibly with several questions.
            context: Of the reply before in the same conversation.
        """
        question = self.read(text)
        context = context if context and _leans(question) else None
        if not question.terms and not question.places and context is None:
            return self._clarify(question)
        found: dict[tuple[str, int], tuple[float, Candidate, Question]] = {}
        best: tuple[float, Candidate | None] = (0.0, None)
        versions = self._versions(text, question, context)
        for one in versions:
            chance, candidate = self._best(one)
            if candidate is None:
                continue
            best = max(best, (chance, candidate), key=lambda pair: pair[0])
            key = candidate.clause.document, candidate.clause.sentence_start
            if chance >= ACCEPT and (key not in found or found[key][0] < chance):
                found[key] = (chance, candidate, one)
        kept = Context.of(question)
        if context and not question.terms:
            kept = replace(kept, terms=context.terms, core=context.core)
        said = self._say(list(found.values())) if found else None
        if said is not None and _is_proved(said):
            return replace(said, context=kept)
        return replace(self._refuse(best[1], best[0]), context=kept)

    def _versions(self, text: str, question: Question, context: Context | None) -> list[Question]:
        """The message as a whole, each of its parts that asks by itself, and it in the light of the one before."""
        versions = [question]
        if both := _BOTH.search(question.core):
            versions += self._halves([self.read(both[name] + both["rest"]) for name in ("first", "second")])
        else:
            parts = [self.read(part) for part in parts_of(text)]
            versions += [part for part in parts if part.terms and part.asks] if len(parts) > 1 else []
        versions = [replace(one, year=one.year or question.year) for one in versions]
        if context:
            versions.append(lean_on(question, context))
        return [one for one in versions if one.terms or one.places]

    def _halves(self, halves: list[Question]) -> list[Question]:
        """Two questions made of one; none when one clause would answer both: it does not tell them apart."""
        clauses = [candidate.index for _, candidate in map(self._best, halves) if candidate]
        return halves if len(set(clauses)) == len(halves) else []

    def _best(self, question: Question) -> tuple[float, Candidate | None]:
        """The likeliest clause that is of the year and the place asked for."""
        found = self.candidates(question)
        chances = self.verifiers.chances(found)
        ranked = sorted(zip(chances, found, strict=True), key=lambda pair: -pair[0])
        if not ranked:
            return 0.0, None
        allowed = ((float(chance), candidate) for chance, candidate in ranked if self._is_allowed(question, candidate))
        return next(allowed, (0.0, ranked[0][1]))

    def _is_allowed(self, question: Question, candidate: Candidate) -> bool:
        """Another year, place or batch is never the answer, however alike the words are."""
        clause = candidate.clause
        if question.year is not None and question.year != clause.period:
            return False
        if any(place not in clause.sentence and place not in clause.heading for place in question.places):
            return False
        ordinals = {fact.amount for fact in clause.facts if fact.kind == "rank" and fact.unit}
        said = {str(figure.amount.normalize()) for figure in question.figures if figure.kind == "rank" and figure.unit}
        return not ordinals or not said or bool(ordinals & said)

    # ---- wording

    def _say(self, found: Sequence[tuple[float, Candidate, Question]]) -> Reply:
        texts = reply_texts()
        paragraphs, citations, facts = [], [], []
        for _, candidate, question in sorted(found, key=lambda row: row[1].clause.start):
            clause = candidate.clause
            chosen = _asked_facts(question, clause) or self._facts_beside(question, candidate.index)
            told = self.index.clauses[chosen[0].clause] if chosen else clause
            head = texts[f"head_{told.status}"].format(year=told.period, clause=_bold(told, chosen))
            paragraphs.append(
                "\n".join(
                    (
                        _verdict(question, chosen) + head,
                        texts["quote"].format(sentence=clause.sentence),
                        texts["source"].format(title=clause.title, section=clause.section),
                    )
                )
            )
            citations.append(_citation(clause))
            facts += [_fact_json(fact, told) for fact in chosen or clause.facts]
        return Reply("answer", "\n\n".join(paragraphs), citations, facts, chance=max(row[0] for row in found))

    def _facts_beside(self, question: Question, i: int) -> list[Fact]:
        """Figures of the kind asked for that stand elsewhere in the sentence, when the clause itself has none."""
        if not question.kinds:
            return []
        return next((chosen for other in self.index.sentence_of(i) if (chosen := _asked_facts(question, other))), [])

    def _refuse(self, candidate: Candidate | None, chance: float) -> Reply:
        texts, reply = reply_texts(), refusal()
        text, citations = reply.text, []
        if candidate is not None and chance >= _RELATED:
            clause = candidate.clause
            text += "\n" + texts[f"related_{clause.status}"].format(year=clause.period, sentence=clause.sentence)
            citations.append(_citation(clause))
        return replace(reply, text=text, citations=citations, chance=chance)

    def _clarify(self, question: Question) -> Reply:
        """Ask what is meant, offering figures of the kind that was asked for."""
        texts = reply_texts()
        year = question.year or str(self._report_year)
        offered = [
            (clause, fact)
            for clause in self.index.clauses
            for fact in clause.facts
            if clause.period == year and fact.kind != "rank" and (not question.kinds or fact.kind in question.kinds)
        ]
        step = max(1, len(offered) // _CHOICES)
        buttons = [
            {
                "title": fact.indicator,
                "text": texts["clarify_button"].format(year=clause.period, indicator=fact.indicator),
            }
            for clause, fact in offered[::step][:_CHOICES]
        ]
        return Reply("clarify", texts["clarify"], buttons=buttons)


def refusal() -> Reply:
    """That the documents do not say, with the offer of a ticket."""
    texts = reply_texts()
    return Reply("no_answer", texts["no_answer"], buttons=list(texts["no_answer_buttons"]))


def paused() -> Reply:
    """That questions are not answered now, with the offer of a ticket."""
    texts = reply_texts()
    return Reply("no_answer", texts["paused"], buttons=list(texts["no_answer_buttons"]), is_paused=True)


def lean_on(question: Question, context: Context) -> Question:
    """`question` with what it leaves out because the one before said it."""
    return replace(
        question,
        core=f"{context.core} {question.core}",
        terms=tuple(dict.fromkeys((*context.terms, *question.terms))),
        asks=question.asks if question.kinds else question.asks | frozenset(context.asks),
        year=question.year or context.year,
    )


def _leans(question: Question) -> bool:
    return bool(_LEANING.search(question.core)) or len(question.terms) <= 1


def _asked_facts(question: Question, clause: Clause) -> list[Fact]:
    """The figures of the clause that the question is about."""
    named = [fact for fact in clause.facts if fact.kind in question.kinds]
    if named or question.kinds:
        return named
    return list(clause.facts) if "count" in question.asks or question.figures else []


def _is_proved(reply: Reply) -> bool:
    """Whether every number of an answer stands in what it cites; one that does not is kept in and reported."""
    loose = unproved_in(reply.to_json())
    if loose:
        logger.error("figure_lock_closed figures=%s", len(loose))
    return not loose


def _verdict(question: Question, chosen: Sequence[Fact]) -> str:
    """Whether the figure that the resident named is the one of the document."""
    kinds = {fact.kind for fact in chosen}
    said = {str(figure.amount.normalize()) for figure in question.figures if figure.kind in kinds}
    if not said or not question.is_yes_no:
        return ""
    right = said & {fact.amount for fact in chosen}
    if right and right != said:  # one of two figures; the document's own words tell them apart
        return ""
    return str(reply_texts()["verdict_same" if right else "verdict_other"])


def _bold(clause: Clause, chosen: Sequence[Fact]) -> str:
    """The clause with the figures asked for in bold; all of it when it is asked for no figure."""
    if not chosen:
        return f"**{clause.text}**"
    text = clause.text
    for fact in sorted(chosen, key=lambda fact: -fact.start):
        start, end = fact.start - clause.start, fact.end - clause.start
        text = f"{text[:start]}**{text[start:end]}**{text[end:]}"
    return text


def _citation(clause: Clause) -> dict[str, Any]:
    return {
        "document": clause.title,
        "section": clause.section,
        "quote": clause.sentence,
        "start": clause.sentence_start,
        "end": clause.sentence_end,
        "year": clause.period,
    }


def _fact_json(fact: Fact, clause: Clause) -> dict[str, Any]:
    return {
        "indicator": fact.indicator,
        "value": fact.value,
        "unit": fact.unit,
        "period": clause.period,
        "status": clause.status,
    }


@cache
def reply_texts() -> dict[str, Any]:
    """The sentences of replies in `texts.yml`."""
    path = Path(__file__).with_name("texts.yml")
    texts: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["replies"]
    if not texts:
        raise KnowledgeError("broken", path=path.name)
    return texts
