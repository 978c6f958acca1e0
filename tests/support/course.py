"""Courses of learning with a model that follows rules, and a sandbox that only pretends: whole courses in a second or two.

A task is of a kind. Its right answer is its number plus what its kind adds, which the model knows from a rule of the playbook, from a
solved case of the kind, or, for some numbers, by itself. The reflector names the rule of the kind; that of one kind is of no use, that
of another one breaks a third kind, so that gates have something to drop, and that of one misleads in validation.

    python course.py '{"FOLDER": ["KILL", ...], ...}'

works on one course for each folder, in a process of its own for each kill, which is killed there, and once more to its end.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import random
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agentfly import Agent, Task
from agentfly.learning.adaptation.course import Course, Ended, Tasks
from agentfly.learning.adaptation.plan import Plan
from agentfly.models.scripted import ScriptedModel
from agentfly.protocols import CallOptions, Execution, Tool
from agentfly.types import Message, Reply

ADDS = {"amber": 1, "birch": 2, "cedar": 3, "dune": 4}
USELESS, HARMFUL, HARMED, MISLEADING = "cedar", "dune", "amber", "birch"
SETTINGS = {
    "strategy": "codeact",
    "gate": "replay",
    "replays": 2,
    "policy": "neural",
    "seed": 7,
    "explore": 1,
    "limits.steps": 2,
    "learning.checks": False,
    "learning.answers": "never",
    "playbook.leave_out": 0.1,
    "recall.floor": 0.2,
    "tools.builtin": "none",
    "memory.capacity": 14,
}


def task(place: int, group: str = "train") -> Task:
    kind = list(ADDS)[place % len(ADDS)]
    number = 10 * place + len(group)
    question = f"{group} {place}: what does {kind} make of {number}?"
    return Task(question, reference=str(number + ADDS[kind]), id=f"{group}-{place}", level=str(1 + place % 2))


def tasks(train: int = 12, validation: int = 3, test: int = 3) -> Tasks:
    groups = {"train": train, "validation": validation, "test": test}
    return Tasks(**{name: [task(place, name) for place in range(count)] for name, count in groups.items()})


def rule(kind: str) -> str:
    return f"Whenever {kind} is asked about, think of {kind} first."


def says(messages: Sequence[Message]) -> str:
    """What the model replies."""
    told = "\n".join(message.content for message in messages)
    if messages[0].content.startswith("You solve tasks"):
        return _solution(told)
    if messages[0].content.startswith("You review an attempt"):
        kind = re.findall(r"what does (\w+) make", told)[0]
        return json.dumps(
            {"diagnosis": "It did not know.", "cause": "haste", "approach": "Think.", "insight": rule(kind)}
        )
    kinds = [
        kind for kind in ADDS if f"Whenever {kind}" in told.rpartition("Insight")[0] + told.rpartition("Insight")[2]
    ]
    numbered = dict(re.findall(r"Insight (\d+): Whenever (\w+)", told))
    adds = [
        {"op": "add", "section": "strategies", "text": rule(kind)}
        | ({"because": [int(n) for n, k in numbered.items() if k == kind] or [1]} if numbered else {})
        for kind in (dict.fromkeys(numbered.values()) if numbered else kinds[-1:])
    ]
    return json.dumps({"reason": "new", "operations": adds})


def _solution(told: str) -> str:
    kind, number = re.findall(r"what does (\w+) make of (\d+)\?", told)[-1]
    known = kind != USELESS and f"Whenever {kind}" in told
    known = known or any(kind in line for line in told.splitlines() if line.startswith("Solved example"))
    known = (known or int(number) // 10 % 3 == 0) and not (kind == HARMED and f"Whenever {HARMFUL}" in told)
    if re.findall(r"(\w+) \d+: what does", told)[-1] == "validation" and f"Whenever {MISLEADING}" in told:
        known = known and kind == MISLEADING  # so that the last version is not the best
    answer = int(number) + (ADDS[kind] if known else 0)
    return f"```python\nfinal_answer({answer})\n```"


class PretendedSandbox:
    """Knows what one call of `final_answer` comes to."""

    tier = "pretended"
    tools: Sequence[Tool] = ()

    def __init__(self, *_: object, **__: object) -> None: ...

    @asynccontextmanager
    async def open(self, workspace: Path, tools: Sequence[Tool] = (), **_: object) -> AsyncIterator[PretendedSandbox]:
        yield self

    async def run(self, code: str, timeout: float) -> Execution:
        return Execution(answered=True, answer=ast.literal_eval(code.partition("(")[2].rpartition(")")[0]))

    async def close(self) -> None:
        """Nothing to end."""


class SleepyModel(ScriptedModel):
    """A model that takes its time, another one each call.

    Args:
        says: what it replies.
        seed: of the times.
        most: longest time in seconds.
        called: told each call.
    """

    def __init__(
        self,
        says: Callable[[Sequence[Message]], str] = says,
        *,
        seed: int = 0,
        most: float = 0.0,
        called: Callable[[Sequence[Message]], None] = lambda messages: None,
    ) -> None:
        super().__init__(says)
        self._rng, self._most, self._called = random.Random(seed), most, called

    async def complete(
        self, messages: Sequence[Message], options: CallOptions = CallOptions(), on_text: Any = None
    ) -> Reply:
        self._called(messages)
        await asyncio.sleep(self._rng.random() * self._most)
        self.calls.clear()
        return await super().complete(messages, options, on_text)


def pretend(put: Callable[[str, Any], None] | None = None) -> None:
    """Have agents run no code, and embed by hashing.

    Args:
        put: sets what goes by a dotted name, such as `MonkeyPatch.setattr`; by default for good.
    """
    from agentfly.memory import embedding
    from agentfly.testing import HashEmbedder
    from agentfly.tools import python

    put = put or _set({"python": python, "embedding": embedding})
    put("agentfly.tools.python.PythonSandbox", PretendedSandbox)
    put("agentfly.memory.embedding.MiniLMEmbedder", lambda: HashEmbedder(64))


def _set(modules: dict[str, Any]) -> Callable[[str, Any], None]:
    def put(name: str, value: Any) -> None:
        module, _, attribute = name.rpartition(".")
        setattr(modules[module.rpartition(".")[2]], attribute, value)

    return put


def agent_on(home: Path, model: Any, settings: dict[str, Any] | None = None, **more: Any) -> Agent:
    """An agent for a course."""
    return Agent(model=model, home=home, settings={**SETTINGS, **(settings or {})}, **more)


async def learn(
    home: Path,
    plan: Plan,
    groups: Tasks,
    *,
    model: Any = None,
    settings: dict[str, Any] | None = None,
    on_progress: Any = lambda progress: None,
    **more: Any,
) -> Ended:
    """A whole course, or as much of it as there is left."""
    async with agent_on(home, model or SleepyModel(), settings, **more) as agent:
        return await Course(agent._made, groups, plan, on_progress=on_progress).run()


# What a course came to, so that two can be compared.


def summary(home: Path) -> dict[str, Any]:
    """Everything that counts of the only course of a home, without its id and without times."""
    import sqlite3

    db = sqlite3.connect(home / "agentfly.db")
    db.row_factory = sqlite3.Row
    (id,) = (row[0] for row in db.execute("SELECT id FROM adaptations"))

    def rows(sql: str) -> list[Any]:
        found = [[_data(value) for value in row] for row in db.execute(sql)]
        return _timeless(json.loads(json.dumps(found, default=lambda v: v.hex()).replace(id, "COURSE")))

    def left(table: str) -> int:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    outcome = json.loads(db.execute("SELECT outcome FROM adaptations").fetchone()[0])
    return {
        "samples": rows("SELECT sample FROM samples ORDER BY phase, epoch, place"),
        "stages": rows("SELECT stage FROM stages ORDER BY epoch, number"),
        "runs": rows("SELECT id, status, answer, reward, learned FROM runs ORDER BY seq"),
        "cases": rows(
            """SELECT id, question, solution, answer, reward, lesson, status, task_id, provenance, shown, helped, seen
               FROM cases ORDER BY seq"""
        ),
        "events": rows("SELECT case_id, action, other, run_id, reason FROM case_events ORDER BY id"),
        "bullets": rows(
            "SELECT id, status, section, text, helpful, harmful, shown, runs FROM bullets ORDER BY position, id"
        ),
        "deltas": rows("SELECT version, accepted, author, run_id, reason, delta FROM playbook_versions ORDER BY id"),
        "judged": rows(
            """SELECT run_id, judged, case_id, propensity, reward FROM recalls JOIN interactions ON recall_id = recalls.id
               WHERE judged IS NOT NULL ORDER BY judged, recalls.id, rank"""
        ),
        "unjudged": left("recalls WHERE judged IS NULL"),
        "policy": _learned(db.execute("SELECT name, state FROM policy_state ORDER BY version DESC LIMIT 1").fetchall()),
        "playbook": (home / "playbook.md").read_text() if (home / "playbook.md").exists() else "",
        "outcome": [outcome["reason"], outcome["kept"], outcome["notices"]],
        "left over": [left("journal"), left("checkpoints"), left("writes")],
    }


def _learned(rows: Sequence[Any]) -> dict[str, Any]:
    """What a policy has learned, but for the names of the runs that it learned from."""
    from agentfly.memory.selection.stateformat import unpack

    arrays = unpack(rows[0]["state"], rows[0]["name"], 1, 64) if rows else {}
    return {name: array.tolist() for name, array in arrays.items() if name != "runs"}


def _data(value: Any) -> Any:
    """What a column holds, which may be JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(one) for key, one in value.items() if key not in ("seconds", "finished", "created")}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


# Being killed.


class Killer:
    """Kills its own process at a moment: before or after a transaction, or at a call of the model.

    Args:
        when: in what part of the course, or ``any``, and the how manieth moment of it; nothing is never.
    """

    def __init__(self, when: str) -> None:
        self._part, _, number = when.partition(":")
        self._left = int(number or 0)
        self.where = "open"
        self.counts: dict[str, int] = {}

    def moment(self) -> None:
        """One has come."""
        self.counts[self.where] = self.counts.get(self.where, 0) + 1
        if self._part in (self.where, "any"):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Have transactions and the parts of a course tell it."""
        from contextlib import contextmanager

        from agentfly.learning.adaptation import course, lesson
        from agentfly.learning.windows import Window
        from agentfly.memory.bank import CaseBank
        from agentfly.store.database import Database

        write = Database.write

        @contextmanager
        def watched(db: Database, **more: Any) -> Any:
            outermost = db._depth == 0
            with write(db, **more) as tx:
                yield tx
                if outermost:
                    self.moment()
            if outermost:
                self.moment()

        Database.write = watched  # type: ignore[method-assign]
        self._within(course.Course, "_frozen", lambda args: args[1].partition(":")[0])
        self._within(lesson.Teacher, "give", lambda args: "attempts")
        self._within(CaseBank, "record_shown", lambda args: "shown")
        self._within(lesson.Teacher, "_close", lambda args: "close")
        self._within(Window, "keep_all", lambda args: "keep")
        self._within(Window, "curate", lambda args: "curate")
        self._within(course, "keep_best", lambda args: "best")

    def _within(self, owner: Any, name: str, part: Callable[[Any], str]) -> None:
        whole = getattr(owner, name)

        def entered(args: Any) -> str:
            before, self.where = self.where, part(args)
            return before

        async def later(*args: Any, **more: Any) -> Any:
            before = entered(args)
            try:
                return await whole(*args, **more)
            finally:
                self.where = before

        def now(*args: Any, **more: Any) -> Any:
            before = entered(args)
            try:
                return whole(*args, **more)
            finally:
                self.where = before

        setattr(owner, name, later if asyncio.iscoroutinefunction(whole) else now)


PLAN = Plan(epochs=2, window=4, concurrency=3, order="difficulty", every=6, ablations=(("cases",),))


def _work(home: Path, calls: Path, when: str) -> None:
    """The course in this process, to its end or to its death."""
    killer = Killer(when)
    killer.watch()

    def called(messages: Sequence[Message]) -> None:
        with calls.open("a") as file:
            file.write(messages[0].content[:16] + "\n")
        killer.moment()

    pretend()
    asyncio.run(learn(home, PLAN, tasks(), model=SleepyModel(most=0.004, called=called)))
    (home / "counts.json").write_text(json.dumps(killer.counts))


def _main(wanted: dict[str, list[str]]) -> None:
    import agentfly.graph
    import agentfly.memory.bank
    import agentfly.memory.selection.neural  # noqa: F401  once, for all the processes to come

    print(json.dumps({folder: _carried_out(Path(folder), kills) for folder, kills in wanted.items()}))


def _carried_out(folder: Path, kills: Sequence[str]) -> list[int]:
    """How the processes ended, one after the other."""
    ended = []
    for when in (*kills, ""):
        child = os.fork()
        if child == 0:
            try:
                _work(folder / "home", folder / "calls", when)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if ended[-1] >= 0:
            break
    return ended


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
