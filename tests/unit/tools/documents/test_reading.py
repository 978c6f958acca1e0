"""Reading real files of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.documents import docx, pdf, zipped

from agentfly.errors import ToolError
from agentfly.tools.caching import ContentCache
from agentfly.tools.documents import reading as module
from agentfly.tools.documents.converting import as_text
from agentfly.tools.documents.reading import ReadFile
from agentfly.tools.placing import Placed, place


async def _read(workspace: Path, name: str, **arguments: object) -> str:
    return str(await ReadFile().at(workspace).call({"name": name, **arguments}))


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", "plain\r\ntext", "plain\ntext"),
        ("a.txt", "grüße\n".encode("utf-8-sig"), "grüße\n"),
        ("a.csv", "a,b\nä,1\n".encode("utf-16"), "(encoding: utf-16)\na,b\nä,1\n"),
        ("a.csv", "a;b\nx;1\n".encode("utf-16-le"), "(encoding: utf-16-le)\na;b\nx;1\n"),
        ("a.txt", "café déjà über".encode("latin-1"), "(encoding: cp1252)\ncafé déjà über"),
        ("a.txt", b"", "(the file is empty)"),
        ("a.py", "def f():\n    return 1\n", "def f():\n    return 1\n"),
        ("1abc.pdb", "ATOM      1  N   MET A   1\n", "ATOM      1  N   MET A   1\n"),
        ("a.jsonl", '{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 2}\n'),
        ("a.xml", "<a><b>1</b></a>", "<a><b>1</b></a>"),
        ("a.md", "# Title\n", "# Title\n"),
        ("noext", "words", "words"),
    ],
)
async def test_text(tmp_path: Path, name: str, data: str | bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    assert await _read(tmp_path, name) == expected


async def test_cyrillic_is_not_taken_for_western(tmp_path: Path) -> None:
    pytest.importorskip("charset_normalizer")
    text = "Съешь же ещё этих мягких французских булок, да выпей чаю. Это обычный русский текст.\n" * 4
    (tmp_path / "r.txt").write_bytes(text.encode("cp1251"))
    assert text in await _read(tmp_path, "r.txt")


async def test_json_in_one_line_is_laid_out(tmp_path: Path) -> None:
    data = {"rows": [{"n": number} for number in range(500)]}
    (tmp_path / "d.jsonld").write_text(json.dumps(data))
    assert '{\n "rows": [\n  {\n   "n": 0' in await _read(tmp_path, "d.jsonld")


async def test_pdf_by_page_with_tables(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    made = pdf([["First page", "of text"], ["On the second"]], [["Name", "Sum"], ["Ada", "12"]])
    (tmp_path / "a.pdf").write_bytes(made)
    text = await _read(tmp_path, "a.pdf")
    assert text.startswith("PDF, 2 pages")
    assert "## PDF page 1\n\nFirst page\nof text" in text
    assert "| Name | Sum |\n|---|---|\n| Ada | 12 |" in text
    assert text.endswith("## PDF page 2\n\nOn the second")


async def test_word_and_its_images(tmp_path: Path) -> None:
    pytest.importorskip("markitdown")
    (tmp_path / "a.docx").write_bytes(docx(["Title", "Some text"], [["a", "b"], ["1", "2"]], image=b"x"))
    text = await _read(tmp_path, "a.docx")
    assert text.startswith("# Title\n\nSome text")
    assert "| 1 | 2 |" in text
    assert "a.docx/word/media/image1.png" in text


async def test_slides(tmp_path: Path) -> None:
    pptx = pytest.importorskip("pptx")
    deck = pptx.Presentation()
    for title in ("One", "Two"):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, f"point of {title}"
    deck.save(str(tmp_path / "a.pptx"))
    text = await _read(tmp_path, "a.pptx")
    assert "## Slide 1\n# One\npoint of One" in text
    assert "## Slide 2\n# Two" in text


async def test_html_without_its_scripts(tmp_path: Path) -> None:
    pytest.importorskip("markitdown")
    page = "<html><body><h1>Hi</h1><p>&Auml;rger</p><script>evil()</script></body></html>"
    (tmp_path / "a.html").write_text(page)
    text = await _read(tmp_path, "a.html")
    assert text.startswith("# Hi")
    assert "Ärger" in text
    assert "evil" not in text


async def test_notebook(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Head\n"]},
        {"cell_type": "code", "source": "print(1)", "outputs": [{"text": ["1\n"]}]},
    ]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    assert "```python\nprint(1)\n```\nOutput:\n1" in await _read(tmp_path, "n.ipynb")


async def test_archives(tmp_path: Path) -> None:
    inner = zipped({"deep.txt": "deep"})
    (tmp_path / "a.zip").write_bytes(zipped({"in/x.csv": "a,b\n", "n.zip": inner, "../evil.txt": "x"}))
    listed = await _read(tmp_path, "a.zip")
    assert "- in/x.csv (4 bytes)" in listed
    assert "such as 'a.zip/in/x.csv'" in listed
    assert await _read(tmp_path, "a.zip/in/x.csv") == "a,b\n"
    assert await _read(tmp_path, "a.zip/n.zip/deep.txt") == "deep"
    with pytest.raises(ToolError, match=r"no 'in/y.csv' in the archive; it holds in/x.csv"):
        await _read(tmp_path, "a.zip/in/y.csv")
    with pytest.raises(ToolError, match="not in the working folder"):
        await _read(tmp_path, "a.zip/../evil.txt")


async def test_pages(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("".join(f"line {number}\n" for number in range(100)))
    tool = ReadFile(page_chars=300).at(tmp_path)
    first = await tool.call({"name": "t.txt"})
    assert first.startswith("[t.txt: page 1 of 3]\nline 0\n")
    assert first.endswith("[next: read_file('t.txt', page=2)]")
    last = await tool.call({"name": "t.txt", "page": 3})
    assert last.endswith("line 99\n[end]")
    with pytest.raises(ToolError, match="has 3 pages; there is no page 5"):
        await tool.call({"name": "t.txt", "page": 5})
    with pytest.raises(ToolError, match="page"):
        await tool.call({"name": "t.txt", "page": 0})


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.dat", b"\x89PNG\r\n\x1a\n" + bytes(40), "it is an image: no model here"),
        ("a.txt", b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), "it is sound: no model here"),
        ("a.bin", bytes(range(256)) * 4, "not text"),
        ("a.db", b"SQLite format 3\x00" + bytes(100), "sqlite"),
    ],
)
async def test_what_holds_no_text_is_told_what_to_do(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ToolError, match=told):
        await _read(tmp_path, name)


async def test_conversions_are_kept_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = module.ask

    async def counting(content: object, *args: object, **options: object) -> object:
        asked.append("x")
        return await real(content, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "ask", counting)
    tool = ReadFile(ContentCache(tmp_path / "cache"))
    for number, text in enumerate(("same", "same", "other")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "a.txt").write_text(text)
        assert await tool.at(folder).call({"name": "a.txt"}) == text
    assert len(asked) == 2


async def test_documents_from_elsewhere() -> None:
    pytest.importorskip("markitdown")
    assert (await as_text(docx(["Title", "words"]), ".docx")).startswith("# Title\n\nwords")
    assert await as_text(b"a,b\n", ".csv") == "a,b\n"
    with pytest.raises(ToolError, match=r"document\.pdf cannot be read"):
        await as_text(b"%PDF-1.4 broken", ".pdf")


async def test_looking_is_promised_only_where_something_can_look(tmp_path: Path) -> None:
    pytest.importorskip("markitdown")

    async def look(workspace: Path, file: str) -> str:
        return "seen"

    document, scan = docx(["Title"], image=b"x"), pdf([[""]])
    (tmp_path / "a.docx").write_bytes(document)
    (tmp_path / "a.pdf").write_bytes(scan)
    cache = ContentCache(tmp_path / "cache")
    for images in (look, None):
        for name, told in (("a.docx", "a.docx/word/media/image1.png"), ("a.pdf", "it is a scan")):
            text = await ReadFile(cache, images=images).at(tmp_path).call({"name": name})
            assert told in text
            assert ("ask_image" in text) == (images is not None)
    assert "image1.png" not in await as_text(document, ".docx")
    assert "ask_image" not in await as_text(scan, ".pdf")


async def test_it_is_placed(tmp_path: Path) -> None:
    tool = ReadFile()
    assert isinstance(tool, Placed)
    with pytest.raises(RuntimeError, match="no folder"):
        await tool.call({"name": "a.txt"})
    (placed,) = place([tool], tmp_path)
    assert (placed.name, placed.schema, placed.risk) == (tool.name, tool.schema, "read")
    assert list(tool.schema["properties"]) == ["name", "page", "sheet", "formulas"]
    assert getattr(placed, "origin", None) == tool.origin == "file"
