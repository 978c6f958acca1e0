"""What are checks worth? Learned from the attempts on half of a dataset's files, tried on the questions about the other half.

    python examples/what_checks_pay.py DATASET [--levels 1,2] [--half A|B|both] [--model M] [--concurrency C]

Nothing else is learned: no cases are shown and no rules are written, so that the table tells what the checks alone do. The
same agent answers the unseen questions once without them and once with them. DATASET is any dataset whose questions come with
files and answers, such as DABench in GAIA's layout. Both halves of 60 questions take about 50 minutes on two cores with the embedded model.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from demo import Preparation, console
from how_many_cases import sign_test
from rich.markup import escape
from rich.table import Table

from agentfly import Agent, RunResult, Task
from agentfly.bench.datasets import load_dataset
from agentfly.errors import InputError, UserError

SETTINGS = {"recall.k": 0, "playbook.leave_out": 0.0, "learning.strategies": False}


def main() -> int:
    """Measure and print the table; exit status 0 when it reached its end."""
    try:
        asyncio.run(measure(arguments()))
    except KeyboardInterrupt:
        return 130
    except UserError as error:
        console.print(f"[red]what_checks_pay:[/] {escape(str(error))}", soft_wrap=True)
        return 2
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("dataset", help="folder or file of the dataset")
    parser.add_argument("--levels", default=None, help="only these levels, such as 1,2")
    parser.add_argument("--half", choices=["A", "B", "both"], default="both", help="which half to learn from")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--concurrency", type=int, default=4, help="tasks at a time")
    return parser.parse_args()


def halves(tasks: tuple[Task, ...]) -> dict[str, list[Task]]:
    """The tasks in two parts of about one size; no file is in both.

    Raises:
        InputError: a task has no file or no answer, or there is only one file.
    """
    names = {task.id: task.files[0].name for task in tasks if task.files and task.reference is not None}
    if len(names) < len(tasks):
        raise InputError("every task needs a file and an answer")
    counts = Counter(names.values())
    if len(counts) < 2:
        raise InputError("the tasks need at least two files between them, to learn from one half and try on the other")
    parts: dict[str, set[str]] = {"A": set(), "B": set()}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        smaller = min(parts, key=lambda part: (sum(counts[other] for other in parts[part]), part))
        parts[smaller].add(name)
    return {part: [task for task in tasks if names[task.id] in files] for part, files in parts.items()}


async def measure(options: argparse.Namespace) -> None:
    """Learn on one half and try on the other, for one half or both."""
    levels = options.levels.split(",") if options.levels else None
    split = halves(load_dataset(options.dataset, levels=levels).tasks)
    without: dict[str, RunResult] = {}
    with_checks: dict[str, RunResult] = {}
    with tempfile.TemporaryDirectory() as folder, Preparation() as preparation:
        for half in split if options.half == "both" else [options.half]:
            unseen = split["B" if half == "A" else "A"]
            home = Path(folder) / half
            async with Agent(model=options.model, home=home, settings=SETTINGS, notify=preparation.notice) as agent:
                console.rule(f"[bold]{len(unseen)} questions without checks")
                without |= await answered(agent, unseen, options.concurrency, learn=False)
                console.rule(f"[bold]learning from {len(split[half])} other questions")
                await answered(agent, split[half], options.concurrency, learn=True)
                for check in agent.playbook.current().checks:
                    console.print(f"    [green]{check.id}[/] {escape(check.text)}")
                console.rule(f"[bold]the {len(unseen)} questions with checks")
                with_checks |= await answered(agent, unseen, options.concurrency, learn=False)
    draw(without, with_checks)


async def answered(agent: Agent, tasks: list[Task], concurrency: int, *, learn: bool) -> dict[str, RunResult]:
    """Answer tasks, `concurrency` at a time."""
    slots = asyncio.Semaphore(concurrency)

    async def work(task: Task) -> RunResult:
        async with slots:
            result = await agent.arun(task, learn=learn)
        mark = "[green]✓[/]" if result.reward else "[red]✗[/]"
        asked = "".join(f" [dim](asked about {escape(said.answer[:40])})[/]" for said in result.attempt.questioned)
        console.print(f"{mark} {escape(task.id)} → {escape(str(result.answer)[:60])}{asked}")
        return result

    results = await asyncio.gather(*map(work, tasks))
    return {task.id: result for task, result in zip(tasks, results, strict=True)}


def draw(without: dict[str, RunResult], with_checks: dict[str, RunResult]) -> None:
    """Right answers, and the change; what was lost is told apart by whether a check had a say in it."""
    right = [sum(bool(result.reward) for result in done.values()) for done in (without, with_checks)]
    gained = [key for key in without if not without[key].reward and with_checks[key].reward]
    lost = [key for key in without if without[key].reward and not with_checks[key].reward]
    asked = [key for key in lost if with_checks[key].attempt.questioned]
    table = Table(title="unseen questions answered right", title_justify="left")
    for title in ("without", "with checks", "gained", "lost", "lost after a check asked", "p (sign test)"):
        table.add_column(title, justify="right")
    total, p = len(without), sign_test(len(gained), len(lost))
    shares = [f"{count} of {total} ({count / total:.0%})" for count in right]
    table.add_row(*shares, f"{len(gained)}", f"{len(lost)}", f"{len(asked)}", f"{p:.3f}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
