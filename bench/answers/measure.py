"""How good and how fast answers are: ours, single search methods, and ours with one step switched off at a time.

Prints the tables of docs/benchmarks.md. `--reliability FILE` also draws how far the verifier's chances can be trusted,
by cross-validation on the training questions (several minutes).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np

from knowledge import KnowledgeBase, answer, question, train
from knowledge.base import Index
from knowledge.known import Memory
from knowledge.leftover import Leftover
from knowledge.verify import NAMES, Verifiers
from knowledge.wording import Wording
from language.normalise import normalise
from language.vectors import SentenceEncoder
from suqiutong.settings import read_settings
from suqiutong.wiring import Services

HERE = Path(__file__).parent
Item = Mapping[str, Any]
# Constant of reciprocal rank fusion, as in the paper of Cormack, Clarke and Büttcher (2009).
RANK_CONSTANT = 60
COPIES = 100
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
BINS = 10


# ---- what is right, as docs/benchmarks.md says


def fold(text: str) -> str:
    """Text without what makes no difference: width, case, spaces, thousands separators."""
    plain = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    return _THOUSANDS.sub("", plain)


def holds(text: str, item: Item) -> bool:
    """Whether a text holds all that an answer must, and one of the alternatives if there are any."""
    return all(_contains(text, part) for part in item["must"]) and (
        not item.get("any_of") or any(_contains(text, part) for part in item["any_of"])
    )


def _contains(text: str, part: str) -> bool:
    """A number never matches inside a longer one: 13场 is not in 913场."""
    text, part = fold(text), fold(part)
    at = text.find(part)
    while at >= 0:
        before, after = text[:at][-1:], text[at + len(part) :][:1]
        cuts = (part[0].isdigit() and (before.isdigit() or before == ".")) or (part[-1].isdigit() and after.isdigit())
        if not cuts:
            return True
        at = text.find(part, at + 1)
    return False


def read(name: str, kind: str) -> list[dict[str, Any]]:
    """One file of a set: `dev` or `personas`."""
    lines = (HERE / name / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


# ---- quality


def quality(base: KnowledgeBase, name: str) -> list[str]:
    """Right, wrong, refused, trapped and follow-ups of one set, in per cent."""
    asked = [(base.answer(item["q"]), item) for item in read(name, "answerable")]
    said = [(reply.kind == "answer", holds(reply.text, item)) for reply, item in asked]
    others = [(base.answer(item["q"]), item) for item in read(name, "unanswerable")]
    refused = [reply.kind != "answer" for reply, _ in others]
    trapped = [
        reply.kind == "answer" and any(_contains(reply.text, trap) for trap in item["trap"]) for reply, item in others
    ]
    turns = []
    for dialogue in read(name, "followups"):
        context = None
        for turn in dialogue["turns"]:
            reply = base.answer(turn["q"], context)
            context = reply.context or context
            turns.append(reply.kind == "answer" and holds(reply.text, turn))
    rows = ([s and r for s, r in said], [s and not r for s, r in said], refused, trapped, turns)
    return [f"{100 * float(np.mean(row)):.1f}" for row in rows]


def searches(base: KnowledgeBase) -> Iterator[tuple[str, Callable[[str], Sequence[int]]]]:
    """Search methods without a verifier: clauses of a question, best first."""
    index = base.index
    sentences = index.vectors["sentences"]

    def by_words(text: str) -> Sequence[int]:
        return list(np.argsort(-index.word_scores(normalise(text)), kind="stable"))

    def by_meaning(text: str) -> Sequence[int]:
        return list(np.argsort(-(sentences @ base.encoder.encode([text])[0]), kind="stable"))

    def by_both(text: str) -> Sequence[int]:
        score = np.zeros(len(index.clauses))
        for ranked in (by_words(text), by_meaning(text)):
            score[list(ranked)] += 1 / (RANK_CONSTANT + np.arange(len(ranked)))
        return list(np.argsort(-score, kind="stable"))

    yield "BM25 on jieba words alone", by_words
    yield "sentence vectors alone", by_meaning
    yield "both by reciprocal rank", by_both


def search_quality(base: KnowledgeBase, search: Callable[[str], Sequence[int]], name: str) -> list[str]:
    """The sentence found first is said, whatever it is: nothing is ever refused."""
    texts = [(base.index.clauses[search(item["q"])[0]].sentence, item) for item in read(name, "answerable")]
    right = 100 * float(np.mean([holds(text, item) for text, item in texts]))
    return [f"{right:.1f}", f"{100 - right:.1f}", "0.0", "–", "–"]


def without(base: KnowledgeBase, features: Sequence[str]) -> KnowledgeBase:
    """Ours with features that say nothing: always their mean."""
    keep = np.array([name not in features for name in NAMES], dtype=np.float32)
    known, new = (
        replace(one, scale=np.where(keep == 1, one.scale, np.float32(1e9)))
        for one in (base.verifiers.known, base.verifiers.new)
    )
    return base.under(Verifiers(known, new))


def ablations(base: KnowledgeBase) -> Iterator[tuple[str, KnowledgeBase, list[Any]]]:
    """Name, knowledge base and patches of each variant."""
    yield "ours", base, []
    yield (
        "– normalising (script, width, dialect)",
        base,
        [patch.object(module, "normalise", str.lower) for module in (answer, question)],
    )
    yield "– spelling and pinyin", base, [patch.object(type(base.speller), "repair", lambda _self, text: text)]
    yield "– residents' words (aliases)", base, [patch.object(base.index.lexicon, "aliases", {})]
    nothing = Memory([], np.zeros((0, len(base.index.vectors["clauses"][0])), dtype=np.float32))
    yield "– known questions", base, [patch.object(base.index, "memory", nothing)]
    yield "– wording", without(base, ["wording"]), []
    yield "– what a clause leaves unsaid", without(base, ["leftover"]), []
    kinds = [name for name in NAMES if name.startswith(("kind_", "count_", "names_", "no_figure"))]
    yield "– kind of answer", without(base, kinds), []
    allow_all = patch.object(type(base), "_is_allowed", lambda *_: True)
    yield "– vetoes (year, place, batch)", base, [allow_all]
    yield "– several questions in a message", base, [patch.object(answer, "parts_of", lambda _text: [])]


# ---- time


def milliseconds(run: Callable[[str], object], texts: Sequence[str]) -> list[float]:
    """Time of each text."""
    times = []
    for text in texts:
        start = time.perf_counter()
        run(text)
        times.append(1000 * (time.perf_counter() - start))
    return times


def stages(base: KnowledgeBase, texts: Sequence[str]) -> Iterator[tuple[str, list[float]]]:
    """Time of each stage; the vector of a question is made in the stage that says so and remembered after."""
    yield "normalise, repair, read", milliseconds(base.read, texts)
    questions = {text: base.read(text) for text in texts}
    yield "sentence vector", milliseconds(lambda text: base.encoder.encode([questions[text].core or text]), texts)
    yield "search and compare", milliseconds(lambda text: base.candidates(questions[text]), texts)
    found = {text: base.candidates(questions[text]) for text in texts}
    yield "verify", milliseconds(lambda text: base.verifiers.chances(found[text]), texts)


def first_time(base: KnowledgeBase, text: str) -> float:
    """Milliseconds of an answer when no vector of the question is remembered."""
    if isinstance(base.encoder, SentenceEncoder):
        base.encoder.forget()
    return milliseconds(base.answer, [text])[0]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so many are not above."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def many_documents(base: KnowledgeBase) -> KnowledgeBase:
    """The same knowledge a hundred times, as documents of other years: a generated base for the measurement alone."""
    rng = np.random.default_rng(1)
    index = base.index
    clauses = [
        replace(clause, document=f"{clause.document}-{copy}", period=str(int(clause.period) - 2 * copy))
        for copy in range(COPIES)
        for clause in index.clauses
    ]
    rows_of = dict(index.vectors)
    for name in ("clauses", "sentences"):
        rows = np.tile(index.vectors[name], (COPIES, 1))
        rows += rng.normal(scale=0.005, size=rows.shape).astype(np.float32)
        rows_of[name] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    many = Index(clauses, index.lexicon, rows_of, index.memory.known)
    return KnowledgeBase(many, base.encoder, base.verifiers, base.wording, base.leftover)


# ---- reliability


def reliability(services: Services, target: Path) -> dict[str, Any]:
    """Cross-validate the verifier and draw its chances against what came true."""
    base = KnowledgeBase(
        services.load_knowledge().index, services.encoder, Verifiers.blank(), Wording.blank(), Leftover.blank()
    )
    examples, _, _ = train.training_examples(base)
    known, new, chances = train.cross_validate(examples, answer.ACCEPT)
    target.write_text(draw(chances), encoding="utf-8")
    return {"known": train.describe(known), "new": train.describe(new)}


def draw(chances: Sequence[tuple[float, bool]]) -> str:
    """A reliability diagram as SVG: for each tenth of the chances, how many of them were right."""
    values = np.array([chance for chance, _ in chances])
    right = np.array([came for _, came in chances])
    rows = []
    for k in range(BINS):
        here = (values >= k / BINS) & ((values < (k + 1) / BINS) | (k == BINS - 1))
        if here.any():
            rows.append((float(values[here].mean()), float(right[here].mean()), int(here.sum())))
    side, edge = 360, 50
    points = [(edge + side * x, edge + side * (1 - y), n) for x, y, n in rows]
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1565c0"/>'
        f'<text x="{x + 7:.1f}" y="{y + 14:.1f}" font-size="10">{n}</text>'
        for x, y, n in points
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    label = '<text x="{:.0f}" y="{:.0f}" font-size="11" text-anchor="{}">{}</text>'
    ticks = "".join(
        label.format(edge + side * k / 5, edge + side + 16, "middle", k / 5)
        + label.format(edge - 6, edge + side * (1 - k / 5) + 4, "end", k / 5)
        for k in range(6)
    )
    size, end = side + 2 * edge, edge + side
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/>'
        f'<rect x="{edge}" y="{edge}" width="{side}" height="{side}" fill="none" stroke="#999"/>'
        f'<line x1="{edge}" y1="{end}" x2="{end}" y2="{edge}" stroke="#bbb" stroke-dasharray="4"/>'
        f'<polyline points="{line}" fill="none" stroke="#1565c0" stroke-width="2"/>{dots}{ticks}'
        + label.format(edge + side / 2, end + 36, "middle", "chance that the verifier gives")
        + label.format(edge, edge - 16, "start", "share that was right (beside each point: number of clauses)")
        + "</svg>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reliability", type=Path, metavar="FILE", help="draw the reliability diagram into FILE")
    options = parser.parse_args()
    services = Services(read_settings())
    if options.reliability:
        print(json.dumps(reliability(services, options.reliability)))
        return
    base = services.load_knowledge()
    texts = [
        item["q"]
        for name in ("dev", "personas")
        for kind in ("answerable", "unanswerable")
        for item in read(name, kind)
    ]
    random.Random(1).shuffle(texts)
    timed, tried = texts[:150], texts[150:300]
    stage_rows = [[name, f"{median(ms):.1f}", f"{percentile(ms, 0.95):.1f}"] for name, ms in stages(base, timed)]
    whole = milliseconds(base.answer, tried)
    stage_rows.append(["whole answer, another 150 questions", f"{median(whole):.1f}", f"{percentile(whole, 0.95):.1f}"])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    many = many_documents(base)
    pairs = [(first_time(base, text), first_time(many, text)) for text in tried]
    rows = [
        [name, *search_quality(base, search, "dev"), *search_quality(base, search, "personas")]
        for name, search in searches(base)
    ]
    for name, variant, patches in ablations(base):
        with ExitStack() as stack:
            for one in patches:
                stack.enter_context(one)
            rows.append([name, *quality(variant, "dev"), *quality(variant, "personas")])
    measures = ("right", "wrong", "refused", "trapped", "follow-ups")
    print(table(["", *(f"{name}: {one}" for name in ("dev", "personas") for one in measures)], rows))
    print(table(["stage", "p50 ms", "p95 ms"], stage_rows))
    fresh, hundred = median(one for one, _ in pairs), median(other for _, other in pairs)
    print(f"{COPIES} times the documents: {hundred:.1f} ms against {fresh:.1f} ms, ratio {hundred / fresh:.2f}")
    print(f"memory at most: {memory:.0f} MB")


if __name__ == "__main__":
    main()
