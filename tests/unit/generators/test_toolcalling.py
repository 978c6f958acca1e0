"""The strategy `tools` without a sandbox: what is called, in which order, and what the model is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agentfly.errors import ConfigError, ToolError
from agentfly.generators.exchanges import Exchange, conversation
from agentfly.generators.toolcalling import ToolCallingGenerator
from agentfly.protocols import Brief, Risk
from agentfly.testing import ScriptedModel
from agentfly.tools.toolbox import tool
from agentfly.types import Attempt, Limits, Message, Reply, Task, ToolCall

LOG: list[str] = []


async def _slow(kind: str, name: str) -> str:
    LOG.append(f"{kind} {name} begins")
    await asyncio.sleep(0.02)
    LOG.append(f"{kind} {name} ends")
    return f"{kind} {name}"


def _made(kind: str, risk: Risk) -> Any:
    @tool(name=kind, risk=risk)
    async def run(name: str) -> str:
        """Run."""
        return await _slow(kind, name)

    return run


@tool
def refuse(number: int) -> int:
    """Refuse."""
    raise ToolError(f"not {number}")


TOOLS = [_made("read", "read"), _made("web", "network"), _made("write", "write"), refuse]


def calls(*asked: tuple[str, Any], text: str = "") -> Reply:
    made = [
        ToolCall(id=f"c{n}", name=name, arguments=given if isinstance(given, str) else json.dumps(given))
        for n, (name, given) in enumerate(asked)
    ]
    return Reply(text=text, tool_calls=tuple(made), finish_reason="tool_calls")


def final(answer: Any) -> Reply:
    return calls(("final_answer", {"answer": answer}))


async def act(replies: list[Any], folder: Path, **settings: Any) -> tuple[Attempt, ScriptedModel]:
    LOG.clear()
    model = ScriptedModel(replies)
    seconds = settings.pop("tool_seconds", 5.0)
    given = Brief(task=Task("What?"), workspace=folder, **settings)
    return await ToolCallingGenerator(model, tools=TOOLS, tool_seconds=seconds).attempt(given), model


async def test_reading_is_done_side_by_side_and_writing_in_order(tmp_path: Path) -> None:
    asked = calls(("read", {"name": "a"}), ("web", {"name": "b"}), ("write", {"name": "c"}), ("read", {"name": "d"}))
    attempt, model = await act([asked, final(1)], tmp_path)
    assert set(LOG[:2]) == {"read a begins", "web b begins"}
    assert LOG[4:] == ["write c begins", "write c ends", "read d begins", "read d ends"]
    results = model.calls[1].messages[-4:]
    assert [(m.role, m.tool_call_id) for m in results] == [("tool", f"c{n}") for n in range(4)]
    texts = [m.content for m in results]
    assert [*texts[:1], *texts[2:]] == ["read a", "write c", "read d"]
    assert "\nweb b\n[end untrusted " in texts[1]
    assert (attempt.tools, attempt.untrusted, attempt.sandbox) == (("read", "web", "write"), True, "")
    assert attempt.solution.splitlines()[0] == '1. {"name": "read", "arguments": {"name": "a"}}'


async def test_what_is_offered(tmp_path: Path) -> None:
    _, model = await act([final(1)], tmp_path)
    names = [t["function"]["name"] for t in model.calls[0].options.tools]
    assert names == ["read", "web", "write", "refuse", "final_answer"]
    with pytest.raises(ConfigError, match="'python'"):
        ToolCallingGenerator(model, tools=[_made("python", "read")])
    with pytest.raises(ConfigError, match="'final-answer'"):  # it would be offered as final_answer
        ToolCallingGenerator(model, tools=[_made("final-answer", "read")])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("raed", {"name": "a"}), "read"),
        (("read", "{'name"), "one JSON object"),
        (("read", {"nam": "a"}), "name: Field required"),
        (("refuse", {"number": "x"}), "number:"),
        (("refuse", {"number": 7}), "not 7"),
        (("python", {"code": "1"}), "no function named 'python'"),
        (("final_answer", {}), "Field required"),
    ],
)
async def test_mistakes_are_observations(asked: tuple[str, Any], told: str, tmp_path: Path) -> None:
    attempt, model = await act([calls(asked), final(1)], tmp_path)
    assert told in model.calls[1].messages[-1].content
    assert [step.error for step in attempt.steps] == [True, False]
    for message in model.calls[1].messages:
        assert all(isinstance(json.loads(call.arguments), dict) for call in message.tool_calls)


async def test_a_tool_that_hangs_is_given_up(tmp_path: Path) -> None:
    _, model = await act([calls(("read", {"name": "a"})), final(1)], tmp_path, tool_seconds=0.005)
    assert "did not answer within" in model.calls[1].messages[-1].content


async def test_the_same_failing_call_changes_something(tmp_path: Path) -> None:
    _, model = await act([calls(("refuse", {"number": 7}))] * 2 + [final(1)], tmp_path)
    assert [call.options.temperature for call in model.calls] == [0.0, 0.0, 0.35]
    assert "another way" in model.calls[2].messages[-1].content


async def test_an_answer_counts_after_the_other_calls(tmp_path: Path) -> None:
    both = calls(("final_answer", {"answer": "x"}), ("read", {"name": "a"}), ("final_answer", {"answer": "y"}))
    attempt, _ = await act([both], tmp_path)
    assert (attempt.answer, attempt.status, attempt.tools) == ("x", "answered", ("read",))
    assert LOG == ["read a begins", "read a ends"]


async def test_a_text_is_the_answer_after_one_nudge(tmp_path: Path) -> None:
    attempt, model = await act([Reply(text="Paris"), Reply(text="Answer: Paris")], tmp_path)
    assert (attempt.answer, attempt.status, len(attempt.steps)) == ("Paris", "answered", 2)
    assert "Nothing was called" in model.calls[1].messages[-1].content
    endless, _ = await act([Reply(text="I think. " * 100)] * 3, tmp_path, limits=Limits(steps=3))
    assert (endless.status, endless.answer) == ("limit", None)


async def test_calls_in_text_are_answered_by_the_user(tmp_path: Path) -> None:
    _, model = await act(['{"name": "read", "arguments": {"name": "a"}}', final(1)], tmp_path)
    assert model.calls[1].messages[-1] == Message("user", "read: read a")


async def test_ids_are_made_unique(tmp_path: Path) -> None:
    asked = calls(("read", {"name": "a"}))
    _, model = await act([asked, asked, final(1)], tmp_path)
    ids = [message.tool_call_id for message in model.calls[2].messages if message.role == "tool"]
    assert len(set(ids)) == 2


def test_trimming_keeps_calls_with_their_results() -> None:
    start = (Message("system", "s"), Message("user", "task"))
    made = [
        Exchange(
            Message("assistant", "x" * 50, tool_calls=(ToolCall(id=f"i{n}", name="f", arguments="{}"),)),
            (Message("tool", "y" * 50, tool_call_id=f"i{n}"),),
        )
        for n in range(8)
    ]
    for chars in range(0, 1200, 60):
        messages = conversation(start, made, chars)
        asked = [call.id for message in messages for call in message.tool_calls]
        assert asked == [message.tool_call_id for message in messages if message.role == "tool"]
        assert asked[-1] == "i7"
        assert messages[:2] == list(start)
        assert (len(asked) < 8) == any("dropped" in message.content for message in messages)
