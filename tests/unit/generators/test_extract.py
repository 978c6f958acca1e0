"""Finding the code in a reply."""

from __future__ import annotations

import pytest

from agentfly.generators.extract import extract

F = "```"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (f"{F}python\nx = 1\n{F}", "x = 1"),
        (f"Sure:\n{F}py\nx = 1\n{F}\nThat is it.", "x = 1"),
        (f"{F}Python\nx = 1\n{F}", "x = 1"),
        (f"{F}\nprint(1)\n{F}", "print(1)"),
        ("x = 1\nprint(x)", "x = 1\nprint(x)"),
        ("Here is the code:\nimport math\nprint(math.pi)", "import math\nprint(math.pi)"),
        (f"{F}python\na = 1\n{F}\nthen\n{F}python\nprint(a)\n{F}", "a = 1\n\nprint(a)"),
        (f"{F}python\nprint(1)\n{F}\nOutput:\n{F}\n1\n{F}", "print(1)"),  # output that the model made up
        (f"{F}python\nx = (\n{F}\nBetter:\n{F}python\nx = 2\n{F}", "x = 2"),
        (f"{F}python\nx = 1", "x = 1"),  # stopped before the closing fence
        (f"{F}python\n!pip install pandas\nx = 1\n{F}", "# pip install pandas\nx = 1"),
        (f"{F}python\n>>> x = 1\n>>> x\n{F}", "x = 1\nx"),
        (f"{F}python\ns = '''\n~~~ {F} inside\n'''\n{F}", f"s = '''\n~~~ {F} inside\n'''"),
        ("~~~python\nx = 1\n~~~", "x = 1"),
        (f"{F}python\r\nx = 1\r\n{F}", "x = 1"),
    ],
)
def test_code_is_found(reply: str, code: str) -> None:
    action = extract(reply)
    assert action.code.replace("\r", "") == code
    assert not action.problem


@pytest.mark.parametrize(
    "reply", ["", "The answer is 42.", "42", "yes", f"{F}json\n{{}}\n{F}", f"{F}\njust words here\n{F}"]
)
def test_no_code_is_told(reply: str) -> None:
    action = extract(reply)
    assert action.code == ""
    assert "no Python code" in action.problem


def test_a_cut_reply_runs_only_if_it_parses() -> None:
    assert extract(f"{F}python\nx = 1\ny = 2", cut=True).code == "x = 1\ny = 2"
    action = extract(f"{F}python\nx = 1\ny = (2,", cut=True)
    assert action.code == ""
    assert "cut off" in action.problem
    assert "cut off" in extract("Let me think about", cut=True).problem


def test_broken_code_is_run_for_its_error() -> None:
    assert extract(f"{F}python\nx = = 1\n{F}").code == "x = = 1"


def test_the_text_around_is_the_thought() -> None:
    assert extract(f"First I count.\n{F}python\nx = 1\n{F}").thought == "First I count."
