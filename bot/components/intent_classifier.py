"""Which intent a message has: sentence vectors and characters together, with calibrated probabilities."""

# ruff: noqa: ARG003 - Rasa passes these arguments by name
from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Dict, List, Text

import joblib
import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import INTENT, TEXT, TEXT_TOKENS
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from scipy.sparse import csr_matrix, hstack
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from bot.components.tokenizer import simplify
from language import e5

# What stands behind the first characters of a long letter does not change its intent, and vectors cost time by length.
_TEXT_LIMIT_CHARACTERS = 300
_RANKING_LENGTH = 10
_KNOWN_TEXTS = 4096
_FILE = "classifier.joblib"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class SentenceIntentClassifier(IntentClassifier, GraphComponent):
    """A linear support vector machine on sentence vectors, characters and words, its margins made chances.

    The vectors are those of multilingual-e5-small; DIET and Rasa's own logistic regression cannot use them well
    (docs/understanding.md has the figures).

    Config:
        vector_weight: What sentence vectors, made of unit length about their mean, are multiplied with.
        count_weight: What unit-length rows of characters and of words are multiplied with.
        strength: Inverse of regularisation (C).
        thresholds: Intents that win only with at least this probability, else the next one does.
        patterns: Intent → regular expression that decides for it: what has a form needs no guess.
    """

    @classmethod
    def required_components(cls) -> List[type]:
        """Words come from a tokenizer."""
        return [Tokenizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        """See the class."""
        return {"vector_weight": 2.0, "count_weight": 2.0, "strength": 0.1, "thresholds": {}, "patterns": {}}

    def __init__(self, config: Dict[Text, Any], model_storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        # Greetings, short replies and buttons come again and again, and a vector is dearer than all else.
        self._vector = lru_cache(maxsize=_KNOWN_TEXTS)(e5.load().query)
        # All vectors of the encoder point much the same way; only what differs tells intents apart.
        self._centre = np.zeros(0)
        self._characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
        self._words = TfidfVectorizer(analyzer=lambda words: words, sublinear_tf=True)
        # Each vectorizer would sum up its weights anew whenever it is asked for them.
        self._character_weights = self._word_weights = np.zeros(0)
        self._model = CalibratedClassifierCV(LinearSVC(C=config["strength"], random_state=0), cv=3, ensemble=False)

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SentenceIntentClassifier:
        """An untrained classifier."""
        return cls(config, model_storage, resource)

    def train(self, training_data: TrainingData) -> Resource:
        """Fit on all examples that name an intent, and keep the result."""
        examples = [example for example in training_data.intent_examples if example.get(TEXT)]
        vectors = self._vectors(examples)
        self._centre = vectors.mean(axis=0)
        self._characters.fit([_text(example) for example in examples])
        self._words.fit([_words(example) for example in examples])
        self._character_weights, self._word_weights = self._characters.idf_, self._words.idf_
        intents = np.array([example.get(INTENT) for example in examples])
        self._model.fit(self._features(examples, vectors), intents)
        with self._model_storage.write_to(self._resource) as folder:
            kept = {
                "centre": self._centre,
                "characters": self._characters,
                "words": self._words.vocabulary_,
                "word_weights": self._word_weights,
                "model": self._model,
            }
            joblib.dump(kept, folder / _FILE)
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: object,
    ) -> SentenceIntentClassifier:
        """The classifier as it was trained."""
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            kept = joblib.load(folder / _FILE)
        component._centre = kept["centre"]
        component._characters = kept["characters"]
        component._words.vocabulary_ = kept["words"]
        component._character_weights, component._word_weights = kept["characters"].idf_, kept["word_weights"]
        component._model = kept["model"]
        return component

    def process(self, messages: List[Message]) -> List[Message]:
        """Set `intent` and `intent_ranking`; signs alone have no intent but that of a pattern."""
        for message in messages:
            if message.get(TEXT):
                ranking = self._rank(message)
                intent = ranking[0] if ranking else {"name": None, "confidence": 0.0}
                message.set("intent", intent, add_to_output=True)
                message.set("intent_ranking", ranking, add_to_output=True)
        return messages

    def _rank(self, message: Message) -> List[Dict[Text, Any]]:
        chances = self._chances(message) if any(map(str.isalnum, message.get(TEXT))) else {}
        ranking = [
            {"name": name, "confidence": chances[name]} for name in sorted(chances, key=chances.get, reverse=True)
        ]
        for intent, pattern in self._config["patterns"].items():
            if re.search(pattern, message.get(TEXT)):
                ranking = [{"name": intent, "confidence": 1.0}, *(row for row in ranking if row["name"] != intent)]
        thresholds = self._config["thresholds"]
        strong = [row for row in ranking if row["confidence"] >= thresholds.get(row["name"], 0.0)]
        return (strong + [row for row in ranking if row not in strong])[:_RANKING_LENGTH]

    def _chances(self, message: Message) -> Dict[Text, float]:
        chances = self._model.predict_proba(self._features([message], self._vectors([message])))[0]
        return {str(name): float(chance) for name, chance in zip(self._model.classes_, chances, strict=True)}

    def _vectors(self, messages: List[Message]) -> np.ndarray:
        return np.stack([self._vector(_text(message)) for message in messages])

    def _features(self, messages: List[Message], vectors: np.ndarray) -> csr_matrix:
        counts = [
            _transform(self._characters, self._character_weights, [_text(message) for message in messages]),
            _transform(self._words, self._word_weights, [_words(message) for message in messages]),
        ]
        centred = normalize(vectors - self._centre) * self._config["vector_weight"]
        return hstack([csr_matrix(centred), *(rows * self._config["count_weight"] for rows in counts)]).tocsr()


def _transform(vectorizer: TfidfVectorizer, weights: np.ndarray, documents: List[Any]) -> csr_matrix:
    """What the vectorizer's `transform` makes, which on one document spends most of its time on checks of `idf_`."""
    counts = CountVectorizer.transform(vectorizer, documents).astype(np.float64)
    counts.data = (np.log(counts.data) + 1.0) * weights[counts.indices]
    return normalize(counts, copy=False)


def _text(message: Message) -> Text:
    """The first characters of the message, simplified, lower case and without spaces."""
    return "".join(simplify(message.get(TEXT)).lower().split())[:_TEXT_LIMIT_CHARACTERS]


def _words(message: Message) -> List[Text]:
    return [token.text for token in message.get(TEXT_TOKENS) or []]
