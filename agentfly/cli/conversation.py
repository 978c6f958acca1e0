"""The chat loop: what each line means. Drawing is the view's, the work is the agent's."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.cli import options
from agentfly.cli.approving import say_waiting, settle
from agentfly.cli.failures import describe
from agentfly.cli.interrupt import guard
from agentfly.cli.lines import Lines
from agentfly.errors import AgentflyError, InputError

if TYPE_CHECKING:
    from agentfly.cli.session import Session
    from agentfly.cli.views.chat import ChatView
    from agentfly.types import Feedback, RunResult

COMMANDS = {
    "/good": "the last answer was right: remember how it was found",
    "/bad WHY": "the last answer was wrong: learn from your reason",
    "/teach TEXT": "put a rule of yours into the playbook",
    "/why": "what was recalled for the last answer",
    "/steps": "the last answer step by step, with its code",
    "/playbook": "the playbook as it is now",
    "/file PATH": "attach a file to the next question",
    "/help": "this list",
    "/quit": "end; Ctrl-D does too",
}


class Conversation:
    """One chat.

    Args:
        session: the agent.
        view: where to draw.
        files: attachments of the first question.
    """

    def __init__(self, session: Session, view: ChatView, files: tuple[Path, ...] = ()) -> None:
        self._session, self._agent, self._view = session, session.agent, view
        self._files = files
        self._last: RunResult | None = None
        self._open = True
        self._commands: dict[str, Callable[[str], None]] = {
            "/good": self._good,
            "/bad": self._bad,
            "/teach": self._teach,
            "/why": self._why,
            "/steps": self._steps,
            "/playbook": self._playbook,
            "/file": self._file,
            "/help": lambda rest: self._view.commands(COMMANDS),
            "/quit": self._quit,
            "/exit": self._quit,
        }

    def hold(self) -> None:
        """Until the person ends it."""
        lines = Lines(self._agent.home / "chat_history", [command.split()[0] for command in COMMANDS])
        self._view.welcome(self._agent, lines.interactive, self._files)
        pressed = False
        try:
            while self._open:
                try:
                    line = lines.read("you › ")
                except EOFError:
                    break
                except KeyboardInterrupt:
                    guard.disarm()
                    if pressed or not lines.interactive:
                        raise
                    pressed = True
                    self._view.hint("\nCtrl-C again or Ctrl-D ends the chat")
                    continue
                pressed = False
                self._take(line.strip())
        finally:
            lines.close()

    def _take(self, line: str) -> None:
        """Act on one line; an error is told and the chat goes on."""
        word, _, rest = line.partition(" ")
        try:
            if word in self._commands:
                self._commands[word](rest.strip())
            elif word.startswith("/") and "/" not in word[1:] and len(word) > 1:
                self._view.problem(f"no command {word}; /help lists them")
            elif line:
                self._ask(line)
        except KeyboardInterrupt:
            guard.disarm()
            self._view.stopped()
        except (AgentflyError, OSError) as error:
            self._view.problem(describe(error))

    def _ask(self, question: str) -> None:
        question = options.read_question(question) if question != "-" else question
        files, self._files = self._files, ()
        self._last = None
        with self._view.answering():
            work = self._agent.arun(question, files=files, on_event=self._view)
            result = self._session.wait(work)
        result = settle(self._session, result, self._view, going_on=self._view.going_on)
        if result.status == "waiting":
            say_waiting(result, self._agent.home)
            return
        self._last = result
        self._view.done(result)

    def _good(self, rest: str) -> None:
        self._judge(1.0, rest)

    def _bad(self, why: str) -> None:
        if not why:
            raise InputError("say what was wrong: /bad WHY")
        self._judge(0.0, why)

    def _judge(self, reward: float, text: str) -> None:
        from agentfly.types import Feedback

        self._learn(self._result(), Feedback(reward=reward, text=text, source="human"))

    def _learn(self, result: RunResult, feedback: Feedback) -> None:
        work: Coroutine[Any, Any, Any] = self._agent.alearn(result, feedback, on_event=self._view)
        with self._view.learning():
            learned = self._session.wait(work)
        self._view.learned(learned)

    def _teach(self, text: str) -> None:
        if not text:
            raise InputError("say what to teach: /teach TEXT")
        learned = self._agent.teach(text)
        self._view.taught(learned, self._agent.playbook.current(), text)

    def _why(self, rest: str) -> None:
        result = self._result()
        self._view.why(result, self._agent.playbook.current())

    def _steps(self, rest: str) -> None:
        self._view.steps(self._result())

    def _playbook(self, rest: str) -> None:
        self._view.playbook(self._agent.playbook.current())

    def _file(self, given: str) -> None:
        if not given:
            raise InputError("which file? /file PATH")
        self._files = options.check_files([*self._files, Path(given.strip("'\""))])
        self._view.attached(self._files)

    def _quit(self, rest: str) -> None:
        self._open = False

    def _result(self) -> RunResult:
        if self._last is None:
            raise InputError("there is no answer yet: ask something first")
        return self._last
