"""Bytes to text, by codecs for text only: Python's others unpack archives or run escapes."""

from __future__ import annotations

import codecs
import re

_ALLOWED = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "latin1": "cp1252",
    "iso-8859-1": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "windows-31j": "cp932",
    "euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
    "macintosh": "mac_roman",
    "ibm866": "cp866",
    "tis-620": "cp874",
    "windows-874": "cp874",
    **{f"windows-{n}": f"cp{n}" for n in range(1250, 1259)},
    **{f"iso-8859-{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
}
"""What pages call their character sets, and how these are read: as browsers do, by the wider set of the same family."""
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_META = re.compile(rb"""<meta\s[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_-]{2,30})""", re.I)
_HEAD = 4096


def decode(body: bytes, told: str = "", html: bool = False) -> str:
    """Make text of a body; what cannot be read becomes the replacement character.

    The order is that of browsers: a byte order mark, what the server said, what the page says, UTF-8 where that fits, else
    Western European. A name that is not known to be that of a character set is passed over.

    Args:
        body: any bytes.
        told: the character set that the server named.
        html: whether the page may name one itself.
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return body.decode(codec, "replace")
    named = [told]
    if html and (found := _META.search(body[:_HEAD])):
        named.append(found[1].decode("ascii"))
    for name in named:
        if known := _ALLOWED.get(name.strip().lower().strip("\"'")):
            # A page whose ASCII could be read as far as its own mention of UTF-16 is not in UTF-16.
            known = "utf-8" if known.startswith("utf-16") and name is not told else known
            return body.decode(known, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")
