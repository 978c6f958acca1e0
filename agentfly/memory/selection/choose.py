"""From scored candidates to the few that are shown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentfly.types import Case, Recalled

if TYPE_CHECKING:
    from agentfly.protocols import Vector

SAME = 0.995
"""Cosine from which two questions count as one and the same."""


def choose(
    candidates: Sequence[Recalled],
    vectors: Vector,
    k: int,
    *,
    floor: float | None = None,
    failures: float | None = None,
    tokens: int | None = None,
) -> list[Recalled]:
    """The cases to show, best first, all successes before the first failure.

    One question is shown at most twice: by its best success and by its best failure.

    Args:
        candidates: n scored cases, in any order.
        vectors: embeddings of the candidates in the same order, shape (n, d), rows of unit length.
        k: how many to show at most.
        floor: cosine under which a case is not shown; None shows any.
        failures: largest share of the shown cases that may be failures, in [0, 1]; None sets no limit.
        tokens: budget of what is shown, as estimated by `cost`; a case that does not fit is passed over.
    """
    order = sorted(range(len(candidates)), key=lambda i: (-candidates[i].score, -candidates[i].similarity, i))
    room = k if failures is None else int(failures * k + 1e-9)
    taken: list[int] = []
    spent = 0
    for i in order:
        if len(taken) >= k:
            break
        case = candidates[i].case
        if floor is not None and candidates[i].similarity < floor:
            continue
        if not case.success and sum(not candidates[j].case.success for j in taken) >= room:
            continue
        if any(_same(candidates, vectors, i, j) for j in taken):
            continue
        if tokens is not None and spent + cost(case) > tokens:
            continue
        taken.append(i)
        spent += cost(case)
    good = [candidates[i] for i in taken if candidates[i].case.success]
    bad = [candidates[i] for i in taken if not candidates[i].case.success]
    # Fewer than k may have been found: the share is of what is shown, so the worst failures go again.
    while failures is not None and bad and len(bad) > failures * (len(good) + len(bad)) + 1e-9:
        bad.pop()
    return good + bad


def cost(case: Case) -> int:
    """Tokens that showing a case takes, estimated at four characters each, with 12 for the frame around it."""
    return 12 + (len(case.question) + len(case.solution) + len(case.answer or "") + len(case.lesson)) // 4


def _same(candidates: Sequence[Recalled], vectors: Vector, i: int, j: int) -> bool:
    a, b = candidates[i].case, candidates[j].case
    if a.success != b.success:
        return False
    return (a.task_id != "" and a.task_id == b.task_id) or float(vectors[i] @ vectors[j]) >= SAME
