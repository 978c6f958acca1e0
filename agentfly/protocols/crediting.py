"""Credit: what the record of runs says of the bullets that each of them had."""

from __future__ import annotations

from dataclasses import dataclass

from agentfly.types import Questioned


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """The bullets of one run that was learned from, and what its answer earned."""

    run: str
    started: float = 0.0
    """Seconds since the epoch."""
    reward: float
    """In [0, 1], as the run learned it."""
    shown: tuple[str, ...] = ()
    """Ids of the bullets that stood in the prompt."""
    checks: tuple[str, ...] = ()
    """Ids of the checks in force."""
    cited: tuple[str, ...] = ()
    """Ids of bullets and cases that the attempt named."""
    left_out: tuple[str, ...] = ()
    """Ids of the bullets that the run would have had, and that were left out at random."""
    leave_out: float = 0.0
    """How likely each bullet that was learned was left out; 0 where nothing was left to chance."""
    questioned: tuple[Questioned, ...] = ()
    """Answers that checks asked another look at."""
