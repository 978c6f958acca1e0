"""Small charts of one line: sparklines and bars, in block characters where the encoding has them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.,-+*%#"
"""The same heights for encodings without blocks."""
GAP = "·"


def spark(console: Console, values: Sequence[float | None], low: float = 0.0, high: float | None = None) -> Text:
    """A sparkline, one character a value.

    Args:
        console: where it is drawn; decides the characters.
        values: the heights; None is a gap.
        low: the value of the lowest character, which no other value gets.
        high: the value of the highest; by default the greatest value.
    """
    blocks, gap = (BLOCKS, GAP) if drawable(console, BLOCKS + GAP) else (PLAIN, " ")
    top = max((value for value in values if value is not None), default=0.0) if high is None else high
    line = Text()
    for value in values:
        if value is None:
            line.append(gap, style="dim")
        else:
            line.append(blocks[_height(value, low, top)], style="cyan" if value > low else "dim")
    return line


def _height(value: float, low: float, high: float) -> int:
    if value <= low or high <= low:
        return 0
    return max(1, min(7, round(7 * (value - low) / (high - low))))


def bar(console: Console, part: float, width: int = 20, style: str = "green") -> Text:
    """A share in [0, 1] as a bar."""
    full, empty = ("█", "░") if drawable(console, "█░") else ("#", ".")
    filled = round(width * min(1.0, max(0.0, part)))
    return Text(full * filled, style=style).append(empty * (width - filled), style="dim")


def drawable(console: Console, characters: str) -> bool:
    """Whether the console's encoding has these characters."""
    try:
        characters.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
