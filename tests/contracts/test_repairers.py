"""What every repairer must do: answers of edited code in their order, and nothing beside that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agentfly.protocols import Repair, Repairer
from agentfly.repair.search import EditSearch
from agentfly.tools.python import PythonSandbox
from agentfly.types import Task

TRADE = Task("Exports were $55 million and imports $70 million: what was the balance?", reference="-15000000")
REPAIRERS: dict[str, Callable[[], Repairer]] = {"edits": lambda: EditSearch(PythonSandbox())}


@pytest.fixture(params=REPAIRERS)
def repairer(request: pytest.FixtureRequest) -> Repairer:
    return REPAIRERS[request.param]()


def repairs(repairer: Repairer, code: str, folder: Path, task: Task = TRADE) -> list[Repair]:
    return list(asyncio.run(repairer.repairs(task.without_reference(), code, folder)))


def test_a_small_mistake_is_found(repairer: Repairer, tmp_path: Path) -> None:
    assert isinstance(repairer, Repairer)
    found = repairs(repairer, "a = 55\nb = 70\nfinal_answer(a - b)", tmp_path)
    assert found[0].answer == -15_000_000
    assert "55000000" in found[0].code
    assert found[0].kind
    assert found[0].said


@pytest.mark.parametrize("code", ["", "no code at all", "final_answer(7)", "print(1 + 1)"])
def test_what_is_no_solution_has_no_repairs(repairer: Repairer, code: str, tmp_path: Path) -> None:
    assert repairs(repairer, code, tmp_path) == []


def test_code_that_fails_or_does_not_end_gives_nothing(repairer: Repairer, tmp_path: Path) -> None:
    code = "a = 55\nif a == 55_000_000:\n    while True: pass\nif a < 0: raise ValueError\nfinal_answer(a * 2)"
    found = repairs(repairer, code, tmp_path)
    assert [one.answer for one in found if one.kind == "scale"] == []
    assert [one.answer for one in found if one.kind == "result"] == [11_000, 1.1, 110]


def test_files_are_read_and_not_written(repairer: Repairer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("70")
    task = Task("Exports were $55 million; take the number in the file from them.", files=(tmp_path / "a.txt",))
    code = "a = 55\nb = int(open('a.txt').read())\nopen('a.txt', 'w').write('1')\nfinal_answer(a - b)"
    assert repairs(repairer, code, tmp_path, task) == []
    code = "a = 55\nb = int(open('a.txt').read())\nfinal_answer(a - b)"
    assert repairs(repairer, code, tmp_path, task)[0].answer == 55_000_000 - 70
    assert (tmp_path / "a.txt").read_text() == "70"
