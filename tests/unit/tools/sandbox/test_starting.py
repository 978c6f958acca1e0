"""When a worker's process starts, and when none is needed."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.tools import python
from agentfly.tools.python import PythonSandbox
from agentfly.tools.sandbox.inside.execute import Block, Clock
from agentfly.tools.sandbox.spec import compiled
from agentfly.tools.sandbox.stated import stated

LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner).map(tuple),
    max_leaves=8,
)


@given(LITERALS)
def test_a_stated_answer_is_what_running_the_block_gives(value: object) -> None:
    code = f"final_answer({value!r})"
    block = Block({}, Clock())
    block.namespace["final_answer"] = block.final_answer
    found = stated(code)
    assert not found or found == [block.run(code, 5)["answer"]]


@pytest.mark.parametrize(
    "value", ["7", "-2.5", "'Paris'", "'Zürich'", "[1, 'a']", "{'a': [1, None]}", "(1, 2)", "True"]
)
def test_a_literal_is_stated(value: str) -> None:
    assert len(stated(f"# the answer\nfinal_answer({value})")) == 1


@pytest.mark.parametrize(
    "code",
    [
        "",
        "1 + 1",
        "final_answer()",
        "final_answer(x)",
        "final_answer(1 + 1)",
        "final_answer(f'{1}')",
        "final_answer(b'x')",
        "final_answer(*[1])",
        "final_answer({**{}})",
        "final_answer({1: 2})",
        "final_answer('\\ud800')",
        "print(1)\nfinal_answer(1)",
        "final_answer(1)\nfinal_answer(2)",
        "final_answer(1",
        "x.final_answer(1)",
        "final_answer(" + "[" * 3000 + "]" * 3000 + ")",
        "final_answer('" + "x" * 20_000 + "')",
    ],
)
def test_anything_else_is_run(code: str) -> None:
    assert stated(code) == []


async def test_a_few_workers_start_early_and_many_when_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python, "_processors", lambda: 2)
    sandbox = PythonSandbox(memory_mb=512)
    folders = [tmp_path / str(number) for number in range(4)]
    async with AsyncExitStack() as stack:
        for folder in folders:
            folder.mkdir()
        workers = [await stack.enter_async_context(sandbox.open(folder)) for folder in folders]
        assert [worker._child is not None for worker in workers] == [True, True, False, False]
        given = await asyncio.gather(*(worker.run("x = 2; final_answer(x + 1)", 10) for worker in workers[1:3]))
        assert [one.answer for one in given] == [3, 3]
        assert workers[2]._child is not None
        stated_only = await workers[3].run("final_answer('it')", 10)
        assert (stated_only.answered, stated_only.answer, stated_only.output) == (True, "it", "")
        assert workers[3]._child is None
        assert (await workers[3].run("x = 5\nx", 10)).value == "5"
        again = await workers[3].run("final_answer(7)", 10)
        assert again.answer == 7
        assert (await workers[3].run("x", 10)).value == "5"
    async with sandbox.open(folders[0]) as worker:
        assert worker._child is not None, "those that were closed do not count"


async def test_builtins_and_packages_are_as_in_any_program(tmp_path: Path) -> None:
    async with PythonSandbox(memory_mb=512).open(tmp_path) as worker:
        found = await worker.run("import sys, numpy\n[callable(exit), callable(help), sys.prefix]", 20)
        assert found.error is None
        assert str(found.value).startswith("[True, True, ")
        ended = await worker.run("exit()", 10)
        assert ended.error is None


def test_the_program_inside_is_compiled_once_and_where_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bytecode = f"one.{sys.implementation.cache_tag}.pyc"
    for name, off, closed in (("kept", False, False), ("off", True, False), ("closed", False, True)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "one.py").write_text("A = 1\n", encoding="utf-8")
        if closed:  # a file where the folder for bytecode would be
            (folder / "__pycache__").touch()
        monkeypatch.setattr(sys, "dont_write_bytecode", off)
        compiled(folder)
        assert [path.name for path in folder.glob("__pycache__/*.pyc")] == ([] if off or closed else [bytecode])
