"""Where text becomes markup, always escaped first."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")


def rich(text: str) -> Markup:
    """Text with `**bold**` and line breaks; everything else stays what was typed."""
    bold = _BOLD.sub(r"<strong>\1</strong>", str(escape(text)))
    return Markup(bold.replace("\n", "<br>"))  # noqa: S704 - escaped on the line above
