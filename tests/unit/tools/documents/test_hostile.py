"""Files made to hurt: each ends in an error that says what to do, soon, and with nothing left behind."""

from __future__ import annotations

import asyncio
import io
import os
import random
import socket
import struct
import time
import zipfile
from pathlib import Path

import pytest
from support.documents import docx, pdf, sparse, zipped

from agentfly.errors import ToolError
from agentfly.tools.documents import confining, converting
from agentfly.tools.documents.reading import ReadFile

LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a0 "haha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)) + "]>"
)


async def _read(workspace: Path, name: str) -> str:
    return str(await ReadFile(seconds=15).at(workspace).call({"name": name}))


async def _told(workspace: Path, name: str) -> str:
    """What the model sees: text or error."""
    try:
        return await _read(workspace, name)
    except ToolError as error:
        return str(error)


def _workbook(sheet: str) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    buffer = io.BytesIO()
    openpyxl.Workbook().save(buffer)
    with zipfile.ZipFile(buffer) as old:
        members = {name: old.read(name) for name in old.namelist()}
    return zipped({**members, "xl/worksheets/sheet1.xml": sheet})


async def test_zip_bombs(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"zeros.txt": bytes(60 * 1024 * 1024), "ok.txt": "fine"}))
    assert "zeros.txt (62,914,560 bytes)" in await _read(tmp_path, "a.zip")
    with pytest.raises(ToolError, match="zip bomb"):
        await _read(tmp_path, "a.zip/zeros.txt")
    assert await _read(tmp_path, "a.zip/ok.txt") == "fine"
    members = {"[Content_Types].xml": "", "word/document.xml": b" " * 80_000_000}
    (tmp_path / "a.docx").write_bytes(zipped(members))
    with pytest.raises(ToolError, match="zip bomb"):
        await _read(tmp_path, "a.docx")


async def test_an_entry_that_lies_about_its_size(tmp_path: Path) -> None:
    data = bytearray(zipped({"x.txt": b"a" * 5_000_000}))
    said, real = struct.pack("<I", 10), struct.pack("<I", 5_000_000)
    assert data.count(real) == 2
    (tmp_path / "a.zip").write_bytes(bytes(data).replace(real, said))
    with pytest.raises(ToolError, match="cannot be unpacked"):
        await _read(tmp_path, "a.zip/x.txt")


async def test_archives_in_archives_end(tmp_path: Path) -> None:
    data = zipped({"x.txt": "x"})
    for _ in range(6):
        data = zipped({"n.zip": data})
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ToolError, match="3 deep"):
        await _read(tmp_path, "a.zip/n.zip/n.zip/n.zip/n.zip/n.zip/n.zip/x.txt")


async def test_an_archive_of_very_many_entries(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(2_000):
            archive.writestr(f"{number}", b"")
    text = await _read(tmp_path, "a.zip")
    assert "and 1,500 more" in text
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, 50_000_000, 0, 0)
    (tmp_path / "b.zip").write_bytes(b"PK\3\4" + bytes(100) + end)
    with pytest.raises(ToolError, match="too many entries"):
        await _read(tmp_path, "b.zip")


@pytest.mark.parametrize("small", [True, False])
async def test_a_directory_that_another_record_makes_large(tmp_path: Path, small: bool) -> None:
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 50_000_000, 0)
    way = struct.pack("<4sLQL", b"PK\6\7", 0, 100, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 50 if small else 0xFFFFFFFF, 0, 0)
    (tmp_path / "a.zip").write_bytes(b"PK\3\4" + bytes(96) + large + way + end)
    with pytest.raises(ToolError, match="too many entries"):
        await _read(tmp_path, "a.zip")


async def test_billion_laughs(tmp_path: Path) -> None:
    pytest.importorskip("markitdown")
    (tmp_path / "a.xml").write_text(f"{LAUGHS}<x>&a11;</x>")
    assert "&a11;" in await _read(tmp_path, "a.xml")  # as it is written
    (tmp_path / "a.docx").write_bytes(docx(["&a11;"], prolog=LAUGHS))
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    row = '<row r="1"><c r="A1" t="inlineStr"><is><t>&a11;</t></is></c></row>'
    (tmp_path / "a.xlsx").write_bytes(
        _workbook(f'{LAUGHS}<worksheet xmlns="{main}"><sheetData>{row}</sheetData></worksheet>')
    )
    begun = time.monotonic()
    for name in ("a.docx", "a.xlsx"):
        text = await _told(tmp_path, name)
        assert "hahahaha" * 1_000 not in text
    assert time.monotonic() - begun < 15


async def test_external_entities_bring_nothing_in(tmp_path: Path) -> None:
    pytest.importorskip("markitdown")
    (tmp_path / "secret").write_text("SECRET")
    prolog = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
    (tmp_path / "a.docx").write_bytes(docx(["&e;"], prolog=prolog))
    text = await _told(tmp_path, "a.docx")
    assert "SECRET" not in text


@pytest.mark.parametrize("suffix", ["pdf", "docx", "xlsx", "pptx", "zip", "xls", "html", "json", "ipynb", "txt"])
async def test_damaged_files(tmp_path: Path, suffix: str) -> None:
    noise = random.Random(1).randbytes(3_000)
    whole = {"pdf": pdf([["x"]] * 3), "docx": docx(["x"]), "zip": zipped({"a": "b" * 100})}.get(suffix, noise)
    starts = {"xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xlsx": b"PK\3\4", "pptx": b"PK\3\4"}
    for number, data in enumerate((whole[: len(whole) // 2], starts.get(suffix, b"") + noise)):
        name = f"{number}.{suffix}"
        (tmp_path / name).write_bytes(data)
        try:
            text = await _read(tmp_path, name)
        except ToolError as error:
            text = str(error)
            assert text.startswith(name)
        assert "Traceback" not in text
        assert text


@pytest.mark.parametrize(("name", "expected"), [("a.pdf", "# T"), ("a.txt", "# T"), ("a", "# T")])
async def test_a_wrong_suffix_changes_nothing(tmp_path: Path, name: str, expected: str) -> None:
    pytest.importorskip("markitdown")
    (tmp_path / name).write_bytes(docx(["T"]))
    assert (await _read(tmp_path, name)).startswith(expected)


async def test_huge_and_sparse_files_are_not_read(tmp_path: Path) -> None:
    sparse(tmp_path / "huge.csv", 300 * 1024 * 1024)
    begun = time.monotonic()
    with pytest.raises(ToolError, match="314,572,800 bytes; up to 67,108,864 are read here"):
        await _read(tmp_path, "huge.csv")
    assert time.monotonic() - begun < 10
    sparse(tmp_path / "holes.txt", 30 * 1024 * 1024)
    with pytest.raises(ToolError, match="not text"):
        await _read(tmp_path, "holes.txt")


async def test_nesting_without_end(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 200_000)
    assert (await _read(tmp_path, "a.json")).startswith("[a.json: page 1")
    (tmp_path / "a.html").write_text("<div>" * 20_000 + "deep")
    assert "deep" in await _told(tmp_path, "a.html")


@pytest.fixture(params=["confined", "limited"])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With bubblewrap, where it works here, and with limits alone."""
    if request.param == "limited":
        monkeypatch.setattr(confining, "works", lambda: False)
    elif not confining.works():
        pytest.skip("bubblewrap does not work here")
    return str(request.param)


def _program(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A reader that does something in place of reading, after its limits are set."""
    start = (
        "import sys, types; sys.path[:0] = [sys.argv[1]]; import inside.main as main; evil = types.ModuleType('evil'); "
        f"exec({body!r}, evil.__dict__); main._text = evil.read; main.main()"
    )
    monkeypatch.setattr(converting, "_START", start)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("def read(*a):\n while True: pass", "not read within|too long"),
        ("import time\ndef read(*a): time.sleep(60)", "not read within"),
        ("def read(*a):\n x = []\n while True: x.append(bytearray(10**7))", "memory"),
        ("import os\ndef read(*a): os.abort()", "failed|memory"),
        ("import os\ndef read(*a): os._exit(0)", "memory|failed"),
        (
            'import sys\ndef read(*a): sys.stdout.write(\'{"text": "forged"}\'); sys.stdout.flush(); raise MemoryError',
            "memory",
        ),
        ("import tempfile\ndef read(*a):\n with tempfile.TemporaryFile() as f: f.write(b'x' * 10)", "failed|memory"),
    ],
)
async def test_whatever_a_reader_does_ends_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: str, body: str, told: str
) -> None:
    _program(monkeypatch, body)
    (tmp_path / "a.txt").write_text("x")
    seconds = 0.7 if "not read within" in told else 20.0
    begun = time.monotonic()
    with pytest.raises(ToolError, match=told):
        await ReadFile(seconds=seconds, memory_mb=400).at(tmp_path).call({"name": "a.txt"})
    assert time.monotonic() - begun < 10


async def test_a_reader_has_no_keys_and_leaves_no_one_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    mark = f"mark{os.getpid()}{tier}"
    body = (
        "import os, subprocess, sys\n"
        "def read(*a):\n"
        f" subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', '{mark}'])\n"
        " return str(dict(os.environ))"
    )
    _program(monkeypatch, body)
    (tmp_path / "a.txt").write_text("x")
    text = str(await ReadFile().at(tmp_path).call({"name": "a.txt"}))
    assert "sk-secret" not in text
    await _gone(mark)


async def test_cancelling_ends_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: str) -> None:
    mark = f"sleeping{os.getpid()}{tier}"
    _program(monkeypatch, f"import time\ndef read(*a): time.sleep(60) or {mark!r}")
    (tmp_path / "a.txt").write_text("x")
    task = asyncio.ensure_future(ReadFile().at(tmp_path).call({"name": "a.txt"}))
    while not _running(mark):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _gone(mark)


async def test_a_confined_reader_reaches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not confining.works():
        pytest.skip("bubblewrap does not work here")
    (tmp_path / "secret").write_text("SECRET")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        attempts = {
            "secret": f"open({str(tmp_path / 'secret')!r}).read()",
            "shadow": "open('/etc/shadow').read()",
            "host": f"open('/proc/{os.getpid()}/environ').read()",
            "network": f"__import__('socket').create_connection(('127.0.0.1', {listener.getsockname()[1]}), 1)",
            "write": "open('/usr/x', 'w')",
            "package": "open(__import__('json').__file__, 'a')",
            "kill": f"__import__('os').kill({os.getpid()}, 0)",
        }
        tries = "".join(
            f" try:\n  {code}\n  got.append({name!r})\n except OSError: pass\n" for name, code in attempts.items()
        )
        _program(monkeypatch, f"def read(*a):\n got = []\n{tries} return 'got ' + str(got)")
        (tmp_path / "a.txt").write_text("x")
        assert await ReadFile().at(tmp_path).call({"name": "a.txt"}) == "got []"


def _running(mark: str) -> list[int]:
    """Processes whose command line holds a mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line, state = (entry / "cmdline").read_bytes(), (entry / "stat").read_text()
        except OSError:
            continue
        if mark.encode() in line and state.rpartition(")")[2].split()[0] != "Z":
            found.append(int(entry.name))
    return found


async def _gone(mark: str) -> None:
    for _ in range(200):
        if not _running(mark):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("a process lives on")
