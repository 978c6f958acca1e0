"""Plots to be set into a page: drawn by matplotlib, coloured by the page's style sheet, so that they follow light and dark.

Each function takes plain figures and words, and gives SVG. Text that is not ours goes in as it is and comes out as text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import TYPE_CHECKING

from agentfly.errors import ConfigError
from agentfly.pages.svg import FAINT, INK, SERIES, STYLE, fitted
from agentfly.pages.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH = 5.2
"""Inches: a phone is about as wide as this, so that the letters stay readable there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What a plot is called, and what it says to who does not see it.

    Args:
        name: an identifier, different from that of every other plot of the page.
        alt: its content in a sentence or two.
    """

    name: str
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line with its interval.

    Args:
        name: for the legend.
        x: where.
        y: shares in [0, 1], like the following.
        low: lower end of each interval.
        high: upper end.
        line: whether the points are joined and the interval is a band; otherwise each point has a bar.
        ringed: position of a point to be marked, and what that means.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    line: bool = True
    ringed: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with its interval."""

    name: str
    value: float
    low: float
    high: float


def joined(parts: Sequence[Curve]) -> Curve:
    """Curves as one that is interrupted between them."""

    def gapped(values: Sequence[Sequence[float]]) -> list[float]:
        return [value for part in values for value in (*part, math.nan)][:-1]

    return replace(
        parts[0],
        x=gapped([part.x for part in parts]),
        y=gapped([part.y for part in parts]),
        low=gapped([part.low for part in parts]),
        high=gapped([part.high for part in parts]),
    )


def curves(plot: Plot, found: Sequence[Curve], xlabel: str, breaks: Sequence[float] = ()) -> str:
    """Accuracy against something.

    Args:
        plot: its name and text.
        found: at most three lines.
        xlabel: what x is.
        breaks: where to draw a vertical line, such as between epochs.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for curve, colour in zip(found, SERIES, strict=False):
            _curve(axes, curve, colour)
        for place in breaks:
            axes.axvline(place, color=FAINT, linewidth=0.8, linestyle=":")
        axes.set_xlabel(xlabel)
        axes.set_ylabel("accuracy, %")
        axes.grid(axis="y")
        axes.set_ylim(0, 100)
        _whole(axes.xaxis)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=1, borderaxespad=0)

    return as_svg(plot, draw, height=3.1 + 0.2 * sum(1 + bool(one.ringed) for one in found))


def _curve(axes: Axes, curve: Curve, colour: str) -> None:
    y, low, high = ([100 * value for value in values] for values in (curve.y, curve.low, curve.high))
    if curve.line:
        axes.plot(curve.x, y, color=colour, marker="o", label=short(curve.name))
        axes.fill_between(curve.x, low, high, color=colour, alpha=0.16, linewidth=0)
    else:
        down, up = ([abs(end - value) for end, value in zip(ends, y, strict=True)] for ends in (low, high))
        axes.errorbar(
            curve.x, y, yerr=(down, up), color=colour, fmt="s", markersize=3.5, elinewidth=0.8, alpha=0.7, label=short(curve.name)
        )  # fmt: skip
    if curve.ringed is not None:
        at, why = curve.ringed
        axes.plot(
            [curve.x[at]], [y[at]], "o", markersize=11, markerfacecolor="none", markeredgecolor=INK, label=short(why), linestyle=""
        )  # fmt: skip


def shares(plot: Plot, found: Sequence[Share], xlabel: str = "accuracy, %") -> str:
    """Shares with their intervals, one a line, the first at the top and marked as what the others are compared with."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for number, share in enumerate(found):
            colour = SERIES[1] if number == 0 else SERIES[0]
            value, ends = 100 * share.value, ([100 * (share.value - share.low)], [100 * (share.high - share.value)])
            axes.errorbar([value], [number], xerr=ends, fmt="o", color=colour, elinewidth=2, capsize=3, markersize=6)
            axes.annotate(
                f"{value:.1f}", (value, number), textcoords="offset points", xytext=(0, 7), ha="center", fontsize=9
            )  # fmt: skip
        if found:
            axes.axvline(100 * found[0].value, color=SERIES[1], linewidth=0.8, linestyle=":")
        axes.set_yticks(range(len(found)), [_label(share.name) for share in found])
        axes.set_ylim(len(found) - 0.4, -0.7)
        axes.set_xlim(0, 100)
        axes.set_xlabel(xlabel)
        axes.grid(axis="x")

    return as_svg(plot, draw, height=0.9 + 0.42 * max(1, len(found)))


def bars(plot: Plot, title: str, names: Sequence[str], values: Sequence[float]) -> str:
    """Horizontal bars with their values, the first at the top."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.barh(range(len(values)), values, color=SERIES[0], height=0.6)
        for number, value in enumerate(values):
            told = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
            axes.annotate(told, (value, number), textcoords="offset points", xytext=(4, 0), va="center", fontsize=9)
        axes.set_yticks(range(len(values)), [_label(name) for name in names])
        axes.invert_yaxis()
        axes.margins(x=0.16)
        axes.set_title(short(title))

    return as_svg(plot, draw, height=0.75 + 0.33 * len(values))


def lines(plot: Plot, x: Sequence[float], panels: Mapping[str, Mapping[str, Sequence[float]]], xlabel: str) -> str:
    """Counts that stay until they change, in panels below each other, each with a scale of its own.

    Args:
        plot: its name and text.
        x: where, in all panels.
        panels: by title, the lines by name, at most three in each.
        xlabel: what x is.
    """

    def draw(figure: Figure) -> None:
        stacked = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (title, drawn) in zip(stacked, panels.items(), strict=True):
            for (name, values), colour, dash in zip(drawn.items(), SERIES, ("-", "--", ":"), strict=False):
                axes.step(x, values, where="post", color=colour, linestyle=dash, label=short(name))
            axes.set_title(short(title))
            axes.grid(axis="y")
            axes.set_ylim(bottom=0)
            _whole(axes.xaxis, axes.yaxis)
            if len(drawn) > 1:
                axes.legend(loc="upper left")
        stacked[-1].set_xlabel(xlabel)

    return as_svg(plot, draw, height=0.5 + 1.5 * len(panels))


def _whole(*found: Axis) -> None:
    """No half samples."""
    from matplotlib.ticker import MaxNLocator

    for axis in found:
        axis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def short(name: str, most: int = 48) -> str:
    """A name on one line, as plots have it."""
    return shorten(name, most)


def _label(name: str) -> str:
    """A name beside a row, on two lines at most."""
    return "\n".join(wrap(short(name), 20)[:2])


def as_svg(plot: Plot, draw: Callable[[Figure], None], height: float) -> str:
    """Draw a figure and make it fit to stand in a page.

    Args:
        plot: its name and text.
        draw: draws on an empty figure.
        height: inches.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(f"plots need matplotlib ({error}): pip install 'agentfly-framework[report]'") from None
    with rc_context({**STYLE, "svg.hashsalt": plot.name}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        return fitted(figure, plot.name, plot.alt)
