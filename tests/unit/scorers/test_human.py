from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from agentfly.errors import ConfigError
from agentfly.scorers import HumanScorer, scorer_named
from agentfly.types import Attempt, Feedback, Task

TASK = Task("What is six times seven?", reference="42", id="t")
HERE = Path("w")


class Person:
    """Types what it was told to."""

    def __init__(self, *lines: str | None) -> None:
        self.lines, self.asked = list(lines), list[str]()

    def __call__(self, prompt: str) -> str | None:
        self.asked.append(prompt)
        return self.lines.pop(0)


async def judge(person: Callable[[str], str | Awaitable[str | None] | None], answer: str = "41") -> Feedback | None:
    return await HumanScorer(ask=person).score(TASK, Attempt(task_id="t", answer=answer), HERE)


@pytest.mark.parametrize(
    ("typed", "reward"),
    [("y", 1.0), (" YES ", 1.0), ("n", 0.0), ("no", 0.0), ("0.25", 0.25), ("1", 1.0), ("0", 0.0)],
)
async def test_verdicts(typed: str, reward: float) -> None:
    feedback = await judge(Person(typed, "it is one off"))
    assert feedback == Feedback(reward=reward, text="it is one off", source="human")


async def test_a_reason_is_not_needed() -> None:
    feedback = await judge(Person("n", ""))
    assert feedback == Feedback(reward=0.0, text="The answer '41' is wrong.", source="human")


@pytest.mark.parametrize("typed", ["", "   ", None])
async def test_an_empty_line_is_no_verdict_and_nothing_more_is_asked(typed: str | None) -> None:
    person = Person(typed)
    assert await judge(person) is None
    assert len(person.asked) == 1


async def test_what_cannot_be_read_is_asked_again_and_not_for_ever() -> None:
    person = Person("maybe", "7", "y", "")
    feedback = await judge(person)
    assert feedback is not None
    assert feedback.reward == 1.0
    assert "'maybe' is none of these" in person.asked[1]
    assert await judge(Person("nan", "-1", "2")) is None


async def test_the_question_and_the_answer_are_shown_harmless_and_in_short() -> None:
    person = Person("n", "")
    await judge(person, "\x1b[2Jgone\u202e" + "x" * 50_000)
    shown = person.asked[0]
    assert "What is six times seven?" in shown
    assert "\\u{1b}[2Jgone\\u{202e}" in shown
    assert "\x1b" not in shown
    assert len(shown) < 5000
    assert "42" not in shown


async def test_one_question_at_a_time_with_its_reason() -> None:
    asked: list[str] = []

    async def person(prompt: str) -> str:
        asked.append("why" if prompt.startswith("why") else prompt.partition("answer:")[2].split()[0])
        await asyncio.sleep(0.001)
        return "" if prompt.startswith("why") else "y"

    scorer = HumanScorer(ask=person)
    answers = [str(number) for number in range(6)]
    await asyncio.gather(*(scorer.score(TASK, Attempt(task_id="t", answer=answer), HERE) for answer in answers))
    assert asked == [word for answer in answers for word in (answer, "why")]


def test_it_may_be_used_in_one_event_loop_after_the_other() -> None:
    async def person(prompt: str) -> str:
        await asyncio.sleep(0.001)
        return "y"

    scorer = HumanScorer(ask=person)

    async def several() -> Sequence[Feedback | None]:
        attempt = Attempt(task_id="t", answer="1")
        return await asyncio.gather(*(scorer.score(TASK, attempt, HERE) for _ in range(3)))

    assert [len(asyncio.run(several())) for _ in range(2)] == [3, 3]


async def test_an_answer_that_is_missing_is_not_asked_about() -> None:
    feedback = await HumanScorer(ask=Person()).score(TASK, Attempt(task_id="t"), HERE)
    assert feedback == Feedback(reward=0.0, text="No answer was given.", source="human")


async def test_where_nobody_sits_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(ConfigError, match="standard input is none"):
            scorer_named("human")
        with pytest.raises(ConfigError, match="standard input is none"):
            await HumanScorer().score(TASK, Attempt(task_id="t", answer="1"), HERE)
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ConfigError, match="standard input is none"):
        scorer_named("human")


PROGRAM = """
import asyncio, sys
from pathlib import Path
from agentfly.scorers import scorer_named
from agentfly.types import Attempt, Task

async def main():
    scorer = scorer_named("human")
    attempts = [Attempt(task_id="t", answer=answer) for answer in ("41", "42")]
    found = await asyncio.gather(*(scorer.score(Task("6 * 7?"), attempt, Path(".")) for attempt in attempts))
    print(*[one and (one.reward, one.text) for one in found], sep="\\n")

asyncio.run(main())
"""


PAUSING = """
import asyncio, contextlib, sys
from pathlib import Path
from agentfly.scorers import HumanScorer
from agentfly.scorers.terminal import Terminal
from agentfly.types import Attempt, Task

@contextlib.contextmanager
def paused():
    print("<away>", file=sys.stderr)
    yield
    print("<back>", file=sys.stderr)

scorer = HumanScorer(Terminal(paused))
print(asyncio.run(scorer.score(Task("6 * 7?"), Attempt(task_id="t", answer="42"), Path("."))).reward)
"""


class Typed:
    """A program at a terminal of its own."""

    def __init__(self, program: str = PROGRAM) -> None:
        self._screen, other = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=other, stderr=other, stdout=subprocess.PIPE, text=True
        )
        os.close(other)
        self.seen = ""

    def until(self, word: str) -> None:
        """Read the screen until a word is there that was not there before."""
        new, deadline = "", time.monotonic() + 10
        while word not in new:
            assert time.monotonic() < deadline, self.seen + new
            new += os.read(self._screen, 4096).decode()
        self.seen += new

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def end(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=10)
        os.close(self._screen)
        return self.process.returncode, out


def test_at_a_terminal() -> None:
    typed = Typed()
    typed.until("no verdict:")
    typed.type("n\n")
    typed.until("why?")
    typed.type("one öff\n")
    typed.until("no verdict:")
    typed.type("\x04")  # Ctrl-D
    assert typed.end() == (0, "(0.0, 'one öff')\nNone\n")
    assert typed.seen.count("question: 6 * 7?") == 2


def test_a_progress_display_is_away_while_a_question_is_on_the_screen() -> None:
    typed = Typed(PAUSING)
    typed.until("no verdict:")
    typed.type("y\n")
    typed.until("why?")
    typed.type("\n")
    code, out = typed.end()
    assert code == 0
    assert typed.seen.split().count("<away>") == 2
    lines = [line for line in typed.seen.splitlines() if line.startswith(("<", "right", "why"))]
    assert [line.split()[0] for line in lines] == ["<away>", "right?", "<back>", "<away>", "why?"]
    assert out == "1.0\n"


def test_what_was_typed_before_the_question_is_no_answer() -> None:
    typed = Typed()
    typed.type("y\ny\ny\ny\n")
    typed.until("no verdict:")
    typed.type("n\n")
    typed.until("why?")
    typed.type("\n")
    typed.until("no verdict:")
    typed.type("\n")
    assert typed.end()[1].startswith("(0.0,")


def test_ctrl_c_ends_the_program_at_once() -> None:
    typed = Typed()
    typed.until("no verdict:")
    begun = time.monotonic()
    typed.process.send_signal(signal.SIGINT)
    code, out = typed.end()
    assert (code, out) == (-signal.SIGINT, "")
    assert time.monotonic() - begun < 5
