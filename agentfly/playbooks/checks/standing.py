"""What the record says of a check, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agentfly.protocols import Checked, Judged

ENOUGH_RIGHT = 3
"""Right answers on the record from which on a check can be shown to leave them alone."""
FLAGGED_KEPT = 8
"""Most ids of flagged attempts that are kept as evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a check says of answers whose worth is known."""

    wrong: int = 0
    """Wrong answers on the record."""
    caught: int = 0
    """Those of them that it flags."""
    right: int = 0
    """Right answers on the record."""
    alarms: int = 0
    """Those of them that it flags."""
    problems: int = 0
    """Answers at which the check itself failed; they count neither as flagged nor as passed."""
    problem: str = ""
    """The first of these failures in words."""
    flagged: tuple[str, ...] = ()
    """Ids of some flagged attempts, false alarms first."""

    def __str__(self) -> str:
        return (
            f"flags {self.caught} of {_counted(self.wrong, 'wrong answer')} and {self.alarms} of {self.right} right "
            f"{'one' if self.right == 1 else 'ones'}"
        )


def measure(judged: Sequence[Judged], verdicts: Sequence[Checked]) -> Standing:
    """The standing of one check.

    Args:
        judged: n answers whose worth is known.
        verdicts: what the check said of each of them, in the same order, n as well.

    Raises:
        ValueError: the two differ in length.
    """
    pairs = list(zip(judged, verdicts, strict=True))
    broken = [checked.problem for _, checked in pairs if checked.problem]
    flagged = [answer for answer, checked in pairs if checked.message and not checked.problem]
    alarms = [answer.id for answer in flagged if answer.right]
    caught = [answer.id for answer in flagged if not answer.right]
    return Standing(
        wrong=sum(not answer.right for answer in judged),
        caught=len(caught),
        right=sum(answer.right for answer in judged),
        alarms=len(alarms),
        problems=len(broken),
        problem=broken[0] if broken else "",
        flagged=tuple(dict.fromkeys([*alarms, *caught]))[:FLAGGED_KEPT],
    )


def admission(standing: Standing, tolerance: float) -> tuple[bool, str]:
    """Whether a check may come into force.

    Args:
        standing: what the record says of it.
        tolerance: share of the right answers that it may flag, in [0, 1].

    Returns:
        The verdict, and its reason in one line.
    """
    if standing.problem:
        return False, f"the check fails itself: {standing.problem}"
    if standing.right < ENOUGH_RIGHT:
        needed = f"{standing.right} of the {ENOUGH_RIGHT} it takes"
        return False, f"too few right answers on the record to try it on ({needed})"
    if not standing.caught:
        return False, f"{standing}, so it would change nothing"
    if standing.alarms > allowed(standing.right, tolerance):
        return False, f"{standing}; {_counted(allowed(standing.right, tolerance), 'false alarm')} would be allowed"
    return True, str(standing)


def retirement(standing: Standing, tolerance: float) -> str:
    """Why a check in force has to go, in one line; empty where it may stay. Arguments as of `admission`."""
    if standing.problem:
        return f"the check fails itself: {standing.problem}"
    if standing.alarms > allowed(standing.right, tolerance):
        return f"{standing}; {_counted(allowed(standing.right, tolerance), 'false alarm')} would be allowed"
    return ""


def allowed(right: int, tolerance: float) -> int:
    """How many of so many right answers a check may flag."""
    return math.floor(tolerance * right + 1e-9)  # 0.07 * 100 is 7.000000000000001, and 0.29 * 100 is 28.999999999999996


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
