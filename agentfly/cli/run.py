"""`agentfly run`: one task, from question to what was learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentfly.cli import options
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.cli.views.run import RunView
    from agentfly.events import Event
    from agentfly.types import RunResult


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for, checked."""

    question: str
    files: tuple[Path, ...]
    reference: str | None
    learn: bool | None
    home: Path
    settings: Mapping[str, Any]


def run(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to do; - reads it from standard input.")],
    file: options.Files = None,
    model: options.ModelName = None,
    strategy: options.Strategy = None,
    home: options.Home = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            "-r",
            metavar="A",
            help="The right answer, to judge and to learn by; never shown to the model.",
        ),
    ] = None,
    learn: Annotated[
        bool | None, typer.Option("--learn/--no-learn", help="Whether to learn. Default: when there is feedback.")
    ] = None,
    scorer: options.ScorerName = None,
    command: options.Command = None,
    gate: options.GateName = None,
    policy: options.Policy = None,
    tools: options.Tools = None,
    mcp: options.Mcp = None,
    approve: options.Approve = None,
    unsafe_code: options.UnsafeCode = False,
    steps: options.Steps = None,
    seconds: options.Seconds = None,
    tokens: options.Tokens = None,
    temperature: options.Temperature = None,
    seed: options.Seed = None,
    set_: options.Sets = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for programs, and nothing else.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the answer only.")] = False,
    debug: options.Debug = False,
) -> None:
    """Work on one task, and learn from it where there is feedback.

    Exit status: 0 answered, and rightly where it was judged; 1 not; 2 something to put right first; 130 interrupted.

    \b
    Example:
      agentfly run "What is the mean of the price column?" --file prices.csv --reference 42.50
    """
    layer = options.overrides(
        set_, model=model, strategy=strategy, scorer=scorer, command=command, gate=gate, policy=policy,
        limits__steps=steps, limits__seconds=seconds, limits__tokens=tokens, temperature=temperature, seed=seed, tools__builtin=tools,
        mcp__config=mcp, approve=approve, unsafe_code=unsafe_code or None,
    )  # fmt: skip
    if reference is not None and not reference.strip():
        raise InputError("the reference is empty; leave --reference out where the answer is not known")
    request = Request(
        question=options.read_question(question),
        files=options.check_files(file),
        reference=reference,
        learn=learn,
        home=options.check_settings(home, layer),
        settings=layer,
    )
    result = _for_programs(request) if as_json else _for_people(request, quiet)
    if result.status == "waiting":
        from agentfly.cli.approving import say_waiting

        say_waiting(result, request.home)
    raise typer.Exit(status(result))


def status(result: RunResult) -> int:
    """The exit status of a run."""
    wrong = result.feedback is not None and not result.feedback.success
    return 1 if result.status != "answered" or wrong else 0


def _for_people(request: Request, quiet: bool) -> RunResult:
    from agentfly.cli.views import console
    from agentfly.cli.views.run import RunView

    with RunView(console.err() if quiet else console.out(), console.err(), quiet=quiet) as view:
        result = _perform(request, view, view.explain)
    if quiet and result.status != "waiting":
        _bare(result)
    return result


def _for_programs(request: Request) -> RunResult:
    from agentfly.cli.streams import reserved_stdout
    from agentfly.cli.views import console
    from agentfly.cli.views.run import RunView

    with reserved_stdout() as put:
        notes = console.err()
        if notes.is_terminal:
            with RunView(notes, notes, quiet=True) as view:
                result = _perform(request, view)
        else:
            result = _perform(request, None)
        put(contract(result))
    if result.answer is None and result.status != "waiting":
        _say_why(result)
    return result


def _perform(request: Request, view: RunView | None, explain: Callable[[str], None] = lambda why: None) -> RunResult:
    from agentfly.cli.approving import settle
    from agentfly.cli.session import Session

    told: Callable[[Event], None] = view or (lambda event: None)
    with Session(request.home, request.settings, told) as session:
        explain(session.agent.model_why)
        work = session.agent.arun(
            request.question,
            files=request.files,
            reference=request.reference,
            learn=request.learn,
            on_event=told,
        )
        return settle(session, session.wait(work), told, going_on=view.going_on if view else nullcontext)


def _bare(result: RunResult) -> None:
    """The answer and nothing else; escaped only where a terminal would obey it."""
    import sys

    from agentfly.cli.text import plain

    if result.answer is None:
        _say_why(result)
    else:
        print(plain(result.answer) if sys.stdout.isatty() else result.answer)  # noqa: T201


def _say_why(result: RunResult) -> None:
    from agentfly.cli.failures import say
    from agentfly.cli.text import ending, one_line

    say(f"no answer: {one_line(ending(result.attempt))}")


def contract(result: RunResult) -> dict[str, Any]:
    """The object of ``--json``: these fields and no others."""
    usage = result.usage
    return {
        "run_id": result.run_id,
        "status": result.status,
        "answer": result.answer,
        "reward": result.reward,
        "steps": result.steps,
        "usage": {
            "calls": usage.calls,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cost_usd": round(usage.cost_usd, 8),
            "seconds": round(usage.seconds, 3),
        },
        "recalled": list(result.recalled),
        "bullets": list(result.bullets),
        "learned": {
            "cases": list(result.learned.cases),
            "delta": result.learned.delta,
            "accepted": result.learned.accepted,
        },
    }
