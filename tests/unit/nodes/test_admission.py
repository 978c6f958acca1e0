"""Admission of checks: what the record says decides, and it is written down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agentfly.config import Settings
from agentfly.errors import SandboxError
from agentfly.events import Curated, Notice
from agentfly.nodes import admission
from agentfly.nodes.admission import admit
from agentfly.nodes.state import Parts, State
from agentfly.playbooks.checks.catalogue import ReadyCheck
from agentfly.playbooks.delta import Delta
from agentfly.playbooks.ledger import PlaybookLedger
from agentfly.protocols import Checked, CheckWorker, Judged, Subject, Trial
from agentfly.store.home import Home
from agentfly.types import Attempt, Bullet, Feedback, Learned, Questioned, Task

SHORT, SHORTER, NO_A, BROKEN = "len(answer) < 5", "len(answer) < 3", "'a' not in answer", "1 / 0"


class InProcess:
    """Runs the few checks of these tests, which are known to be harmless, without a sandbox."""

    opened = 0
    works = True

    @asynccontextmanager
    async def open(self) -> AsyncIterator[CheckWorker]:
        self.opened += 1
        yield self

    async def check(self, checks: Sequence[Bullet], subjects: Sequence[Subject]) -> Sequence[Sequence[Checked]]:
        if not self.works:
            raise SandboxError("no tier works")
        return [[self._one(bullet.text, subject.answer) for bullet in checks] for subject in subjects]

    @staticmethod
    def _one(text: str, answer: str) -> Checked:
        if text == BROKEN:
            return Checked(problem="division by zero")
        return Checked() if eval(text, {"answer": answer}) else Checked(message="no")


class World:
    """A ledger, a record and a checker around one call of `admit`."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ledger = PlaybookLedger(Home.open(home).db, None)
        self.checker = InProcess()
        self.events: list[Any] = []
        self.record: list[Judged] = []
        self.settings = Settings()
        self.library(monkeypatch)

    def library(self, monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
        ready = tuple(ReadyCheck(name=text, text=text, line=text) for text in texts)
        monkeypatch.setattr(admission, "READY", ready)

    def known(self, right: Sequence[str] = (), wrong: Sequence[str] = ()) -> None:
        for reward, answers in ((1.0, right), (0.0, wrong)):
            self.record += [
                Judged(id=f"old-{answer}/0", subject=Subject(question="q", answer=answer), reward=reward)
                for answer in answers
            ]

    async def admit(
        self, answer: str | None, reward: float, *proposed: str, questioned: tuple[Questioned, ...] = ()
    ) -> Learned | None:
        attempt = Attempt(task_id="t", answer=answer, status="answered", questioned=questioned)
        trial = Trial(attempt=attempt, feedback=Feedback(reward=reward, source="reference"))
        state: State = {"run_id": "run-1", "task": Task("q"), "trials": (trial,)}
        parts = SimpleNamespace(
            settings=self.settings,
            playbook=self.ledger,
            checker=self.checker,
            record=SimpleNamespace(judged=lambda *, limit: self.record[:limit]),
        )
        operations = [{"op": "add", "section": "checks", "text": text, "kind": "check"} for text in proposed]
        delta = Delta.model_validate({"operations": operations})
        return await admit(delta, state, cast(Parts, parts), self.events.append)

    @property
    def checks(self) -> list[str]:
        return [bullet.text for bullet in self.ledger.current().checks]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path / "home", monkeypatch)


async def test_what_flags_wrong_answers_and_no_right_one_comes_in_with_its_figures(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.library(monkeypatch, SHORT, NO_A)
    world.known(right=["1", "2", "a3"], wrong=["too long", "7"])
    learned = await world.admit("much too long", 0.0)
    assert world.checks == [SHORT]
    assert learned is not None
    assert (learned.accepted, learned.delta) == (True, 1)
    (revision,) = world.ledger.history()
    assert revision.evidence["standing"] == {"wrong": 3, "caught": 2, "right": 3, "alarms": 0}
    assert set(revision.evidence["attempts"]) == {"run-1/0", "old-too long/0"}
    assert [event.accepted for event in world.events if isinstance(event, Curated)] == [True]


async def test_a_proposed_check_that_the_record_speaks_against_is_dropped_with_the_evidence(world: World) -> None:
    world.known(right=["1", "2", "long but right"])
    assert await world.admit("much too long", 0.0, SHORT, BROKEN) is None
    assert world.checks == []
    dropped = world.ledger.history()
    assert {revision.accepted for revision in dropped} == {False}
    reasons = sorted(revision.reason for revision in dropped)
    assert "1 of 3 right" in reasons[0]
    assert "division by zero" in reasons[1]


async def test_the_library_is_silent_where_it_does_not_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.library(monkeypatch, SHORT)
    world.known(right=["1", "2", "long but right"])
    await world.admit("much too long", 0.0)
    assert world.ledger.history() == []
    assert world.events == []


async def test_of_checks_that_catch_the_same_the_most_telling_comes_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.library(monkeypatch, SHORT, SHORTER)
    world.known(right=["1", "2", "3"], wrong=["4444"])
    await world.admit("much too long", 0.0)
    assert world.checks == [SHORTER], "it catches both wrong answers, the other one only one of them"


async def test_after_a_success_the_library_is_not_tried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.library(monkeypatch, SHORT)
    world.known(right=["1", "2", "3"], wrong=["too long"])
    assert await world.admit("4", 1.0) is None
    assert world.checker.opened == 0


async def test_a_check_in_force_that_flags_a_right_answer_goes(world: World) -> None:
    world.known(right=["1", "2", "3"])
    await world.admit("much too long", 0.0, SHORT)
    assert world.checks == [SHORT]
    world.known(wrong=["much too long"])
    learned = await world.admit("long but right", 1.0)
    assert world.checks == []
    assert learned is not None
    assert learned.accepted is True
    assert "1 of 4 right" in world.ledger.history()[0].reason


async def test_a_questioned_answer_that_was_right_counts_as_a_false_alarm(world: World) -> None:
    world.known(right=["1", "2", "3"])
    await world.admit("much too long", 0.0, SHORT)
    talked_out_of = Questioned(answer="55555", checks=("che-00001",), reward=1.0)
    await world.admit("5", 0.0, questioned=(talked_out_of,))
    assert world.checks == []


async def test_a_check_is_not_taken_in_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.known(right=["1", "2", "3"])
    await world.admit("much too long", 0.0, SHORT)
    world.library(monkeypatch, SHORT)
    assert await world.admit("again too long", 0.0, SHORT) is None
    assert world.checks == [SHORT]


async def test_nothing_runs_where_checks_are_turned_off(world: World) -> None:
    world.settings = Settings.model_validate({"learning": {"checks": False}})
    world.known(right=["1", "2", "3"])
    assert await world.admit("much too long", 0.0, SHORT) is None
    assert world.checker.opened == 0


async def test_without_a_sandbox_a_notice_says_so_and_nothing_changes(world: World) -> None:
    world.checker.works = False
    world.known(right=["1", "2", "3"])
    assert await world.admit("much too long", 0.0, SHORT) is None
    assert [type(event) for event in world.events] == [Notice]
    assert world.ledger.history() == []
