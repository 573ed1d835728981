"""Web pages and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import html
from markdown_it import MarkdownIt

from knowledge.convert.lines import Raw, heading, one_line, table_lines
from knowledge.errors import KnowledgeError

# What is no part of the text: code, menus, what a page says to every visitor.
_DROPPED = "script|style|noscript|template|nav|aside|footer|form|button|select|iframe|svg|object|head"
_BLOCKS = re.compile(
    "^(?:address|article|blockquote|body|br|center|dd|details|div|dl|dt|fieldset|figcaption|figure|h[1-6]|header|hr|html|li"
    "|main|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul)$"
)
_HEADING = re.compile("^h([1-6])$")
_TITLES, _DATES = ("articletitle", "og:title"), ("pubdate", "publishdate", "article:published_time")


def read_html(text: str, name: str) -> Raw:
    """The text of a page, its scripts, menus and hidden parts left out."""
    if not re.search(r"<\w", text):
        raise KnowledgeError("wrong_kind", path=name, kind=".html")
    return _read_page(re.sub(r"^\s*<\?xml[^>]*>", "", text))


def read_markdown(text: str) -> Raw:
    """The text of a Markdown file; what is HTML in it is text."""
    page = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return _read_page(f"<html><body>{page}</body></html>")


def _read_page(text: str) -> Raw:
    page = html.document_fromstring(text)
    about = {str(one.get("name") or one.get("property")).lower(): one.get("content") or "" for one in page.iter("meta")}
    title = next((about[name] for name in _TITLES if about.get(name)), page.findtext(".//title") or "")
    for part in page.xpath("|".join(f"//{name}" for name in _DROPPED.split("|")) + "|//*[@hidden]|//comment()"):
        part.drop_tree()
    main = page.xpath("//article|//main")
    lines = list(_lines(main[0] if len(main) == 1 else page))
    return Raw(lines, one_line(title), next((about[name] for name in _DATES if about.get(name)), ""))


def _lines(element: html.HtmlElement) -> Iterator[str]:
    """The lines of an element: those of its blocks, and what stands between them."""
    pending = ""
    for piece in _pieces(element):
        if isinstance(piece, str):
            pending += piece
            continue
        yield from filter(None, [one_line(pending)])
        pending = ""
        if level := _HEADING.match(piece.tag):
            title = one_line(piece.text_content())
            yield from [heading(int(level[1]), title)] if title else []
        elif piece.tag == "table" and _is_table(piece):
            yield from table_lines(_rows(piece))
        else:
            yield from _lines(piece)
    yield from filter(None, [one_line(pending)])


def _pieces(element: html.HtmlElement) -> Iterator[str | html.HtmlElement]:
    """Text and inner blocks in order; what is inline is seen through."""
    yield element.text or ""
    for child in element:
        if _BLOCKS.match(str(child.tag)):
            yield child
        elif isinstance(child.tag, str):
            yield from _pieces(child)
        yield child.tail or ""


def _is_table(table: html.HtmlElement) -> bool:
    """Whether it holds data; many pages use tables for their layout."""
    is_layout = table.xpath(".//table|.//h1|.//h2|.//h3|.//li|.//td[count(.//p)>2]")
    return not is_layout and max(map(len, _rows(table)), default=0) > 1


def _rows(table: html.HtmlElement) -> list[list[str]]:
    rows = []
    for row in table.iter("tr"):
        cells = []
        for cell in row.iterchildren("td", "th"):
            span = cell.get("colspan", "1")
            cells += [one_line(cell.text_content())] * (min(int(span), 50) if span.isdecimal() else 1)
        rows.append(cells)
    return rows
