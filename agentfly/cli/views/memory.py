"""What a case bank holds, as a person reads it: counts, one case in full, what pruning and importing did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.text import Text

from agentfly.cli.text import count, one_line, plain, shorten
from agentfly.cli.views import blocks, sparks, tables
from agentfly.cli.views.console import given_width, text
from agentfly.types import Case, Recalled

if TYPE_CHECKING:
    from agentfly.memory.exchange import ImportReport
    from agentfly.memory.health import Health
    from agentfly.memory.retention import Pruned, Pruning
    from agentfly.memory.stats import BankStats
    from agentfly.memory.status import CaseEvent

MOST_ROWS = 30
"""Rows of a table of cases; `--json` lists all."""
MOST_NAMES = 8

Pair = tuple[str, RenderableType | str | None]


# Counts


def stats(screen: Console, found: BankStats) -> None:
    """What the bank holds, with the last month and the last quarter as sparklines."""
    active = found.by_status.get("active", 0)
    others = "".join(f", {number:,} {status}" for status, number in found.by_status.items() if status != "active")
    judged = f", {found.judged:,} judged, mean reward {found.mean_reward:.2f}" if found.mean_reward is not None else ""
    solved = sparks.bar(screen, found.successes / active) if active else Text()
    merged = f"{found.seen:,} cases, near-identical ones merged" if found.seen > active else None
    pairs: list[Pair] = [
        ("cases", f"{active:,} active{others}"),
        ("solved", solved.append(_share(found.successes, active), style="default") if active else None),
        ("stand for", merged),
        ("new", _days(screen, found)),
        ("shown", f"{count(found.shown, 'time')}{judged}"),
        ("earned", _weeks(screen, found)),
        ("domains", _names(found.by_domain)),
        ("tags", _names(found.by_tag)),
        ("embedder", found.embedder),
        ("index", _index(found)),
        ("on disk", f"database {size(found.database_bytes)}, index {size(found.index_bytes)}"),
    ]
    tables.card(screen, pairs)
    if found.most_shown:
        screen.print(Text("\nshown most", style="bold"))
        _most_shown(screen, found.most_shown)


def _share(part: int, whole: int) -> str:
    return f" {part:,} of {whole:,} ({100 * part / whole:.0f} %)"


def _days(screen: Console, found: BankStats) -> Text | None:
    days = found.per_day
    if not sum(days):
        return None
    return sparks.spark(screen, days).append(
        f"  {sum(days):,} in {len(days)} days, {days[-1]:,} in the last 24 h", style="default"
    )


def _weeks(screen: Console, found: BankStats) -> Text | None:
    means = [week.mean_reward for week in found.per_week]
    known = [mean for mean in means if mean is not None]
    if not known:
        return None
    said = f"  mean reward by week, {len(means)} weeks, last {known[-1]:.2f}"
    return sparks.spark(screen, means, high=1.0).append(said, style="default")


def _names(counts: Mapping[str, int]) -> str:
    """The most frequent names with their counts."""
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    said = [f"{shorten(name, 24)} {number:,}" for name, number in ranked[:MOST_NAMES]]
    return ", ".join(said) + (f", and {len(ranked) - MOST_NAMES} more" if len(ranked) > MOST_NAMES else "")


def _index(found: BankStats) -> str:
    state = found.index
    if not state.count and not state.problem:
        return "not needed yet: all cases are searched exactly"
    behind = f", {count(state.behind, 'change')} behind" if state.behind else ""
    return count(state.count, "case") + behind + (f" ({one_line(state.problem)})" if state.problem else "")


def size(number: float) -> str:
    """A size in bytes for people: ``0 B``, ``1.4 MiB``."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} GiB"


def _most_shown(screen: Console, cases: Sequence[Case]) -> None:
    columns = (
        tables.Column("case"), tables.Column("shown", right=True), tables.Column("mean reward", 60, right=True),
        tables.Column("question", flexible=True),
    )  # fmt: skip
    rows = [
        (case.id, f"{case.shown:,}", f"{case.helped / case.shown:.2f}", tables.short(case.question, 200))
        for case in cases
    ]
    tables.draw(screen, columns, rows)


# Cases


def found(screen: Console, items: Sequence[Recalled]) -> None:
    """Search results; one that is no neighbour was found by its text."""
    columns = (
        tables.Column("similarity", right=True), tables.Column(""), tables.Column("case"),
        tables.Column("question", flexible=True), tables.Column("answer", 90),
    )  # fmt: skip
    rows = [
        (f"{item.similarity:.2f}" if item.similarity else "text", blocks.outcome(item.case.reward), item.case.id,
         tables.short(item.case.question, 200), tables.short(item.case.answer, 24))
        for item in items
    ]  # fmt: skip
    tables.draw(screen, columns, rows)


def case(screen: Console, item: Case, events: Sequence[CaseEvent]) -> None:
    """One case in full, where it comes from and what happened to it."""
    source = item.provenance
    came = [f"run {source.run}" if source.run else source.source, source.model, source.strategy]
    gone = next((event.other for event in reversed(events) if event.other), None)
    status = item.status + (f" by {gone}" if item.status == "superseded" and gone else "")
    mean = f", mean reward {item.helped / item.shown:.2f}" if item.shown else ""
    tables.card(
        screen,
        [
            ("case", item.id),
            ("question", item.question),
            ("answer", item.answer),
            ("reward", blocks.outcome(item.reward).append(f" {item.reward:.2f}")),
            ("lesson", item.lesson),
            ("status", text(status, "yellow") if item.status != "active" else None),
            ("domain", item.domain),
            ("tags", ", ".join(item.tags)),
            ("task", item.task_id),
            ("shown", count(item.shown, "time") + mean),
            ("stands for", f"{item.seen:,} near-identical cases" if item.seen > 1 else None),
            ("made", tables.when(item.created)),
            ("from", " · ".join(filter(None, came))),
            ("judged by", source.feedback),
            ("tools", ", ".join(source.tools)),
            ("untrusted", "yes: content from outside was read on the way" if source.untrusted else None),
        ],
    )
    if item.solution.strip():
        screen.print(_plan(item.solution) or blocks.code(item.solution, "solution"))
    if events:
        screen.print(Text("history", style="bold"))
        tables.card(screen, [(tables.when(event.created), event_line(event)) for event in events])


def event_line(event: CaseEvent) -> Text:
    """One event in words."""
    line = Text(plain(event.action), style="bold")
    line.append(f" by {one_line(event.other)}" if event.other else "", style="not bold")
    parts = [event.reason, f"run {event.run}" if event.run else ""]
    said = " · ".join(one_line(part) for part in parts if part)
    return line.append(f"  {said}" if said else "", style="not bold dim")


def _plan(solution: str) -> RenderableType | None:
    """A planner's list of subtasks, one a line; None where the solution is none."""
    if not solution.lstrip().startswith("{"):
        return None
    try:
        steps = json.loads(solution)["plan"]
        lines = [f"{number}. {one_line(str(step['description']))}" for number, step in enumerate(steps, 1)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return Panel(Text("\n".join(lines)), title="plan", title_align="left", border_style="bright_black", padding=(0, 1))


# What was done


def pruned(screen: Console, done: Pruning) -> None:
    """What goes and why, and what stays."""
    if not done.goes:
        screen.print(f"nothing to set aside: {count(done.before, 'active case')}, capacity {done.capacity:,}")
        return
    columns = (
        tables.Column("worth", right=True), tables.Column("kind", 60, right=True), tables.Column("case"),
        tables.Column("question, and why it goes", flexible=True),
    )  # fmt: skip
    rows = [(f"{one.worth:.2f}", f"{one.kind:,}", one.id, _why(screen, one)) for one in done.goes[:MOST_ROWS]]
    tables.draw(screen, columns, rows)
    if len(done.goes) > MOST_ROWS:
        screen.print(text(f"and {len(done.goes) - MOST_ROWS:,} more; --json lists all", "dim"))
    verb = "would be set aside" if done.dry_run else "set aside"
    kinds = f" of {count(done.kinds, 'kind')} of tasks" if done.kinds else ""
    screen.print(f"{count(len(done.goes), 'case')} {verb}, {done.after:,} of {done.before:,} stay active{kinds}")
    if done.held:
        screen.print(
            text(f"{done.held:,} more than {done.capacity:,} stay: each is the last of its kind", "yellow")
        )  # fmt: skip
    if not done.dry_run:
        screen.print(text("nothing is deleted: agentfly memory restore ID brings a case back", "dim"))


def _why(screen: Console, one: Pruned) -> Text:
    """Question and reason, below each other where the room is limited."""
    narrow = screen.is_terminal or given_width() is not None
    reason = one_line(one.reason).removeprefix("over capacity: ")
    return Text(shorten(one.question, 200)).append(f"{chr(10) if narrow else '  '}{reason}", style="dim")


def imported(screen: Console, report: ImportReport, quarantined: bool) -> None:
    """What came of a file."""
    formats = ", ".join(f"{number:,} {name}" for name, number in report.formats.items())
    line = Text(f"{count(report.new, 'new case')}", style="bold green" if report.new else "bold")
    line.append(" in quarantine" if quarantined and report.new else "", style="yellow")
    line.append(f", {report.known:,} already there", style="not bold default")
    if report.bad:
        line.append(f", {count(report.bad, 'bad line')}", style="not bold red")
    line.append(f"  ({count(report.lines, 'line')}: {formats})", style="not bold dim")
    screen.print(line)


def health(screen: Console, found: Health) -> None:
    """What a check found, and what to do about it."""
    if found.ok:
        screen.print(Text("ok", style="green").append(f"  {count(found.cases, 'case')}, {_sound(found)}", "default"))
        return
    for problem in found.problems:
        screen.print(Text("bad  ", style="bold red").append(plain(problem), style="not bold default"))
    if found.index.problem:
        screen.print(Text("bad  ", style="bold red").append(f"index: {plain(found.index.problem)}", "not bold default"))
    for hint in _hints(found):
        screen.print(Text(f"→ {hint}", style="cyan"))


def _hints(found: Health) -> Iterator[str]:
    """What to do about the problems of a check."""
    rest = [problem for problem in found.problems if "rebuild" not in problem]
    if found.index.problem or len(rest) < len(found.problems):
        yield "agentfly memory rebuild embeds anew and builds the index from the cases"
    if any(problem.startswith("database:") for problem in rest):
        yield "agentfly memory export FILE --all saves what can be read; then restore agentfly.db from a backup"
    elif rest:
        yield "a rebuild does not mend the rest: restore agentfly.db from a backup if it matters"


def _sound(found: Health) -> str:
    state = found.index
    if not state.count:
        return "no index needed yet"
    return f"index of {state.count:,}" + (f", {count(state.behind, 'change')} behind" if state.behind else "")
