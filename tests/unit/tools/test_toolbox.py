"""Functions as tools."""

from __future__ import annotations

import asyncio
import threading
from datetime import date
from typing import Any, Literal

import pytest

from agentfly.errors import ConfigError, ToolError
from agentfly.protocols import Tool
from agentfly.tools.toolbox import FunctionTool, as_tool, call_positionally, identifier, signature, tool


@tool
def weather(city: str, days: int = 1, unit: Literal["C", "F"] = "C") -> dict[str, Any]:
    """Weather of a city.

    More words.
    """
    return {"city": city, "days": days, "unit": unit}


def test_describes_itself() -> None:
    assert isinstance(weather, Tool)
    assert weather.name == "weather"
    assert weather.description.startswith("Weather of a city.")
    assert weather.schema["required"] == ["city"]
    assert list(weather.schema["properties"]) == ["city", "days", "unit"]
    assert signature(weather) == "weather(city: string, days: integer = 1, unit: string = 'C')"
    assert weather("Rome") == {"city": "Rome", "days": 1, "unit": "C"}  # still the function


async def test_checks_and_converts_arguments() -> None:
    assert await weather.call({"city": "Rome", "days": "3"}) == {"city": "Rome", "days": 3, "unit": "C"}
    for wrong in ({}, {"city": "Rome", "hours": 3}, {"city": "Rome", "unit": "K"}, {"city": ["Rome"]}):
        with pytest.raises(ToolError, match=r"Call it as weather\("):
            await weather.call(wrong)


async def test_exceptions_are_told() -> None:
    @tool
    def divide(a: int, b: int) -> float:
        return a / b

    with pytest.raises(ToolError, match="divide failed: ZeroDivisionError: division"):
        await divide.call({"a": 1, "b": 0})

    @tool
    def refuse() -> None:
        raise ToolError("not today")

    with pytest.raises(ToolError, match=r"^not today$"):
        await refuse.call({})


async def test_a_plain_function_does_not_hold_up_the_loop() -> None:
    done = threading.Event()

    @tool
    def wait() -> bool:
        return done.wait(5)

    calling = asyncio.create_task(wait.call({}))
    await asyncio.sleep(0.05)
    done.set()
    assert await calling is True


async def test_async_functions_and_odd_names() -> None:
    @tool(name="look-up", description="Looks.", risk="network")
    async def look(schema: str, _private: int = 2, self: int = 3) -> str:
        return f"{schema}{_private}{self}"

    assert (look.name, look.description, look.risk) == ("look-up", "Looks.", "network")
    assert await look.call({"schema": "s", "_private": 5}) == "s53"
    assert identifier("look-up") == "look_up"
    assert identifier("2nd") == "_2nd"
    assert identifier("import") == "_import"


async def test_results_are_json_data() -> None:
    @tool
    def odd() -> Any:
        return {"day": date(2024, 1, 2), "what": {1}, "other": object()}

    assert isinstance(await odd.call({}), str)  # one thing in it is no JSON

    @tool
    def numbers() -> Any:
        return [float("nan"), (1, 2)]

    assert await numbers.call({}) == ["NaN", [1, 2]]


@pytest.mark.parametrize(
    ("args", "kwargs", "problem"),
    [(["a", 1, "C", 4], {}, "at most 3"), (["a"], {"city": "b"}, "given twice"), ([], {"days": 1}, "Field required")],
)
async def test_positional_calls(args: list[Any], kwargs: dict[str, Any], problem: str) -> None:
    assert (await call_positionally(weather, ["Oslo"], {"days": 2}))["days"] == 2
    with pytest.raises(ToolError, match=problem):
        await call_positionally(weather, args, kwargs)


def test_what_cannot_be_a_tool() -> None:
    def star(*args: int) -> None: ...
    def unknown(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    class Odd: ...

    def foreign(x: Odd) -> None: ...

    for function in (star, unknown, foreign):
        with pytest.raises(ConfigError, match="cannot be a tool"):
            FunctionTool(function)


def test_as_tool() -> None:
    assert as_tool(weather) is weather
    assert as_tool(len_of).name == "len_of"


def len_of(text: str) -> int:
    """Length."""
    return len(text)
