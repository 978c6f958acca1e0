"""What an adapter is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentfly.types import Task

Match = Callable[[str | None, str], bool]
"""Whether an answer (None where there is none) is the reference."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """Reads the rows of a benchmark's files, and says how its answers are scored.

    Args:
        name: one word; ``NAME:PATH`` forces the adapter.
        recognises: whether a row, as the file has it, is of this benchmark.
        tasks: the tasks of a row; the words beside it name its place in messages. Several tasks of one row that must not be divided
            between learning and testing have a common key in ``metadata["together"]``. Raises `InputError` where the row is damaged.
        match: the benchmark's own rule for a right answer.
    """

    name: str
    recognises: Callable[[Mapping[str, Any]], bool]
    tasks: Callable[[Mapping[str, Any], str], Sequence[Task]]
    match: Match
