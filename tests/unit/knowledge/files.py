"""Makes the files that tests convert: no binary file is kept, and no font is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from docx import Document

A4 = (595, 842)
# x, y from the top, size, text
Word = tuple[float, float, float, str]


def pdf(
    pages: Iterable[Sequence[Word]], rules: Sequence[tuple[float, float, float, float]] = (), extra: str = ""
) -> bytes:
    """A PDF in a font of the standard set for Chinese, which readers know without its file.

    Args:
        pages: The words of each page.
        rules: Straight lines on the first page, as x, y, x, y from the top.
        extra: More entries of the trailer.
    """
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "",
        "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [4 0 R] >>",
        "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 /FontDescriptor 5 0 R"
        " /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> >>",
        "<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0"
        " /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>",
    ]
    kids = []
    for i, words in enumerate(pages):
        drawn = "".join(
            f"BT /F1 {size} Tf {x} {A4[1] - y} Td <{text.encode('utf-16-be').hex()}> Tj ET\n"
            for x, y, size, text in words
        )
        if i == 0:
            drawn += "".join(f"{x} {A4[1] - y} m {right} {A4[1] - below} l S\n" for x, y, right, below in rules)
        objects.append(f"<< /Length {len(drawn)} >>\nstream\n{drawn}endstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {A4[0]} {A4[1]}] /Contents {len(objects)} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    return _file(objects, extra)


def _file(objects: Sequence[str], extra: str) -> bytes:
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {extra} >>\nstartxref\n{len(content)}\n%%EOF\n"
    return content + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def typeset(paragraphs: Iterable[str], size: float = 16, width: int = 28, lines: int = 22) -> list[list[Word]]:
    """Paragraphs broken into lines and pages as Word does it: two signs of indent, a page number below."""
    rows = []
    for paragraph in paragraphs:
        if paragraph.startswith("# "):
            rows.append((0.0, size * 1.4, paragraph[2:]))
            continue
        left = "　　" + paragraph
        while left:
            rows.append((2 * size if left.startswith("　　") else 0.0, size, left[:width].lstrip("　")))
            left = left[width:]
    pages = [rows[i : i + lines] for i in range(0, len(rows), lines)]
    return [
        [(70 + x, 80 + 28 * i, height, text) for i, (x, height, text) in enumerate(page)]
        + [(280, 800, 10, f"— {number} —")]
        for number, page in enumerate(pages, 1)
    ]


def ruled_table(rows: Sequence[Sequence[str]], top: float = 80, height: float = 24, width: float = 110):
    """Words and rules of a table."""
    words = [
        (74 + width * j, top + height * i + 16, 12, cell)
        for i, row in enumerate(rows)
        for j, cell in enumerate(row)
        if cell
    ]
    right, bottom = 70 + width * len(rows[0]), top + height * len(rows)
    rules = [(70, top + height * i, right, top + height * i) for i in range(len(rows) + 1)]
    rules += [(70 + width * j, top, 70 + width * j, bottom) for j in range(len(rows[0]) + 1)]
    return words, rules


def docx(path, blocks: Iterable[tuple[str, object]]) -> None:
    """A Word document of (style, text) and ("table", rows)."""
    document = Document()
    for style, value in blocks:
        if style == "table":
            rows = list(value)
            table = document.add_table(len(rows), len(rows[0]))
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    table.cell(i, j).text = cell
        else:
            document.add_paragraph(value, style=style)
    document.save(path)
