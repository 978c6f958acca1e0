"""What a report says in plain words; every view of it says the same."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from agentfly.learning.report import UNFINISHED, Report
from agentfly.learning.tallies import Comparison, Score


def percent(share: float, digits: int = 1) -> str:
    """``78.0 %``."""
    return f"{100 * share:.{digits}f} %"


def within(low: float, high: float) -> str:
    """An interval of shares: ``69 to 85 %``."""
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def points(share: float, digits: int = 1) -> str:
    """A difference of shares in percentage points, with its sign: ``+11.0``."""
    value = f"{100 * share:+.{digits}f}"
    return value.replace("-", "−") if float(value) else value.lstrip("+-")


def p_value(p: float, name: str = "") -> str:
    """``< 0.001``, ``0.021``, or with a name ``p < 0.001``, ``p = 0.021``."""
    told = "< 0.001" if p < 0.001 else f"{p:.3f}"
    if not name:
        return told
    return f"{name} {told}" if told.startswith("<") else f"{name} = {told}"


def right(score: Score) -> str:
    """``78 of 100``."""
    return f"{score.correct:,} of {score.total:,}"


def phase(name: str) -> str:
    """A phase as a person would name it."""
    first, _, shown = name.partition(":")
    if shown:
        return "nothing shown" if shown == "nothing" else f"only {shown.replace('+', ' + ')}"
    return {"base": "base", "learn": "learning", "validate": "validation", "test": "learned"}.get(first, name)


def change(found: Comparison) -> str:
    """The difference with its interval: ``+11.0 points (95 %: +4 to +18)``."""
    return f"{points(found.difference)} points (95 %: {points(found.low, 0)} to {points(found.high, 0)})"


def headline(report: Report) -> str:
    """What came of it, in a sentence or two."""
    found = report.comparison
    if found is None:
        return _without_test(report)
    more = "" if report.finished else " so far"
    told = f"On the {_many(found.tasks, 'task')} that it was tried on{more} and never learned from, accuracy went from "
    told += f"{percent(found.before.accuracy)} to {percent(found.after.accuracy)}, by {change(found)}"
    flips = f"{len(found.gained)} gained, {len(found.lost)} lost"
    return f"{told}; {flips}; {p_value(found.p, 'p')} by McNemar's exact test. {verdict(found)}"


def verdict(found: Comparison) -> str:
    """What the interval allows to be claimed."""
    if found.low > 0:
        return "The agent is better than before it learned."
    if found.high < 0:
        return "The agent is worse than before it learned."
    return "The interval holds zero: that the agent is better or worse is not shown."


def _without_test(report: Report) -> str:
    if not report.learned:
        return "Nothing has been learned from yet."
    first = [block for block in report.blocks if block.epoch == 1]
    done = first[-1].running
    told = f"{right(done)} first answers were right, before each task was learned from: {percent(done.accuracy)} "
    return told + f"(95 %: {within(done.low, done.high)}). There were no test tasks to compare before and after."


def ending(report: Report) -> str:
    """Why it ended."""
    return {
        "done": "it went through all samples",
        "early": "no validation was better any more",
        "budget": "its budget was used up",
        UNFINISHED: "it has not ended: the same command goes on with it",
    }.get(report.reason, report.reason)


def kept(report: Report) -> str:
    """Which version the home holds."""
    if report.kept is None:
        return "decided when learning ends"
    if report.kept == report.learned:
        return f"the last one, after {_samples(report.kept)}"
    if report.kept == 0:
        return "the home as it was before: no version that was validated did better"
    return f"the one after {report.kept:,} of {_samples(report.learned)}: none that came later did better"


def learned(report: Report) -> str:
    """What learning left, and what it cost per sample."""
    found = report.learning
    told = (
        f"{_samples(found.samples)} left {_many(found.cases, 'case')}; {_many(found.kept, 'change')} of the playbook "
    )
    told += f"{'was' if found.kept == 1 else 'were'} kept and {found.dropped:,} dropped."
    if found.solved_by_further_attempts:
        told += f" {_samples(found.solved_by_further_attempts)} got a wrong first answer and a right one in a further attempt."
    if found.repaired:
        told += f" In {_samples(found.repaired)} one small edit put a wrong answer right."
    each = f"{found.tokens_per_sample:,.0f} tokens and {found.calls_per_sample:.1f} calls"
    more = f" ({found.tokens_per_sample_validated:,.0f} tokens with the validations)" if report.validations else ""
    return f"{told} Learning took {each} per sample{more}."


def facts(report: Report) -> Iterator[tuple[str, str]]:
    """What was asked for and how it went, as names and values."""
    plan, tasks = report.plan, report.tasks
    yield "course", f"{report.id}, {report.mode}"
    yield "model", f"{report.model}, strategy {report.strategy}"
    yield (
        "tasks",
        f"{tasks.get('learn', 0):,} to learn from, {tasks.get('validate', 0):,} to validate on, {tasks.get('test', 0):,} to test on",
    )
    yield "plan", ", ".join(_plan(plan)) + f", seed {report.seed}"
    yield "settings", ", ".join(f"{name}: {_value(value)}" for name, value in report.settings.items())
    until = when(report.finished) if report.finished else "…"
    took = f"; learning took {duration(report.seconds)}" if report.seconds else ""
    yield "time", f"{when(report.started)} to {until}{took}"
    yield "ended", ending(report)
    yield "kept", kept(report)


def when(moment: float) -> str:
    """A moment in universal time, the same wherever it is read."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))


def duration(seconds: float) -> str:
    """``42 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _plan(plan: Mapping[str, Any]) -> Iterator[str]:
    yield _many(int(plan.get("epochs", 1)), "epoch")
    yield f"windows of {plan.get('window', 1)}"
    yield f"{plan.get('concurrency', 1)} at once"
    yield f"order {plan.get('order', 'given')}"
    if plan.get("every"):
        yield f"validated every {_samples(plan['every'])}"
    if plan.get("patience"):
        yield f"patience {plan['patience']}"
    for name, value in (plan.get("budget") or {}).items():
        if value is not None:
            yield f"at most {value:,} {'USD' if name == 'cost_usd' else name}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)


def verdicts(score: Score) -> str:
    """How samples ended other than right or wrong; empty where none did."""
    words = {
        "limit": "hit a limit",
        "error": "ended in an error",
        "no_answer": "gave no answer",
        "unjudged": "judged by nobody",
    }
    return ", ".join(f"{score.verdicts[name]:,} {words[name]}" for name in words if score.verdicts.get(name))


def _samples(number: int) -> str:
    return _many(number, "sample")


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
