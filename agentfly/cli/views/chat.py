"""A chat as a person sees it: the work while it goes on, then the answer and one line about how it came to be."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentfly import events
from agentfly.cli.text import count, money, one_line, plain, seconds, shorten
from agentfly.cli.views import blocks, tables
from agentfly.cli.views.console import text
from agentfly.cli.views.live import Pulse
from agentfly.cli.views.run import answer
from agentfly.types import Learned, Recalled, RunResult, Step

if TYPE_CHECKING:
    from agentfly.agent import Agent
    from agentfly.playbooks.playbook import Playbook


class ChatView:
    """Draws a conversation.

    Args:
        console: where everything goes but notices.
        notes: where notices go.
    """

    def __init__(self, console: Console, notes: Console) -> None:
        self._console, self._notes = console, notes
        self._pulse: Pulse | None = None
        self._lock = threading.RLock()
        self._recalled: tuple[Recalled, ...] = ()
        self._answered = False

    def __call__(self, event: events.Event) -> None:
        """Draw one event; may be called from several threads."""
        with self._lock:
            self._draw(event)

    def _draw(self, event: events.Event) -> None:
        pulse = self._pulse or Pulse(self._notes)
        match event:
            case events.CasesRecalled(cases=cases):
                self._recalled = cases
                pulse.phase("reading the question")
            case events.TextDelta(text=piece):
                pulse.grow(piece)
            case events.CodeStarted(code=code):
                pulse.phase("running the code")
                pulse.show(code)
            case events.StepFinished(step=step):
                pulse.phase("thinking on")
                if not self._answered:
                    self._step(step)
            case events.AttemptFinished(attempt=attempt, retry=retry):
                if not retry and not self._answered:
                    self._answered = True
                    self._console.print(answer(attempt))
            case events.Reflected(reflection=reflection, problem=problem):
                if problem:
                    self._console.print(text(f"reflection failed: {one_line(problem)}", "yellow"))
                elif reflection and reflection.insight.strip():
                    self._console.print(Text("insight   ", style="dim").append(one_line(reflection.insight)))
                pulse.phase("curating the playbook")
            case events.Curated():
                self._curated(event)
            case events.Notice(progress=(done, total)):
                pulse.progress(event.text, done, total)
            case events.Notice():
                self._notes.print(text(one_line(event.text), "dim" if event.level == "info" else "yellow"))
            case _:
                pass

    def _step(self, step: Step) -> None:
        """One line for each step; /steps shows all."""
        line = Text(f"step {step.index + 1}    ", style="dim")
        if step.action.strip():
            line.append(f"{count(len(step.action.strip().splitlines()), 'line')} of action", style="dim")
        if step.observation.strip():
            line.append("  → ", style="dim")
            room = max(20, self._console.width - len(line) - 2)
            said = step.observation.strip().splitlines()[-1] if step.error else step.observation
            line.append(shorten(said, room), style="red" if step.error else "default")
        self._console.print(line)

    def _curated(self, event: events.Curated) -> None:
        if event.accepted:
            self._console.print(blocks.changes(event.changes))
        else:
            self._console.print(text(f"playbook  change dropped: {one_line(event.reason)}", "yellow"))

    # Framing

    def welcome(self, agent: Agent, interactive: bool, files: Sequence[Path]) -> None:
        """The first lines."""
        if interactive:
            self._console.print(
                Text("agentfly", style="bold cyan").append_text(
                    text(f"  model {agent.model_name} ({agent.model_why})", "not bold dim")
                )
            )
            known = f"home {agent.home} · {count(agent.bank.count(), 'case')}"
            self._console.print(text(known, "dim"))
            self._console.print(text("Each question stands alone. /help lists the commands, Ctrl-D ends.", "dim"))
        if files:
            self.attached(files)

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """While a question is worked on."""
        self._answered, self._recalled = False, ()
        with self._moving("recalling"):
            yield

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """While an answer is worked on that had to wait for a person."""
        with self._moving("going on"):
            yield

    @contextlib.contextmanager
    def learning(self) -> Iterator[None]:
        """While feedback is learned from."""
        self._answered = True
        with self._moving("learning from it"):
            yield

    @contextlib.contextmanager
    def _moving(self, phase: str) -> Iterator[None]:
        with Pulse(self._console) as pulse:
            pulse.phase(phase)
            self._pulse = pulse
            try:
                yield
            finally:
                self._pulse = None

    # Lines

    def done(self, result: RunResult) -> None:
        """One line about how the answer came to be."""
        usage = result.usage
        parts = [count(result.steps, "step"), count(usage.tokens, "token"), seconds(usage.seconds)]
        parts += [money(usage.cost_usd)] if usage.cost_usd > 0 else []
        if result.recalled or result.bullets:
            parts.append(
                f"{count(len(result.recalled), 'case')} and {count(len(result.bullets), 'bullet')} shown (/why)"
            )
        self._console.print(text(" · ".join(parts), "dim"))

    def learned(self, record: Learned) -> None:
        """What a judgement taught."""
        self._console.print(blocks.learned(record))

    def taught(self, record: Learned, playbook: Playbook, rule: str) -> None:
        """The new bullet."""
        self._console.print(blocks.learned(record))
        mine = [bullet for bullet in playbook.bullets if bullet.text.split() == rule.split()]
        if mine:
            self._console.print(blocks.bullets(mine[-1:]))

    def why(self, result: RunResult, playbook: Playbook) -> None:
        """What was recalled for an answer."""
        if self._recalled:
            self._console.print(text("cases shown, with their similarity to the question", "dim"))
            self._console.print(blocks.recalled(self._recalled, self._console.width))
        shown = [bullet for bullet in playbook.bullets if bullet.id in result.bullets]
        if shown:
            self._console.print(text("playbook bullets shown", "dim"))
            self._console.print(blocks.bullets(shown))
        if result.attempt.cited:
            self._console.print(text("named by the model: " + ", ".join(result.attempt.cited), "dim"))
        if not self._recalled and not shown:
            self._console.print(text("nothing was recalled: the home holds nothing near to this question yet", "dim"))

    def steps(self, result: RunResult) -> None:
        """The attempt in full."""
        for step in result.attempt.steps:
            for part in blocks.step(step, whole=True):
                self._console.print(part)

    def playbook(self, playbook: Playbook) -> None:
        """The playbook."""
        for part in tables.playbook(playbook):
            self._console.print(part)

    def attached(self, files: Sequence[Path]) -> None:
        """What goes with the next question."""
        self._console.print(text("with the next question: " + ", ".join(file.name for file in files), "dim"))

    def commands(self, known: Mapping[str, str]) -> None:
        """The list of commands."""
        grid = Table.grid(padding=(0, 2))
        for name, meaning in known.items():
            grid.add_row(Text("  " + name, style="cyan", no_wrap=True), Text(meaning))
        self._console.print(grid)

    def hint(self, line: str) -> None:
        self._console.print(text(line, "dim"))

    def stopped(self) -> None:
        """An answer was interrupted."""
        self._console.print(text("stopped", "yellow"))

    def problem(self, line: str) -> None:
        """Something did not work; the chat goes on."""
        self._console.print(Text("✗ ", style="red").append(plain(line)))
