"""The page on benchmark runs that are compared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from agentfly.bench import words
from agentfly.bench.comparing import Comparison, Flip
from agentfly.bench.estimators import Mean
from agentfly.bench.folder import ResultsFolder
from agentfly.bench.recorded import Recorded
from agentfly.bench.reporting import point_of
from agentfly.bench.results import Result
from agentfly.learning.words import p_value, percent, points, within
from agentfly.pages import plots, traces
from agentfly.pages.bench import cost_plot
from agentfly.pages.frame import page

if TYPE_CHECKING:
    from markupsafe import Markup


MOST_FLIPS = 2_000
"""Flipped tasks that are listed for each comparison, those that were lost first."""


def comparison_page(runs: Sequence[Recorded], found: Sequence[Comparison], wanted: traces.Wanted | None = None) -> str:
    """A self-contained HTML page, with the records of tasks that flipped.

    Args:
        runs: what was compared.
        found: the comparisons.
        wanted: of how many flipped tasks the steps are in it; by default as many as there is room for.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: the records cannot be read.
    """
    choice = wanted or traces.Wanted.of("auto")
    shown = _shown(runs, found, choice)
    total = sum(len(one.lost) + len(one.gained) for one in found)
    return page(
        "bench_compare.html",
        f"Comparison of {' and '.join(one.run.name for one in runs)}",
        runs=runs,
        found=[(number, one, _flips(number, one, shown)) for number, one in enumerate(found)],
        words=words,
        percent=percent,
        points=points,
        p_value=p_value,
        most_flips=MOST_FLIPS,
        shown=list(shown.values()),
        traces_note=traces.told(len(shown), total, "flipped tasks", choice) if total else "",
        plots=_plots(runs, found),
    )


def _flips(number: int, found: Comparison, shown: dict[str, traces.TaskShown]) -> list[tuple[str, Flip, str, str]]:
    """Kind, flip, anchor where it is shown, and question."""
    listed = []
    for place, (kind, flip) in enumerate(islice(_ordered(found), MOST_FLIPS)):
        task = shown.get(_anchor(number, place))
        listed.append((kind, flip, task.anchor if task else "", task.question if task else ""))
    return listed


def _ordered(found: Comparison) -> Iterator[tuple[str, Flip]]:
    yield from (("lost", flip) for flip in found.lost)
    yield from (("gained", flip) for flip in found.gained)


def _anchor(number: int, place: int) -> str:
    return f"flip-{number}-{place}"


def _shown(runs: Sequence[Recorded], found: Sequence[Comparison], wanted: traces.Wanted) -> dict[str, traces.TaskShown]:
    if wanted.most == 0:
        return {}
    flipped = {flip.task_id for one in found for _, flip in _ordered(one)}
    with contextlib.ExitStack() as stack:
        sides: dict[str, tuple[ResultsFolder, dict[str, list[Result]]]] = {}
        for run in runs:
            results: dict[str, list[Result]] = {}
            for result in run.run.results:
                if result.task_id in flipped:
                    results.setdefault(result.task_id, []).append(result)
            sides[run.run.name] = stack.enter_context(ResultsFolder(run.path)), results

        def asked() -> Iterator[traces.Asked]:
            for number, one in enumerate(found):
                for place, (_, flip) in enumerate(islice(_ordered(one), MOST_FLIPS)):
                    attempts = [
                        (f"{name}, attempt {result.attempt}", sides[name][0], result)
                        for name in (one.before, one.after)
                        for result in sorted(sides[name][1].get(flip.task_id, ()), key=lambda result: result.attempt)
                    ]
                    anchor = _anchor(number, place)
                    yield traces.Asked(anchor=anchor, task_id=flip.task_id, level=flip.level, attempts=attempts)

        return traces.shown(asked(), wanted)


def _plots(runs: Sequence[Recorded], found: Sequence[Comparison]) -> dict[str, Markup | None]:
    from markupsafe import Markup

    spent = tuple(point for one in runs if (point := point_of(one.run)) is not None)
    drawn = {
        "runs": _accuracies(found),
        "cost": cost_plot(spent) if len(spent) > 1 else None,
    }
    return {name: None if svg is None else Markup(svg) for name, svg in drawn.items()}  # noqa: S704  drawn by plots


def _accuracies(found: Sequence[Comparison]) -> str:
    means: dict[str, Mean] = {}
    for one in found:
        means.setdefault(one.before, one.accuracy.before)
        means.setdefault(one.after, one.accuracy.after)
    drawn = [plots.Share(name=name, value=one.value, low=one.low, high=one.high) for name, one in means.items()]
    told = "; ".join(f"{one.name}: {percent(one.value)} ({within(one.low, one.high)})" for one in drawn)
    return plots.shares(plots.Plot(name="runs", alt=f"Accuracy with its interval. {told}"), drawn)
