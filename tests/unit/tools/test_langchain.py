"""Real tools of LangChain, called as ours."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, StructuredTool, ToolException
from langchain_core.tools import Tool as SingleInputTool
from langchain_core.tools import tool as langchain_tool
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as BaseModelV1

from agentfly import Agent, tool
from agentfly.errors import ConfigError, ToolError
from agentfly.protocols import Tool, origin_of
from agentfly.testing import ScriptedModel
from agentfly.tools.toolbox import as_tool


@langchain_tool
def multiply(a: int, b: int = 2) -> dict[str, int]:
    """Multiply two numbers."""
    return {"product": a * b}


async def test_a_decorated_function() -> None:
    made = as_tool(multiply)
    assert isinstance(made, Tool)
    assert (made.name, made.description, made.risk, origin_of(made)) == (
        "multiply",
        "Multiply two numbers.",
        "network",
        "web",
    )
    assert made.schema["required"] == ["a"]
    assert made.schema["properties"]["b"]["default"] == 2
    assert await made.call({"a": 21}) == {"product": 42}
    assert await made.call({"a": "21", "b": 1}) == {"product": 21}


def test_risk_and_origin_are_the_callers_to_say() -> None:
    made = as_tool(multiply, risk="read", origin="")
    assert (made.risk, origin_of(made)) == ("read", "")
    with pytest.raises(ConfigError, match="a tool already"):
        as_tool(made, risk="read")
    assert as_tool(made) is made
    assert as_tool(len_of, risk="write").risk == "write"


def len_of(text: str) -> int:
    """Length."""
    return len(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "a is missing"),
        ({"a": 1, "c": 2}, "there is no argument c"),
        ({"a": "many"}, "a: Input should be a valid integer"),
    ],
)
async def test_wrong_arguments_are_told_with_the_signature(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolError) as caught:
        await as_tool(multiply).call(arguments)
    assert said in str(caught.value)
    assert str(caught.value).endswith("Call it as multiply(a: integer, b: integer = 2)")


class V2(BaseModel):
    city: str = Field(description="Where.")


class V1(BaseModelV1):
    city: str


@pytest.mark.parametrize(
    "schema", [V2, V1, {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}]
)
async def test_every_kind_of_schema(schema: Any) -> None:
    made = as_tool(
        StructuredTool.from_function(
            lambda city: f"sun in {city}", name="weather", description="Now.", args_schema=schema
        )
    )
    assert made.schema["properties"]["city"]["type"] == "string"
    assert made.schema["required"] == ["city"]
    assert await made.call({"city": "Oslo"}) == "sun in Oslo"
    for wrong in ({}, {"city": "Oslo", "town": "x"}):
        with pytest.raises(ToolError, match="Call it as weather"):
            await made.call(wrong)


async def test_plain_tools_run_in_a_thread_and_asynchronous_ones_in_this_loop() -> None:
    seen: dict[str, Any] = {}

    def plain() -> None:
        """Plain."""
        seen["thread"] = threading.current_thread()

    async def awaited() -> None:
        """Awaited."""
        seen["loop"] = asyncio.get_running_loop()

    await as_tool(langchain_tool(plain)).call({})
    await as_tool(langchain_tool(awaited)).call({})
    assert seen["thread"] is not threading.current_thread()
    assert seen["loop"] is asyncio.get_running_loop()


async def test_what_is_injected_is_not_the_models_to_give() -> None:
    @langchain_tool
    def note(text: str, call: Annotated[str, InjectedToolCallId], user: Annotated[str, InjectedToolArg] = "me") -> str:
        """Note something."""
        return f"{text} by {user}, {bool(call)}"

    made = as_tool(note)
    assert set(made.schema["properties"]) == {"text"}
    assert await made.call({"text": "hello"}) == "hello by me, True"
    with pytest.raises(ToolError, match="no argument user"):
        await made.call({"text": "hello", "user": "root"})

    @langchain_tool
    def needs(text: str, state: Annotated[dict[str, Any], InjectedToolArg]) -> str:
        """Needs the graph's state."""
        return text

    with pytest.raises(ConfigError, match="needs state, which only LangGraph can give"):
        as_tool(needs)


async def test_content_without_its_artifact() -> None:
    @langchain_tool(response_format="content_and_artifact")
    def search(query: str) -> tuple[str, list[int]]:
        """Search."""
        return f"found {query}", [1, 2]

    assert await as_tool(search).call({"query": "it"}) == "found it"


async def test_errors_of_tools() -> None:
    def fail(kind: str) -> str:
        """Fail."""
        raise ToolException("try another city") if kind == "told" else KeyError("x")

    made = as_tool(langchain_tool(fail))
    with pytest.raises(ToolError, match=r"^fail: try another city$"):
        await made.call({"kind": "told"})
    with pytest.raises(ToolError, match=r"^fail failed: KeyError: 'x'$"):
        await made.call({"kind": "raised"})

    class Answers(BaseTool):
        name: str = "answers"
        description: str = "Answers with a message."

        def _run(self, fine: bool) -> ToolMessage:
            return ToolMessage("text", tool_call_id="1", status="success" if fine else "error")

    assert await as_tool(Answers()).call({"fine": True}) == "text"
    with pytest.raises(ToolError, match=r"^answers: text$"):
        await as_tool(Answers()).call({"fine": False})


async def test_single_inputs_and_runnables() -> None:
    made = as_tool(SingleInputTool("shout", lambda text: text.upper(), "Shout."))
    (name,) = made.schema["properties"]
    assert await made.call({name: "hey"}) == "HEY"

    def double(given: dict[str, int]) -> int:
        return given["n"] * 2

    runnable = RunnableLambda(double)
    made = as_tool(runnable.as_tool(name="double", description="Double.", arg_types={"n": int}))
    assert await made.call({"n": 4}) == 8
    with pytest.raises(ConfigError, match="as_tool"):
        as_tool(runnable)


async def test_what_is_no_json_becomes_text() -> None:
    made = as_tool(StructuredTool.from_function(lambda: {1, 2}, name="odd", description="Odd."))
    json.dumps(await made.call({}))


def test_an_agent_calls_it_from_its_code(tmp_path: Path) -> None:
    code = "```python\nfinal_answer(multiply(21)['product'] + len_of('ab') - 2)\n```"
    with Agent(model=ScriptedModel([code]), home=tmp_path, tools=[multiply, tool(len_of)]) as agent:
        result = agent.run("What is 21 by 2?")
    assert (result.answer, result.attempt.tools) == ("42", ("multiply", "len_of"))
    assert result.attempt.untrusted  # nobody said that what it brings is one's own


def test_langchain_is_not_loaded_for_those_who_do_not_use_it() -> None:
    code = (
        "import sys\nfrom agentfly.tools.toolbox import as_tool\nas_tool(lambda: 1, risk='read')\n"
        "print([name for name in sys.modules if name.startswith('langchain')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
