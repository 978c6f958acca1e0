"""A run that only answers goes its way without LangGraph, and must come to what the graph comes to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentfly import Agent, Task
from agentfly.graph import straight
from agentfly.nodes.state import EMIT, State
from agentfly.testing import ScriptedModel
from agentfly.types import Usage

RIGHT, WRONG = "```python\nfinal_answer(6 * 7)\n```", "```python\nfinal_answer(1)\n```"


def first(agent: Agent, run_id: str, task: Task) -> State:
    made = agent._made
    made.remember_reference(run_id, task.reference)
    made.runs.start(run_id, task, "scripted", made.strategy, made.settings, learn=False)
    return State(run_id=run_id, task=task.without_reference(), learn=False, kept=True, windowed=True, usage=Usage())


def told(event: Any) -> str:
    return type(event).__name__


def steady(state: State) -> dict[str, Any]:
    """A state without what differs from run to run."""
    same = dict(state)
    del same["run_id"]
    same["attempt"] = replace(same["attempt"], usage=Usage(), steps=len(same["attempt"].steps))
    same["trials"] = [(replace(trial.attempt, usage=Usage(), steps=()), trial.feedback) for trial in same["trials"]]
    same["usage"] = (same["usage"].calls, same["usage"].tokens)
    return same


@pytest.mark.parametrize(
    "replies", [[RIGHT], [WRONG], ["I do not know.", RIGHT]], ids=["right", "wrong", "in two steps"]
)
async def test_it_comes_to_what_the_graph_comes_to(replies: list[str], tmp_path: Path) -> None:
    task, seen = Task("What is 6 times 7?", reference="42", id="t"), dict[str, list[str]]()
    states = dict[str, State]()
    async with Agent(model=ScriptedModel(replies * 2), home=tmp_path, settings={"strategy": "codeact"}) as agent:
        begin = first(agent, "by-graph", task)
        config: Any = {"configurable": {"thread_id": "by-graph", EMIT: lambda event: seen["graph"].append(told(event))}}
        seen["graph"] = []
        async for state in agent.graph.astream(begin, config, stream_mode="values"):
            states["graph"] = state
        seen["straight"] = []
        begin = first(agent, "straight", task)
        nodes = []
        async for state in straight(begin, agent._made.parts, lambda event: seen["straight"].append(told(event))):
            states["straight"] = state
            nodes.append({"recalled", "attempt", "trials"} & state.keys())
    assert nodes == [{"recalled"}, {"recalled", "attempt"}, {"recalled", "attempt", "trials"}]
    assert steady(states["straight"]) == steady(states["graph"])
    assert seen["straight"] == seen["graph"] != []
