"""Typed text made harmless before anybody reads it."""

from __future__ import annotations

import unicodedata

# Letters and symbols that show nothing, though Unicode does not call them spaces or format characters.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co"})


def strip_hidden(text: str) -> str:
    """The text without characters that no reader sees, and without space around it.

    Control, zero-width, direction and private characters and lone surrogates go; line breaks and tabs stay.
    """
    kept = (
        char
        for char in text
        if char in "\n\t" or (unicodedata.category(char) not in _HIDDEN_CATEGORIES and char not in _BLANK)
    )
    return "".join(kept).strip()


def neutralise(text: str) -> str:
    """The text as it may be handed to Rasa: never a command.

    Rasa takes a message that begins with `/` after `str.strip` as an intent with entities. The same strip is done here,
    after the hidden characters are gone, and the `/` becomes its full-width form, which means the same to a reader.

    Source: Rasa 3.6.21, `YAMLStoryReader.unpack_regex_message`.
    """
    visible = strip_hidden(text)
    return "／" + visible[1:] if visible.startswith("/") else visible
