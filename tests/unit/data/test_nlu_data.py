"""The training data of the understanding: disjoint, large enough, free of personal data, described."""

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "data" / "nlu"
FILES = sorted(FOLDER.glob("*.yml"))
LEAST = defaultdict(lambda: 120, ask_knowledge=350, file_petition=350, emergency=300, crisis=250)
INTENTS = {
    "abuse",
    "ask_capability",
    "ask_knowledge",
    "ask_reason",
    "ask_source",
    "cancel_petition",
    "crisis",
    "emergency",
    "file_petition",
    "goodbye",
    "greet",
    "handoff",
    "inform_detail",
    "misuse",
    "out_of_scope",
    "repeat",
    "resume_petition",
    "thank",
    "track_ticket",
}
# Numbers of the test range 13800138000 to 13800138099, which no resident holds.
PLACEHOLDER = re.compile(r"138001380\d\d")
MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")


# Of the runs of characters that two examples have, the share in both from which on one is a copy of the other.
COPY_SHARE = 0.8


class Example(NamedTuple):
    intent: str
    text: str
    file: str


def read_examples() -> list[Example]:
    return [
        Example(block["intent"], line.removeprefix("- "), path.name)
        for path in FILES
        for block in yaml.safe_load(path.read_text(encoding="utf-8"))["nlu"]
        for line in block["examples"].splitlines()
    ]


EXAMPLES = read_examples()


def bare(text: str) -> str:
    """Drop spaces and punctuation; a text of signs alone (👍, ???) stays as it is."""
    return re.sub(r"\W", "", text.casefold()) or re.sub(r"\s", "", text)


def runs(text: str) -> frozenset[str]:
    """All runs of one to three characters."""
    word = bare(text)
    return frozenset(word[start : start + size] for size in (1, 2, 3) for start in range(len(word) - size + 1))


def test_intents_are_the_agreed_ones() -> None:
    assert {example.intent for example in EXAMPLES} == INTENTS


@pytest.mark.parametrize("intent", sorted(INTENTS))
def test_intent_has_enough_examples(intent: str) -> None:
    assert sum(example.intent == intent for example in EXAMPLES) >= LEAST[intent]


def test_no_example_stands_twice() -> None:
    places = defaultdict(list)
    for example in EXAMPLES:
        places[bare(example.text)].append(example)
    assert [found for found in places.values() if len(found) > 1] == []


def test_no_example_is_a_near_copy_of_another() -> None:
    """A copy with a particle more would be trained on and tested with, and flatter every cross-validation."""
    known: list[tuple[Example, frozenset[str]]] = []
    holders: dict[str, list[int]] = defaultdict(list)
    copies = []
    for example in EXAMPLES:
        own = runs(example.text)
        shared = Counter(number for run in own for number in holders[run])
        copies += [
            (example, known[number][0])
            for number, times in shared.items()
            if times / (len(own) + len(known[number][1]) - times) > COPY_SHARE
        ]
        for run in own:
            holders[run].append(len(known))
        known.append((example, own))
    assert copies == []


def test_phones_are_placeholders() -> None:
    phones = [(phone, example) for example in EXAMPLES for phone in MOBILE.findall(example.text)]
    assert phones
    assert [found for found in phones if not PLACEHOLDER.fullmatch(found[0])] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_intent_opens_with_a_description(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith("  - intent: ")]
    assert heads
    assert [lines[head] for head in heads if not lines[head - 1].startswith("  # ")] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_in_the_format_of_rasa_without_entities(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["version"] == "3.1"
    texts = [example.text for example in EXAMPLES if example.file == path.name]
    assert [text for text in texts if not text.strip() or re.search(r"\[[^\]]+\][({]", text)] == []
    assert all(line.startswith("- ") for block in content["nlu"] for line in block["examples"].splitlines())


HELD_OUT = Path(__file__).parents[3] / "bench" / "understanding" / "held_out.yml"
MESSAGES = [
    (intent, text)
    for acts in yaml.safe_load(HELD_OUT.read_text(encoding="utf-8"))["personas"].values()
    for intent, said in acts.items()
    for text in said
]


def test_the_held_out_messages_are_of_every_intent() -> None:
    assert {intent for intent, _ in MESSAGES} == INTENTS


def test_no_held_out_message_was_trained_with() -> None:
    known = [runs(example.text) for example in EXAMPLES]
    holders: dict[str, list[int]] = defaultdict(list)
    for number, own in enumerate(known):
        for run in own:
            holders[run].append(number)
    copies = []
    for _, text in MESSAGES:
        own = runs(text)
        shared = Counter(number for run in own for number in holders[run])
        copies += [
            text for number, times in shared.items() if times / (len(own) + len(known[number]) - times) > COPY_SHARE
        ]
    assert copies == []
