"""Plots of what was paid: cost against accuracy, and how an amount is spread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from agentfly.pages.plots import Plot, as_svg, short
from agentfly.pages.svg import FAINT, INK, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 24
_WIDE_RANGE = 50
"""Largest over smallest value from which on an axis is logarithmic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """An accuracy and what was paid for it."""

    name: str
    x: float
    y: float
    """A share in [0, 1], as the following."""
    low: float
    high: float
    best: bool = False
    """Whether no other one is as accurate for less."""


def scatter(plot: Plot, found: Sequence[Paid], xlabel: str) -> str:
    """Accuracy against what was paid, each with its interval; the first has a colour of its own."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for number, one in enumerate(found):
            colour = SERIES[1] if number == 0 else SERIES[0]
            y, ends = 100 * one.y, ([100 * (one.y - one.low)], [100 * (one.high - one.y)])
            axes.errorbar(
                [one.x],
                [y],
                yerr=ends,
                fmt="o",
                color=colour,
                elinewidth=1.2,
                capsize=3,
                markersize=7,
                label=short(one.name),
            )
            if one.best and len(found) > 1:
                axes.plot([one.x], [y], "o", markersize=13, markerfacecolor="none", markeredgecolor=INK)
            axes.annotate(short(one.name, 24), (one.x, y), textcoords="offset points", xytext=(9, 5), fontsize=9)
        axes.set_ylim(0, 100)
        axes.set_xlim(0, 1.35 * max(one.x for one in found) or 1.0)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(xlabel)
        axes.set_ylabel("accuracy, %")
        axes.grid(axis="y")

    return as_svg(plot, draw, height=3.2)


def histogram(plot: Plot, groups: Mapping[str, Sequence[float]], xlabel: str) -> str:
    """How values are spread, stacked by group, with the median of all of them.

    Args:
        plot: its name and text.
        groups: by name, at most three, not all of them empty.
        xlabel: what is counted.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        values = sorted(value for group in groups.values() for value in group)
        edges = _edges(axes, values)
        drawn = {name: group for name, group in groups.items() if group}
        colours = [SERIES[number] for number, name in enumerate(groups) if name in drawn]
        axes.hist(list(drawn.values()), bins=edges, stacked=True, color=colours, label=[short(name) for name in drawn])
        middle = median(values)
        axes.axvline(middle, color=FAINT, linewidth=1, linestyle="--", label=f"median {middle:,.4g}")
        axes.set_xlabel(xlabel)
        axes.set_ylabel("attempts")
        axes.grid(axis="y")
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2, borderaxespad=0)

    return as_svg(plot, draw, height=3.0)


def _edges(axes: Axes, values: Sequence[float]) -> list[float]:
    """Edges of the bins; logarithmic where the values range widely."""
    low, high = values[0], values[-1]
    bins = min(_BINS, max(4, 2 * math.isqrt(len(values))))
    if low > 0 and high / low > _WIDE_RANGE:
        axes.set_xscale("log")
        return [low * (high / low) ** (number / bins) for number in range(bins + 1)]
    if high <= low:
        low, high = low - 0.5, high + 0.5
    return [low + (high - low) * number / bins for number in range(bins + 1)]
