"""Chinese words for Rasa, whatever else stands between them."""

# ruff: noqa: ARG003 - Rasa passes these arguments by name
from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Dict, List, Text

import jieba
from opencc import OpenCC
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.training_data.message import Message

# A word is a run of letters and digits; space, punctuation and pictographs only part words.
_RUN = re.compile(r"[^\W_]+")


@lru_cache(maxsize=1)
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


def simplify(text: Text) -> Text:
    """`text` in simplified characters, as long as before."""
    return "".join(_simplifier().convert(sign) or sign for sign in text) if text else text


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class ChineseTokenizer(Tokenizer):
    """Words by jieba inside every run of letters and digits.

    Rasa's own JiebaTokenizer returns spaces and punctuation as words and loses single-character messages. A message of
    signs alone becomes one token, since Rasa refuses a text without any.
    """

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        """The defaults that the base class asks for."""
        return {
            "intent_tokenization_flag": False,
            "intent_split_symbol": "_",
            "token_pattern": None,
            "prefix_separator_symbol": None,
        }

    @staticmethod
    def supported_languages() -> List[Text]:
        """Chinese alone."""
        return ["zh"]

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> ChineseTokenizer:
        """A tokenizer; nothing is read from storage."""
        return cls(config)

    def tokenize(self, message: Message, attribute: Text) -> List[Token]:
        """The words of one attribute with their offsets in the text as it was typed."""
        text = message.get(attribute)
        simplified = simplify(text)
        tokens = [
            Token(word, run.start() + start, run.start() + end)
            for run in _RUN.finditer(simplified)
            for word, start, end in jieba.tokenize(run[0].lower())
        ]
        return tokens or [Token(text, 0)]
