"""What each policy would have earned, estimated from the record of what another one chose (off-policy)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from agentfly.memory.selection import decisions, estimators
from agentfly.memory.selection.named import policy_named
from agentfly.memory.selection.replay import Replay, folds, replayed
from agentfly.protocols import Embedder, Policy
from agentfly.store.database import Database

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

LATEST = 2000
"""Judged runs that are looked at, the latest ones."""

OVERLAP = 10.0
"""Effective number of runs under which an estimate would be made up rather than measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValue:
    """The estimated mean reward per run of one policy."""

    policy: str
    value: float | None
    """Doubly robust; None where the record cannot tell, and `reason` says why."""
    error: float | None
    """Standard error of `value`; 95 % of such intervals of 1.96 errors to both sides hold the truth."""
    weighted: float | None
    """Self-normalised importance sampling from the same runs, without a model: for a second look."""
    overlap: float
    """Effective number of runs behind the estimate, at most all of them."""
    clipped: int
    """Runs whose weight was truncated."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Estimated advantage of one policy over another on the same runs."""

    better: str
    worse: str
    value: float
    """At least 0."""
    error: float
    """Standard error of `value`: smaller than the errors of the two estimates suggest, for they err together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Policies compared on the record."""

    judged: int
    """Judged runs that were looked at."""
    runs: int
    """Those that the estimates rest on: every choice of theirs was left to chance."""
    fixed: int
    """Those left out because a choice was made without exploration."""
    unusable: int
    """Those left out because a choice cannot be made over again."""
    mean: float | None
    """What the record itself earned, mean reward per run: in `runs`, or in all judged runs where those are too few."""
    error: float | None
    """Standard error of `mean`."""
    policies: tuple[PolicyValue, ...]
    """In the order asked for."""
    differences: tuple[Difference, ...] = ()
    """Of each two policies, and of each from the record (named ``record``)."""


def compare(
    db: Database,
    policies: Sequence[Policy | str],
    embedder: Embedder,
    *,
    temperature: float | None = None,
    limit: int = LATEST,
) -> Comparison:
    """Estimate what each policy would have earned in the runs of the record, per run that was shown any case.

    Each policy is taken as it explores: with the candidates, limits and temperature of each recorded recall. A greedy
    policy would hardly ever have made the same choices, so that the record says little of it; `temperature` 0 asks for
    it all the same. A policy that learns is never judged on runs that it has learned from: it is trained on every other
    run and judged on the rest, and the other way around (cross-fitting, Chernozhukov et al. 2018). So it is judged as it
    would be with half of the record.

    Args:
        db: the home's database.
        policies: names, or objects of one's own; one that learns should have learned nothing of this record yet.
        embedder: the embedder in use.
        temperature: of the policies' choice; None takes that of each recorded recall.
        limit: how many of the latest judged runs are looked at.

    Raises:
        InputError: no such policy.
    """
    import numpy as np

    log = decisions.read(db, embedder.name, embedder.dimensions, limit)
    why = _why_not(log)
    rewards = np.array(log.rewards if why else [run.reward for run in log.runs])
    mean = float(rewards.mean()) if len(rewards) else 0.0
    named = [policy_named(one, embedder.dimensions) if isinstance(one, str) else one for one in policies]
    nothing = Comparison(
        judged=len(log.rewards),
        runs=len(log.runs),
        fixed=log.fixed,
        unusable=log.unusable,
        mean=mean if len(rewards) else None,
        error=estimators.standard_error(rewards) if len(rewards) > 1 else None,
        policies=tuple(_nothing(one.name, why) for one in named),
    )
    if why:
        return nothing
    parts, influences = folds(db, log.runs, embedder), {"record": (mean, rewards - mean)}
    values = tuple(_value(one, replayed(one, parts, temperature), rewards, influences) for one in named)
    return replace(nothing, policies=values, differences=tuple(_differences(influences)))


def _why_not(log: decisions.Log) -> str:
    if not log.rewards:
        return "no run was judged yet: run tasks with feedback, and cases are credited"
    if len(log.runs) >= OVERLAP:
        return ""
    if log.fixed >= log.unusable:
        return (
            f"{log.fixed} of {len(log.rewards)} judged runs were made without exploration: set recall.temperature above 0, "
            "and run more tasks"
        )
    return f"only {len(log.runs)} of {len(log.rewards)} judged runs can be looked at again: run more tasks"


def _nothing(policy: str, reason: str, overlap: float = 0.0, clipped: int = 0) -> PolicyValue:
    return PolicyValue(
        policy=policy, value=None, error=None, weighted=None, overlap=overlap, clipped=clipped, reason=reason
    )


def _value(
    policy: Policy, replay: Replay, rewards: Numbers, influences: dict[str, tuple[float, Numbers]]
) -> PolicyValue:
    found = estimators.doubly_robust(replay.weights, replay.expected, replay.predicted, rewards)
    if found.overlap < OVERLAP:
        reason = (
            f"too little overlap: what it would show was seldom shown (worth {found.overlap:.1f} of {len(rewards)} runs); "
            "more exploration, by a higher recall.temperature, helps"
        )
        return _nothing(policy.name, reason, found.overlap, found.clipped)
    influences[policy.name] = (found.value, found.influence)
    return PolicyValue(
        policy=policy.name,
        value=found.value,
        error=found.error,
        weighted=estimators.self_normalised(replay.weights[:, -1], rewards).value,
        overlap=found.overlap,
        clipped=found.clipped,
    )


def _differences(influences: dict[str, tuple[float, Numbers]]) -> Iterator[Difference]:
    for (one, (a, x)), (other, (b, y)) in combinations(influences.items(), 2):
        better, worse = (one, other) if a >= b else (other, one)
        yield Difference(better=better, worse=worse, value=abs(a - b), error=estimators.standard_error(x - y))
