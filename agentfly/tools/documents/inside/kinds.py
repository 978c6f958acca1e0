"""What a file is: its first bytes outrank its name."""

from __future__ import annotations

IMAGES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
}
"""Kinds of images, with their media types."""
SOUNDS = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
}
"""Kinds of sound, with their media types."""
DOCUMENTS = frozenset({"pdf", "zip", "ole"})

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"PAR1", "parquet"),
)


def kind_of(head: bytes) -> str:
    """What a file is by its first bytes (64 will do; 1,024 find a PDF that begins late), or empty.

    An empty kind is text, or something that only its name tells.
    """
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF":
        return {b"WEBP": "webp", b"WAVE": "wav"}.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return "m4a" if head[8:11] in (b"M4A", b"M4B") else "mp4"
    if head[:2] == b"BM" and len(head) >= 26 and head[6:10] == bytes(4):
        return "bmp"
    if len(head) >= 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 and head[2] & 0xF0 != 0xF0:
        return "" if head[:2] == b"\xff\xfe" else "mp3"  # a frame header of MPEG audio; FF FE begins UTF-16
    return "pdf" if b"%PDF-" in head[:1024] else ""


def sound_of(head: bytes) -> str:
    """The kind of sound, where it is one: an MP4 without a brand of its own may hold nothing but sound."""
    kind = kind_of(head)
    return "m4a" if kind == "mp4" else kind if kind in SOUNDS else ""


def suffix_of(name: str) -> str:
    """The last suffix of a name, lower case, with its dot; empty where there is none."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return dot + suffix.lower() if stem and suffix else ""
