"""`agentfly learn DATASET`: from the options to a course, with Ctrl-C and the same command to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.cli import learn_report, options
from agentfly.cli.learn import MODES, ORDERS, PARTS
from agentfly.cli.page_file import page_path
from agentfly.errors import InputError

if TYPE_CHECKING:
    from agentfly.cli.views.learning_progress import CourseView
    from agentfly.config import Settings
    from agentfly.learning.adaptation.plan import Plan
    from agentfly.learning.adapting import TasksLearned, Wanted
    from agentfly.protocols import Scorer
    from agentfly.types import Task

COMPARE = ("auto", "gaia", "exact", "numeric", "f1")
"""Scorers that need a reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for, checked; the datasets are read."""

    tasks: tuple[Task, ...]
    validation: Wanted
    test: Wanted
    limit: int | None
    plan: Plan
    compare: Scorer | None
    """The dataset's own rule for a right answer, where it has one."""
    home: Path
    settings: Mapping[str, Any]
    restart: bool
    asks: bool
    """Whether a person is asked at the terminal, so that nothing else may move there."""


def learn_dataset(asked: Mapping[str, Any]) -> None:
    """Learn over a dataset and show what came of it.

    Args:
        asked: the command's options by their names.
    """
    page = page_path(asked["report"], "--report")
    request = _request(asked)
    from agentfly.cli.views import console
    from agentfly.cli.views.learning_progress import CourseView

    with learn_report.output(asked["as_json"], page) as put, CourseView(console.err(), still=request.asks) as view:
        done = _perform(request, view)
        view.stop()
        put(done.report)


def _perform(request: Request, view: CourseView) -> TasksLearned:
    from agentfly.cli.session import Session

    with Session(request.home, request.settings, view.event) as session:
        view.begin(session.agent.model_name, session.agent.model_why)
        work = session.agent.alearn_tasks(
            request.tasks, validation=request.validation, test=request.test, limit=request.limit, plan=request.plan,
            compare=request.compare, on_event=view.event, on_progress=view.progress, restart=request.restart,
        )  # fmt: skip
        try:
            return session.wait(work)
        except (KeyboardInterrupt, SystemExit):  # at once: to close the agent may take longer than there is
            view.interrupted()
            raise


def _request(asked: Mapping[str, Any]) -> Request:
    """Check everything that can be known before an agent is made.

    Raises:
        UserError: one line that says what to change.
    """
    plan = _plan(asked)
    _refuse_useless(asked)
    layer = {**_preset(asked["preset"]), **_layer(asked)}
    home = options.check_settings(_path(asked["home"]), layer)
    from agentfly.bench.datasets import load_dataset
    from agentfly.layers import load_settings

    levels = None if asked["levels"] is None else [level.strip() for level in asked["levels"].split(",")]
    dataset = load_dataset(asked["dataset"], split=asked["split"], levels=levels)
    validation = _wanted(asked["validation"], "--validation")
    test = _wanted(asked["test"], "--test", asked["test_limit"])
    settings = load_settings(home, layer)
    _require_answers(dataset.tasks, settings)
    return Request(
        tasks=dataset.tasks, validation=validation, test=test, limit=asked["limit"], plan=plan,
        compare=dataset.scorer if dataset.adapter else None, home=home, settings=layer, restart=asked["restart"],
        asks=settings.scorer == "human",
    )  # fmt: skip


def _path(given: str | None) -> Path | None:
    return None if given is None else Path(given)


def _plan(asked: Mapping[str, Any]) -> Plan:
    """The plan; what was not asked for is as the plan has it."""
    from agentfly.learning.adaptation.plan import Budget, Plan

    mode = _one_of(asked["mode"] or "offline", MODES, "--mode")
    window = asked["window"] or (1 if mode == "online" or asked["preset"] == "ace" else None)
    concurrency = asked["concurrency"] or (max(window, Plan().concurrency) if window else None)
    given = {name: asked[name] for name in ("epochs", "seed", "every", "patience")}
    given |= {"window": window, "concurrency": concurrency}
    return Plan(
        mode=mode,  # type: ignore[arg-type]
        order=_one_of(asked["order"] or "given", ORDERS, "--order"),  # type: ignore[arg-type]
        budget=Budget(
            tokens=asked["budget_tokens"],
            cost_usd=_positive(asked["budget_cost"], "--budget-cost"),
            seconds=_positive(asked["budget_seconds"], "--budget-seconds"),
        ),
        ablations=_ablations(asked["ablate"] or ()),
        **{name: value for name, value in given.items() if value is not None},
    )


def _one_of(value: str, known: tuple[str, ...], option: str) -> str:
    if value not in known:
        raise InputError(f"{option} {value}: it must be one of: {', '.join(known)}")
    return value


def _positive(value: float | None, option: str) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise InputError(f"{option} must be more than 0, not {value:g}")
    return value


def _ablations(given: tuple[str, ...] | list[str]) -> tuple[tuple[str, ...], ...]:
    """Each choice once, its parts in their order."""
    chosen: list[tuple[str, ...]] = []
    for text in given:
        words = [word.strip() for word in text.split(",") if word.strip()]
        if words == ["each"]:
            chosen += [(part,) for part in PARTS] + [()]
            continue
        parts = [] if words == ["none"] else words
        if unknown := [word for word in (words or [text]) if word not in PARTS and words != ["none"]]:
            raise InputError(f"--ablate {text}: {unknown[0]!r} is none of: {', '.join(PARTS)}, none, each")
        chosen.append(tuple(part for part in PARTS if part in parts))
    return tuple(dict.fromkeys(chosen))


def _refuse_useless(asked: Mapping[str, Any]) -> None:
    """Options that do nothing without another one.

    Raises:
        InputError: names the first.
    """
    needs = {"every": "validation", "patience": "validation", "ablate": "test", "test_limit": "test"}
    for name, other in needs.items():
        if asked[name] and not asked[other]:
            raise InputError(f"--{name.replace('_', '-')} needs --{other}")
    if asked["validation"] and asked["mode"] == "online":
        raise InputError("--validation chooses the best version of learning offline; online there is none to choose")


def _preset(name: str | None) -> dict[str, Any]:
    from agentfly.layers import preset

    return {} if name is None else preset(name)


def _layer(asked: Mapping[str, Any]) -> dict[str, Any]:
    names = ("model", "strategy", "policy", "gate", "scorer", "command", "explore", "seed")
    return options.overrides(asked["set_"], **{name: asked[name] for name in names})


def _wanted(text: str | None, option: str, limit: int | None = None) -> Wanted:
    """How many tasks to set aside, or the tasks of a dataset.

    Raises:
        InputError: none of these.
    """
    if text is None:
        return ()
    number = _number(text.strip())
    if number is not None and limit is not None:
        raise InputError(f"{option}-limit is for a dataset; {option} {text} is a number of tasks")
    if number is not None:
        if number <= 0 or (number >= 1 and number != int(number)) or text.strip() == "1.0":
            raise InputError(f"{option} {text}: give a number of tasks, a share between 0 and 1, or a dataset")
        return number if number < 1 else int(number)
    from agentfly.bench.datasets import load_dataset

    return load_dataset(text, limit=limit).tasks


def _number(text: str) -> int | float | None:
    share = text.endswith("%")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return None
    if number != number or abs(number) == float("inf"):
        return 0
    return number / 100 if share else number


def _require_answers(tasks: tuple[Task, ...], settings: Settings) -> None:
    """Without an answer in the dataset somebody else has to judge.

    Raises:
        InputError: nobody would.
    """
    needed = settings.command is None and settings.scorer in COMPARE and settings.feedback in ("reference", "outcome")
    if needed and all(task.reference is None for task in tasks):
        raise InputError("no task of the dataset has an answer to learn by; judge with --command or another --scorer")
