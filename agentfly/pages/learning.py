"""The page on a course of learning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentfly.learning import words
from agentfly.learning.report import Report
from agentfly.learning.tallies import VERDICTS, Score
from agentfly.pages import plots
from agentfly.pages.frame import page

if TYPE_CHECKING:
    from markupsafe import Markup


def learning_page(report: Report) -> str:
    """A self-contained HTML page.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    compared = [*([report.comparison] if report.comparison else []), *report.ablations]
    flips = [flip for found in compared for flip in (*found.lost, *found.gained)]
    present = {sample.verdict for sample in report.samples}
    return page(
        "learning.html",
        f"Learning over a dataset: {report.id}",
        report=report,
        words=words,
        compared=compared,
        asked=any(flip.question for flip in flips),
        cards=list(_cards(report)),
        facts=list(words.facts(report)),
        levels=_levels(report),
        learned=words.learned(report),
        curve_note=_curve_note(report),
        names=[phase.name for phase in report.phases],
        verdicts=[verdict for verdict in VERDICTS if verdict in present],
        plots=_plots(report),
    )


def _cards(report: Report) -> Iterator[tuple[str, str, str]]:
    found = report.comparison
    if found:
        yield "base", words.percent(found.before.accuracy), words.right(found.before)
        yield "learned", words.percent(found.after.accuracy), words.right(found.after)
        between = f"points, 95 %: {words.points(found.low, 0)} to {words.points(found.high, 0)}"
        yield "difference", words.points(found.difference), between
        yield "lost", f"{len(found.lost)}", f"and {len(found.gained)} gained"
    elif report.base.total:
        yield "base", words.percent(report.base.accuracy), words.right(report.base)
    yield "samples learned from", f"{report.learned:,}", ""
    if report.learned:
        yield "tokens per learned sample", f"{report.learning.tokens_per_sample:,.0f}", ""


def _levels(report: Report) -> list[tuple[str, Score, Score]]:
    """Levels that both versions have answered tasks of."""
    found = {phase.name: {one.level: one.score for one in phase.levels} for phase in report.phases}
    before, after = found.get("base", {}), found.get("test", {})
    return [(level, before[level], after[level]) for level in before if level in after]


def _curve_note(report: Report) -> str:
    if not report.blocks:
        return ""
    told = " First answers while learning: squares are blocks of samples, the line is all of an epoch so far."
    again = " Dotted lines stand between epochs: after the first, the agent has learned from each task before."
    return told + (again if report.blocks[-1].epoch > 1 else "")


def _plots(report: Report) -> dict[str, Markup | None]:
    from markupsafe import Markup

    drawn = {
        "shares": _shares(report) if report.base.total else None,
        "curve": _curve(report) if report.blocks or report.validations else None,
        "tokens": _cost(report, "tokens") if report.phases else None,
        "seconds": _cost(report, "seconds") if report.phases else None,
        "growth": _growth(report) if report.growth else None,
    }
    return {name: None if svg is None else Markup(svg) for name, svg in drawn.items()}  # noqa: S704  drawn by plots


def _shares(report: Report) -> str:
    scores = [("base", report.base)]
    scores += [(words.phase(found.phase), found.after) for found in (report.comparison, *report.ablations) if found]
    alt = "Accuracy on the test tasks. " + "; ".join(f"{name}: {_told(score)}" for name, score in scores)
    drawn = [plots.Share(name=name, value=one.accuracy, low=one.low, high=one.high) for name, one in scores]
    return plots.shares(plots.Plot(name="shares", alt=alt), drawn)


def _curve(report: Report) -> str:
    found, alt = list[plots.Curve](), ["Accuracy against samples learned from."]
    if report.validations:
        at = next((number for number, one in enumerate(report.validations) if one.kept), None)
        scores = [one.score for one in report.validations]
        ring = None if at is None else (at, "the version that was kept")
        found.append(_line("validation", [one.samples for one in report.validations], scores, ringed=ring))
        alt.append(f"Validation: from {_told(scores[0])} to {_told(scores[-1])}.")
    if report.blocks:
        epochs = [
            [one for one in report.blocks if one.epoch == epoch] for epoch in sorted({b.epoch for b in report.blocks})
        ]
        so_far = [([float(one.last) for one in group], [one.running for one in group]) for group in epochs]
        found.append(plots.joined([_line("first answers, epoch so far", x, scores) for x, scores in so_far]))
        middle = [(one.first + one.last) / 2 for one in report.blocks]
        found.append(_line("first answers, in blocks", middle, [one.score for one in report.blocks], line=False))
        alt.append(f"While learning: {_told(report.blocks[-1].running)} in the last epoch.")
    starts = {one.epoch: one.first for one in reversed(report.blocks)}
    breaks = [first - 0.5 for epoch, first in starts.items() if epoch != report.blocks[0].epoch]
    return plots.curves(plots.Plot(name="curve", alt=" ".join(alt)), found, "samples learned from", breaks)


def _line(
    name: str,
    x: list[float] | list[int],
    scores: list[Score],
    *,
    line: bool = True,
    ringed: tuple[int, str] | None = None,
) -> plots.Curve:
    return plots.Curve(
        name=name,
        x=x,
        y=[score.accuracy for score in scores],
        low=[score.low for score in scores],
        high=[score.high for score in scores],
        line=line,
        ringed=ringed,
    )


def _cost(report: Report, what: str) -> str:
    """Tokens or seconds, the mean of each part."""
    names = [words.phase(one.name) for one in report.phases]
    values = [one.cost.tokens_mean if what == "tokens" else one.cost.seconds_mean for one in report.phases]
    alt = f"Mean {what} per sample. " + "; ".join(
        f"{name}: {value:,.1f}" for name, value in zip(names, values, strict=True)
    )
    return plots.bars(plots.Plot(name=what, alt=alt), f"{what} per sample, mean", names, values)


def _growth(report: Report) -> str:
    growth, last = report.growth, report.growth[-1]
    x = [one.samples for one in growth]
    alt = f"Growth. After {last.samples} samples: {last.cases} cases, {last.bullets} bullets, {last.checks} checks."
    panels = {
        "cases": {"cases": [one.cases for one in growth]},
        "playbook": {"bullets": [one.bullets for one in growth], "checks": [one.checks for one in growth]},
    }
    return plots.lines(plots.Plot(name="growth", alt=alt), x, panels, "samples learned from")


def _told(score: Score) -> str:
    return f"{words.percent(score.accuracy)} ({words.within(score.low, score.high)})"
