"""The loop, wired in LangGraph:

    recall → generate → evaluate → reflect → curate → retain
                 ▲          │
                 └──────────┘  after a failure, while there are attempts left to explore with

A run without feedback, or told not to learn, ends after evaluate. A run whose feedback comes later (a person's word)
enters at reflect.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph

from agentfly.nodes.curate import curate
from agentfly.nodes.evaluate import evaluate
from agentfly.nodes.generate import generate
from agentfly.nodes.recall import recall
from agentfly.nodes.reflect import reflect
from agentfly.nodes.retain import retain
from agentfly.nodes.state import Node, Parts, State

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph


def build(parts: Parts, checkpointer: BaseCheckpointSaver[Any] | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Compile the loop around an agent's parts.

    Args:
        parts: what the nodes work with.
        checkpointer: keeps the state after each node, so that a killed run can resume.
    """
    graph = StateGraph(State)
    for node in (recall, generate, evaluate, reflect, curate, retain):
        graph.add_node(node.__name__, _bind(node, parts))
    graph.add_conditional_edges(START, _entry, ["recall", "reflect"])
    graph.add_edge("recall", "generate")
    graph.add_edge("generate", "evaluate")
    graph.add_conditional_edges("evaluate", _after_evaluate(parts.settings.explore), ["generate", "reflect", END])
    graph.add_edge("reflect", "curate")
    graph.add_edge("curate", "retain")
    graph.add_edge("retain", END)
    return graph.compile(checkpointer=checkpointer, name="agentfly")


def _bind(node: Node, parts: Parts) -> Any:
    async def run(state: State) -> State:
        return await node(state, parts, get_stream_writer())

    return run


def _entry(state: State) -> Hashable:
    return "reflect" if state.get("trials") else "recall"


def _after_evaluate(explore: int) -> Callable[[State], Hashable]:
    def route(state: State) -> Hashable:
        trials = state.get("trials", ())
        if not (trials and state.get("learn")):
            return END
        solved = any(trial.feedback.success for trial in trials)
        unjudged = trials[-1].attempt != state["attempt"]  # who cannot judge this one will not judge the next
        return "reflect" if solved or unjudged or len(trials) > explore else "generate"

    return route
