"""Whatever bytes stand in a document, it becomes text or is refused with one sentence."""

import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

import docx
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.convert import convert
from knowledge.errors import KnowledgeError
from tests.unit.knowledge.files import pdf

# Each reads a file with a parser of its own: enough to find what any byte may do, and no more.
FEW = settings(max_examples=40, deadline=None)
PIECES = st.sampled_from(
    [
        *("<table>", "<tr>", "<td>", "</td>", "<h1>", "<!--", "-->", "<![CDATA[", "&#x0;", "&lt;", "<script>"),
        *("|", "# ", "长", "12", "\n"),
    ]
)
# Where, and what stands there instead: a byte, a run of one byte, or nothing more.
CHANGES = st.lists(st.tuples(st.integers(0, 2**16), st.binary(max_size=40)), min_size=1, max_size=6)


def read_or_refused(name, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            said = convert(path, lambda _line: None).text.removesuffix("\n")
        except KnowledgeError as error:
            said = str(error).replace("\n", "")
            assert said == str(error)  # noqa: PT017 - either outcome is right
        assert said


def changed(content, changes):
    for place, piece in changes:
        start = place % (len(content) + 1)
        content = content[:start] + piece + content[start + len(piece) :]
    return content


def word():
    document, file = docx.Document(), BytesIO()
    document.add_heading("工作报告", 1)
    document.add_paragraph("举办读书会12场。")
    document.add_table(2, 2).cell(0, 0).text = "项目"
    document.save(file)
    return file.getvalue()


WORD = word()
PDF = pdf([[(70, 100, 12, "举办读书会12场。")], [(70, 100, 12, "修路9条。")]], [(50, 50, 200, 50)])


@FEW
@given(CHANGES)
def test_any_bytes_of_a_pdf(changes):
    read_or_refused("a.pdf", changed(PDF, changes))


@FEW
@given(CHANGES)
def test_any_bytes_of_a_word_document(changes):
    read_or_refused("a.docx", changed(WORD, changes))


@FEW
@given(st.sampled_from(zipfile.ZipFile(BytesIO(WORD)).namelist()), CHANGES)
def test_any_bytes_inside_a_word_document(part, changes):
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(WORD)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, changed(old.read(name), changes) if name == part else old.read(name))
    read_or_refused("a.docx", file.getvalue())


@FEW
@given(st.sampled_from(["a.html", "a.md", "a.txt"]), st.lists(PIECES | st.text(max_size=4)).map("".join) | st.binary())
def test_any_text(name, content):
    read_or_refused(name, content if isinstance(content, bytes) else content.encode("utf-8", errors="surrogatepass"))
