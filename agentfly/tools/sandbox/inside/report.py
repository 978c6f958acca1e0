"""What checks said, told through a pipe: a line for each check and answer, with nothing in it that a check could tear."""

from __future__ import annotations

import os
import time
from typing import NoReturn, TypeAlias

FINE, MESSAGE, PROBLEM = "f", "m", "p"
LONGEST = 300
"""Characters of a message."""
STOPPED = 3
"""Exit status of a process that ended in the middle of a check that did what it must not do."""
Row: TypeAlias = tuple[str, str, float]
"""Message, problem, seconds."""


class Report:
    """The end that tells. There is one, made before the processes that use it."""

    def __init__(self) -> None:
        self._fd = -1
        self._check = 0
        self._begun = 0.0

    def open(self, fd: int) -> None:
        """Tell it to this pipe."""
        self._fd = fd

    def begin(self, check: int) -> None:
        """The next verdict is this check's; its time counts from now."""
        self._check = check
        self._begun = time.perf_counter()

    def tell(self, kind: str, text: str = "") -> None:
        """One verdict."""
        seconds = time.perf_counter() - self._begun
        line = f"{self._check} {kind} {seconds:.6f} {one_line(text)}\n"
        os.write(self._fd, line.encode("utf-8", "replace"))

    def stop(self, problem: str) -> NoReturn:
        """The check is no good: nothing of it runs from here on."""
        try:
            self.tell(PROBLEM, problem)
        finally:
            os._exit(STOPPED)


def verdicts(data: bytes, checks: list[int], count: int) -> dict[int, list[Row]]:
    """What was told, by check. Lines that a check wrote itself cost all of them their verdicts.

    Args:
        data: the lines.
        checks: those that could have been told of.
        count: how many verdicts of each at most.
    """
    found: dict[int, list[Row]] = {}
    for line in data.decode("utf-8", "replace").split("\n")[:-1]:
        row = _row(line)
        rows = found.setdefault(row[0], []) if row else []
        if row is None or row[0] not in checks or len(rows) == count or (rows and rows[-1][1]):
            return {check: [("", "it wrote verdicts of its own", 0.0)] for check in checks}
        rows.append(row[1])
    return found


def _row(line: str) -> tuple[int, Row] | None:
    try:
        check, kind, seconds, text = line.split(" ", 3)
        text = one_line(text)
        message, problem = {FINE: ("", ""), MESSAGE: (text, ""), PROBLEM: ("", text)}[kind]
        return (int(check), (message, problem, float(seconds))) if bool(text) != (kind == FINE) else None
    except (ValueError, KeyError):
        return None


def one_line(text: str) -> str:
    """`text` in one line of at most `LONGEST` characters, all of them printable."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 8 * LONGEST]).split())[:LONGEST]
