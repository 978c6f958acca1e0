"""Previews of files."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from pathlib import Path

import pytest
from support.documents import sparse

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


def test_a_workbook_with_a_damaged_sheet(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    buffer = io.BytesIO()
    openpyxl.Workbook().save(buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data[: len(data) // 2] if "sheet1" in name else data)
    assert preview(tmp_path / "b.xlsx") == "b.xlsx: workbook that cannot be opened (ParseError)"


def test_half_a_surrogate_pair_stays_out_of_prompts(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text('[{"cut": "\\ud83d"}]')
    assert preview(tmp_path / "d.json").encode().endswith(b'{"cut": "?"}')


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


def test_links_pipes_and_devices_are_named_and_not_read(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (tmp_path / "secret.csv").write_text("SECRET,x")
    (workspace / "link.csv").symlink_to(tmp_path / "secret.csv")
    (workspace / "device.csv").symlink_to("/dev/zero")
    os.mkfifo(workspace / "pipe.csv")
    begun = time.monotonic()
    text = previews(workspace.iterdir())
    assert time.monotonic() - begun < 5
    assert "SECRET" not in text
    assert "- link.csv: a link, which is not followed" in text
    assert "- pipe.csv: a pipe, a device or a socket, not a file" in text
    assert preview(Path("/dev/zero")) == "zero: a pipe, a device or a socket, not a file"
    assert preview(workspace) == "w: a folder"


@pytest.mark.parametrize("exchanged", ["link", "pipe"])
def test_a_file_that_is_exchanged_while_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanged: str
) -> None:
    (tmp_path / "secret").write_text("SECRET")
    path = tmp_path / "a.txt"
    path.write_text("fine")
    real = os.open

    def exchanging(name: str | Path, flags: int, *rest: int, **options: int) -> int:
        path.unlink()
        path.symlink_to(tmp_path / "secret") if exchanged == "link" else os.mkfifo(path)
        return real(name, flags, *rest, **options)

    monkeypatch.setattr(os, "open", exchanging)
    text = preview(path)
    assert "SECRET" not in text
    assert "cannot be read" in text or "not a regular file" in text


def _bytes_read() -> int:
    """Bytes that this process has read so far; 0 where the system does not tell."""
    told = Path("/proc/self/io")
    return int(told.read_text().split()[1]) if told.exists() else 0


@pytest.mark.parametrize("suffix", ["csv", "txt", "json", "xlsx", "zip"])
def test_sparse_files_are_not_read_through(tmp_path: Path, suffix: str) -> None:
    path = sparse(tmp_path / f"x.{suffix}", 150 * 1024 * 1024)
    preview(path)  # imports what it needs
    before = _bytes_read()
    text = preview(path)
    assert _bytes_read() - before < 1024 * 1024
    assert text.startswith(f"x.{suffix}: ")
    assert preview(sparse(tmp_path / f"huge.{suffix}", 1 << 42)).startswith("huge.")


def test_workbooks_and_archives_that_unpack_without_end(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    buffer = io.BytesIO()
    openpyxl.Workbook().save(buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr("xl/sharedStrings.xml", b" " * 100_000_000)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(1_000):
            archive.writestr(str(number), "")
    begun = time.monotonic()
    assert preview(tmp_path / "b.xlsx").startswith("b.xlsx: binary")
    assert "and 990 more" in preview(tmp_path / "many.zip")
    assert time.monotonic() - begun < 5
