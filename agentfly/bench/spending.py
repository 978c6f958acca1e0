"""What attempts cost: tokens, money, time and calls of tools; and what accuracy was had for it. Pure; see docs/metrics.md."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from agentfly.bench.estimators import quantile
from agentfly.bench.results import Result

_MEASURED: Mapping[str, Callable[[Result], float]] = {
    "tokens": lambda result: result.usage.tokens,
    "prompt_tokens": lambda result: result.usage.prompt_tokens,
    "completion_tokens": lambda result: result.usage.completion_tokens,
    "cached_tokens": lambda result: result.usage.cached_tokens,
    "cost_usd": lambda result: result.usage.cost_usd,
    "seconds": lambda result: result.seconds,
    "model_calls": lambda result: result.usage.calls,
    "failed_calls": lambda result: result.usage.failed_calls,
    "steps": lambda result: result.steps,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How an amount is spread over finished attempts; all 0 of none."""

    total: float
    mean: float
    median: float
    p95: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """How much a tool was used."""

    name: str
    calls: int
    attempts: int
    """That called it at least once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What the finished attempts cost, whether right or not."""

    attempts: int
    """That are finished, and over which each spread is."""
    amounts: Mapping[str, Spread]
    """``tokens``, ``prompt_tokens``, ``completion_tokens``, ``cached_tokens``, ``cost_usd``, ``seconds``, ``model_calls``,
    ``failed_calls``, ``steps``."""
    retries: int
    """Tries that ended in an error of a provider and were made again."""
    retried: int
    """Attempts that needed such a try."""
    tokens_per_right: float | None
    """Tokens of all attempts for each right answer; None where none is right."""
    cost_per_right: float | None
    """In US dollars, likewise."""
    tools: tuple[ToolUse, ...]
    """The most called first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One benchmark run in a plot of cost against accuracy."""

    name: str
    accuracy: float
    low: float
    """95 % interval of the accuracy."""
    high: float
    cost: float
    """US dollars for each finished attempt, on average, like the following."""
    tokens: float
    seconds: float


def spread(values: Iterable[float]) -> Spread:
    """Total, mean, median, 95 % quantile (linear interpolation) and maximum."""
    ordered = sorted(values)
    return Spread(
        total=math.fsum(ordered),
        mean=fmean(ordered) if ordered else 0.0,
        median=quantile(ordered, 0.5),
        p95=quantile(ordered, 0.95),
        most=ordered[-1] if ordered else 0.0,
    )


def spending(results: Sequence[Result]) -> Spending:
    """What these attempts cost."""
    amounts = {name: spread(map(measured, results)) for name, measured in _MEASURED.items()}
    right = sum(result.correct for result in results)
    return Spending(
        attempts=len(results),
        amounts=amounts,
        retries=sum(result.retries for result in results),
        retried=sum(result.retries > 0 for result in results),
        tokens_per_right=amounts["tokens"].total / right if right else None,
        cost_per_right=amounts["cost_usd"].total / right if right else None,
        tools=_tools(results),
    )


def _tools(results: Sequence[Result]) -> tuple[ToolUse, ...]:
    calls: Counter[str] = Counter()
    attempts: Counter[str] = Counter()
    for result in results:
        for name, count in result.calls.items():
            calls[name] += count
            attempts[name] += count > 0
    order = sorted(calls, key=lambda name: (-calls[name], name))
    return tuple(ToolUse(name=name, calls=calls[name], attempts=attempts[name]) for name in order)


def frontier(points: Sequence[Point], cost: Callable[[Point], float] = lambda point: point.cost) -> frozenset[str]:
    """Names of the points that no other one beats: none is as accurate for less, and none more accurate for as much.

    Args:
        points: of different names.
        cost: what is paid; by default US dollars, which are 0 for a local model: take tokens or seconds there.
    """
    return frozenset(
        one.name
        for one in points
        if not any(
            other.accuracy >= one.accuracy
            and cost(other) <= cost(one)
            and (other.accuracy > one.accuracy or cost(other) < cost(one))
            for other in points
        )
    )
