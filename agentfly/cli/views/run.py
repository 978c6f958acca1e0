"""A run as a person watches it: every permanent line is drawn from the records, the live part from the stream."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.text import Text

from agentfly import events
from agentfly.cli.text import clip_lines, count, ending, one_line
from agentfly.cli.views import blocks
from agentfly.cli.views.console import text
from agentfly.cli.views.live import Pulse
from agentfly.types import Attempt, RunResult

QUESTION_LINES = 12


class RunView:
    """Draws the events of one run.

    Args:
        console: where results go.
        notes: where notices go; progress is drawn there when `console` is no terminal.
        quiet: draw nothing that stays, but warnings.
    """

    def __init__(self, console: Console, notes: Console, quiet: bool = False) -> None:
        self._console, self._notes, self._quiet = console, notes, quiet
        self._why = ""
        live_on = console if console.is_terminal and not quiet else notes
        self._live_on, self._pulse = live_on, Pulse(live_on)
        self._lock = threading.RLock()
        self._answered = False
        self._tenths = -1

    def __enter__(self) -> Self:
        self._pulse.__enter__()
        self._pulse.phase("starting")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._pulse.stop()

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """While a run goes on that had to wait for a person."""
        self._pulse = Pulse(self._live_on)
        with self._pulse:
            self._pulse.phase("going on")
            yield

    def explain(self, why: str) -> None:
        """Why this model was taken; shown beside its name."""
        self._why = why

    def __call__(self, event: events.Event) -> None:
        """Draw one event; may be called from several threads."""
        with self._lock:
            self._draw(event)

    def _draw(self, event: events.Event) -> None:
        match event:
            case events.RunStarted():
                self._started(event)
            case events.CasesRecalled():
                self._recalled(event)
            case events.TextDelta(text=piece):
                self._pulse.grow(piece)
            case events.CodeStarted(code=code):
                self._pulse.phase("running the code")
                self._pulse.show(code)
            case events.StepFinished(step=step):
                self._print(*blocks.step(step, "retry step" if self._answered else "step"))
                self._pulse.phase("checking the answer" if step.final else "the model is writing")
            case events.AttemptFinished(attempt=attempt, retry=retry):
                self._attempt(attempt, retry)
            case events.Notice():
                self._notice(event)
            case events.ApprovalNeeded():
                self._pulse.stop()
            case events.RunFinished(result=result):
                self._finished(result)
            case _:
                self._learning(event)

    def _learning(self, event: events.Event) -> None:
        match event:
            case events.Evaluated(feedback=feedback):
                self._print(blocks.feedback(feedback))
                self._pulse.phase("learning from it" if feedback else "")
            case events.Reflected(reflection=reflection, problem=problem):
                if problem:
                    self._print(text(f"reflection failed: {one_line(problem)}", "yellow"))
                elif reflection and reflection.insight.strip():
                    self._print(Text("insight   ", style="dim").append(one_line(reflection.insight), style="default"))
                self._pulse.phase("curating the playbook")
            case events.Curated():
                self._curated(event)
            case events.Retained():
                self._pulse.phase("")
            case _:
                pass

    def _started(self, event: events.RunStarted) -> None:
        shown, hidden = clip_lines(event.task.question, QUESTION_LINES)
        self._print(Text(shown + (f"\n… {count(hidden, 'more line')}" if hidden else ""), style="bold"))
        about = [f"model {event.model}" + (f" ({self._why})" if self._why else ""), event.strategy]
        about += [file.name for file in event.task.files]
        self._print(text(" · ".join(about), "dim"))
        self._pulse.phase("recalling")

    def _recalled(self, event: events.CasesRecalled) -> None:
        if event.cases or event.bullets:
            shown = [count(len(event.cases), "case")] if event.cases else []
            shown += [count(len(event.bullets), "playbook bullet")] if event.bullets else []
            self._print(Text("recalled  ", style="dim").append(", ".join(shown), style="default"))
        if event.cases:
            self._print(blocks.recalled(event.cases, self._console.width))
        self._pulse.phase("the model is reading")

    def _attempt(self, attempt: Attempt, retry: bool) -> None:
        if not retry and not self._answered:
            self._answered = True
            self._print(answer(attempt))
        if attempt.mended is not None:
            self._print(Text("repaired  ", style="dim").append(one_line(attempt.mended.said), style="default"))
        self._pulse.phase("judging")

    def _curated(self, event: events.Curated) -> None:
        if event.accepted:
            self._print(Text("playbook  ", style="dim").append(f"version {event.version}", style="magenta"))
            self._print(blocks.changes(event.changes))
        else:
            self._print(text(f"playbook  change dropped: {one_line(event.reason)}", "yellow"))
        self._pulse.phase("retaining the case")

    def _notice(self, event: events.Notice) -> None:
        if event.progress is not None:
            self._progress(event.text, *event.progress)
        elif not self._quiet or event.level != "info":
            self._notes.print(text(one_line(event.text), "dim" if event.level == "info" else "yellow"))

    def _progress(self, what: str, done: int, total: int) -> None:
        self._pulse.progress(what, done, total)
        if self._notes.is_terminal or self._quiet or not total:
            return
        tenths = done * 4 // total  # a line for each quarter where nothing can be redrawn
        if tenths != self._tenths:
            self._tenths = tenths
            self._notes.print(text(f"{one_line(what)}: {tenths * 25} %"))

    def _finished(self, result: RunResult) -> None:
        self._pulse.stop()
        if result.status == "waiting":
            return
        self._print(blocks.learned(result.learned))
        self._print(Text(), blocks.totals(result))

    def _print(self, *parts: RenderableType) -> None:
        if not self._quiet:
            for part in parts:
                self._console.print(part)


def answer(attempt: Attempt) -> RenderableType:
    """The answer, or why there is none."""
    if attempt.answer is not None:
        line = Text("answer    ", style="dim").append_text(text(attempt.answer, "bold green"))
        if attempt.status != "answered":
            line.append(f"  ({one_line(ending(attempt))})", style="yellow")
        return line
    return Text("answer    ", style="dim").append(f"none: {one_line(ending(attempt))}", style="bold red")
