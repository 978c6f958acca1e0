"""Selection policies as a person reads them: what one has learned, and what several would have earned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from agentfly.cli.text import count, one_line
from agentfly.cli.views import sparks, tables
from agentfly.cli.views.console import text
from agentfly.cli.views.memory import Pair, size

if TYPE_CHECKING:
    from agentfly.memory.selection.compare import Comparison, Difference, PolicyValue
    from agentfly.memory.selection.report import PolicyReport

CLEAR = 1.96
"""Standard errors from which on a difference is called clear: 95 % of such intervals hold the truth."""


def report(screen: Console, found: PolicyReport, why: str) -> None:
    """What a policy has learned, and from what.

    Args:
        screen: where to draw.
        found: the report.
        why: the layer of the settings that named the policy.
    """
    name = Text(found.name, style="bold magenta").append(f"  ({why})", style="not bold dim")
    pairs: list[Pair] = [("policy", name), ("learned", _learned(found)), ("saved", _saved(found))]
    pairs += [(one_line(key).replace("_", " "), _figure(value)) for key, value in found.learned.items()]
    pairs += [("record", _record(found)), ("reward", _reward(screen, found)), ("chance", _chance(found))]
    tables.card(screen, pairs)
    if not found.judged:
        screen.print(text("nothing to learn from yet: run tasks with feedback, and cases are credited", "dim"))
    elif not found.learns:
        screen.print(text("to have one that learns: policy: episodic (or neural) in the home's config.yaml", "dim"))


def _learned(found: PolicyReport) -> str:
    if not found.learns:
        return "learns nothing: the most similar cases are shown"
    waiting = f", {found.unread:,} more will be read at the next recall" if found.unread else ""
    return f"from {count(found.episodes, 'judged run')}{waiting}"


def _saved(found: PolicyReport) -> str | None:
    if not found.learns:
        return None
    if not found.version:
        return "not yet"
    return f"version {found.version}, {tables.when(found.saved_at)}, {size(found.saved_bytes)}"


def _record(found: PolicyReport) -> str:
    return f"{count(found.recalls, 'recall')}, {found.judged:,} judged, {found.explored:,} of these with choices left to chance"


def _reward(screen: Console, found: PolicyReport) -> Text | None:
    if found.mean_reward is None:
        return None
    return sparks.bar(screen, found.mean_reward).append(f" {found.mean_reward:.2f}, mean of the judged runs", "default")


def _chance(found: PolicyReport) -> str | None:
    if found.mean_propensity is None or not found.explored:
        return None
    return f"the choices made had a mean probability of {found.mean_propensity:.2f}"


def _figure(value: float | int | str) -> str:
    if isinstance(value, str):
        return one_line(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


# Several


def comparison(screen: Console, found: Comparison) -> None:
    """What each policy would have earned, and which differences are clear."""
    left_out = f", {found.fixed:,} left nothing to chance" if found.fixed else ""
    left_out += f", {found.unusable:,} cannot be replayed" if found.unusable else ""
    screen.print(Text(f"{count(found.judged, 'judged run')}, {found.runs:,} compared{left_out}", style="dim"))
    columns = (
        tables.Column("policy"), tables.Column("mean reward", right=True), tables.Column("", 80),
        tables.Column("runs behind it", 60, right=True), tables.Column("without a model", 100, right=True),
    )  # fmt: skip
    record = ("the record", _value(found.mean, found.error), _bar(screen, found.mean), f"{found.runs:,}", "")
    rows = [_row(screen, one) for one in found.policies if one.value is not None]
    if found.mean is not None:
        tables.draw(screen, columns, [record, *rows])
    for one in found.policies:
        if one.value is None:
            line = Text(f"{one.policy}  ", style="bold").append(one_line(one.reason), style="not bold yellow")
            screen.print(line)
    if any(one.clipped for one in found.policies):
        screen.print(Text("* some runs counted for too much and were cut down", style="dim"))
    _differences(screen, found.differences)


def _row(screen: Console, one: PolicyValue) -> tuple[Text | str, ...]:
    clipped = "*" if one.clipped else ""
    weighted = "-" if one.weighted is None else f"{one.weighted:.3f}"
    return one.policy, _value(one.value, one.error), _bar(screen, one.value), f"{one.overlap:,.0f}{clipped}", weighted


def _value(value: float | None, error: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" + ("" if error is None else f" ± {error:.3f}")


def _bar(screen: Console, value: float | None) -> Text:
    return sparks.bar(screen, value or 0.0, 20, "magenta")


def _differences(screen: Console, found: Sequence[Difference]) -> None:
    """The clear ones, one a line, and the others together."""
    unclear = []
    for one in found:
        better, worse = ("the record" if name == "record" else name for name in (one.better, one.worse))
        if one.value > CLEAR * one.error:
            screen.print(Text(f"{better} earns more than {worse}: {one.value:.3f} ± {one.error:.3f}", style="green"))
        else:
            unclear.append(f"{better} and {worse}")
    if unclear:
        screen.print(Text(f"not to be told apart: {', '.join(unclear)}", style="dim"))
