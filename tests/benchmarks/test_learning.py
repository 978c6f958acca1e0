"""What working on many tasks at once costs beside waiting for the model: 500 tasks, 32 at once, a server that takes 200 ms.

Ideal is the time that the calls alone take: rounds of 32 calls side by side, one after another. Everything else is this machine's
doing, so what is held are ratios, and those only where nobody else uses the processors: `AGENTFLY_STRICT=1` holds them anywhere.
Each case runs in a process of its own, for its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from support.slow_provider import Rule, SlowProvider

from agentfly import Agent, Task
from agentfly.learning.adaptation.course import BASE, Course, Tasks
from agentfly.learning.adaptation.plan import Plan
from agentfly.tools.sandbox.inside.keeper import descendants

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

TASKS, AT_ONCE = 500, 32
RATIO = 1.4
GROWTH_MB = 100
STATED = "final_answer(7)"
COMPUTED = "final_answer(sum([3, 4]))"
SOLVED = Rule((), f"I look at it.\n```python\n{STATED}\n```")
DIAGNOSIS = {"diagnosis": "It guessed.", "cause": "haste", "approach": "Count.", "insight": "Count the items first."}
REFLECTED = Rule(("You review an attempt",), json.dumps(DIAGNOSIS))
CURATED = Rule(("You keep a playbook",), json.dumps({"reason": "nothing new", "operations": []}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is worked on, and how."""

    frozen: bool
    wrong: int = 0
    """One task of so many is answered wrongly; 0 is none."""
    code: str = STATED
    latency: float = 0.2
    tasks: int = TASKS
    recalled: bool = True
    """Whether cases are recalled for each task; that takes an embedding."""
    first: bool = True
    """Whether a few tasks are worked on before the clock runs."""

    @property
    def ideal(self) -> float:
        """Seconds that the calls take: an answer, and in a window with a failure a reflection and one curation."""
        rounds = math.ceil(self.tasks / AT_ONCE)
        return rounds * self.latency * (3 if self.wrong else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What it took."""

    wall: float
    processor: float
    """Seconds of this process; those of its workers aside."""
    workers: float
    grown: float
    """Megabytes at the peak beyond those after the start."""
    correct: int
    calls: int


CASES = {
    "frozen, nothing recalled": Case(frozen=True, recalled=False),
    "frozen": Case(frozen=True),
    "frozen, answers computed": Case(frozen=True, code=COMPUTED),
    "frozen, 2 s": Case(frozen=True, code=COMPUTED, latency=2.0, tasks=160),
    "learning, all right": Case(frozen=False),
    "learning, a third wrong": Case(frozen=False, wrong=3),
}
HELD = ("frozen, nothing recalled", "frozen", "learning, all right", "learning, a third wrong")


@pytest.mark.parametrize("name", CASES)
def test_many_tasks_at_once(name: str, tmp_path: Path, record_property: pytest.RecordProperty) -> None:
    case, busy = CASES[name], os.getloadavg()[0] > 0.5
    told = subprocess.run(
        [sys.executable, __file__, json.dumps(asdict(case)), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    found = Figures(**json.loads(told.stdout.splitlines()[-1]))
    ratio, each = found.wall / case.ideal, 1000 / case.tasks
    record_property("ratio", ratio)
    print(
        f"\n{name}: {found.wall:.1f} s, ideal {case.ideal:.1f} s, ratio {ratio:.2f}; a task took {each * found.processor:.1f} ms of "
        f"processor time here and {each * found.workers:.1f} ms in workers; {found.grown:+.0f} MB; {found.calls} calls",
        end="",
    )
    assert found.correct == (case.tasks - math.ceil(case.tasks / case.wrong) if case.wrong else case.tasks)
    assert found.grown < GROWTH_MB
    if name in HELD and (not busy or os.environ.get("AGENTFLY_STRICT")):
        assert ratio <= RATIO


def test_an_interrupt_ends_32_attempts_at_once(tmp_path: Path) -> None:
    case = Case(frozen=True, code="import time; time.sleep(60)", tasks=2 * AT_ONCE, latency=0.01, first=False)
    working = subprocess.Popen(
        [sys.executable, __file__, json.dumps(asdict(case)), str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    try:
        deadline = time.monotonic() + 120
        while len(sleeping := _sleepers(working.pid)) < AT_ONCE and time.monotonic() < deadline:
            assert working.poll() is None
            time.sleep(0.1)
        family = descendants(working.pid)
        taken = sum(_resident(pid) for pid in family)
        begun = time.monotonic()
        working.send_signal(signal.SIGINT)
        working.wait(20)
        seconds = time.monotonic() - begun
    finally:
        working.kill()
        working.wait()
    left = [pid for pid in family if _lives(pid)]
    print(f"\n{len(sleeping)} workers took {taken:.0f} MB together; ended in {seconds:.2f} s", end="")
    assert len(sleeping) >= AT_ONCE
    assert left == []
    assert seconds < 2


def _sleepers(pid: int) -> list[int]:
    """Workers that run their block: they have imported nothing since, and sleep in it."""
    found = []
    for child in descendants(pid):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"inside.main" in command and b"bwrap" not in command and b"enter.py" not in command:
                found.append(child)
    return found


def _lives(pid: int) -> bool:
    """Whether a process runs; one that has ended may still wait to be noticed by its parent."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def _resident(pid: int) -> float:
    """Megabytes of a process that no other shares."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
    return 0.0


def _tasks(case: Case, count: int, name: str) -> list[Task]:
    def right(number: int) -> str:
        return "8" if case.wrong and number % case.wrong == 0 else "7"

    words = "How many items are in lot {0}, given {0} boxes of {1} items each?"
    return [
        Task(words.format(number, number % 13), reference=right(number), id=f"{name}-{number}")
        for number in range(count)
    ]


async def _measure(case: Case, home: Path) -> Figures:
    rules = [REFLECTED, CURATED, Rule((), SOLVED.text.replace(STATED, case.code))]
    plan = Plan(window=AT_ONCE, concurrency=AT_ONCE)
    with SlowProvider(rules, case.latency) as provider:
        settings = {"api_base": provider.base, "strategy": "codeact", "gate": "always", "learning.checks": False}
        settings["show.cases"] = case.recalled
        async with Agent(model="openai/slow", home=home, settings=settings) as agent:
            if case.first:  # imports, the embedder, the first connections
                first = Tasks(train=_tasks(case, 8, "first"), test=_tasks(case, 4, "first-test"))
                await Course(agent._made, first, plan).run()
            seen: dict[str, int] = {}
            train, test = _tasks(case, 1 if case.frozen else case.tasks, "train"), _tasks(case, case.tasks, "test")
            tasks = Tasks(train=train, test=test if case.frozen else ())
            course = Course(
                agent._made, tasks, plan, on_progress=lambda told: seen.__setitem__(told.phase, told.correct)
            )
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is what it is now
            memory, used, inside, begun = _peak(), _used(), _used(workers=True), time.perf_counter()
            if case.frozen:
                course._begin()
                with agent._made.home.db.relaxed():
                    await course._frozen(BASE, 0, test)
            else:
                await course.run()
            wall = time.perf_counter() - begun
            figures = {
                "wall": wall,
                "processor": _used() - used,
                "workers": _used(workers=True) - inside,
                "grown": _peak() - memory,
                "correct": seen["base" if case.frozen else "learn"],
            }
        return Figures(**figures, calls=provider.close().answered)


def _used(*, workers: bool = False) -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN if workers else resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    """Megabytes of memory at the most so far."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_measure(Case(**json.loads(sys.argv[1])), Path(sys.argv[2]))))))
