"""Text from models, files and memories, made safe and short for a terminal. Standard library only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentfly.types import Attempt

# C0 without newline and tab, DEL, C1, and what reorders or hides text (bidi marks, line and paragraph separators).
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Show control and direction characters instead of obeying them: ESC becomes the four characters ``\\x1b``."""
    return _UNSAFE.sub(_escape, text.replace("\r\n", "\n"))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: str) -> str:
    """As `plain`, with all white space run together."""
    return plain(" ".join(text.split()))


def shorten(text: str, width: int) -> str:
    """One line of at most `width` characters; what was cut is marked by an ellipsis."""
    line = one_line(text)
    return line if len(line) <= width else line[: max(0, width - 1)].rstrip() + "…"


def clip_lines(text: str, most: int) -> tuple[str, int]:
    """The first `most` lines, and how many were left out."""
    lines = plain(text).rstrip().split("\n")
    return "\n".join(lines[:most]), max(0, len(lines) - most)


def seconds(value: float) -> str:
    """A duration: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 100:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def money(value: float) -> str:
    """US dollars, with more digits where they are few; a dash for nothing."""
    if value <= 0:
        return "-"
    return f"${value:.2f}" if value >= 1 else f"${value:.4f}"


def count(number: int, noun: str) -> str:
    """``1 case``, ``2 cases``, ``1,204 tokens``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


_BUDGETS = {"steps": "--steps", "tokens": "--tokens", "seconds": "--seconds", "cost": "--set limits.cost_usd=…"}


def ending(attempt: Attempt) -> str:
    """Why an attempt ended without an accepted answer, and which option gives it more room."""
    if attempt.status == "limit":
        option = _BUDGETS.get(attempt.reason)
        return f"the limit of {attempt.reason} was reached" + (f"; {option} raises it" if option else "")
    return attempt.reason or attempt.status.replace("_", " ")
