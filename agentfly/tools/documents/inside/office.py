"""Documents and presentations as Markdown, by markitdown."""

from __future__ import annotations

import re
import zipfile
from typing import Any, BinaryIO

from .optional import package
from .problems import Unreadable

_SLIDE = re.compile(r"<!-- Slide number: (\d+) -->\n?")
_MEDIA = re.compile(r"(?:word|ppt|xl)/media/[^/]+\.(?:png|jpe?g|gif|webp|bmp|tiff?)$", re.IGNORECASE)
_DATA = re.compile(r"\(data:[^)]{200,}\)")


def read(kind: str, file: BinaryIO) -> str:
    """A ``docx``, ``pptx``, ``epub`` or ``html`` file as Markdown; slides have headings with their numbers.

    Raises:
        Unreadable: damaged.
    """
    stream = package("markitdown").StreamInfo(extension=f".{kind}", charset="utf-8" if kind == "html" else None)
    converter = _converter(kind)
    try:
        found = converter.convert(file, stream)
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - parsers let anything through that a damaged file provokes
        raise Unreadable(f"the {kind} file is damaged ({type(error).__name__}: {str(error)[:200]})") from None
    text = _DATA.sub("(image)", str(found.markdown))
    return _SLIDE.sub(r"## Slide \1\n", text) if kind == "pptx" else text


def pictures(archive: zipfile.ZipFile, name: str, *, eyes: bool) -> str:
    """The images in a document, with their paths, and whether ask_image can look at them; empty where there are none."""
    found = [entry for entry in archive.namelist() if _MEDIA.match(entry)]
    if not found:
        return ""
    shown = "\n".join(f"- {name}/{entry}" for entry in found[:50])
    more = f"\n- and {len(found) - 50} more" if len(found) > 50 else ""
    hint = " (ask_image can look at them by these paths)" if eyes else ""
    return f"\n\nImages in this document{hint}:\n{shown}{more}"


def _converter(kind: str) -> Any:
    converters = package("markitdown.converters")
    if kind == "docx":
        return converters.DocxConverter()
    if kind == "pptx":
        return converters.PptxConverter()
    return converters.EpubConverter() if kind == "epub" else converters.HtmlConverter()
