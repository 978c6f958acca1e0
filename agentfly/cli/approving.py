"""A run that waits for permission, at the terminal: ask, go on, ask again; or say how to go on later."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentfly.cli.session import Session
    from agentfly.events import Event
    from agentfly.types import Decision, Pending, RunResult


Moving = Callable[[], AbstractContextManager[None]]


def interactive() -> bool:
    """Whether there is somebody to ask: keys and a screen, whatever becomes of standard output."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def settle(
    session: Session,
    result: RunResult,
    on_event: Callable[[Event], None],
    *,
    going_on: Moving = nullcontext,
) -> RunResult:
    """Ask about the calls that a run waits for until it waits no more.

    The run is on record as waiting while a question is on the screen: who leaves here loses nothing.

    Args:
        session: the agent.
        result: of the run so far.
        on_event: takes the events of what follows.
        going_on: held while the run goes on.

    Returns:
        The result; still waiting where nobody can be asked, or the person put it off.
    """
    while result.status == "waiting" and interactive():
        decisions = ask(result.pending)
        if decisions is None:
            break
        with going_on():
            work = session.agent.aresume(result.run_id, decisions=decisions, on_event=on_event)
            result = session.wait(work)
    return result


def ask(calls: tuple[Pending, ...]) -> Mapping[str, Decision] | None:
    """A person's verdicts by the id of the call; None where they put it off.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    from agentfly.cli.views import approval, console

    screen, decisions = console.err(), dict[str, "Decision"]()
    always: set[str] = set()
    for number, call in enumerate(calls, start=1):
        if call.tool in always:
            continue
        screen.print(approval.call(call, number, len(calls)))
        verdict = _answer(call)
        if verdict is None:
            return None
        decisions[call.id] = verdict
        if verdict == "always":
            always.add(call.tool)
    return decisions


def _answer(call: Pending) -> Decision | None:
    """What the person types; None for later."""
    words: dict[str, Decision | None] = {
        "y": True, "yes": True, "n": False, "no": False, "a": "always", "always": "always", "q": None, "abort": None,
    }  # fmt: skip
    from agentfly.cli.text import one_line

    while True:
        question = f"call {one_line(call.tool)}? [y]es, [n]o, [a]lways in this run, abort: "
        print(question, end="", file=sys.stderr, flush=True)  # noqa: T201
        line = sys.stdin.readline()
        if not line:
            print(file=sys.stderr)  # noqa: T201
            return None
        if line.strip().lower() in words:
            return words[line.strip().lower()]


def say_waiting(result: RunResult, home: Path) -> None:
    """One line that says what a run waits for, and how to go on."""
    from agentfly.cli.failures import say
    from agentfly.cli.text import one_line
    from agentfly.layers import home_path

    tools = ", ".join(dict.fromkeys(call.tool for call in result.pending))
    where = "" if home == home_path() else f" --home {shlex.quote(str(home))}"
    say(
        f"run {result.run_id} waits for permission to call {one_line(tools)}; go on with "
        f"`agentfly runs resume {result.run_id}{where}`, and --approve all or none to decide at once"
    )
