"""Runs in the environment of the bot, which has no pytest: trains the components on a handful of sentences and prints
what they make of texts as JSON.
"""

import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.intent_classifier import SentenceIntentClassifier
from bot.components.tokenizer import ChineseTokenizer, simplify

EXAMPLES = {
    "greet": ["你好", "您好", "早上好", "下午好", "哈喽", "你好呀"],
    "goodbye": ["再见", "拜拜", "下次再聊", "回头见", "先走了再见", "拜拜啦"],
    "crisis": ["活着没意思", "不想活了", "我想结束生命", "撑不下去了", "活着好累没意思", "真的不想活"],
}
CONFIG = {"thresholds": {"crisis": 0.99}, "patterns": {"goodbye": "^结束$", "greet": r"^\W*👋\W*$"}}


def tokenized(text, **data):
    message = Message({TEXT: text, **data})
    return ChineseTokenizer.create(ChineseTokenizer.get_default_config(), None, None, None).process([message])[0]


def rank(classifier, text):
    message = classifier.process([tokenized(text)])[0]
    return message.get("intent"), message.get("intent_ranking")


def main(texts):
    examples = [tokenized(text, **{INTENT: name}) for name, said in EXAMPLES.items() for text in said]
    with tempfile.TemporaryDirectory() as folder:
        storage, resource = LocalModelStorage(Path(folder)), Resource("classifier")
        config = {**SentenceIntentClassifier.get_default_config(), **CONFIG}
        trained = SentenceIntentClassifier.create(config, storage, resource, SimpleNamespace())
        trained.train(TrainingData(examples))
        loaded = SentenceIntentClassifier.load(config, storage, resource, SimpleNamespace())
    results = {}
    for text in texts:
        tokens = [(token.text, token.start, token.end) for token in tokenized(text).get("text_tokens")]
        results[text] = {"tokens": tokens, "simplified": simplify(text), "ranking": rank(loaded, text)[1]}
        results[text]["intent"] = rank(loaded, text)[0]
        results[text]["is_same_when_loaded"] = rank(trained, text) == rank(loaded, text)
    empty = loaded.process([Message({TEXT: ""})])[0].get("intent")
    print(json.dumps({"texts": results, "empty": empty}, ensure_ascii=False))  # noqa: T201 - read by the test


if __name__ == "__main__":
    main(json.load(sys.stdin))
