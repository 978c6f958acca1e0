"""What reports and comparisons of benchmark runs say in words; every view of them says the same."""

from __future__ import annotations

from collections.abc import Mapping

from agentfly.bench.calibration import Calibration, Rounds, Share
from agentfly.bench.comparing import Comparison
from agentfly.bench.estimators import Mean
from agentfly.bench.facts import changed_since
from agentfly.bench.facts import many as many
from agentfly.bench.metrics import Seeds
from agentfly.bench.power import Power
from agentfly.bench.recorded import Recorded
from agentfly.bench.reporting import Report
from agentfly.bench.results import BenchmarkRun
from agentfly.bench.spending import Spending
from agentfly.learning.words import p_value, percent, points, within

VERDICTS: Mapping[str, str] = {
    "correct": "correct", "wrong": "wrong", "limit": "limit", "error": "error", "no_answer": "no answer",
    "unjudged": "unjudged", "not_done": "not done",
}  # fmt: skip
AMOUNTS: Mapping[str, str] = {
    "tokens": "tokens", "prompt_tokens": "of prompts", "cached_tokens": "of them cached", "completion_tokens": "of completions",
    "cost_usd": "US dollars", "seconds": "seconds", "steps": "steps", "model_calls": "model calls", "failed_calls": "of them failed",
}  # fmt: skip
"""Amounts that attempts cost, in the order in which they are told."""


def headline(report: Report) -> str:
    """What came of it, in a sentence or two."""
    run, overall = report.recorded.run, report.metrics.overall
    told = _progress(report.recorded)
    if overall.accuracy is None:
        return f"{told}The dataset withholds the answers of all {many(len(run.tasks), 'task')}: there is no accuracy to tell."
    told += f"{overall.right:,} of {many(overall.attempts, 'attempt')} right"
    if run.attempts > 1:
        told += f" ({many(overall.tasks, 'task')}, {run.attempts} attempts at each)"
    told += f": accuracy {interval(overall.accuracy)}."
    if overall.done < overall.attempts:
        told += " What is not done counts as not right, so this is a lower bound."
    return told


def _progress(found: Recorded) -> str:
    if found.state == "done":
        return ""
    state = "Running" if found.state == "running" else "Not finished"
    return f"{state}, {found.done:,} of {found.planned:,} done. "


def notices(report: Report) -> list[str]:
    """What a person has to know before believing any of it."""
    told = []
    found, metrics = report.recorded, report.metrics
    if found.state == "stopped":
        told.append(f"{found.planned - found.done:,} attempts have no result: the same command goes on with them")
    if metrics.unjudged_tasks and metrics.overall.tasks:
        tasks = (
            f"{many(metrics.unjudged_tasks, 'task')} {'has' if metrics.unjudged_tasks == 1 else 'have'} no known answer"
        )
        told.append(f"{tasks}: in no accuracy, but in the cost")
    if changed_since(found):
        told.append("the source had changes that were not committed: this commit alone does not give these results")
    noted = found.find("about.notes")
    return [*told, *(map(str, noted) if isinstance(noted, list) else ())]


# Numbers


def interval(mean: Mean) -> str:
    """``58.3 % (95 %: 32 to 81 %)``."""
    return f"{percent(mean.value)} (95 %: {within(mean.low, mean.high)})"


def amount(name: str, value: float) -> str:
    """An amount that attempts cost."""
    if name == "cost_usd":
        return f"{value:,.2f}" if value >= 100 else f"{value:.4f}" if value else "0"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}"


def per_right(found: Spending) -> str:
    """Cost for each right answer, and tries that were made again."""
    told = []
    if found.tokens_per_right is not None:
        cost = f" and ${found.cost_per_right:.4f}" if found.cost_per_right else ""
        told.append(f"{found.tokens_per_right:,.0f} tokens{cost} for each right answer, over all attempts")
    if found.retries:
        times = f"{many(found.retries, 'try', 'tries')} ended in an error of a provider"
        told.append(
            f"{times} and {'was' if found.retries == 1 else 'were'} made again, for {many(found.retried, 'attempt')}"
        )
    return "; ".join(told)


def seeds(found: Seeds) -> str:
    """The attempts as runs of their own."""
    each = ", ".join(f"{100 * one:.1f}" for one in found.accuracies[:10])
    more = ", …" if len(found.accuracies) > 10 else ""
    error = "" if found.se is None else f", standard error across attempts {100 * found.se:.1f} points"
    return f"Each attempt as a run of its own: {each}{more} %; mean {percent(found.mean)}{error}."


def rounds(found: Rounds) -> list[str]:
    """What reflection did to answers."""
    return [
        f"In {many(found.attempts, 'attempt')} an answer was given again after reflection: {_share(found.stayed, 'right answers stayed right')}; "
        f"{_share(found.mended, 'wrong answers were mended')}; {found.gain:+d} right answers by it.".replace("-", "−")
    ]


def _share(found: Share, what: str) -> str:
    if found.share is None:
        return f"0 of 0 {what}"
    return (
        f"{found.count:,} of {found.total:,} {what} ({100 * found.share:.0f} %, 95 %: {within(found.low, found.high)})"
    )


def calibration(name: str, found: Calibration) -> str:
    """How far a score that was given without the reference can be trusted."""
    means = [
        f"{mean:.2f} where {how}"
        for mean, how in ((found.when_right, "right"), (found.when_wrong, "not right"))
        if mean is not None
    ]
    auc = "" if found.auc is None else f", AUC {found.auc:.2f} (0.5 is worthless)"
    return f"{name.capitalize()} of {many(found.attempts, 'answer')}: mean {', '.join(means)}; Brier score {found.brier:.3f}{auc}."


# Comparisons


def compared(found: Comparison) -> str:
    """The difference, in a sentence or two."""
    accuracy = found.accuracy
    told = f"On the {many(accuracy.tasks, 'task')} of both, accuracy is {percent(accuracy.before.value)} in {found.before} and "
    told += f"{percent(accuracy.after.value)} in {found.after}: {points(accuracy.value)} points (95 %: {points(accuracy.low)} to {points(accuracy.high)}). "
    if accuracy.low > 0:
        return told + f"{found.after} is better."
    if accuracy.high < 0:
        return told + f"{found.after} is worse."
    return told + "The interval holds zero: that one is better is not shown."


def p_values(found: Comparison, number: int = 1) -> str:
    """The p-values, each with the name of its test.

    Args:
        found: a comparison.
        number: of comparisons that were made together.
    """
    told = []
    if found.mcnemar is not None:
        told.append(f"McNemar's exact test {p_value(found.mcnemar, 'p')}")
    told.append(
        f"permutation test {p_value(found.permutation.p, 'p')}{'' if found.permutation.exact else _draws(found)}"
    )
    if number > 1:
        told.append(f"Holm's for {number} comparisons {p_value(found.p_holm, 'p')}")
    return "; ".join(told)


def _draws(found: Comparison) -> str:
    return f" ({found.permutation.draws:,} draws)"


def flips(found: Comparison) -> str:
    """How many tasks were gained and lost."""
    rate = percent(found.negative_flip_rate)
    return f"{len(found.gained):,} gained, {len(found.lost):,} lost (negative flip rate {rate})"


def power(found: Power) -> str:
    """What so many tasks could show."""
    often = f"{100 * found.power:.0f} times of 100"
    told = []
    if found.detectable is None:
        told.append(
            f"With {many(found.tasks, 'task')}, of which so few differ, no true difference would be seen {often}"
        )
    else:
        least = f"a true difference of {100 * found.detectable:.1f} points or more"
        told.append(f"With {many(found.tasks, 'task')} {least} would be seen {often}")
    if found.needed is not None:
        told.append(f"to see the one above as often, if it is the true one, takes {many(found.needed, 'task')}")
    return "; ".join(told) + "."


def run_name(run: BenchmarkRun, state: str, done: int, planned: int) -> str:
    """A benchmark run and how far it is."""
    more = "" if state == "done" else f", {state}, {done:,} of {planned:,} done"
    return f"{run.name}: {many(len(run.tasks), 'task')}, {many(run.attempts, 'attempt')} at each{more}"
