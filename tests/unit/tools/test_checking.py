"""The worker for checks: its life, what goes over its channel, and the parts of the program inside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import ConfigError, SandboxError
from agentfly.protocols import Subject
from agentfly.tools import checking, subjects
from agentfly.tools.checking import SandboxedChecker
from agentfly.tools.sandbox.check import choose
from agentfly.tools.sandbox.inside.keeper import descendants
from agentfly.tools.sandbox.inside.report import LONGEST, Report, one_line, verdicts
from agentfly.tools.sandbox.inside.verdict import Refused, compiled
from agentfly.types import Bullet, Step

SUBJECT = Subject(question="q", answer="7")
FUNCTION = "def short(text):\n    return len(text) < 3\n"


def bullet(text: str = "short(answer)") -> Bullet:
    return Bullet(id="chk-00001", section="checks", text=text, kind="check")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the workers' folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


async def test_entering_does_not_wait_and_leaving_leaves_nothing(folders: Path) -> None:
    await choose("auto")
    before = set(descendants(os.getpid()))
    checker = SandboxedChecker(FUNCTION)
    entered = []
    for asked in (False, True):
        begun = time.perf_counter()
        async with checker.open() as worker:
            entered.append(time.perf_counter() - begun)
            if asked:
                assert [c.message for c in (await worker.check([bullet()], [SUBJECT]))[0]] == [""]
                assert set(descendants(os.getpid())) - before
                assert list(folders.glob("agentfly-checks-*"))
        assert not list(folders.glob("agentfly-checks-*"))
        assert not set(descendants(os.getpid())) - before
    assert min(entered) < 0.12


async def test_leaving_while_it_starts(folders: Path) -> None:
    before = set(descendants(os.getpid()))
    for pause in (0.0, 0.005, 0.03):
        async with SandboxedChecker(FUNCTION).open():
            await asyncio.sleep(pause)
        assert not set(descendants(os.getpid())) - before
    assert not list(folders.glob("agentfly-checks-*"))


async def test_a_cancelled_check_leaves_a_worker_that_works() -> None:
    async with SandboxedChecker(FUNCTION, milliseconds=1000).open() as worker:
        for seconds in (0.001, 0.3):  # while it starts, and in the middle of a check
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    await worker.check([bullet("while True: pass\nTrue")], [SUBJECT])
        assert (await worker.check([bullet()], [SUBJECT]))[0][0].problem == ""


async def test_a_worker_that_is_killed_comes_back() -> None:
    before = set(descendants(os.getpid()))
    async with SandboxedChecker(FUNCTION).open() as worker:
        await worker.check([bullet()], [SUBJECT])
        for pid in set(descendants(os.getpid())) - before:
            with contextlib.suppress(ProcessLookupError):  # some end with the first of them
                os.kill(pid, signal.SIGKILL)
        row = (await worker.check([bullet(), bullet("'no'")], [SUBJECT]))[0]
        assert [(c.message, c.problem) for c in row] == [("", ""), ("no", "")]


async def test_a_check_that_breaks_the_worker_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check that we know of breaks the process behind the forks: here the host only believes that one does."""
    sent = checking.Child.send

    async def send(child: checking.Child, message: dict[str, object]) -> None:
        if "breaks(answer)" in message.get("texts", ()):  # type: ignore[operator]
            child.kill()
            await child.gone()  # it could answer before it dies
        await sent(child, message)

    monkeypatch.setattr(checking.Child, "send", send)
    async with SandboxedChecker(FUNCTION).open() as worker:
        row = (await worker.check([bullet(), bullet("breaks(answer)"), bullet("'no'")], [SUBJECT]))[0]
    assert [(c.message, c.problem) for c in row] == [("", ""), ("", "it broke the worker for checks"), ("no", "")]


async def test_checks_at_the_same_time_wait_for_each_other() -> None:
    async with SandboxedChecker(FUNCTION).open() as worker:
        answers = [Subject(question="q", answer="x" * n) for n in range(6)]
        rows = await asyncio.gather(*(worker.check([bullet("str(len(answer))")], [a]) for a in answers))
    assert [row[0][0].message for row in rows] == ["0", "1", "2", "3", "4", "5"]


async def test_time_limits_are_those_that_were_set() -> None:
    async with SandboxedChecker(FUNCTION, milliseconds=5).open() as worker:
        busy = bullet("for n in range(10 ** 9): pass\nTrue")
        assert (await worker.check([busy], [SUBJECT]))[0][0].problem == "it took longer than 5 ms"


async def test_a_library_that_cannot_be_loaded_is_told() -> None:
    for source, problem in {
        "1 / 0": "ZeroDivisionError",
        "def (": "SyntaxError",
        "raise SystemExit": "no answer",
    }.items():
        async with SandboxedChecker(source).open() as worker:
            for _ in range(2):
                with pytest.raises(SandboxError, match=problem):
                    await worker.check([bullet()], [SUBJECT])
            assert await worker.check([], [SUBJECT]) == [[]]


async def test_no_tier_and_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    await choose("auto")

    async def refuse(tier: str, *, unsafe: bool = False) -> str:
        raise SandboxError("model-written code cannot be run here")

    async with SandboxedChecker(FUNCTION, tier="cage").open() as worker:
        with pytest.raises(ConfigError, match="unknown sandbox 'cage'"):
            await worker.check([bullet()], [SUBJECT])
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    async with SandboxedChecker(FUNCTION).open() as worker:
        with pytest.raises(SandboxError, match="cannot be started"):
            await worker.check([bullet()], [SUBJECT])
    monkeypatch.setattr("agentfly.tools.sandbox.check.choose", refuse)
    async with SandboxedChecker(FUNCTION).open() as worker:
        with pytest.raises(SandboxError, match="cannot be run here"):
            await worker.check([bullet()], [SUBJECT])
    with pytest.raises(SandboxError, match="closed"):
        await worker.check([bullet()], [SUBJECT])


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("short(answer)", False),
        ("short(text=answer) or not short(question)", False),
        ("short([answer, 'x', -1])", False),
        ("short(short(answer), *files)", True),
        ("answer", False),
        ("len(answer)", True),
        ("answer.strip()", True),
        ("short(x := answer)", True),
        ("short(f'{answer}')", True),
        ("short(lambda: 1)", True),
        ("short(print)", True),
        ("import re\nshort(answer)", True),
        ("x = 1\nshort(answer)", True),
        ("steps[0]", True),
    ],
)
def test_only_calls_of_the_library_share_a_process(text: str, alone: bool) -> None:
    assert compiled(text, frozenset({"short"})).calls_only is not alone


def test_what_is_no_check_is_refused() -> None:
    with pytest.raises(Refused, match="gives no verdict"):
        compiled("x = 1", frozenset())
    with pytest.raises(Refused, match="line 2"):
        compiled("x = 1\nif", frozenset())


def test_reports_are_read_as_they_were_told() -> None:
    reading, writing = os.pipe()
    report = Report()
    report.open(writing)
    for check, kind, text in [(0, "f", ""), (0, "m", "two\nlines"), (2, "p", "it\0broke"), (3, "f", "")]:
        report.begin(check)
        report.tell(kind, text)
    os.close(writing)
    told = verdicts(os.read(reading, 1 << 16), [0, 2, 3], 2)
    os.close(reading)
    assert {check: [row[:2] for row in rows] for check, rows in told.items()} == {
        0: [("", ""), ("two lines", "")],
        2: [("", "it broke")],
        3: [("", "")],
    }


@pytest.mark.parametrize(
    "line",
    [
        b"x\n",
        b"0 f 0.1 \n0 f 0.1 \n",
        b"1 f 0.1 \n",
        b"0 f x \n",
        b"0 q 0.1 \n",
        b"0 p 0.1 \n",
        b"0 f 0.1 no\n",
        b"\xff\n",
    ],
)
def test_reports_that_were_tampered_with_are_worth_nothing(line: bytes) -> None:
    assert verdicts(line, [0], 1) == {0: [("", "it wrote verdicts of its own", 0.0)]}


@given(st.binary(max_size=200))
def test_any_report_can_be_read(data: bytes) -> None:
    for check, rows in verdicts(data, [0, 1], 2).items():
        assert check in (0, 1)
        assert len(rows) <= 2


@given(st.text(max_size=900))
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert len(line) <= LONGEST
    assert line.isprintable()
    assert line == one_line(line)
    assert "\n" not in line


def test_answers_go_in_batches_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "LARGEST", 5000)
    monkeypatch.setattr(subjects, "MOST", 3)
    small = [Subject(question="q", answer=str(n), steps=(Step(index=0, observation="o"),)) for n in range(7)]
    assert [len(batch) for batch in subjects.plain_batches(small)] == [3, 3, 1]
    medium = [Subject(question="q", answer="x" * 2000)] * 5
    assert [len(batch) for batch in subjects.plain_batches(medium)] == [2, 2, 1]
    large = Subject(question="\0" * 10_000, answer="begin" + "😀" * 9000 + "end")
    ((cut,),) = subjects.plain_batches([large])
    assert cut["answer"].startswith("begin")
    assert cut["answer"].endswith("end")
    assert "[cut]" in cut["answer"]
    assert len(json.dumps(cut)) <= 5000
    assert list(subjects.plain_batches([])) == []
