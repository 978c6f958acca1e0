"""The working code of an attempt."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentfly.generators.solution import Ran, distil, written_down


def test_one_block() -> None:
    assert distil([Ran("print(1)\nfinal_answer(1)")]) == "print(1)\nfinal_answer(1)"
    assert distil([]) == ""


def test_a_block_that_stands_alone_stands_alone() -> None:
    blocks = [Ran("import os\nprint(os.listdir())"), Ran("final_answer(2 + 2)")]
    assert distil(blocks) == "final_answer(2 + 2)"


def test_what_is_needed_comes_along_in_order() -> None:
    blocks = [
        Ran("import pandas as pd\ndf = pd.read_csv('a.csv')"),
        Ran("print(df.head())"),
        Ran("unused = 5"),
        Ran("df.dropna(inplace=True)"),
        Ran("m = df['x'].mean()"),
        Ran("final_answer(round(m, 2))"),
    ]
    assert distil(blocks) == "\n".join(blocks[i].code for i in (0, 3, 4, 5))


def test_of_a_failed_block_what_was_done_before() -> None:
    failed = Ran(
        "import pandas as pd\ndf = pd.read_csv(\n  'a.csv')\nm = df['y'].mean()\n",
        "block 1, line 4: m = df...\nKeyError: 'y'",
    )
    assert distil([failed, Ran("final_answer(df['x'].mean())")]) == (
        "import pandas as pd\ndf = pd.read_csv(\n  'a.csv')\nfinal_answer(df['x'].mean())"
    )
    broken = Ran("x = = 1", "SyntaxError: invalid syntax")
    assert distil([broken, Ran("x = 1\nfinal_answer(x)")]) == "x = 1\nfinal_answer(x)"


def test_functions_bring_their_names() -> None:
    blocks = [Ran("RATE = 2"), Ran("def cost(n):\n    return n * RATE"), Ran("final_answer(cost(3))")]
    assert distil(blocks) == "\n".join(b.code for b in blocks)


def test_the_solution_works_when_run_alone() -> None:
    blocks = [
        Ran("a = [3, 1]"),
        Ran("b = 1 / 0", "block 2, line 1: b = 1 / 0\nZeroDivisionError"),
        Ran("a.sort()"),
        Ran("out.append(a[0])"),
    ]
    out: list[int] = []
    exec(distil(blocks), {"out": out})
    assert out == [1]


def test_an_answer_that_is_only_written_down() -> None:
    assert written_down("final_answer([578.55])")
    assert written_down("x = 2\nprint(x)\nfinal_answer(round(x, 1))")
    assert not written_down("import pandas as pd\nfinal_answer(pd.read_csv('a.csv')['x'].mean())")
    assert not written_down("final_answer(len(open('a').read()))")


def test_what_several_blocks_import_is_imported_once() -> None:
    first = "import pandas as pd\nx = pd.Series([1])"
    second = "import pandas as pd\nfrom math import sqrt\nfinal_answer(sqrt(x.sum()))"
    assert distil([Ran(first), Ran(second)]) == (
        "import pandas as pd\nx = pd.Series([1])\nfrom math import sqrt\nfinal_answer(sqrt(x.sum()))"
    )
    assert distil([Ran("import os\ny = 1"), Ran("import os; x = 1\nfinal_answer(x + y)")]).count("x = 1") == 1


def test_who_begins_again_needs_nothing_of_before() -> None:
    again = "df = load('a.csv')\ndf = df.dropna()\nfinal_answer(df.mean())"
    assert distil([Ran("df = load('a.csv')\nprint(df)"), Ran(again), Ran(again)]) == again


def test_a_sum_of_many_terms() -> None:
    blocks = [Ran("a = 1"), Ran(f"final_answer({' + '.join(['a'] * 900)})")]
    assert distil(blocks) == "\n".join(block.code for block in blocks)


def test_what_a_function_reads_may_be_set_after_it() -> None:
    blocks = [Ran("def f(): return a"), Ran("a = 5"), Ran("b = 1"), Ran("out.append(f())")]
    assert distil(blocks) == "def f(): return a\na = 5\nout.append(f())"


_STATEMENTS = st.sampled_from(
    [
        "a = 1", "b = 2", "c = a + b", "a += b", "l = [a]", "l.append(b)", "b = len(l)", "del a",
        "if a > 1:\n    b = 5", "if b > 2:\n    c = 1\nelse:\n    c = 2", "for i in range(2):\n    a += i", "a = [a for a in l][0]",
        "def f(): return a + b", "c = f()", "f = lambda: c", "def g(a=c): return a", "b = g()", "try:\n    c = d\nexcept NameError:\n    c = 9",
        "print(a)", "d = {'k': a}", "d['k'] += 1", "b = d['k']", "a, b = b, a",
    ]
)  # fmt: skip


@given(st.lists(st.lists(_STATEMENTS, min_size=1, max_size=3), min_size=1, max_size=6), st.sampled_from("abcld"))
def test_what_is_left_comes_to_the_same(blocks: list[list[str]], asked: str) -> None:
    told: list[str] = []
    space: dict[str, Any] = {"final_answer": lambda value: told.append(repr(value)), "print": lambda *_: None}
    alone = dict(space)
    ran = []
    for number, block in enumerate([*blocks, [f"final_answer({asked})"]], start=1):
        done, failed = 0, None
        for statement in block:
            try:
                exec(statement, space)
            except Exception as error:  # as a worker tells it
                failed = f"block {number}, line {done + 1}: {statement}\n{type(error).__name__}"
                break
            done += statement.count("\n") + 1
        ran.append(Ran("\n".join(block), failed))
    if told:
        exec(distil(ran), alone)
        assert told[0] == told[1]
