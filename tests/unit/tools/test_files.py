"""Previews of files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from agentfly.tools.files import CHARS, preview, previews


def test_table(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text('\ufeffFull Name,No. of cases\nAda,1\nBob,"2,5"\nCid,3\n', encoding="utf-8")
    text = preview(path)
    assert text.startswith("people.csv: table, about 3 rows")
    assert "['Full Name', 'No. of cases']" in text
    assert "Ada, 1" in text


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_separators(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"a{delimiter}b\n1{delimiter}2\n")
    assert f"separated by {delimiter!r}" in preview(path)
    assert "['a', 'b']" in preview(path)


def test_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "Sales 2024"
    book.active.append(["item", "price"])
    book.active.append(["tea", 2.5])
    book.create_sheet("Empty")
    book.save(tmp_path / "b.xlsx")
    text = preview(tmp_path / "b.xlsx")
    assert "sheet 'Sales 2024'" in text
    assert "['item', 'price']" in text
    assert "sheet 'Empty'" in text


def test_json_zip_text_binary(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(json.dumps({"name": "x", "rows": [{"a": 1}, {"a": 2}]}))
    assert "'rows': list of 2 of object with ['a']" in preview(tmp_path / "d.json")
    (tmp_path / "l.json").write_text("[1, 2, 3]")
    assert "list of 3, the first: 1" in preview(tmp_path / "l.json")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("in/side.txt", "hello")
    assert "in/side.txt (5 bytes)" in preview(tmp_path / "z.zip")
    (tmp_path / "t.txt").write_text("first line\nsecond\n")
    assert "text, 2 lines, begins\n  first line" in preview(tmp_path / "t.txt")
    (tmp_path / "b.bin").write_bytes(b"\0\1\2")
    assert "binary, 3 bytes" in preview(tmp_path / "b.bin")


@pytest.mark.parametrize("name", ["x.xlsx", "x.zip", "x.json", "x.csv", "x.txt"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0garbage", b"{" * 10_000, b"PK\x03\x04rest", b"\n\n\n"])
def test_damaged_files_are_described(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    text = preview(tmp_path / name)
    assert text.startswith(f"{name}: ")
    assert len(text) <= CHARS


def test_missing_file(tmp_path: Path) -> None:
    assert "cannot be read" in preview(tmp_path / "none.csv")


def test_wide_tables_and_many_files_stay_short(tmp_path: Path) -> None:
    for number in range(30):
        header = ",".join(f"column number {i}" for i in range(300))
        (tmp_path / f"{number:02}.csv").write_text(header + "\n" + ",".join(["x" * 100] * 300) + "\n")
    assert len(preview(tmp_path / "00.csv")) <= CHARS
    text = previews(tmp_path.iterdir())
    assert "and 10 more files" in text
    assert len(text) < 5 * CHARS
