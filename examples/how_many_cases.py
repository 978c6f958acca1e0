"""How many recalled cases help? One bank of verified solutions, and unseen tasks solved with 0, 2 and 4 of them shown.

    python examples/how_many_cases.py [--show 0,2,4] [--model M] [--families F] [--learn N] [--test N] [--concurrency C]

The bank holds only what was solved and checked while learning; the playbook is left out, so that the table tells
what the cases alone are worth. Takes about 15 minutes on two cores with the embedded model.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
from pathlib import Path

from demo import SETTINGS, SUITE, Preparation, by_family, console, per_task, rounds, run_pass, score
from rich.markup import escape
from rich.table import Table

from agentfly import Agent, CaseBank, RunResult
from agentfly.bench.datasets import load_dataset
from agentfly.errors import InputError, UserError


def main() -> int:
    """Measure and print the table; exit status 0 when it reached its end."""
    try:
        asyncio.run(measure(arguments()))
    except KeyboardInterrupt:
        return 130
    except UserError as error:
        console.print(f"[red]how_many_cases:[/] {escape(str(error))}")
        return 2
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--show", default="0,2,4", help="numbers of cases to show")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--families", default="takings,stock,deliveries,diary", help="which families, or all")
    parser.add_argument("--learn", type=int, default=3, help="tasks of each family to learn from")
    parser.add_argument("--test", type=int, default=3, help="unseen tasks of each family")
    parser.add_argument("--concurrency", type=int, default=4, help="tasks at a time")
    return parser.parse_args()


async def measure(options: argparse.Namespace) -> None:
    """Fill a bank, then run the unseen tasks once for each number of shown cases."""
    try:
        numbers = [int(number) for number in options.show.split(",")]
    except ValueError:
        raise InputError("--show takes numbers with commas between, such as 0,2,4") from None
    families = by_family(load_dataset(SUITE).tasks, options.families)
    unseen = [task for batch in rounds(families, "test", options.test) for task in batch]
    with tempfile.TemporaryDirectory() as folder, Preparation() as preparation:
        root = Path(folder)
        teacher = Agent(
            model=options.model, home=root / "learned", settings={**SETTINGS, "recall.k": 2}, notify=preparation.notice
        )
        async with teacher:
            console.rule("[bold]filling the bank")
            await run_pass(teacher, rounds(families, "learn", options.learn), options.concurrency, learning=True)
            verified = [case for case in teacher.bank.list(1000) if case.success and case.solution]
            results: dict[int, dict[str, RunResult]] = {}
            for number in numbers:
                console.rule(f"[bold]{number} of {len(verified)} verified solutions shown")
                home = root / f"show-{number}"
                with CaseBank(home) as bank:
                    bank.add_many(verified)
                settings = {**SETTINGS, "recall.k": number, "recall.floor": 0.5, "recall.tokens": 3000}
                async with Agent(model=options.model, home=home, settings=settings) as agent:
                    results[number] = await run_pass(agent, [unseen], options.concurrency, learning=False)
    draw(results)


def draw(results: dict[int, dict[str, RunResult]]) -> None:
    """The table: solved, tokens, calls, and the change against the first row with an exact sign test."""
    table = Table(title="unseen tasks solved, by number of cases shown", title_justify="left")
    for title in ("shown", "solved", "gained", "lost", "p (sign test)", "tokens per task", "calls per task"):
        table.add_column(title, justify="right")
    first = next(iter(results.values()))
    for number, done in results.items():
        gained = sum((done[name].reward or 0) > (first[name].reward or 0) for name in done)
        lost = sum((done[name].reward or 0) < (first[name].reward or 0) for name in done)
        changes = ("", "", "") if done is first else (f"{gained}", f"{lost}", f"{sign_test(gained, lost):.3f}")
        table.add_row(
            f"{number}",
            score(list(done.values())),
            *changes,
            per_task(done, lambda usage: usage.tokens),
            per_task(done, lambda usage: usage.calls, 1),
        )
    console.print(table)


def sign_test(gained: int, lost: int) -> float:
    """Two-sided probability of a split at least this uneven if gains and losses were equally likely."""
    n = gained + lost
    tail = sum(math.comb(n, i) for i in range(min(gained, lost) + 1)) / 2**n
    return min(1.0, 2 * tail)


if __name__ == "__main__":
    sys.exit(main())
