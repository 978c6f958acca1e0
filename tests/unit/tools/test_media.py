"""Images and speech: real files, and a provider on loopback."""

from __future__ import annotations

import asyncio
import base64
import io
import struct
import wave
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.documents import pdf, zipped
from support.fake_provider import FakeProvider, Fault

from agentfly.config import Settings
from agentfly.errors import ToolError
from agentfly.models.senses import Hearing, Sight, hearing, sight
from agentfly.tools.caching import ContentCache
from agentfly.tools.documents.reading import ReadFile
from agentfly.tools.media import IMAGE_BYTES, AskImage, Transcribe
from agentfly.types import Usage


def png(width: int = 2, height: int = 2) -> bytes:
    """An image that is all red."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff\0\0" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wav(seconds: float = 0.1) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(int(16_000 * seconds)))
    return buffer.getvalue()


class Looks:
    """Notes what it is shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, str, str]] = []

    async def __call__(self, data: bytes, mime: str, question: str) -> str:
        self.seen.append((data, mime, question))
        return " a red square "


class Hears:
    """Notes what it hears."""

    def __init__(self, words: str = "hello there") -> None:
        self.heard: list[tuple[int, str]] = []
        self.words = words

    async def __call__(self, data: bytes, mime: str) -> str:
        self.heard.append((len(data), mime))
        return self.words


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fake")
    with FakeProvider() as server:
        yield server


async def test_an_image_is_shown_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(png())  # what it is counts, not what it is called
    look = Looks()
    tool = AskImage(look).at(tmp_path)
    assert (tool.name, tool.risk, tool.origin) == ("ask_image", "read", "file")
    assert await tool.call({"file": "p.jpg", "question": "which colour?"}) == "a red square"
    assert look.seen == [(png(), "image/png", "which colour?")]


async def test_images_in_archives_and_pages_of_pdfs(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"in/p.png": png()}))
    look = Looks()
    tool = AskImage(look).at(tmp_path)
    assert await tool.call({"file": "a.zip/in/p.png", "question": "what?"}) == "a red square"
    assert look.seen[0][:2] == (png(), "image/png")
    pytest.importorskip("pypdfium2")
    pytest.importorskip("PIL")
    (tmp_path / "a.pdf").write_bytes(pdf([["one"], ["two"]]))
    assert await tool.call({"file": "a.pdf", "page": 2}) == "a red square"
    data, mime, _ = look.seen[1]
    assert data.startswith(b"\x89PNG")
    assert mime == "image/png"
    with pytest.raises(ToolError, match="no page 3: the PDF has 2"):
        await tool.call({"file": "a.pdf", "page": 3})


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "GIF", "WEBP"])
async def test_other_kinds(tmp_path: Path, kind: str) -> None:
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (30, 20), "red").save(tmp_path / "p", kind)
    look = Looks()
    await AskImage(look).at(tmp_path).call({"file": "p", "question": "?"})
    assert look.seen[0][1] == ("image/png" if kind in ("BMP", "TIFF") else f"image/{kind.lower()}")
    assert image.open(io.BytesIO(look.seen[0][0])).size == (30, 20)


async def test_large_images_are_made_smaller(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    data = png(3_000, 1_500) + bytes(IMAGE_BYTES)
    (tmp_path / "p.png").write_bytes(data)
    look = Looks()
    await AskImage(look).at(tmp_path).call({"file": "p.png", "question": "?"})
    shown = look.seen[0][0]
    assert len(shown) < 200_000
    assert image.open(io.BytesIO(shown)).size == (2_048, 1_024)


async def test_images_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    tool = AskImage(Looks()).at(tmp_path)
    (tmp_path / "t.png").write_text("words")
    (tmp_path / "b.tiff").write_bytes(b"II*\0" + bytes(100))
    (tmp_path / "bomb.png").write_bytes(
        png(4, 4).replace(struct.pack(">II", 4, 4), struct.pack(">II", 60_000, 60_000)) + bytes(IMAGE_BYTES)
    )
    for name, told in (
        ("t.png", "no image of these kinds"),
        ("b.tiff", "damaged"),
        ("none.png", "no file"),
        ("bomb.png", "pixels|damaged"),
    ):
        with pytest.raises(ToolError, match=told):
            await tool.call({"file": name, "question": "?"})
    with pytest.raises(ToolError, match="question"):
        await tool.call({"file": "t.png", "question": "x" * 5_000})


async def test_a_provider_is_shown_the_image(tmp_path: Path, provider: FakeProvider) -> None:
    (tmp_path / "p.png").write_bytes(png())
    spent: list[Usage] = []
    provider.reply = "It is red."
    look = Sight("openai/gpt-5-mini", api_base=provider.base, meter=spent.append)
    assert await AskImage(look).at(tmp_path).call({"file": "p.png", "question": "which colour?"}) == "It is red."
    parts = provider.requests[0].body["messages"][-1]["content"]
    assert parts[0] == {"type": "text", "text": "which colour?"}
    assert parts[1]["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(png()).decode()
    assert spent[0].calls == 1
    assert spent[0].prompt_tokens == 100


async def test_a_provider_that_fails_is_told_to_the_model(tmp_path: Path, provider: FakeProvider) -> None:
    (tmp_path / "p.png").write_bytes(png())
    (tmp_path / "s.wav").write_bytes(wav())
    spent: list[Usage] = []
    look = Sight("openai/x", api_base=provider.base, retries=0, meter=spent.append)
    hear = Hearing("openai/whisper-1", api_base=provider.base, retries=0, meter=spent.append)
    for status in (400, 401, 503):
        provider.script += [Fault(status=status), Fault(status=status)]
        with pytest.raises(ToolError, match=r"ask_image does not work here: .*Go on without it"):
            await AskImage(look).at(tmp_path).call({"file": "p.png", "question": "?"})
        with pytest.raises(ToolError, match=r"transcribe does not work here: .*Go on without it"):
            await Transcribe(hear).at(tmp_path).call({"file": "s.wav"})
    assert sum(usage.failed_calls for usage in spent) >= 4
    provider.script.append(Fault(hang=5))
    with pytest.raises(ToolError, match=r"no answer within 0\.2 s"):
        await AskImage(look, seconds=0.2).at(tmp_path).call({"file": "p.png", "question": "?"})


async def test_a_model_known_to_be_blind_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(png())
    tool = AskImage(Sight("deepseek/deepseek-chat")).at(tmp_path)
    with pytest.raises(ToolError, match=r"cannot look at images; set tools\.vision"):
        await tool.call({"file": "p.png", "question": "?"})


async def test_a_provider_hears(tmp_path: Path, provider: FakeProvider) -> None:
    (tmp_path / "s.wav").write_bytes(wav())
    provider.script = [Fault(status=503), "Good morning."]
    spent: list[Usage] = []
    hear = Hearing("openai/whisper-1", api_base=provider.base, meter=spent.append)
    assert await Transcribe(hear).at(tmp_path).call({"file": "s.wav"}) == "Good morning."
    sent = provider.requests[-1]
    assert sent.path == "/v1/audio/transcriptions"
    assert sent.body["model"] == "whisper-1"
    assert sent.body["file"] == {"name": "speech.wav", "type": "audio/wav", "bytes": len(wav())}
    assert [usage.failed_calls for usage in spent] == [1, 0]


async def test_what_was_heard_is_kept_by_content(tmp_path: Path) -> None:
    hear, cache = Hears(), ContentCache(tmp_path / "cache")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "s.wav").write_bytes(wav())
        tool = Transcribe(hear, cache, model="whisper").at(tmp_path / name)
        assert await tool.call({"file": "s.wav"}) == "hello there"
    assert len(hear.heard) == 1
    await Transcribe(hear, cache, model="other").at(tmp_path / "a").call({"file": "s.wav"})
    assert len(hear.heard) == 2


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"ID3\x04" + bytes(60), "audio/mpeg"),
        (b"\xff\xfb\x90\x64" + bytes(60), "audio/mpeg"),
        (b"fLaC" + bytes(60), "audio/flac"),
        (b"OggS" + bytes(60), "audio/ogg"),
        (b"\0\0\0\x20ftypM4A " + bytes(60), "audio/mp4"),
        (b"\0\0\0\x20ftypisom" + bytes(60), "audio/mp4"),
    ],
)
async def test_kinds_of_sound(tmp_path: Path, head: bytes, mime: str) -> None:
    (tmp_path / "s").write_bytes(head)
    hear = Hears()
    await Transcribe(hear).at(tmp_path).call({"file": "s"})
    assert hear.heard == [(len(head), mime)]


async def test_long_transcripts_come_in_pages(tmp_path: Path) -> None:
    (tmp_path / "s.wav").write_bytes(wav())
    hear = Hears("word " * 100)
    tool = Transcribe(hear, ContentCache(tmp_path / "c"), page_chars=300).at(tmp_path)
    assert (await tool.call({"file": "s.wav"})).endswith("[next: transcribe('s.wav', page=2)]")
    assert (await tool.call({"file": "s.wav", "page": 2})).startswith("[page 2 of 2]")
    assert len(hear.heard) == 1
    with pytest.raises(ToolError, match="has 2 pages"):
        await tool.call({"file": "s.wav", "page": 3})


async def test_sounds_that_are_none_or_too_large(tmp_path: Path) -> None:
    hear = Hears()
    (tmp_path / "t.wav").write_text("words")
    (tmp_path / "big.wav").write_bytes(wav() + bytes(26 * 1024 * 1024))
    for name, told in (("t.wav", "no sound file"), ("big.wav", "Cut it with Python")):
        with pytest.raises(ToolError, match=told):
            await Transcribe(hear).at(tmp_path).call({"file": name})
    assert not hear.heard


async def test_read_file_looks_and_hears_where_it_can(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(png())
    (tmp_path / "s.wav").write_bytes(wav())
    (tmp_path / "a.zip").write_bytes(zipped({"p.png": png()}))
    look, hear = Looks(), Hears()
    tool = ReadFile(images=AskImage(look).ask_image, sounds=Transcribe(hear).transcribe).at(tmp_path)
    assert await tool.call({"name": "p.png"}) == "a red square"
    assert "write down all text" in look.seen[0][2]
    assert await tool.call({"name": "s.wav"}) == "hello there"
    with pytest.raises(ToolError, match="ask_image"):
        await tool.call({"name": "a.zip/p.png"})
    with pytest.raises(ToolError, match="no model here can look at it"):
        await ReadFile().at(tmp_path).call({"name": "p.png"})


async def test_senses_by_settings(provider: FakeProvider) -> None:
    settings = Settings(api_base=provider.base)
    provider.reply = "seen"
    assert await sight("openai/x", settings)(png(), "image/png", "?") == "seen"
    assert await hearing("openai/whisper-1", settings)(wav(), "audio/wav") == "seen"


async def test_cancelling_a_look_is_no_error_of_the_tool(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(png())

    async def endless(data: bytes, mime: str, question: str) -> str:
        await asyncio.sleep(60)
        return ""

    task = asyncio.ensure_future(AskImage(endless).at(tmp_path).call({"file": "p.png", "question": "?"}))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
