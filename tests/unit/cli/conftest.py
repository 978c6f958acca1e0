"""A fake agent that plays events, and a way to run commands in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agentfly import events
from agentfly.cli import session
from agentfly.cli.main import run_cli
from agentfly.types import Attempt, Bullet, Case, Feedback, Learned, Recalled, Reflection, RunResult, Step, Task, Usage

EVIL = "[red]markup[/red] \x1b[31mansi\x1b[0m \x9b31m \u202eltr"
CODE = "import pandas as pd\n\ndata = pd.read_csv('prices.csv')\nprint(round(data['price'].mean(), 2))"


@dataclass
class FakeBook:
    version: int = 1
    bullets: tuple[Bullet, ...] = (Bullet(id="str-00001", section="strategies", text="Round as asked. " + EVIL),)
    tokens: int = 12

    @property
    def sections(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(bullet.section for bullet in self.bullets))

    def __len__(self) -> int:
        return len(self.bullets)


class FakeLedger:
    def __init__(self) -> None:
        self.book = FakeBook()

    def current(self) -> FakeBook:
        return self.book


class FakeBank:
    def count(self) -> int:
        return 3


@dataclass
class FakeAgent:
    """Plays a run with one mistake, one good step and a learned bullet."""

    home: Path
    settings: Any
    notify: Callable[[events.Event], None]
    answer: str | None = "42.5"
    status: str = "answered"
    right: bool | None = None
    """The feedback; None follows the reference."""
    pause: float = 0.0
    fails: BaseException | None = None
    model_name: str = "fake/model"
    model_why: str = "as configured"
    asked: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    taught: list[str] = field(default_factory=list)
    closed: int = 0
    cancelled: bool = False
    bank: FakeBank = field(default_factory=FakeBank)
    playbook: FakeLedger = field(default_factory=FakeLedger)

    async def arun(self, question: str, *, on_event: Callable[[events.Event], None], **options: Any) -> RunResult:
        self.asked.append({"question": question, **options})
        try:
            return await self._play(question, on_event, **options)
        except asyncio.CancelledError:
            self.cancelled = True
            raise

    async def _play(
        self,
        question: str,
        emit: Callable[[events.Event], None],
        files: tuple[Path, ...] = (),
        reference: str | None = None,
        learn: bool | None = None,
    ) -> RunResult:
        if self.fails:
            raise self.fails
        task = Task(question, files=files)
        emit(events.RunStarted(run_id="20260101-1", task=task, model=self.model_name, strategy="codeact"))
        cases = (
            Recalled(case=Case(id="case-0001", question="Median of price? " + EVIL), similarity=0.83, score=0.83),
            Recalled(case=Case(id="case-0002", question="Sum of it?", reward=0.0), similarity=0.41, score=0.41),
        )
        emit(events.CasesRecalled(cases=cases, bullets=("str-00001",)))
        usage = Usage(calls=1, prompt_tokens=600, completion_tokens=40, seconds=1.25)
        wrong = Step(index=0, thought="Look at it. " + EVIL, action="print(", observation=EVIL, error=True, usage=usage)
        good = Step(index=1, action=CODE, observation="42.5\n" * 20, final=True, usage=usage, seconds=0.2)
        for step in (wrong, good):
            for piece in (step.thought, "```python\n", step.action, "\n```"):
                emit(events.TextDelta(text=piece, step=step.index))
                await asyncio.sleep(self.pause)
            emit(events.CodeStarted(code=step.action, step=step.index))
            await asyncio.sleep(self.pause)
            emit(events.StepFinished(step=step))
        attempt = Attempt(
            task_id=task.id, steps=(wrong, good), answer=self.answer, status=self.status,  # type: ignore[arg-type]
            reason="" if self.answer else "the provider said " + EVIL, shown_cases=("case-0001",), cited=("str-00001",),
        )  # fmt: skip
        emit(events.AttemptFinished(attempt=attempt))
        judged = self.right if self.right is not None else (None if reference is None else reference == self.answer)
        given = None if judged is None else Feedback(reward=float(judged), text="as " + EVIL, source="reference")
        emit(events.Evaluated(feedback=given))
        learned = Learned()
        if given and learn is not False:
            learned = await self.alearn("", given, emit)
        result = RunResult(
            run_id="20260101-1", status=attempt.status, answer=self.answer, reward=given.reward if given else None,
            steps=2, usage=usage + usage, recalled=("case-0001", "case-0002"), bullets=("str-00001",), learned=learned,
            task=task, attempt=attempt, feedback=given,
        )  # fmt: skip
        emit(events.RunFinished(result=result))
        return result

    async def alearn(self, result: Any, feedback: Feedback, on_event: Callable[[events.Event], None]) -> Learned:
        self.feedback.append(feedback)
        reflection = Reflection(diagnosis="d", insight="Round at the end. " + EVIL)
        on_event(events.Reflected(reflection=reflection))
        await asyncio.sleep(self.pause)
        on_event(events.Curated(accepted=True, reason="fix", changes=("add strategies: Round " + EVIL,), version=2))
        on_event(events.Retained(cases=("case-0003",)))
        return Learned(cases=("case-0003",), delta=2, accepted=True)

    def teach(self, text: str) -> Learned:
        self.taught.append(text)
        bullet = Bullet(id="str-00002", section="strategies", text=text)
        self.playbook.book = FakeBook(version=2, bullets=(*self.playbook.book.bullets, bullet))
        return Learned(delta=2, accepted=True)

    async def aclose(self) -> None:
        self.closed += 1


@pytest.fixture
def agents(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Puts the fake in place. What is set in the mapping is set on the agents; ``made`` lists them."""
    plan: dict[str, Any] = {"made": []}

    def make(home: Path, settings: Any, notify: Callable[[events.Event], None]) -> FakeAgent:
        agent = FakeAgent(home, settings, notify, **{key: value for key, value in plan.items() if key != "made"})
        plan["made"].append(agent)
        return agent

    monkeypatch.setattr(session, "make_agent", make)
    return plan


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def agentfly(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Outcome]:
    """Runs a command line with a home of its own; gives exit status, standard output and error."""
    monkeypatch.setenv("AGENTFLY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")

    def run(*args: object) -> Outcome:
        code = run_cli([str(arg) for arg in args])
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return run
