"""Pieces that several views draw: code, observations, steps, recalled cases, what was learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from agentfly.cli.text import clip_lines, count, money, plain, seconds, shorten
from agentfly.cli.views.console import text
from agentfly.types import Attempt, Bullet, Feedback, Learned, Recalled, RunResult, Step

OBSERVATION_LINES = 14
THOUGHT_LINES = 8


def code(source: str, title: str = "code") -> RenderableType:
    """A panel of Python."""
    body = Syntax(plain(source).strip("\n"), "python", theme="ansi_dark", word_wrap=True, background_color="default")
    return Panel(body, title=title, title_align="left", border_style="bright_black", padding=(0, 1))


def observation(step: Step, most: int = OBSERVATION_LINES) -> RenderableType:
    """What came back from an action; mistakes in red."""
    shown, hidden = clip_lines(step.observation, most)
    body = Text(shown)
    if hidden:
        body.append(f"\n… {count(hidden, 'more line')}", style="dim")
    title, style = ("error", "red") if step.error else ("output", "bright_black")
    return Panel(body, title=title, title_align="left", border_style=style, padding=(0, 1))


def step(record: Step, label: str = "", whole: bool = False) -> Iterator[RenderableType]:
    """One step: a line with its cost, what was thought, done and seen."""
    spent = [seconds(record.usage.seconds + record.seconds)] if record.usage.seconds + record.seconds >= 0.05 else []
    if record.usage.tokens:
        spent.append(count(record.usage.tokens, "token"))
    head = Text(f"{label or 'step'} {record.index + 1}", style="bold cyan")
    head.append("  " + " · ".join(spent), style="dim not bold")
    yield head
    if record.thought.strip():
        shown, hidden = clip_lines(record.thought, 10_000 if whole else THOUGHT_LINES)
        yield Padding(Text(shown + (f"\n… {count(hidden, 'more line')}" if hidden else "")), (0, 2))
    if record.action.strip():
        yield code(record.action)
    if record.observation.strip():
        yield observation(record, 10_000 if whole else OBSERVATION_LINES)


def recalled(cases: Sequence[Recalled], width: int) -> RenderableType:
    """Recalled cases, one line each: similarity, outcome, id, question."""
    grid = Table.grid(padding=(0, 1))
    for column in ("similarity", "outcome", "id"):
        grid.add_column(column, no_wrap=True)
    grid.add_column("question", overflow="ellipsis", no_wrap=True)
    for item in cases:
        grid.add_row(
            Text(f"  {item.similarity:.2f}", style="cyan"),
            outcome(item.case.reward),
            text(item.case.id, "dim"),
            Text(shorten(item.case.question, width)),
        )
    return grid


def outcome(reward: float | None) -> Text:
    """A mark for a reward: solved, not solved, not judged."""
    if reward is None:
        return Text("·", style="dim")
    return Text("✓", style="green") if reward >= 0.5 else Text("✗", style="red")


def origins(attempt: Attempt) -> RenderableType:
    """Where content that an attempt read came from."""
    line = Text("read from ", style="dim").append(plain(", ".join(attempt.origins)), style="default")
    if attempt.untrusted:
        line.append("  content from outside: what it teaches waits for a trusted verdict", style="yellow")
    return line


def feedback(given: Feedback | None) -> RenderableType:
    """The judgement on an attempt."""
    if given is None:
        return Text("feedback  none: nothing to judge the answer by", style="dim")
    line = Text("feedback  ", style="dim")
    line.append_text(outcome(given.reward))
    line.append(f" reward {given.reward:.2f}", style="green" if given.success else "red")
    line.append(f"  from {given.source}", style="dim")
    if given.text.strip():
        line.append("  " + shorten(given.text, 400), style="default")
    return line


def changes(lines: Sequence[str]) -> RenderableType:
    """The operations of a delta."""
    body = Text()
    for number, change in enumerate(lines):
        body.append("\n" * bool(number) + "  + " + shorten(change, 400), style="green")
    return body


def learned(record: Learned) -> RenderableType:
    """What a run or a teaching changed in the home."""
    parts = []
    if record.delta is not None and record.accepted is not False:
        parts.append(f"playbook version {record.delta}")
    if record.cases:
        parts.append(f"{'case' if len(record.cases) == 1 else 'cases'} {', '.join(plain(c) for c in record.cases)}")
    line = Text("learned   ", style="dim")
    line.append(" · ".join(parts) or "nothing", style="bold magenta" if parts else "dim")
    if record.accepted is False:
        line.append(f"  (playbook change dropped: {shorten(record.reason, 200)})", style="yellow")
    return line


def bullets(items: Sequence[Bullet]) -> RenderableType:
    """Playbook bullets with their counts."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column()
    for item in items:
        counts = Text(f"+{item.helpful}", style="green").append(f" -{item.harmful}", style="red")
        grid.add_row(text(f"  {item.id}", "dim"), counts, Text(plain(item.text)))
    return grid


def totals(result: RunResult) -> RenderableType:
    """The table at the end of a run."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    usage = result.usage
    columns = {
        "steps": str(result.steps),
        "tokens": f"{usage.prompt_tokens:,} in · {usage.completion_tokens:,} out",
        "seconds": f"{usage.seconds:.1f}",
        "cost": money(usage.cost_usd),
        "reward": "-" if result.reward is None else f"{result.reward:.2f}",
    }
    for name in columns:
        table.add_column(name, no_wrap=True)
    table.add_row(*columns.values())
    return Group(table, text(f"run {result.run_id}", "dim"))
