"""The loop, wired in LangGraph:

    recall → generate → evaluate → reflect → curate → retain
                 ▲          │          │
                 └──────────┴──────────┘  after a failure, while there are attempts left to explore with,
                                          and then rounds of reflecting and trying again

A run without feedback, or told not to learn, ends after evaluate. A run whose feedback comes later (a person's word)
enters at reflect. A run of a window ends before curate: what it teaches is learned together with what the others teach, see
`agentfly.learning.windows`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from langgraph.config import get_config, get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from agentfly.nodes.curate import curate
from agentfly.nodes.evaluate import evaluate
from agentfly.nodes.generate import generate
from agentfly.nodes.recall import recall
from agentfly.nodes.reflect import reflect
from agentfly.nodes.retain import retain
from agentfly.nodes.state import EMIT, Emit, Node, Parts, State
from agentfly.types import Decision, Usage

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph


def build(parts: Parts, checkpointer: BaseCheckpointSaver[Any] | None = None) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Compile the loop around an agent's parts.

    Args:
        parts: what the nodes work with.
        checkpointer: keeps the state after each node, so that a killed run can resume, and one that waits for a person.
    """
    if checkpointer is not None:
        parts = replace(parts, interrupt=interrupt)
    graph = StateGraph(State)
    for node in (recall, generate, evaluate, reflect, curate, retain):
        graph.add_node(node.__name__, _bind(node, parts))
    graph.add_conditional_edges(START, _entry, ["recall", "reflect"])
    graph.add_edge("recall", "generate")
    graph.add_edge("generate", "evaluate")
    evaluated, reflected = _after_evaluate(parts.settings.explore), _after_reflect(parts.settings.rounds)
    graph.add_conditional_edges("evaluate", evaluated, ["generate", "reflect", "curate", END])
    graph.add_conditional_edges("reflect", reflected, ["generate", "curate", END])
    graph.add_edge("curate", "retain")
    graph.add_edge("retain", END)
    return graph.compile(checkpointer=checkpointer, name="agentfly")


async def straight(state: State, parts: Parts, emit: Emit) -> AsyncIterator[State]:
    """The loop of a run that only answers: recall, generate, evaluate, and no way back.

    Nothing is checkpointed, and nobody is asked. LangGraph would have nothing to decide here, and takes as much processor time for its
    steps as the nodes for their work, which is felt where hundreds of answers are on their way to a provider.

    Args:
        state: to begin with.
        parts: what the nodes work with.
        emit: takes events.

    Yields:
        The state after each node.
    """
    parts = replace(parts, interrupt=_nobody)
    for node in (recall, generate, evaluate):
        update = await node(state, parts, emit)
        usage = state.get("usage", Usage()) + update.get("usage", Usage())
        state = State(**{**state, **update, "usage": usage})
        yield state


def _nobody(value: object) -> NoReturn:
    raise RuntimeError(f"a run that only answers cannot wait for a person: {value}")


def answer(decisions: Mapping[str, Decision]) -> Command[Any]:
    """What to go on with after a person decided on calls: verdicts by id, as `agentfly.nodes.permission` asked for them."""
    return Command(resume=dict(decisions))


def _bind(node: Node, parts: Parts) -> Any:
    async def run(state: State) -> State:
        emit = get_config()["configurable"].get(EMIT)
        return await node(state, parts, emit or get_stream_writer())

    return run


def _entry(state: State) -> Hashable:
    return "reflect" if state.get("trials") else "recall"


def _after_evaluate(explore: int) -> Callable[[State], Hashable]:
    def route(state: State) -> Hashable:
        trials = state.get("trials", ())
        if not (trials and state.get("learn")):
            return END
        done = _solved(state) or not state.get("judged", True)  # who cannot judge this attempt will not judge the next
        if state.get("reflections"):  # tried again: what led to a success is what is worth keeping
            return _settled(state) if done else "reflect"
        return "reflect" if done or len(trials) > explore else "generate"

    return route


def _after_reflect(rounds: int) -> Callable[[State], Hashable]:
    def route(state: State) -> Hashable:
        told = state.get("reflection") is not None and not state.get("silent")
        asked = state["trials"][0].feedback.source == "human"  # a person is not asked about a further attempt
        again = told and not asked and not _solved(state) and state.get("reflections", 0) < rounds
        return "generate" if again else _settled(state)

    return route


def _settled(state: State) -> Hashable:
    return END if state.get("windowed") else "curate"


def _solved(state: State) -> bool:
    return any(trial.feedback.success for trial in state["trials"])
