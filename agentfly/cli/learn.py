"""`agentfly learn`: over a dataset, from recorded attempts, or what came of it before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentfly.cli import options
from agentfly.errors import InputError

# Allowed values as the help names them; a test holds them equal to those of the plan.
MODES = ("offline", "online")
ORDERS = ("given", "shuffled", "difficulty")
PRESETS = ("ace", "agentfly", "memento")
PARTS = ("cases", "strategies", "examples", "checks")

_ALWAYS = {"home", "as_json", "debug"}
_BELONGS = {
    "traces": {"traces", "model", "gate", "batch", "limit", "command", "set_"},
    "show": {"show", "dataset", "report"},
}
"""Options beside `_ALWAYS` that go with a source; with a dataset all but a few do."""
_ELSEWHERE = {"traces", "batch", "show"}


def learn(
    context: typer.Context,
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="DATASET",
            help="A folder in GAIA layout, a .jsonl file, NAME:PATH for an adapter; with --show the id of a course.",
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="MODE",
            help="offline: passes over the tasks, keeping the best version; online: each task once, answered, then "
            "learned from. Default: offline.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", metavar="N", min=1, help="Tasks to learn from.")] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", min=1, help="Passes over the tasks. Default: 1.")
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            "--test",
            metavar="WHAT",
            help="Tasks to answer before and after, never learned from: a number, a share such as 0.2, or a dataset.",
        ),
    ] = None,
    test_limit: Annotated[
        int | None, typer.Option("--test-limit", metavar="N", min=1, help="First N tasks of the dataset in --test.")
    ] = None,
    validation: Annotated[
        str | None,
        typer.Option(
            "--validation",
            metavar="WHAT",
            help="Tasks that choose the best version: a number, a share of what the test leaves, or a dataset.",
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option("--every", metavar="N", min=1, help="Samples between validations. Default: one for each epoch."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option("--patience", metavar="N", min=1, help="End after N validations without a better one."),
    ] = None,
    ablate: Annotated[
        list[str] | None,
        typer.Option(
            "--ablate",
            metavar="PARTS",
            help=f"Test also with these alone: {', '.join(PARTS)} with commas between, or none; each: every one by "
            "itself and none. May be given several times.",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            "--window",
            metavar="N",
            min=1,
            help="Tasks worked on side by side before they are learned from together. Default: as --concurrency, online 1.",
        ),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", metavar="N", min=1, help="Most attempts at once. Default: 4.")
    ] = None,
    order: Annotated[
        str | None,
        typer.Option("--order", metavar="ORDER", help=f"Of the tasks: {', '.join(ORDERS)}. Default: given."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Of order, split and sampling. Default: 0.")
    ] = None,
    explore: Annotated[
        int | None,
        typer.Option("--explore", metavar="N", min=0, max=16, help="Further attempts after a failure, to learn from."),
    ] = None,
    levels: Annotated[
        str | None, typer.Option("--levels", metavar="L,L", help="Only the dataset's tasks of these levels.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="The split of a dataset in GAIA layout.")
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option("--budget-tokens", metavar="N", min=1, help="Most tokens, for everything together.")
    ] = None,
    budget_cost: Annotated[float | None, typer.Option("--budget-cost", metavar="USD", help="Most dollars.")] = None,
    budget_seconds: Annotated[float | None, typer.Option("--budget-seconds", metavar="S", help="Most seconds.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help=f"Learn as another does, to compare: {', '.join(PRESETS)}. Other options and --set change it.",
        ),
    ] = None,
    gate: options.GateName = None,
    policy: options.Policy = None,
    model: options.ModelName = None,
    strategy: options.Strategy = None,
    scorer: options.ScorerName = None,
    command: options.Command = None,
    home: options.Home = None,
    set_: options.Sets = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew, even where the same learning was interrupted.")
    ] = False,
    traces: Annotated[
        Path | None,
        typer.Option("--traces", metavar="FILE", help="Recorded attempts in place of a dataset: JSON lines or list."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", metavar="N", min=1, max=64, help="Traces that are curated together. Default: 8."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show what came of a course: the latest, or that of the id given.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write the report as an HTML page.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for programs, and nothing else.")
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Learn over a dataset, and show honestly what was gained.

    The tasks of --test are answered before and after, and never learned from. Interrupted with Ctrl-C, the same command
    goes on where it was; what is not the same begins anew. A dataset of a known benchmark (formula, finer) is scored by
    that benchmark's rule, unless --scorer or --command say otherwise.

    \b
    Examples:
      agentfly learn tasks.jsonl --limit 100 --test 50 --report gain.html
      agentfly learn train.jsonl --epochs 3 --validation 0.2 --patience 2 --test val.jsonl --ablate each
      agentfly learn tasks.jsonl --mode online --budget-cost 2.50
      agentfly learn --show

    With --traces it learns from attempts that were recorded elsewhere, each once. A trace is one JSON object, in one of
    three shapes:

    \b
    ours    what `agentfly runs show ID --json` prints
    chat    {"messages": [{"role": "user", "content": "..."}, ...], "reward": 0.0}
    plain   {"question": "...", "steps": ["..."], "answer": "...", "reward": 0.0}

    The verdict is a reward or score from 0 to 1, success or correct as true or false, or a reference, which the answer
    is then compared with. feedback (what was wrong), id, model and files may be there too.

    \b
    Example:
      agentfly learn --traces traces.jsonl --model openai/gpt-5-mini
    """
    source = _source(dataset, traces, show)
    _refuse_foreign(context, source)
    asked = context.params
    if source == "traces":
        from agentfly.cli.learn_traces import learn_from_traces

        learn_from_traces(asked)
    elif source == "show":
        from agentfly.cli.learn_report import show_course

        show_course(dataset, home, report, as_json)
    else:
        from agentfly.cli.learn_dataset import learn_dataset

        learn_dataset(asked)


def _source(dataset: str | None, traces: Path | None, show: bool) -> str:
    """What to learn from, or to show.

    Raises:
        InputError: none was given, or more than one.
    """
    if traces is not None and (dataset is not None or show):
        other = "--show" if show else f"the dataset {dataset}"
        raise InputError(f"give --traces or {other}, not both")
    if show:
        return "show"
    if traces is not None:
        return "traces"
    if dataset is None or not dataset.strip():
        raise InputError("what from? give a dataset, or recorded attempts with --traces FILE")
    return "dataset"


def _refuse_foreign(context: typer.Context, source: str) -> None:
    """Options that would do nothing here are a mistake.

    Raises:
        InputError: names the first one.
    """
    words = {"traces": "--traces", "show": "--show", "dataset": "a dataset"}
    for parameter in context.command.params:
        name = parameter.name or ""
        given = getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
        known = name not in _ELSEWHERE if source == "dataset" else name in _ALWAYS | _BELONGS[source]
        if given and not known:
            raise InputError(f"{parameter.opts[0]} says nothing with {words[source]}; leave it out")
