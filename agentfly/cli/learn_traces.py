"""`agentfly learn --traces`: learning from attempts that were recorded elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from agentfly.cli import options

if TYPE_CHECKING:
    from agentfly.events import Event
    from agentfly.learning.traces.learning import TracesLearned

_SKIPPED_LINES = 5
BATCH = 8
"""Traces that are curated together, where nobody says how many."""


def learn_from_traces(asked: Mapping[str, Any]) -> None:
    """Learn from a file of traces.

    Args:
        asked: the command's options by their names.
    """
    file = options.check_file(Path(asked["traces"]))
    layer = options.overrides(asked["set_"], **{name: asked[name] for name in ("model", "gate", "command")})
    folder = options.check_settings(asked["home"] and Path(asked["home"]), layer)
    told = _Told()
    try:
        with _output(asked["as_json"]) as put:
            put(_perform(file, folder, layer, asked["batch"] or BATCH, asked["limit"], told))
    except KeyboardInterrupt:
        _say_interrupted(told.so_far)
        raise


@contextlib.contextmanager
def _output(as_json: bool) -> Iterator[Callable[[TracesLearned], None]]:
    """What shows the summary: one JSON object with nothing beside it, or lines for people."""
    if not as_json:
        yield _draw
        return
    from agentfly.cli.streams import reserved_stdout

    with reserved_stdout() as put:
        yield lambda summary: put(contract(summary))


class _Told:
    """What is known while it goes on: notices go to standard error, the summary is kept for Ctrl-C."""

    def __init__(self) -> None:
        self.so_far: TracesLearned | None = None

    def event(self, event: Event) -> None:
        from agentfly.cli.failures import say
        from agentfly.cli.text import one_line
        from agentfly.events import Notice

        if isinstance(event, Notice) and event.level == "warning" and not event.text.startswith("skipped "):
            say(one_line(event.text))

    def batch(self, so_far: TracesLearned) -> None:
        import sys

        from agentfly.cli.failures import say
        from agentfly.cli.text import count

        self.so_far = so_far
        if sys.stderr.isatty():
            say(f"{count(so_far.learned, 'trace')} learned, {so_far.kept} kept and {so_far.dropped} dropped")


def _perform(
    file: Path, folder: Path, layer: dict[str, Any], batch: int, limit: int | None, told: _Told
) -> TracesLearned:
    from agentfly.cli.session import Session

    with Session(folder, layer, told.event) as session:
        work = session.agent.alearn_traces(file, batch=batch, limit=limit, on_event=told.event, on_batch=told.batch)
        return session.wait(work)


def contract(summary: TracesLearned) -> dict[str, Any]:
    """The object of ``--json``."""
    usage = summary.usage
    return {
        "read": summary.read,
        "learned": summary.learned,
        "known": summary.known,
        "skipped": list(summary.skipped),
        "cases": summary.cases,
        "deltas": {"kept": summary.kept, "dropped": summary.dropped},
        "runs": list(summary.runs),
        "usage": {
            "calls": usage.calls,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cost_usd": round(usage.cost_usd, 8),
            "seconds": round(usage.seconds, 3),
        },
    }


def _draw(summary: TracesLearned) -> None:
    from agentfly.cli.text import count, one_line

    skipped = f", {len(summary.skipped)} skipped" if summary.skipped else ""
    typer.echo(f"{count(summary.read, 'trace')} read, {summary.learned} learned, {summary.known} known before{skipped}")
    typer.echo(f"{count(summary.cases, 'case')} kept")
    typer.echo(
        f"{count(summary.kept + summary.dropped, 'playbook change')}: {summary.kept} kept, {summary.dropped} dropped"
    )
    for line in summary.skipped[:_SKIPPED_LINES]:
        typer.echo(f"skipped {one_line(line)}", err=True)
    more = len(summary.skipped) - _SKIPPED_LINES
    if more > 0:
        typer.echo(f"and {more} more skipped; --json names them all", err=True)


def _say_interrupted(so_far: TracesLearned | None) -> None:
    from agentfly.cli.failures import say
    from agentfly.cli.text import count

    if so_far is None:
        say("interrupted before the first batch was kept; nothing was learned")
    else:
        learned = count(so_far.learned, "trace")
        say(f"interrupted; {learned} learned and kept, the rest is taken up by the same command")
