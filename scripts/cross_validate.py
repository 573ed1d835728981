"""Cross-validation of the classifier of `bot/components` on data/nlu, without the rest of Rasa.

Runs in Rasa's environment. The vector of every sentence is calculated once and kept in var/ for the next run: it is
most of the work of a training. Prints Markdown, and every wrong example with what it was taken for into the file that
is named. With `held-out FILE` it trains once on all examples instead and writes what the messages of
bench/understanding are taken for: persona, intent, guess and text in columns.
"""

# ruff: noqa: T201 - what it prints is its result
from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import joblib
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
from language import e5

FOLDS = 5
DANGERS = ("emergency", "crisis")
VECTORS = Path("var/understanding.e5.joblib")
HELD_OUT = Path("bench/understanding/held_out.yml")


class KeptVectors:
    """Calculates the vector of a text once, whoever asks and in whichever run."""

    def __init__(self) -> None:
        self._encoder = e5.load()
        self._known: dict[str, np.ndarray] = joblib.load(VECTORS) if VECTORS.is_file() else {}

    def query(self, text: str) -> np.ndarray:
        """The vector of a text, shape (384,)."""
        if text not in self._known:
            self._known[text] = self._encoder.query(text)
        return self._known[text]

    def keep(self) -> None:
        """Write what is known for the next run."""
        joblib.dump(self._known, VECTORS)


def tokenized(examples: list[Message], keys: tuple[str, ...]) -> list[Message]:
    """Fresh messages with nothing but `keys` of the examples, and their words."""
    fresh = [Message({key: example.get(key) for key in keys}) for example in examples]
    return ChineseTokenizer.create(ChineseTokenizer.get_default_config(), None, None, None).process(fresh)


def trained(examples: list[Message], vectors: KeptVectors) -> SentenceIntentClassifier:
    """The classifier of config.yml, trained on the examples."""
    pipeline = yaml.safe_load(Path("config.yml").read_text(encoding="utf-8"))["pipeline"]
    ours = next(part for part in pipeline if part["name"].endswith(SentenceIntentClassifier.__name__))
    config = {**SentenceIntentClassifier.get_default_config(), **ours}
    with tempfile.TemporaryDirectory() as folder:
        classifier = SentenceIntentClassifier(config, LocalModelStorage(Path(folder)), Resource("classifier"))
        classifier._vector = vectors.query
        classifier.train(TrainingData(examples))
    return classifier


def understand(examples: list[Message], intents: np.ndarray, vectors: KeptVectors) -> np.ndarray:
    """What every example is taken for by a classifier that was trained without it."""
    known, asked = tokenized(examples, (TEXT, INTENT)), tokenized(examples, (TEXT,))
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=1).split(intents, intents)
    for train, test in splits:
        trained([known[number] for number in train], vectors).process([asked[number] for number in test])
    return guesses(asked)


def guesses(messages: list[Message]) -> np.ndarray:
    """The intents that messages were given."""
    return np.array([message.get(INTENT)["name"] or "nlu_fallback" for message in messages])


def ask_held_out(examples: list[Message], vectors: KeptVectors, file: Path) -> None:
    """Write what each held-out message is taken for by a classifier that was trained on all examples."""
    personas = yaml.safe_load(HELD_OUT.read_text(encoding="utf-8"))["personas"]
    rows = [
        (persona, intent, text) for persona, acts in personas.items() for intent, said in acts.items() for text in said
    ]
    asked = tokenized([Message({TEXT: text}) for _, _, text in rows], (TEXT,))
    trained(tokenized(examples, (TEXT, INTENT)), vectors).process(asked)
    lines = ["\t".join((*row[:2], guess, row[2])) for row, guess in zip(rows, guesses(asked), strict=True)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(intents: np.ndarray, understood: np.ndarray, texts: list[str]) -> None:
    """Print the figures of every intent and the pairs that are confused most."""
    f1 = f1_score(intents, understood, labels=np.unique(intents), average="macro")
    print(
        f"{len(intents)} examples, {FOLDS} folds: accuracy {accuracy_score(intents, understood):.3f}, macro F1 {f1:.3f}"
    )
    rows = classification_report(intents, understood, labels=np.unique(intents), output_dict=True, zero_division=0)
    print("\n| intent | examples | precision | recall | F1 | most often taken for |\n|---|---|---|---|---|---|")
    for name in np.unique(intents):
        row = rows[name]
        taken = Counter(understood[(intents == name) & (understood != name)]).most_common(2)
        figures = " | ".join(f"{row[key]:.3f}" for key in ("precision", "recall", "f1-score"))
        print(f"| {name} | {row['support']:.0f} | {figures} | {', '.join(f'{to} ({times})' for to, times in taken)} |")
    print("\n| meant | understood | times | for example |\n|---|---|---|---|")
    wrong = [row for row in zip(intents, understood, texts, strict=True) if row[0] != row[1]]
    for pair, times in Counter(row[:2] for row in wrong).most_common(10):
        print(f"| {pair[0]} | {pair[1]} | {times} | {min((row[2] for row in wrong if row[:2] == pair), key=len)} |")


def report_dangers(intents: np.ndarray, understood: np.ndarray) -> None:
    """Print how many dangers are recognised, as either kind, and how many other messages are taken for one."""
    is_danger, is_guessed = np.isin(intents, DANGERS), np.isin(understood, DANGERS)
    print(
        f"\ndangers recognised: {is_guessed[is_danger].mean():.3f}, false alarms: {is_guessed[~is_danger].mean():.4f}"
    )


def main() -> None:
    """Print the tables; arguments name the files (see the module)."""
    examples = load_data("data/nlu").intent_examples
    vectors = KeptVectors()
    if sys.argv[1:2] == ["held-out"]:
        ask_held_out(examples, vectors, Path(sys.argv[2]))
        vectors.keep()
        return
    texts = [example.get(TEXT) for example in examples]
    intents = np.array([example.get(INTENT) for example in examples])
    understood = understand(examples, intents, vectors)
    vectors.keep()
    report(intents, understood, texts)
    report_dangers(intents, understood)
    if len(sys.argv) > 1:
        rows = zip(intents, understood, texts, strict=True)
        lines = ["\t".join(row) for row in rows if row[0] != row[1]]
        Path(sys.argv[1]).write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
