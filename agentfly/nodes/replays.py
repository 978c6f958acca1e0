"""Past successes that a delta could spoil: which ones, and how they are tried again."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

from agentfly.errors import AgentflyError
from agentfly.events import Notice
from agentfly.nodes.checking import checks_of
from agentfly.nodes.evaluate import verdict
from agentfly.nodes.generate import attempt_task
from agentfly.nodes.recall import cases_for, shown_to
from agentfly.nodes.state import Emit, Parts, State
from agentfly.playbooks.playbook import Playbook
from agentfly.protocols import PastSuccess, Solved, Trial
from agentfly.types import Usage

MOST = 64
"""Most past successes that a gate is offered."""
_NEAR = 8
_QUERIES = 12
_REMEMBERED = 1024


@dataclass(slots=True, kw_only=True)
class Replays:
    """Offers a gate the past successes for one delta.

    Args:
        state: of the run that learned it.
        parts: what the nodes work with.
        emit: takes events.
        current: the playbook as it is.
        candidate: the playbook as the delta would make it.
        texts: what the delta writes.
        touched: ids of the bullets that it changes or takes out.
    """

    state: State
    parts: Parts
    emit: Emit
    current: Playbook
    candidate: Playbook
    texts: Sequence[str]
    touched: frozenset[str]
    spent: Usage = field(default_factory=Usage)
    """What the attempts cost that were made; those found in the cache cost nothing."""

    async def past(self) -> Sequence[PastSuccess]:
        """As `agentfly.protocols.Past`."""
        solved = await asyncio.to_thread(self._chosen)
        return [
            PastSuccess(
                run=one.run,
                task_id=one.task.id,
                reward=one.reward,
                candidate=partial(self._again, one, self.candidate),
                current=partial(self._again, one, self.current),
            )
            for one in solved
        ]

    def _chosen(self) -> list[Solved]:
        task = self.state["task"]
        solved = self.parts.record.solved(exclude_task=task.id)
        if not solved:
            return []
        near = [self._near(query) for query in _queries((*self.texts, task.question))]
        rng = random.Random(f"{self.parts.settings.seed or 0} {task.id} {self.current.version}")  # noqa: S311  no secret
        return ranked(solved, near, self.touched, rng)[:MOST]

    def _near(self, text: str) -> list[str]:
        """Ids of the tasks whose cases are nearest to a text, by the policy's word."""
        task = self.state["task"].id
        found = self.parts.memory.recollect(
            text, _NEAR, exclude_task=task, candidates=_NEAR, failures=0.0, diversity=0.0, temperature=0.0
        )
        return [recalled.case.task_id for recalled in found.shown]

    async def _again(self, solved: Solved, playbook: Playbook) -> Trial | None:
        """Try a solved task with a playbook, or remember how that went; None where it cannot be tried or judged.

        The task's own cases are kept out, or it would be right whatever the playbook says.
        """
        trying = self.touched if playbook is self.candidate else frozenset[str]()
        text, bullets = await shown_to(solved.task.question, playbook, self.parts, trying=trying)
        state: State = {
            "run_id": solved.run,
            "task": solved.task,
            "learn": False,
            # Nobody is asked about a task that is not theirs at the moment: what would need permission is refused.
            "approve": "auto" if self._mode() == "auto" else "never",
            "exclude_self": True,
            "bullets": bullets,
            "playbook": text,
            "checks": checks_of(playbook),
        }
        try:
            state["recalled"] = await cases_for(solved.task.question, state, self.parts)
            key = seen(state, self.parts)
            trial = self.parts.replayed.get(key) if key else None
            if trial is None:
                trial = await self._attempt(state)
                if trial is not None and key:
                    _remember(self.parts.replayed, key, trial)
        except (AgentflyError, OSError) as error:  # of another task: no reason to give up this one
            self.emit(Notice(text=f"task {solved.task.id} could not be tried again: {error}", level="warning"))
            return None
        return trial

    def _mode(self) -> str:
        return self.state.get("approve", self.parts.settings.approve)

    async def _attempt(self, state: State) -> Trial | None:
        """One attempt in a folder of its own, which is gone afterwards; kept on the record of the run that solved it."""
        self.emit(Notice(text=f"trying task {state['task'].id} again, which was solved before"))
        # Under the run that learns: two runs may try the same task again at once.
        folder = self.parts.workspaces / self.state["run_id"] / "replays"
        parts = replace(self.parts, workspaces=folder)
        try:
            attempt = await attempt_task(state, parts, _unheard, number=0, explore=False)
            self.spent += attempt.usage
            judging = list[Usage]()
            feedback = await verdict(state, parts, attempt, number=0, spent=judging)
            self.spent += sum(judging, Usage())
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if feedback is None:
            return None
        number = self.parts.record.append_attempt(state["run_id"], attempt, feedback)
        return Trial(attempt=replace(attempt, steps=()), feedback=feedback, id=f"{state['run_id']}/{number}")


def ranked(
    solved: Iterable[Solved], near: Iterable[Sequence[str]], touched: frozenset[str], rng: random.Random
) -> list[Solved]:
    """Past successes in the order in which they tell most about a delta.

    In turn: one that cited a bullet that the delta touches, and one near to each text that it writes and to the task at
    hand. Then those that were shown such a bullet, then the others at random.

    Args:
        solved: what can be tried again.
        near: task ids, nearest first, for each text; unknown ones are passed over.
        touched: ids of bullets.
        rng: of the random order.
    """
    tasks = {one.task.id: one for one in solved}
    others = list(tasks)
    rng.shuffle(others)
    cited = [task for task, one in tasks.items() if touched.intersection(one.cited)]
    shown = [task for task, one in tasks.items() if touched.intersection(one.shown)]
    turns = [task for turn in zip_longest(cited, *near) for task in turn if task in tasks]
    return [tasks[task] for task in dict.fromkeys([*turns, *shown, *others])]


def seen(state: State, parts: Parts) -> str:
    """A hash of everything that the generator sees and that its attempt is judged by; empty where it samples.

    Two attempts with one hash come out the same, as far as a model at temperature 0 is steady.
    """
    settings = parts.settings
    if settings.temperature:
        return ""
    cases = [
        (case.id, case.question, case.solution, case.answer, case.reward, case.lesson)
        for case in (recalled.case for recalled in state["recalled"])
    ]
    checks = [(bullet.id, bullet.text) for bullet in state.get("checks", ())]
    files = [(str(file), *_stamp(file)) for file in state["task"].files]
    limits = settings.limits.model_dump()
    parted = (state["run_id"], state["task"].question, files, state["playbook"], checks, cases, limits, settings.seed)
    return hashlib.sha256(repr((parts.generator.name, *parted)).encode(errors="surrogatepass")).hexdigest()


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def _remember(replayed: dict[str, Trial], key: str, trial: Trial) -> None:
    while len(replayed) >= _REMEMBERED:
        replayed.pop(next(iter(replayed)))
    replayed[key] = trial


def _queries(texts: Iterable[str]) -> list[str]:
    """The sentences of some texts: a bullet may give several rules, each for other tasks."""
    sentences = (" ".join(part.split()) for text in texts for part in re.split(r"(?<=[.;!?])\s+|\n", text[:2000]))
    return list(dict.fromkeys(filter(None, sentences)))[:_QUERIES]


def _unheard(event: object) -> None:
    """The steps of another task do not belong among this run's events."""
