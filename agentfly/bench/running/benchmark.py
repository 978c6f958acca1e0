"""A benchmark run from its beginning, or from where it was left: record, working home, executor, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentfly.bench.datasets import Dataset
from agentfly.bench.folder import CONFIG, RESULTS, ResultsFolder, ResultsWriter
from agentfly.bench.results import Result, read_lines
from agentfly.bench.running.executing import Executor, Setup
from agentfly.bench.running.homes import copied_home, keep_home
from agentfly.bench.running.jobs import Jobs
from agentfly.bench.running.local import LocalExecutor
from agentfly.bench.running.online import Online
from agentfly.bench.running.plan import Plan
from agentfly.bench.running.probing import probe
from agentfly.bench.running.progress import OnProgress, Progress, Tally
from agentfly.bench.running.record import on_record
from agentfly.bench.running.runner import Runner
from agentfly.config import Settings
from agentfly.errors import InputError
from agentfly.events import Notice
from agentfly.folders import remove_tree
from agentfly.nodes.state import Emit
from agentfly.protocols import Model, Scorer

HOME = "home"
MakeExecutor = Callable[[Setup, Plan, Emit], Executor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for.

    Args:
        dataset: with the selected tasks.
        out: the results folder: new, empty, or of this very configuration.
        settings: the agent's.
        plan: how to run it.
        home: what was learned there is used, from a copy; None begins with nothing.
        scorer: judges; None is by the settings alone.
        fresh: refuse a folder that holds results, rather than go on.
        emit: takes events.
        on_progress: called as results come in.
        model: answers in place of the one that the settings name; on this machine only.
        executor: makes the executor; by default as the plan names it.
    """

    dataset: Dataset
    out: Path
    settings: Settings
    plan: Plan = field(default_factory=Plan)
    home: Path | None = None
    scorer: Scorer | None = None
    fresh: bool = False
    emit: Emit = lambda event: None
    on_progress: OnProgress = lambda progress: None
    model: Model | None = None
    executor: MakeExecutor | None = None


async def run_benchmark(request: Request) -> Progress:
    """Run a benchmark, or go on with it where it was left.

    Returns:
        Where it stands at its end: everything has a result.

    Raises:
        InputError: the folder holds something else, or results of another configuration; nothing was changed then.
        ProviderError: nothing succeeds any more; the same call goes on.
        UserError: the agent cannot work as it is set up.
    """
    out = request.out.expanduser().absolute()
    request = replace(
        request, dataset=replace(request.dataset, tasks=tuple(request.plan.ordered(request.dataset.tasks)))
    )
    if request.fresh and (out / CONFIG).exists():
        raise InputError(f"{out} holds results already: leave out --fresh to go on with them, or give another folder")
    agent = await probe(request.settings, request.model, request.scorer)
    notes = _notes(request)
    with _working_home(request, out) as (known, draft):
        agent = replace(agent, home=known, source=request.home)
        config = on_record(request.dataset, request.plan, request.settings, agent, notes)
        with ResultsWriter(out, config) as writer:
            for text in notes:
                request.emit(Notice(text=text, level="warning"))
            return await _run(request, out, writer, draft)


async def _run(request: Request, out: Path, writer: ResultsWriter, draft: Path | None) -> Progress:
    tasks, plan = request.dataset.tasks, request.plan
    withheld = frozenset(task.id for task in tasks if task.reference is None)
    tally = Tally(len(tasks) * plan.attempts, withheld, request.on_progress, len(tasks))
    closed = set[str]()
    tally.begin(_noting(closed, out))
    if tally.progress.done < tally.progress.total:
        if not (out / HOME).exists():
            _settle_home(request, out, writer, draft)
        setup = Setup(
            identity=str(writer.config["identity"]), home=out / HOME, settings=request.settings,
            scorer=request.scorer, cache=plan.cache, critique=plan.critique,
        )  # fmt: skip
        try:
            await (_online if plan.mode == "online" else _frozen)(request, setup, writer, tally, closed)
        except asyncio.CancelledError:
            writer.interrupt("interrupted")
            raise
    progress = tally.progress
    writer.finish(results=progress.done)
    return progress


async def _frozen(request: Request, setup: Setup, writer: ResultsWriter, tally: Tally, closed: set[str]) -> None:
    plan = request.plan
    executor = (request.executor or (lambda *parts: _executor(request, *parts)))(setup, plan, request.emit)
    try:
        await executor.start(closed)
        closed.clear()
        jobs = Jobs(request.dataset.tasks, plan.attempts, writer.done)
        await Runner(writer, executor, jobs, tally, retries=plan.retries).run()
    finally:
        await executor.aclose()


async def _online(request: Request, setup: Setup, writer: ResultsWriter, tally: Tally, closed: set[str]) -> None:
    local = LocalExecutor(setup, 1, request.emit, model=request.model)
    try:
        await Online(local.made, request.dataset.tasks, writer, tally, request.emit).run()
    finally:
        await local.aclose()


def _executor(request: Request, setup: Setup, plan: Plan, emit: Emit) -> Executor:
    if plan.executor == "ray":
        from agentfly.bench.running.spreading import on_ray

        return on_ray(setup, plan, emit)
    return LocalExecutor(setup, plan.concurrency, emit, model=request.model)


def _noting(closed: set[str], out: Path) -> Iterator[Result]:
    """The results on disk, one at a time, and the ids of their runs."""
    for result in read_lines(out / RESULTS):
        closed.add(result.run_id)
        yield result


@contextlib.contextmanager
def _working_home(request: Request, out: Path) -> Iterator[tuple[str | None, Path | None]]:
    """What the working home holds when the run begins: the hash, and the folder with a copy that is to become it, where one was made."""
    source = None if request.home is None else request.home.expanduser().absolute()
    if (out / CONFIG).is_file():
        with ResultsFolder(out) as folder:
            there, came_from = folder.config["decides"].get("home"), folder.config["about"].get("home")
        # The other home may have learned more since: what counts is the copy that was made in the beginning.
        if came_from == (None if source is None else str(source)) and (source is None or (out / HOME).exists()):
            yield there, None
            return
    if source is None:
        yield None, None
        return
    place = _beside(out)
    try:
        draft = place / HOME
        yield copied_home(source, draft), draft
    finally:
        remove_tree(place)


def _beside(out: Path) -> Path:
    """A folder on the same disk, as far as one can be made there."""
    parent = next(folder for folder in out.parents if folder.exists())
    where = parent if os.access(parent, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=where))


def _settle_home(request: Request, out: Path, writer: ResultsWriter, draft: Path | None) -> None:
    if writer.done and request.plan.mode == "online":
        raise InputError(f"{out / HOME} is gone, and with it what was learned so far: begin anew in another folder")
    new = out / f"{HOME}.new"
    shutil.rmtree(new, ignore_errors=True)
    if draft is None:
        copied_home(None, new)
    elif draft.stat().st_dev == out.stat().st_dev:
        keep_home(draft, new)
    else:
        shutil.copytree(draft, new)
    keep_home(new, out / HOME)


def _notes(request: Request) -> list[str]:
    """What a reader of the results should know."""
    settings, found = request.settings, list[str]()
    if request.plan.attempts > 1 and not settings.temperature:
        found.append(
            "the attempts at a task are made at temperature 0 and may be all the same: --set temperature=0.7 tells them apart"
        )
    if settings.approve == "ask":
        found.append("nobody is asked during a benchmark: calls that need permission are refused (approve: ask)")
    withheld = sum(task.reference is None for task in request.dataset.tasks)
    if withheld:
        found.append(f"the dataset withholds the answers of {withheld:,} tasks: they are in no accuracy")
    return found
