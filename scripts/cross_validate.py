"""Cross-validation of the classifier of `bot/components` on data/nlu, without the rest of Rasa.

Runs in Rasa's environment. The vector of every sentence is calculated once, which is most of the work of a training;
prints Markdown, and every wrong example with what it was taken for into the file that is named.
"""

# ruff: noqa: T201 - what it prints is its result
from __future__ import annotations

import sys
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.loading import load_data
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from sklearn.metrics import accuracy_score, classification_report, f1_score
from sklearn.model_selection import StratifiedKFold

from bot.components.intent_classifier import SentenceIntentClassifier
from bot.components.tokenizer import ChineseTokenizer

FOLDS = 5
DANGERS = ("emergency", "crisis")


class CachedEncoder:
    """Calculates the vector of a text once."""

    def __init__(self, encoder: object) -> None:
        self.query = cache(encoder.query)


def tokenized(examples: list[Message], keys: tuple[str, ...]) -> list[Message]:
    """Fresh messages with nothing but `keys` of the examples, and their words."""
    fresh = [Message({key: example.get(key) for key in keys}) for example in examples]
    return ChineseTokenizer.create(ChineseTokenizer.get_default_config(), None, None, None).process(fresh)


def understand(examples: list[Message], intents: np.ndarray) -> list[Message]:
    """Every example as a classifier understands it that was trained without it."""
    pipeline = yaml.safe_load(Path("config.yml").read_text(encoding="utf-8"))["pipeline"]
    ours = next(part for part in pipeline if part["name"].endswith(SentenceIntentClassifier.__name__))
    config = {**SentenceIntentClassifier.get_default_config(), **ours}
    known, asked = tokenized(examples, (TEXT, INTENT)), tokenized(examples, (TEXT,))
    encoder = None
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=1).split(intents, intents)
    for train, test in splits:
        with tempfile.TemporaryDirectory() as folder:
            classifier = SentenceIntentClassifier(config, LocalModelStorage(Path(folder)), Resource("classifier"))
            encoder = classifier._encoder = encoder or CachedEncoder(classifier._encoder)
            classifier.train(TrainingData([known[number] for number in train]))
        classifier.process([asked[number] for number in test])
    return asked


def report(intents: np.ndarray, guesses: np.ndarray, texts: list[str]) -> None:
    """Print the figures of every intent and the pairs that are confused most."""
    f1 = f1_score(intents, guesses, labels=np.unique(intents), average="macro")
    print(f"{len(intents)} examples, {FOLDS} folds: accuracy {accuracy_score(intents, guesses):.3f}, macro F1 {f1:.3f}")
    rows = classification_report(intents, guesses, labels=np.unique(intents), output_dict=True, zero_division=0)
    print("\n| intent | examples | precision | recall | F1 | most often taken for |\n|---|---|---|---|---|---|")
    for name in np.unique(intents):
        row = rows[name]
        taken = Counter(guesses[(intents == name) & (guesses != name)]).most_common(2)
        figures = " | ".join(f"{row[key]:.3f}" for key in ("precision", "recall", "f1-score"))
        print(f"| {name} | {row['support']:.0f} | {figures} | {', '.join(f'{to} ({times})' for to, times in taken)} |")
    print("\n| meant | understood | times | for example |\n|---|---|---|---|")
    wrong = [row for row in zip(intents, guesses, texts, strict=True) if row[0] != row[1]]
    for pair, times in Counter(row[:2] for row in wrong).most_common(10):
        print(f"| {pair[0]} | {pair[1]} | {times} | {min((row[2] for row in wrong if row[:2] == pair), key=len)} |")


def report_dangers(intents: np.ndarray, guesses: np.ndarray) -> None:
    """Print how many dangers are recognised, as either kind, and how many other messages are taken for one."""
    is_danger, is_guessed = np.isin(intents, DANGERS), np.isin(guesses, DANGERS)
    print(
        f"\ndangers recognised: {is_guessed[is_danger].mean():.3f}, false alarms: {is_guessed[~is_danger].mean():.4f}"
    )


def main() -> None:
    """Print the tables; an argument names the file for the wrong examples."""
    examples = load_data("data/nlu").intent_examples
    texts = [example.get(TEXT) for example in examples]
    intents = np.array([example.get(INTENT) for example in examples])
    understood = understand(examples, intents)
    guesses = np.array([message.get(INTENT)["name"] or "nlu_fallback" for message in understood])
    report(intents, guesses, texts)
    report_dangers(intents, guesses)
    if len(sys.argv) > 1:
        rows = zip(intents, guesses, texts, strict=True)
        lines = ["\t".join(row) for row in rows if row[0] != row[1]]
        Path(sys.argv[1]).write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
