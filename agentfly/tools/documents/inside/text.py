"""Bytes as text, whatever their encoding."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata

from .optional import package
from .problems import Unreadable

SAMPLE = 256 * 1024
"""Bytes that an encoding is guessed from."""
LONG_LINE = 2_000
"""JSON with a longer line than this is laid out anew: a page of it could not be read."""
_LATIN = re.compile(r"cp(125[02478]|437|775|85\d|86\d)|latin_?\d+|iso8859_(1|2|3|4|9|10|13|14|15|16)|mac_\w+|hp_roman8")
_WESTERN = re.compile(r"[\x00-\x7fÀ-ÖØ-öø-ÿŒœŠšŽž€£§°ºª«»“”„‘’‚–—…•·¿¡©®™½¼¾²³×]*")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(data: bytes) -> tuple[str, str]:
    """Text and its encoding.

    Raises:
        Unreadable: it is not text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), encoding.removesuffix("-sig")
    try:
        text, encoding = data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        encoding = _guess(data)
        text = data.decode(encoding, "replace")
    if _binary(text[:20_000]):
        encoding = _without_mark(data)
        if not encoding:
            raise Unreadable(f"it is not text (it begins {data[:12].hex(' ')})")
        text = data.decode(encoding, "replace")
    return text, encoding


def plain(data: bytes, suffix: str) -> str:
    """A text file as it is; JSON in one line laid out."""
    text, encoding = decoded(data)
    if (
        suffix in (".json", ".jsonld", ".geojson")
        and max(map(len, text[: LONG_LINE * 50].splitlines()), default=0) > LONG_LINE
    ):
        text = _laid_out(text)
    told = "" if encoding in ("utf-8", "ascii") else f"(encoding: {encoding})\n"
    return told + text.replace("\r\n", "\n")


def notebook(data: bytes) -> str:
    """A Jupyter notebook: its cells, and what they printed.

    Raises:
        Unreadable: it is not one.
    """
    try:
        cells = json.loads(decoded(data)[0])["cells"]
        return "\n\n".join(_cell(cell) for cell in cells)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"it is not a notebook ({type(error).__name__})") from None


def _cell(cell: dict[str, object]) -> str:
    source = _joined(cell.get("source"))
    if cell.get("cell_type") != "code":
        return source
    outputs = cell.get("outputs")
    shown = []
    for output in outputs if isinstance(outputs, list) else ():
        data = output.get("data")
        shown.append(_joined(output.get("text") or (data.get("text/plain") if isinstance(data, dict) else "")))
    printed = "".join(shown).rstrip()
    return f"```python\n{source}\n```" + (f"\nOutput:\n{printed}" if printed else "")


def _joined(lines: object) -> str:
    return "".join(map(str, lines)) if isinstance(lines, list) else str(lines or "")


def _laid_out(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _guess(data: bytes) -> str:
    wide = _without_mark(data)
    if wide:
        return wide
    try:
        guess = package("charset_normalizer")
    except ImportError:
        return "cp1252"
    best = guess.from_bytes(data[:SAMPLE]).best()
    if best is None:
        return "cp1252"
    # One alphabet in two encodings is told apart badly: where the letters of Western Europe make sense, they are meant.
    western = _LATIN.fullmatch(best.encoding) and _WESTERN.fullmatch(data[:SAMPLE].decode("cp1252", "replace"))
    return "cp1252" if western else str(best.encoding)


def _without_mark(data: bytes) -> str:
    """UTF-16 without a mark shows by its zeros: nearly every second byte of Western text is one."""
    sample = data[:2_000]
    if len(sample) < 4 or b"\0" not in sample:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.05 * half else ""


def _binary(text: str) -> bool:
    """Whether a text holds what no text holds: zeros, or many control characters."""
    if "\0" in text:
        return True
    strange = sum(unicodedata.category(letter) == "Cc" and letter not in "\t\n\r\f\v\x1b\b" for letter in text)
    return strange > max(2, len(text) // 50)
