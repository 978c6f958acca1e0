"""The working code of an attempt."""

from __future__ import annotations

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
