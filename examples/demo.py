"""The demo: learn from a few tasks of each family, then solve siblings that were never seen, without and with what was learned.

    python examples/demo.py [--home DIR] [--model M] [--families F] [--learn N] [--test N] [--concurrency C]

Every task is real work over real files in `examples/household`; every answer is compared with the one that
`examples/make_suite.py` computed. The answers are never shown to the model that solves the tasks.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

from agentfly import Agent, RunResult, Task, Usage
from agentfly.bench.datasets import load_dataset
from agentfly.errors import InputError, UserError
from agentfly.events import CasesRecalled, Curated, Event, Notice, Retained

SUITE = Path(__file__).parent / "household"
# Two steps an attempt and one exploring attempt: enough to see the effect, little enough for two cores.
SETTINGS = {"limits.steps": 2, "explore": 1}
console = Console(highlight=False)


def main() -> int:
    """Run the demo; exit status 0 when it reached its end."""
    options = arguments()
    began = time.perf_counter()
    try:
        asyncio.run(demo(options))
    except KeyboardInterrupt:
        console.print("[yellow]stopped[/]")
        return 130
    except UserError as error:
        console.print(f"[red]demo:[/] {escape(str(error))}")
        return 2
    console.print(f"[dim]{time.perf_counter() - began:.0f} s in all; what was learned is in {options.home}[/]")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--home", type=Path, help="keep what is learned in this folder (default: a new one)")
    parser.add_argument("--model", default=None, help="default: embedded")
    parser.add_argument(
        "--families", default="takings,stock,deliveries,diary", help="which families; all for every one"
    )
    parser.add_argument("--learn", type=int, default=2, help="tasks of each family to learn from")
    parser.add_argument("--test", type=int, default=2, help="unseen tasks of each family to test on")
    parser.add_argument("--concurrency", type=int, default=4, help="tasks at a time")
    options = parser.parse_args()
    options.home = options.home or Path(tempfile.mkdtemp(prefix="agentfly-demo-")) / "home"
    return options


async def demo(options: argparse.Namespace) -> None:
    """The three passes and the table."""
    families = by_family(load_dataset(SUITE).tasks, options.families)
    learn = rounds(families, "learn", options.learn)
    unseen = [task for batch in rounds(families, "test", options.test) for task in batch]
    model = options.model or "embedded"

    console.rule("[bold]1 · learning")
    console.print(
        f"{sum(map(len, learn))} tasks of {len(families)} families. After a failure the agent samples once more, reflects, "
        "and changes its playbook only if that mends the task.\n"
    )
    with Preparation() as preparation:
        agent = Agent(
            model=model,
            home=options.home,
            settings={**SETTINGS, "recall.k": 2, "recall.floor": 0.5},
            notify=preparation.notice,
        )
        async with agent:
            console.print(f"model [bold]{agent.model_name}[/] ({escape(agent.model_why)})")
            learned = await run_pass(agent, learn, options.concurrency, learning=True)
            print_learned(agent)

            console.rule("[bold]2 · unseen siblings, nothing learned")
            with tempfile.TemporaryDirectory() as empty:
                async with Agent(model=model, home=empty, settings={**SETTINGS, "recall.k": 0}) as novice:
                    before = await run_pass(novice, [unseen], options.concurrency, learning=False)

            console.rule("[bold]3 · the same siblings, with what was learned")
            after = await run_pass(agent, [unseen], options.concurrency, learning=False)
            print_table(families, learned, before, after)


def by_family(tasks: Iterable[Task], wanted: str) -> dict[str, list[Task]]:
    """The tasks of the wanted families (names with commas between, or ``all``)."""
    families: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        families[task.metadata["family"]].append(task)
    names = list(families) if wanted == "all" else [name.strip() for name in wanted.split(",")]
    unknown = [name for name in names if name not in families]
    if unknown:
        raise InputError(f"there is no family {unknown[0]!r}; there are {', '.join(families)}, or all")
    return {name: families[name] for name in names}


def rounds(families: dict[str, list[Task]], part: str, count: int) -> list[list[Task]]:
    """One task of each family in each round, so that a round's lessons are there for the next."""
    chosen = [[task for task in tasks if task.metadata["part"] == part][:count] for tasks in families.values()]
    return [[tasks[i] for tasks in chosen if i < len(tasks)] for i in range(count)]


async def run_pass(
    agent: Agent, batches: list[list[Task]], concurrency: int, *, learning: bool
) -> dict[str, RunResult]:
    """Work through the batches, `concurrency` tasks at a time."""
    slots = asyncio.Semaphore(concurrency)
    results: dict[str, RunResult] = {}

    async def work(task: Task) -> None:
        async with slots:
            story = Story(task)
            results[task.id] = await agent.arun(task, learn=learning, exclude_self=True, on_event=story.add)
            story.show(results[task.id])

    for batch in batches:
        async with asyncio.TaskGroup() as group:
            for task in batch:
                group.create_task(work(task))
    return results


class Story:
    """One line for each task, and what was recalled and learned on the way."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.lines: list[str] = []

    def add(self, event: Event) -> None:
        """Note what a reader of the demo wants to know."""
        if isinstance(event, CasesRecalled) and event.cases:
            seen = ", ".join(f"{recalled.case.id} ({recalled.similarity:.2f})" for recalled in event.cases)
            self.lines.append(
                f"[cyan]recalled[/] {seen}" + (f" and {len(event.bullets)} bullets" if event.bullets else "")
            )
        if isinstance(event, Curated) and event.changes:
            colour, word = ("green", "kept") if event.accepted else ("yellow", "dropped")
            self.lines += [
                f"[{colour}]{word}[/] {escape(line)} [dim]({escape(event.reason)})[/]" for line in event.changes
            ]
        if isinstance(event, Retained):
            self.lines.append(f"[green]remembered[/] {', '.join(event.cases)}")

    def show(self, result: RunResult) -> None:
        """Print the story as a whole, so that tasks that run side by side do not mix."""
        right = bool(result.reward)
        mark = "[green]✓[/]" if right else "[red]✗[/]"
        question = escape(self.task.question.split("\n")[0])
        answer = escape(str(result.answer))[:60]
        console.print(f"{mark} [bold]{self.task.metadata['family']}[/] {question[:100]} → [bold]{answer}[/]", end="")
        console.print("" if right else f" [dim](right: {escape(str(self.task.reference))})[/]")
        for line in self.lines:
            console.print(f"    {line}")


class Preparation:
    """Shows notices, and a progress bar while the weights are prepared."""

    def __init__(self) -> None:
        self.progress = Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=console)
        self.bars: dict[str, object] = {}

    def __enter__(self) -> Preparation:
        return self

    def __exit__(self, *exc: object) -> None:
        self.progress.stop()

    def notice(self, notice: Notice) -> None:
        """Take a notice; may come from another thread."""
        if notice.progress is None:
            console.print(f"[dim]{escape(notice.text)}[/]")
            return
        done, total = notice.progress
        if notice.text not in self.bars:
            self.progress.start()
            self.bars[notice.text] = self.progress.add_task(escape(notice.text), total=total)
        self.progress.update(self.bars[notice.text], completed=done)  # type: ignore[arg-type]
        if done >= total:
            self.progress.stop()


def print_learned(agent: Agent) -> None:
    """The playbook as it has grown, and what the case bank holds."""
    text = agent.playbook.current().render() or "(empty: no rule was worth keeping; the cases carry what was learned)"
    console.print(Panel(escape(text), title="the playbook as it has grown", title_align="left"))
    console.print(f"{agent.bank.count()} cases in the bank\n")


def print_table(
    families: dict[str, list[Task]],
    learned: dict[str, RunResult],
    before: dict[str, RunResult],
    after: dict[str, RunResult],
) -> None:
    """Accuracy of each pass by family, and what each pass cost."""
    table = Table(title="what learning changed", title_justify="left")
    table.add_column("family")
    for title in ("while learning", "unseen, nothing learned", "unseen, with what was learned"):
        table.add_column(title, justify="right")
    passes = (learned, before, after)
    for family, tasks in families.items():
        table.add_row(family, *(score([done[task.id] for task in tasks if task.id in done]) for done in passes))
    table.add_section()
    table.add_row("[bold]all", *(f"[bold]{score(list(done.values()))}" for done in passes))
    table.add_row("tokens per task", *(per_task(done, lambda usage: usage.tokens) for done in passes))
    table.add_row("model calls per task", *(per_task(done, lambda usage: usage.calls, 1) for done in passes))
    console.print(table)
    gained = [name for name in after if (after[name].reward or 0) > (before[name].reward or 0)]
    lost = [name for name in after if (after[name].reward or 0) < (before[name].reward or 0)]
    console.print(f"{len(gained)} unseen tasks gained, {len(lost)} lost.")


def score(results: list[RunResult]) -> str:
    right = sum(1 for result in results if result.reward)
    return f"{right}/{len(results)} = {right / len(results):.0%}" if results else "-"


def per_task(done: dict[str, RunResult], count: Callable[[Usage], float], digits: int = 0) -> str:
    return f"{sum(count(result.usage) for result in done.values()) / max(1, len(done)):.{digits}f}"


if __name__ == "__main__":
    sys.exit(main())
