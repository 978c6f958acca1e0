"""`agentfly bench run`: attempts at the tasks of a dataset, each of them on record in a results folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from agentfly.cli import bench_options, options
from agentfly.errors import ConfigError, InputError

# Allowed values as the help names them; a test holds them equal to those of the plan.
ORDERS = ("given", "shuffled")
EXECUTORS = ("local", "ray")


def run(
    dataset: bench_options.DatasetName,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Folder of the results. The same command again goes on there."),
    ],
    attempts: Annotated[int, typer.Option("--attempts", "-k", metavar="K", min=1, help="At each task.")] = 1,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", metavar="C", min=1, help="Most attempts at once.")
    ] = 4,
    split: bench_options.Split = None,
    levels: bench_options.Levels = None,
    ids: bench_options.Ids = None,
    file_types: bench_options.FileTypes = None,
    limit: bench_options.Limit = None,
    sample: bench_options.Sample = None,
    sample_seed: bench_options.SampleSeed = 0,
    online: Annotated[
        bool,
        typer.Option(
            "--online/--frozen",
            help="Online: tasks in order, learning from each before the next. Frozen: nothing is learned.",
        ),
    ] = False,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home", metavar="DIR", help="What was learned there is used, from a copy. Default: nothing learned."
        ),
    ] = None,
    memory: Annotated[
        bool | None, typer.Option("--memory/--no-memory", help="Whether recalled cases are shown.")
    ] = None,
    playbook: Annotated[
        bool | None, typer.Option("--playbook/--no-playbook", help="Whether the playbook and its checks are used.")
    ] = None,
    model: options.ModelName = None,
    strategy: options.Strategy = None,
    scorer: options.ScorerName = None,
    policy: options.Policy = None,
    gate: options.GateName = None,
    temperature: options.Temperature = None,
    max_steps: Annotated[int | None, typer.Option("--max-steps", metavar="N", help="Of an attempt.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", metavar="N", help="Of an attempt.")] = None,
    max_cost: Annotated[float | None, typer.Option("--max-cost", metavar="USD", help="Of an attempt.")] = None,
    max_seconds: Annotated[float | None, typer.Option("--max-seconds", metavar="S", help="Of an attempt.")] = None,
    retries: Annotated[
        int,
        typer.Option(
            "--retries", metavar="N", min=0, help="Further tries, at the end, of attempts whose provider failed."
        ),
    ] = 2,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="DIR", help="Keep replies of the model, and answer the same calls from there."),
    ] = None,
    order: Annotated[
        str, typer.Option("--order", metavar="ORDER", help=f"Of the tasks: {', '.join(ORDERS)}.")
    ] = "given",
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Of the order, and of sampling: attempt k has its own.")
    ] = None,
    critique: Annotated[
        bool,
        typer.Option(
            "--critique", help="A critic that has no reference also gives each answer a score (models.judge)."
        ),
    ] = False,
    executor: Annotated[
        str, typer.Option("--executor", metavar="NAME", help=f"Where attempts are made: {', '.join(EXECUTORS)}.")
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Processes of --executor ray. Default: one a core."),
    ] = None,
    address: Annotated[
        str | None, typer.Option("--ray-address", metavar="ADDR", help="A Ray cluster to use. Default: one of our own.")
    ] = None,
    send: Annotated[
        list[str] | None,
        typer.Option("--send", metavar="NAME", help="Environment variable that workers elsewhere need, such as a key."),
    ] = None,
    set_: options.Sets = None,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Go on with results that are there, or refuse them.")
    ] = True,
    unsafe_code: options.UnsafeCode = False,
    tools: options.Tools = None,
    download: bench_options.Download = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Run a benchmark: every selected task ends as correct, wrong, limit, error or no_answer, and all of them count.

    Whatever interrupts it, the same command goes on: it makes the attempts that have no result, and no others.

    \b
    Example:
      agentfly bench run gaia/ --out runs/one --levels 1 --attempts 3 --set temperature=0.7
    """
    perform({name: value for name, value in locals().items() if name != "debug"})


def perform(asked: Mapping[str, Any]) -> None:
    """Run it, and show what came of it.

    Args:
        asked: the command's options by their names.
    """
    from agentfly.cli.interrupt import guard
    from agentfly.cli.views import console
    from agentfly.cli.views.bench_progress import BenchView

    view = BenchView(console.err(), asked["out"])
    request = _request(asked, view)
    import asyncio

    from agentfly.bench.running.benchmark import run_benchmark
    from agentfly.cli import bench_ending

    with bench_ending.output(asked["out"], asked["as_json"]) as put, view, asyncio.Runner() as runner:
        try:
            guard.run(runner, run_benchmark(request))
        except (KeyboardInterrupt, SystemExit):  # at once: to close everything may take longer than there is
            view.interrupted()
            raise
        view.stop()
        put()


def _request(asked: Mapping[str, Any], view: Any) -> Any:
    """Check everything that can be known before anything is made.

    Raises:
        UserError: one line that says what to change.
    """
    layer = _layer(asked)
    home = None if asked["home"] is None else options.existing_home(asked["home"])
    from agentfly.bench.running.benchmark import Request
    from agentfly.layers import load_settings

    settings = load_settings(options.check_settings(home, layer), layer)
    plan = _plan(asked)
    tasks = bench_options.read_dataset(
        asked["dataset"],
        **{name: asked[name] for name in ("split", "levels", "ids", "file_types", "limit", "sample", "sample_seed")},
        download=asked["download"],
    )
    return Request(
        dataset=tasks, out=asked["out"], settings=settings, plan=plan, home=home, scorer=_scorer(tasks, settings),
        fresh=not asked["resume"], emit=view.event, on_progress=view.progress, executor=_executor(asked),
    )  # fmt: skip


def _plan(asked: Mapping[str, Any]) -> Any:
    from agentfly.bench.running.plan import Plan

    for name, known in (("order", ORDERS), ("executor", EXECUTORS)):
        if asked[name] not in known:
            raise InputError(f"--{name} {asked[name]}: it must be one of: {', '.join(known)}")
    return Plan(
        mode="online" if asked["online"] else "frozen",
        attempts=asked["attempts"],
        concurrency=asked["concurrency"],
        order=asked["order"],
        seed=asked["seed"] or 0,
        retries=asked["retries"],
        cache=asked["cache"],
        critique=asked["critique"],
        executor=asked["executor"],
    )


def _executor(asked: Mapping[str, Any]) -> Any:
    """What makes the executor, where it is not the one of this process.

    Raises:
        InputError: an option of Ray's without Ray.
        ConfigError: Ray is not installed.
    """
    if asked["executor"] != "ray":
        for name, option in (("workers", "--workers"), ("address", "--ray-address"), ("send", "--send")):
            if asked[name]:
                raise InputError(f"{option} needs --executor ray")
        return None
    from agentfly.bench.running.ray_machines import missing
    from agentfly.bench.running.spreading import on_ray

    if problem := missing():
        raise ConfigError(problem)
    return partial(on_ray, address=asked["address"], workers=asked["workers"], send=asked["send"] or ())


def _layer(asked: Mapping[str, Any]) -> dict[str, Any]:
    names = ("model", "strategy", "scorer", "policy", "gate", "temperature", "seed")
    given = {name: asked[name] for name in names}
    given |= {"limits__steps": asked["max_steps"], "limits__tokens": asked["max_tokens"]}
    given |= {"limits__cost_usd": asked["max_cost"], "limits__seconds": asked["max_seconds"]}
    given |= {"show__cases": asked["memory"], "tools__builtin": asked["tools"]}
    given |= {f"show__{kind}": asked["playbook"] for kind in ("strategies", "examples", "checks")}
    given |= {"unsafe_code": True if asked["unsafe_code"] else None}
    return options.overrides(asked["set_"], **given)


def _scorer(dataset: Any, settings: Any) -> Any:
    """Who judges: the dataset's own rule, or what the settings name. None is by the settings, which ask somebody or something."""
    from agentfly.bench.predictions import scorer_for
    from agentfly.scorers.named import COMPARING

    if settings.scorer == "human":
        raise InputError("nobody is asked during a benchmark: choose another --scorer than human")
    if settings.scorer == "auto" and settings.command is None:
        return dataset.scorer
    return scorer_for(dataset, settings.scorer) if settings.scorer in COMPARING else None
