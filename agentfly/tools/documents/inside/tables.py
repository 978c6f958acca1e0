"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

CELL = 500


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as Markdown; bars and line ends in cells are written so that they break nothing."""
    lines = [_line(header), "|" + "---|" * len(header)]
    lines += [_line(row) for row in rows]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    flat = text.replace("|", "\\|").replace("\r", "").replace("\n", "<br>")
    return flat if len(flat) <= CELL else flat[: CELL - 3] + "..."
