"""Recorded traces: which shapes are read, what each becomes, and what happens to those that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import InputError
from agentfly.learning.traces.formats import Recorded
from agentfly.learning.traces.reading import read_traces
from agentfly.records import to_data
from agentfly.types import Attempt, Feedback, Questioned, Step, Task

CHAT: dict[str, Any] = {
    "id": "t1",
    "model": "gpt-x",
    "messages": [
        {"role": "system", "content": "You may use tools."},
        {"role": "user", "content": "What is 6 times 7?"},
        {
            "role": "assistant",
            "content": "Let me compute.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "python", "arguments": '{"code": "6*7"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "assistant", "content": [{"type": "text", "text": "42"}], "refusal": None},
    ],
    "reward": 1,
    "unknown": {"key": 1},
}
PLAIN: dict[str, Any] = {
    "question": "What is 6 times 7?",
    "steps": ["x = 6 * 8\nprint(x)"],
    "answer": 48,
    "correct": False,
}


def only(row: Any, folder: Path | None = None) -> Recorded:
    (trace,) = read_traces([row]).traces
    return trace.recorded


def test_a_conversation_becomes_steps_with_what_came_back() -> None:
    found = only(CHAT)
    ((attempt, feedback),) = found.trials
    assert (found.task.question, found.task.id, found.model) == ("What is 6 times 7?", "t1", "gpt-x")
    assert [(step.thought, step.action, step.observation, step.final) for step in attempt.steps] == [
        ("Let me compute.", 'python({"code": "6*7"})', "42", False),
        ("42", "", "", True),
    ]
    assert (attempt.answer, attempt.status, attempt.tools, attempt.untrusted) == ("42", "answered", ("python",), False)
    assert attempt.solution == 'python({"code": "6*7"})'
    assert feedback == Feedback(reward=1.0, source="environment")


def test_fenced_code_is_the_action_and_the_last_that_worked_the_solution() -> None:
    messages = [
        {"role": "user", "content": "Sum?"},
        {"role": "assistant", "content": "First try.\n```python\nprint(sum(1))\n```"},
        {"role": "user", "content": "Traceback (most recent call last):\nTypeError: 'int' object is not iterable"},
        {"role": "assistant", "content": "```python\nprint(sum([1, 2]))\n```"},
        {"role": "user", "content": "3"},
        {"role": "assistant", "content": "```python\nprint(1/0)\n```"},
        {"role": "user", "content": "ZeroDivisionError: division by zero"},
    ]
    ((attempt, _),) = only({"messages": messages, "success": False}).trials
    assert [step.error for step in attempt.steps] == [True, False, True]
    assert attempt.solution == "print(sum([1, 2]))"
    assert (attempt.answer, attempt.status) == (None, "no_answer")
    assert attempt.steps[0].thought == "First try."


@pytest.mark.parametrize(
    ("more", "feedback"),
    [
        ({"reward": 0.25, "feedback": "close"}, Feedback(reward=0.25, text="close", source="environment")),
        ({"score": 1}, Feedback(reward=1.0, source="environment")),
        ({"success": True}, Feedback(reward=1.0, source="environment")),
        ({"correct": False, "reference": "42"}, Feedback(reward=0.0, source="reference")),
        ({"reward": 0, "source": "human"}, Feedback(reward=0.0, source="human")),
        ({"reference": "42"}, None),
        ({"feedback": "no good"}, None),
    ],
)
def test_every_form_of_a_verdict(more: dict[str, Any], feedback: Feedback | None) -> None:
    ((_, found),) = only({"question": "q", "trace": "did it", "answer": "a", **more}).trials
    assert found == feedback


def test_plain_steps_may_be_texts_or_turns() -> None:
    steps = [
        "looked",
        {"thought": "t", "tool": "calc", "action": "1+1", "output": 2},
        {"code": "x=1", "error": "KeyError: 'x'"},
    ]
    ((attempt, _),) = only({"question": "q", "steps": steps, "answer": 2, "reward": 1}).trials
    assert attempt.answer == "2"
    assert [(step.action, step.observation, step.error) for step in attempt.steps] == [
        ("", "", False),
        ("calc(1+1)", "2", False),
        ("x=1", "KeyError: 'x'", True),
    ]
    assert attempt.solution == "calc(1+1)"


@pytest.mark.parametrize(
    ("step", "untrusted"),
    [
        ({"tool": "web_search", "action": "cats"}, True),
        ({"tool": "browse", "action": "example.com"}, True),
        ({"action": "fetch_page('http://example.com')"}, True),
        ({"code": "import requests\nrequests.get(url)"}, True),
        ({"code": "import re\nre.search('a', text)"}, False),
        ({"tool": "python", "action": "print(1)"}, False),
    ],
)
def test_what_read_content_from_outside_is_untrusted(step: dict[str, Any], untrusted: bool) -> None:
    ((attempt, _),) = only({"question": "q", "steps": [step], "answer": "a", "reward": 1}).trials
    assert attempt.untrusted is untrusted


def test_files_must_lie_beside_the_traces(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n")
    rows = [{**PLAIN, "files": ["data.csv"]}, {**PLAIN, "files": ["../secret"]}, {**PLAIN, "files": ["/etc/passwd"]}]
    file = tmp_path / "traces.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    reading = read_traces(file)
    assert [trace.recorded.task.files for trace in reading.traces] == [(tmp_path / "data.csv",)]
    assert [problem.split(":")[0] for problem in reading.problems] == ["line 2", "line 3"]


def test_our_own_record_keeps_what_was_done_and_leaves_the_ids_of_its_home_behind(tmp_path: Path) -> None:
    attempt = Attempt(
        task_id="t",
        steps=(Step(index=0, action="print(6)", observation="6"),),
        answer="6",
        status="answered",
        solution="print(6)",
        shown_cases=("case-1",),
        shown_bullets=("str-00001",),
        cited=("str-00001",),
        left_out=("str-00002",),
        leave_out=0.05,
        checks=("che-00003",),
        questioned=(Questioned(answer="7", checks=("che-00003",), reward=0.0),),
    )
    (tmp_path / "here.csv").write_text("a")
    task = Task("q", files=(tmp_path / "here.csv", Path("/etc/passwd")), reference="6", id="t")
    row = {
        "id": "run-1",
        "task": to_data(task),
        "trials": [{"number": 0, "attempt": to_data(attempt), "feedback": None}],
    }
    file = tmp_path / "own.json"
    file.write_text(json.dumps(row))
    found = read_traces(file).traces[0].recorded
    ((read, feedback),) = found.trials
    assert found.task.files == (tmp_path / "here.csv", tmp_path / "passwd"), "no file from outside the folder"
    assert (found.run, found.task.reference, feedback) == ("run-1", "6", None)
    assert (read.steps, read.answer, read.solution) == (attempt.steps, "6", "print(6)")
    assert (read.shown_cases, read.shown_bullets, read.cited, read.left_out, read.checks) == ((), (), (), (), ())
    assert read.questioned == (Questioned(answer="7", checks=(), reward=0.0),)


@pytest.mark.parametrize("layout", ["lines", "list", "one", "one-line"])
def test_lines_a_list_or_one_object(tmp_path: Path, layout: str) -> None:
    rows = [CHAT, PLAIN] if layout in {"lines", "list"} else [CHAT]
    text = {
        "lines": "\ufeff" + "\n\n".join(map(json.dumps, rows)) + "\n",
        "list": json.dumps(rows, indent=1),
        "one": json.dumps(CHAT, indent=2),
        "one-line": json.dumps(CHAT),
    }[layout]
    file = tmp_path / "traces"
    file.write_text(text, encoding="utf-8")
    reading = read_traces(file)
    assert (len(reading.traces), reading.problems) == (len(rows), ())


def test_bad_rows_are_named_and_cost_the_others_nothing(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    bad = [
        "{",
        "7",
        "{}",
        json.dumps({"messages": []}),
        json.dumps({**PLAIN, "reward": 7}),
        json.dumps({**PLAIN, "question": " "}),
    ]
    file.write_text("\n".join([*bad, json.dumps(PLAIN)]))
    reading = read_traces(file)
    assert [trace.place for trace in reading.traces] == ["line 7"]
    assert [problem.split(":")[0] for problem in reading.problems] == [f"line {n}" for n in range(1, 7)]
    assert "reward" in reading.problems[4]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{}", b"not json", b"\xff\xfe", b"[]", b"null"])
def test_a_file_without_any_trace_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "traces.jsonl"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"traces\.jsonl"):
        read_traces(file)


def test_a_file_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_traces(tmp_path / "none.jsonl")


def test_the_same_trace_has_the_same_key_whatever_the_order_of_its_keys() -> None:
    turned = dict(reversed(list(PLAIN.items())))
    first, second, other = read_traces([PLAIN, turned, {**PLAIN, "answer": 49}]).traces
    assert first.key == second.key != other.key


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    ["messages", "question", "steps", "trace", "answer", "reward", "task", "trials", "files", "model", "id"]
)


@given(st.dictionaries(keys, json_values, max_size=6))
def test_whatever_a_row_holds_it_is_a_trace_or_a_named_problem(row: dict[str, Any]) -> None:
    reading = read_traces([PLAIN, row])
    assert len(reading.traces) + len(reading.problems) == 2
