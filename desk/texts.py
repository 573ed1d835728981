"""Every sentence that the desk shows, read once from `texts.yml`."""

from __future__ import annotations

from pathlib import Path

from web.texts import Texts

TEXTS = Texts(Path(__file__).with_name("texts.yml"))
say = TEXTS.say
