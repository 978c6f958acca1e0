"""Whether two answers say the same where nobody knows the right one, and how far some answers agree. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentfly.scorers.gaia import gaia_match
from agentfly.scorers.numeric import numeric_match

_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Majority:
    """The largest group of answers that agree."""

    answer: str
    """Its first answer."""
    size: int
    tied: bool
    """Whether another group is as large."""


def same_answer(one: str, other: str) -> bool:
    """Whether two answers are the same text or list by GAIA's rules, whichever is taken for the right one, or the same number.

    Numbers are the same when they round alike at the places of the one that has fewer, at least 2. A word beside them counts
    unless only one of the two has any: 3 km is 3 and is not 3 kg.
    """
    if one.strip() == other.strip():
        return True
    if gaia_match(one, other) and gaia_match(other, one):
        return True
    words = [[word.lower() for word in _LETTERS.findall(text)] for text in (one, other)]
    if all(words) and words[0] != words[1]:
        return False
    return _rounds_to(one, other) or _rounds_to(other, one)


def _rounds_to(one: str, other: str) -> bool:
    try:
        return numeric_match(one, other)
    except ValueError:  # no number, or several
        return False


def majority(answers: Sequence[str]) -> Majority | None:
    """The largest group; of equals, the one whose first answer came first. None where there is no answer."""
    groups: list[list[str]] = []
    for answer in answers:
        group = next((group for group in groups if same_answer(answer, group[0])), None)
        if group is None:
            groups.append([answer])
        else:
            group.append(answer)
    sizes = sorted(map(len, groups), reverse=True)
    if not sizes:
        return None
    first = max(groups, key=len)
    return Majority(answer=first[0], size=len(first), tied=sizes[1:2] == sizes[:1])
