"""Reading calls: native ones, and those that models write into their text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.generators.calls import Request, echoed, fitted, requests
from agentfly.types import Reply, ToolCall

ASKED = [("add", {"a": 1})]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('{"name": "add", "arguments": {"a": 1}}', ASKED),
        ('I add.\n```json\n{"tool": "add", "parameters": {"a": 1}}\n```', ASKED),
        ('<tool_call>\n{"name": "add", "arguments": "{\\"a\\": 1}"}\n</tool_call>', ASKED),
        ('[{"name": "add", "arguments": {"a": 1}}, {"name": "b", "args": {}}]', [*ASKED, ("b", {})]),
        ('{"name": "add", "arguments": {"a": 1}}\n{"name": "b", "arguments": {}}', [*ASKED, ("b", {})]),
        ('{"tool_calls": [{"type": "function", "function": {"name": "add", "arguments": "{\\"a\\": 1}"}}]}', ASKED),
        ("{'name': 'add', 'arguments': {'a': 1},}", ASKED),
        ('{"name": "add", "arguments": {"a": 1,},}', ASKED),
        ('{"name": "p", "arguments": {"code": "x = 1\nprint(x)"}}', [("p", {"code": "x = 1\nprint(x)"})]),
        ('{"name": "Bob", "age": 4}', []),
        ("The answer is {4}.", []),
        ("[" * 5000, []),
        ("", []),
    ],
)
def test_calls_in_text(text: str, calls: list[tuple[str, Any]]) -> None:
    found = requests(Reply(text=text))
    assert [(call.name, call.arguments) for call in found.calls] == calls
    assert not found.native
    assert not found.problem


def test_a_broken_call_is_said_to_be_one() -> None:
    assert "no valid JSON" in requests(Reply(text='<tool_call>{"name": "add", "arg</tool_call>')).problem


def test_the_text_around_is_the_thought() -> None:
    assert requests(Reply(text='First.\n```json\n{"name": "a", "args": {}}\n```')).thought == "First."


def test_native_calls_win() -> None:
    call = ToolCall(id="1", name="b", arguments="{oops")
    found = requests(Reply(text='{"name": "a", "arguments": {}}', tool_calls=(call,)))
    assert found.calls == (Request("b", "{oops", "1"),)
    assert found.native


@pytest.mark.parametrize(
    ("given_", "names", "expected"),
    [
        ({"a": 1}, ["x", "y"], {"a": 1}),
        ("print(1)", ["code"], {"code": "print(1)"}),
        (42, ["answer"], {"answer": 42}),
        ([1], ["a", "b"], None),
        ('{"code": "impo', ["code"], None),
        ("", ["a"], {}),
        (None, [], {}),
    ],
)
def test_fitted(given_: Any, names: list[str], expected: Any) -> None:
    assert fitted(given_, {"properties": {name: {} for name in names}}) == expected


@given(st.text(max_size=80))
def test_any_text_is_read_and_echoes_are_sound(text: str) -> None:
    for call in requests(Reply(text=text, tool_calls=(ToolCall(id="", name=text, arguments=text),))).calls:
        again = echoed(call, fitted(call.arguments, {}), "id")
        assert isinstance(json.loads(again.arguments), dict)
        assert again.name.replace("_", "").replace("-", "").isalnum() or set(again.name) <= {"_", "-"}
    requests(Reply(text=text))


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()), st.text(max_size=20))
def test_what_is_written_is_read(arguments: dict[str, Any], around: str) -> None:
    around = around.replace("{", "").replace("[", "")
    text = around + json.dumps({"name": "f", "arguments": arguments}) + around
    assert [(c.name, c.arguments) for c in requests(Reply(text=text)).calls] == [("f", arguments)]
