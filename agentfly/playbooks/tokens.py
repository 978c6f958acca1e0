"""How many tokens a text costs, estimated without a tokenizer, so that the same text costs the same with every model."""

from __future__ import annotations

_ASCII, _LETTER, _WIDE, _ASTRAL = 1, 2, 4, 8
"""Quarter tokens for a character: English runs at about 4 characters a token, other alphabets at about 2, Chinese,
Japanese and Korean at about 1, emoji at about 2 tokens each."""


def estimate_tokens(text: str) -> int:
    """Tokens of a text, rounded up.

    Never more for a whole than for its parts added up, so that parts that fit a budget fit it together.
    """
    if text.isascii():
        return (len(text) + 3) // 4
    return (sum(map(_quarters, text)) + 3) // 4


def _quarters(character: str) -> int:
    code = ord(character)
    if code < 0x80:
        return _ASCII
    if code < 0x1100:
        return _LETTER
    if code >= 0x10000:
        return _WIDE if 0x20000 <= code < 0x40000 else _ASTRAL
    return _WIDE if code < 0x1200 or code >= 0x2E80 else _LETTER
