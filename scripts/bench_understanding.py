"""Intent classification compared: our pipeline, two of Rasa's own, and ours with one part taken away.

Runs in Rasa's environment on a split that `bench_understanding.sh` makes; prints Markdown.
"""

# ruff: noqa: T201 - what it prints is its result
from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path

import yaml
from rasa.core.agent import Agent
from rasa.model_training import train_nlu
from rasa.nlu.classifiers.fallback_classifier import is_fallback_classifier_prediction, undo_fallback_prediction
from rasa.shared.nlu.training_data.loading import load_data
from rasa.utils.log_utils import configure_structlog
from sklearn.metrics import accuracy_score, f1_score

OURS = Path("config.yml")
REFERENCE = Path("bot/reference")
CLASSIFIER = "bot.components.intent_classifier.SentenceIntentClassifier"
PAIRS = 10
HEAD = """
| pipeline | accuracy | macro F1 | F1 emergency | F1 crisis | training s (CPU) | ms a message (CPU) |
|---|---|---|---|---|---|---|"""


class Watch:
    """Seconds since it was made, by the clock and of the processor."""

    def __init__(self) -> None:
        self._started = time.perf_counter(), time.process_time()

    def read(self, scale: float, digits: int) -> str:
        """Both times `scale`, that of the processor in brackets."""
        clock, processor = time.perf_counter() - self._started[0], time.process_time() - self._started[1]
        return f"{clock * scale:.{digits}f} ({processor * scale:.{digits}f})"


def pipelines(folder: Path) -> dict[str, Path]:
    """The configuration of every pipeline by name; those of the ablations are written into `folder`."""
    paths = {"ours": OURS, "logistic_regression": REFERENCE / "logistic_regression.yml"}
    for name, options in yaml.safe_load((REFERENCE / "ablations.yml").read_text(encoding="utf-8")).items():
        config = yaml.safe_load(OURS.read_text(encoding="utf-8"))
        next(part for part in config["pipeline"] if part["name"] == CLASSIFIER).update(options)
        paths[name] = folder / f"{name}.yml"
        paths[name].write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return {**paths, "diet": REFERENCE / "diet.yml"}  # by far the slowest comes last


async def parse(model: str, texts: list[str]) -> tuple[list[dict], str]:
    """What the model says of every text, one at a time, and the mean milliseconds of one."""
    agent = Agent.load(model)
    await agent.parse_message(texts[0])  # the first message also loads dictionaries
    watch = Watch()
    results = [await agent.parse_message(text) for text in texts]
    return results, watch.read(1000 / len(texts), 1)


def intent(result: dict) -> str:
    """The intent before FallbackClassifier took it away, as `rasa test nlu` counts it."""
    if is_fallback_classifier_prediction(result):
        result = undo_fallback_prediction(result)
    return result["intent"]["name"]


def report_errors(texts: list[str], wanted: list[str], guessed: list[str], results: list[dict]) -> None:
    """Print the pairs that are confused most, and what FallbackClassifier does."""
    wrong = [row for row in zip(wanted, guessed, texts, strict=True) if row[0] != row[1]]
    doubted = [
        meant == understood
        for meant, understood, result in zip(wanted, guessed, results, strict=True)
        if is_fallback_classifier_prediction(result)
    ]
    print(f"{len(wrong)} of {len(texts)} wrong; {len(doubted)} become nlu_fallback, {sum(doubted)} of them needlessly.")
    print("\n| meant | understood | times | for example |\n|---|---|---|---|")
    for pair, times in Counter(row[:2] for row in wrong).most_common(PAIRS):
        example = min((row[2] for row in wrong if row[:2] == pair), key=len)
        print(f"| {pair[0]} | {pair[1]} | {times} | {example} |")


def main() -> None:
    """Print the errors of ours, and the table row by row."""
    configure_structlog(logging.WARNING)
    folder, chosen = Path(sys.argv[1]), sys.argv[2:]
    examples = load_data(str(folder / "test_data.yml")).intent_examples
    texts, wanted = [one.get("text") for one in examples], [one.get("intent") for one in examples]
    paths = pipelines(folder)
    if unknown := set(chosen) - set(paths):
        sys.exit(f"no such pipeline: {', '.join(sorted(unknown))}; there are {', '.join(paths)}")
    rows = []
    for name in chosen or paths:
        watch = Watch()
        with redirect_stdout(sys.stderr):
            model = train_nlu(str(paths[name]), str(folder / "training_data.yml"), str(folder), fixed_model_name=name)
        training = watch.read(1, 0)
        results, message = asyncio.run(parse(model, texts))
        guessed = [intent(result) for result in results]
        if name == "ours":
            report_errors(texts, wanted, guessed, results)
        danger = f1_score(wanted, guessed, labels=["emergency", "crisis"], average=None)
        scores = [accuracy_score(wanted, guessed), f1_score(wanted, guessed, average="macro"), *danger]
        rows.append(f"| {name} | {' | '.join(f'{score:.3f}' for score in scores)} | {training} | {message} |")
        print(rows[-1], file=sys.stderr, flush=True)
    print(HEAD, *rows, sep="\n")


if __name__ == "__main__":
    main()
