"""Lines that a person types, with editing and history at a terminal, or as they come from a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

HISTORY_LINES = 1000


class Lines:
    """Reads lines.

    Args:
        history: file that keeps what was typed; written when the session ends.
        words: what the tabulator completes at the beginning of a line.
    """

    def __init__(self, history: Path, words: Sequence[str] = ()) -> None:
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self._history, self._words = history, tuple(words)
        if self.interactive:
            self._prepare()

    def read(self, prompt: str) -> str:
        """One line, or several that end with a backslash each but the last.

        Raises:
            EOFError: there are no more.
            KeyboardInterrupt: Ctrl-C.
        """
        parts: list[str] = []
        while True:
            line = input(prompt) if self.interactive else _from_pipe()
            if not line.endswith("\\"):
                return "\n".join([*parts, line])
            parts.append(line[:-1])
            prompt = "  … "

    def close(self) -> None:
        """Keep the history, readable by its owner only."""
        if not self.interactive:
            return
        with contextlib.suppress(ImportError, OSError):
            import readline

            readline.set_history_length(HISTORY_LINES)
            self._history.touch(mode=0o600)
            readline.write_history_file(self._history)

    def _prepare(self) -> None:
        with contextlib.suppress(ImportError):
            import readline

            with contextlib.suppress(OSError):
                readline.read_history_file(self._history)
            readline.set_completer_delims(" \t\n")
            readline.set_completer(self._complete)
            readline.parse_and_bind("tab: complete")

    def _complete(self, start: str, state: int) -> str | None:
        import readline

        line = readline.get_line_buffer()
        found = (
            [word + " " for word in self._words if word.startswith(start)]
            if line.lstrip() == start
            else _paths(start)
            if line.startswith("/file ")
            else []
        )
        return found[state] if state < len(found) else None


def _from_pipe() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def _paths(start: str) -> list[str]:
    folder, _, name = start.rpartition("/")
    with contextlib.suppress(OSError):
        base = Path(folder + "/" if folder or start.startswith("/") else ".").expanduser()
        entries = sorted(os.scandir(base), key=lambda entry: entry.name)
        lead = folder + "/" if "/" in start else ""
        return [lead + e.name + ("/" if e.is_dir() else " ") for e in entries if e.name.startswith(name)]
    return []
