"""Answers as text, observations, budgets."""

from __future__ import annotations

from typing import Any

import pytest

from agentfly.errors import LimitReached
from agentfly.generators.answers import answer_text, guess
from agentfly.generators.briefing import Turn, adapted, cited, clip, conversation, error_kind, without_repeats
from agentfly.generators.budget import Budget
from agentfly.protocols import Execution
from agentfly.types import Limits, Message, Usage


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.5, "2.5"),
        (3, "3"),
        (True, "True"),
        (" word ", "word"),
        (None, ""),
        (["word"], "word"),
        (["a", 1, 2.5], "a, 1, 2.5"),
        ([], ""),
        ({"mean": 2.5}, "2.5"),
        ({"a": 1, "b": 2}, '{"a": 1, "b": 2}'),
    ],
)
def test_answer_text(value: Any, text: str) -> None:
    assert answer_text(value) == text


@pytest.mark.parametrize(
    ("execution", "answer"),
    [
        (Execution(output="12\n"), "12"),
        (Execution(output="rows 5\nMean: 2.5\n\n"), "2.5"),
        (Execution(output="x = 7"), "7"),
        (Execution(output="noise", value="'word'"), "word"),
        (Execution(output=""), None),
        (Execution(output="y" * 500), None),
        (Execution(output="12", error="ValueError"), None),
    ],
)
def test_guess(execution: Execution, answer: str | None) -> None:
    assert guess(execution) == answer


def test_old_turns_are_dropped_and_the_task_never() -> None:
    start = (Message("system", "s" * 100), Message("user", "the task " * 100))
    turns = [Turn(f"reply {n}", f"output {n} " + "x" * 300) for n in range(10)]
    messages = conversation(start, turns, chars=2200)
    assert tuple(messages[:2]) == start
    assert messages[-1].content == turns[-1].observation
    assert "dropped" in messages[3].content
    assert sum(len(m.content) for m in messages) < 2300
    assert [m.role for m in messages[2:]] == ["assistant", "user"] * (len(messages) // 2 - 1)
    tight = conversation(start, turns, chars=10)
    assert len(tight) == 4
    assert conversation(start, turns, chars=10**6)[-1].content == turns[-1].observation
    assert len(conversation(start, turns, chars=10**6)) == 22


def test_clip() -> None:
    assert clip("short", 200) == "short"
    cut = clip("a" * 500 + "b" * 500, 200)
    assert len(cut) <= 240
    assert cut.startswith("a")
    assert cut.endswith("b")
    assert "cut" in cut


def test_cited_ids_are_whole_words() -> None:
    assert cited(["str-00001", "str-00010", "case-1", ""], ["as str-00001 says, and case-12"]) == ("str-00001",)


def test_the_same_error_elsewhere_is_the_same() -> None:
    first = "block 1, line 3: df['x']\nKeyError: 'x'\nColumns of df: ['a']"
    assert error_kind(first) == error_kind("block 2, line 9: y = df['x']\nKeyError: 'x'") == "KeyError: 'x'"

    syntax = 'File "<block {}>", line 21\n    f(@x)\n      ^\nSyntaxError: invalid syntax'
    assert error_kind(syntax.format(1)) == error_kind(syntax.format(2)) == "SyntaxError: invalid syntax"


def test_repeated_mistakes_are_forgotten() -> None:
    fine, other = Turn("a", "1"), Turn("b", "2", "TypeError")
    first, second, third = (Turn(str(n), "x", "KeyError") for n in range(3))
    assert without_repeats([]) == []
    assert without_repeats([fine, other, first]) == [fine, other, first]
    assert without_repeats([fine, first, other, second]) == [fine, other, second]
    assert without_repeats([fine, first, other, second, third]) == [fine]


@pytest.mark.parametrize(
    ("limits", "steps", "usage", "name"),
    [
        (Limits(steps=2), 2, Usage(), "steps"),
        (Limits(tokens=100), 1, Usage(prompt_tokens=90, completion_tokens=10), "tokens"),
        (Limits(cost_usd=0.5), 1, Usage(cost_usd=0.5), "cost"),
        (Limits(seconds=5), 1, Usage(), "seconds"),
    ],
)
def test_limits(limits: Limits, steps: int, usage: Usage, name: str) -> None:
    times = iter([0.0, 5.0])
    with pytest.raises(LimitReached) as caught:
        Budget(limits, clock=lambda: next(times)).check(steps, usage)
    assert caught.value.limit == name


def test_what_is_left() -> None:
    now = [0.0]
    budget = Budget(Limits(seconds=10, tokens=100), clock=lambda: now[0])
    now[0] = 8.0
    budget.check(5, Usage(prompt_tokens=50))
    assert budget.seconds_left() == 2.0
    assert budget.within(30) == 2.0
    assert budget.within(1) == 1.0
    assert budget.reply_tokens(1024, Usage(prompt_tokens=50)) == 50
    assert Budget(Limits(seconds=None)).within(30) == 30


@pytest.mark.parametrize(
    ("code", "files", "expected"),
    [
        ("pd.read_csv('a.csv')", ["b.csv"], "pd.read_csv('b.csv')"),
        ('open("a.CSV")', ["b.csv", "n.txt"], 'open("b.csv")'),
        ("pd.read_csv('a.csv')", ["b.csv", "c.csv"], "pd.read_csv('a.csv')"),
        ("pd.read_csv('b.csv')", ["b.csv"], "pd.read_csv('b.csv')"),
        ("x = df['a.b']; y = '*.csv'; z = f'{n}.csv'", ["b.csv"], "x = df['a.b']; y = '*.csv'; z = f'{n}.csv'"),
        ("pd.read_csv('a.csv')", [], "pd.read_csv('a.csv')"),
    ],
)
def test_a_recalled_solution_names_the_file_of_this_task(code: str, files: list[str], expected: str) -> None:
    assert adapted(code, files) == expected


def test_a_float_is_told_without_the_noise_of_its_sum() -> None:
    assert answer_text(7.2700000000000005) == "7.27"
    assert answer_text([0.1 + 0.2, 2.0]) == "0.3, 2.0"
    assert answer_text(237.832) == "237.832"
    assert answer_text(1e300) == "1e+300"
    assert answer_text(float("nan")) == "nan"
