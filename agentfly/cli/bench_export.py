"""`agentfly bench export`: the answers of a benchmark run in the form that a leaderboard takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentfly.cli import options
from agentfly.cli.bench_report import RunFolder

if TYPE_CHECKING:
    from agentfly.bench.leaderboard import Exported

_NAMED = 5


def export(
    dir: RunFolder,
    gaia: Annotated[
        Path | None,
        typer.Option(
            "--gaia", metavar="FILE", help="GAIA's leaderboard: JSON lines of task_id, model_answer, reasoning_trace."
        ),
    ] = None,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", metavar="N", min=0, help="Which attempt, counted from 0. Default: the first."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    debug: options.Debug = False,
) -> None:
    """Write a line for every selected task; where there is no answer, it is empty.

    \b
    Example:
      agentfly bench export out/ --gaia submission.jsonl
    """
    from agentfly.bench.leaderboard import export_run
    from agentfly.cli.failures import say
    from agentfly.errors import InputError

    if gaia is None:
        raise InputError("nothing says where to and in which form: give --gaia FILE")
    done = export_run(dir, gaia, attempt, force=force)
    for line in _told(done, gaia):
        say(line)


def _told(done: Exported, path: Path) -> Iterator[str]:
    if done.attempts > 1 and not done.chosen:
        yield f"there are {done.attempts} attempts at each task: these are the answers of attempt 0, the first; --attempt N chooses another"
    if done.empty:
        yield f"{len(done.empty):,} of {done.lines:,} selected tasks without an answer, which is empty in the file: {_few(done.empty)}"
    if done.untraced:
        yield f"the records of {len(done.untraced):,} tasks cannot be read, their reasoning_trace is empty: {_few(done.untraced)}"
    yield f"{done.lines:,} answers are in {path}"


def _few(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:_NAMED]) + (", …" if len(ids) > _NAMED else "")
