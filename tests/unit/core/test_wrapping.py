"""`agentfly.wrap`: runnables of every shape, graphs that are followed, and agents that need no model of ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint
from langgraph.graph import END, START, MessagesState, StateGraph, add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt
from pydantic import BaseModel

import agentfly
from agentfly import Agent, Limits, Task, Usage
from agentfly.errors import ConfigError, InputError, ModelUnavailableError
from agentfly.events import Notice, StepFinished
from agentfly.generators.runnables import callee
from agentfly.generators.wrapped import WrappedGenerator
from agentfly.models import choose
from agentfly.protocols import Brief, Generator
from agentfly.testing import ScriptedModel
from agentfly.types import Attempt, Case, Recalled

CASE = Case(id="case-1", question="3 + 3?", solution="6", answer="6")
SHOWN = (Recalled(case=CASE, similarity=0.9, score=0.9),)
CASES_ONLY = {"learning.strategies": False, "learning.checks": False}


def brief(folder: Path, **more: Any) -> Brief:
    return Brief(task=Task("6 times 7?"), workspace=folder, cases=SHOWN, **more)


def repeat(question: str) -> str:
    return question


async def act(agent: Any, given: Brief, **more: Any) -> Attempt:
    return await WrappedGenerator(callee(agent, **more)).attempt(given)


@tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    if a == 13:
        raise RuntimeError("unlucky")
    return a * b


class Chat:
    """A scripted chat model as a node: calls `multiply` so often, then answers."""

    def __init__(self, calls: int = 1, a: int = 6, answer: str = "42") -> None:
        self.calls, self.a, self.answer = calls, a, answer
        self.seen: list[Sequence[BaseMessage]] = []

    def __call__(self, state: MessagesState) -> dict[str, Any]:
        messages = state["messages"]
        self.seen.append(list(messages))
        done = sum(message.type == "tool" for message in messages)
        usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
        if done < self.calls:
            call = {"name": "multiply", "args": {"a": self.a, "b": 7}, "id": f"c{done}"}
            return {"messages": [AIMessage("", tool_calls=[call], usage_metadata=usage)]}
        return {"messages": [AIMessage(self.answer, usage_metadata=usage)]}


def graph_of(chat: Any, **compiled: Any) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_node("tools", ToolNode([multiply], handle_tool_errors=False))
    graph.add_edge(START, "chat")
    graph.add_conditional_edges("chat", tools_condition)
    graph.add_edge("tools", "chat")
    return graph.compile(**compiled)


# Input by its shape


async def test_a_graph_of_messages_gets_the_context_as_a_system_message(tmp_path: Path) -> None:
    chat = Chat()
    attempt = await act(graph_of(chat), brief(tmp_path))
    system, user = chat.seen[0]
    assert (system.type, user.type, user.content) == ("system", "human", "6 times 7?")
    assert "case-1" in str(system.content)
    assert (attempt.answer, attempt.status, attempt.tools) == ("42", "answered", ("multiply",))
    assert [step.observation for step in attempt.steps] == ["42", "42"]
    assert attempt.usage.tokens == 220
    assert attempt.usage.calls == 2


async def test_the_context_can_go_before_the_question(tmp_path: Path) -> None:
    chat = Chat()
    await act(graph_of(chat), brief(tmp_path), place="question")
    (user,) = chat.seen[0]
    assert str(user.content).startswith("Solved example [case-1]")
    assert str(user.content).endswith("Task: 6 times 7?")


async def test_a_chat_model_gets_messages(tmp_path: Path) -> None:
    class Heard(GenericFakeChatModel):
        def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
            heard.append([message.type for message in messages])
            return super()._generate(messages, *args, **kwargs)

    heard: list[list[str]] = []
    attempt = await act(Heard(messages=iter([AIMessage("42")])), brief(tmp_path))
    assert (attempt.answer, heard) == ("42", [["system", "human"]])


async def test_fields_that_a_chain_names_are_filled(tmp_path: Path) -> None:
    def last(value: Any) -> str:
        return str(value.to_string())

    both = ChatPromptTemplate.from_messages([("system", "Use: {context}"), ("user", "Q: {question}")]) | RunnableLambda(
        last
    )
    system, user = ((await act(both, brief(tmp_path))).answer or "").split("\nHuman: ")
    assert "case-1" in system
    assert user == "Q: 6 times 7?"
    single = PromptTemplate.from_template("Q: {riddle}") | RunnableLambda(last)
    answer = (await act(single, brief(tmp_path))).answer or ""
    assert answer.startswith("Q: Solved example")
    assert answer.endswith("Task: 6 times 7?")


async def test_what_takes_a_text_gets_one(tmp_path: Path) -> None:
    seen: list[Any] = []

    def take(text: str) -> str:
        seen.append(text)
        return "42"

    @entrypoint()
    def flow(text: str) -> str:
        return take(text)

    for runnable in (RunnableLambda(take), RunnableLambda(take).with_retry(), flow):
        assert (await act(runnable, brief(tmp_path))).answer == "42"
    assert len(seen) == 3
    assert all(isinstance(text, str) and text.endswith("Task: 6 times 7?") for text in seen)


async def test_who_only_invokes_is_called_in_a_thread(tmp_path: Path) -> None:
    class Agent:
        def invoke(self, text: str) -> str:
            return text[-10:]

    assert (await act(Agent(), brief(tmp_path))).answer == "6 times 7?"


async def test_an_adapter_makes_any_input(tmp_path: Path) -> None:
    class State(TypedDict, total=False):
        riddle: str
        hints: str
        solution: str

    graph = StateGraph(State)
    graph.add_node("solve", lambda state: {"solution": f"{state['riddle']}|{state['hints']}"})
    graph.add_edge(START, "solve")
    graph.add_edge("solve", END)
    compiled = graph.compile()
    with pytest.raises(ConfigError, match="takes riddle, hints, solution: say what goes where"):
        callee(compiled)
    asked = callee(compiled, shape=lambda question, context: {"riddle": question, "hints": context})
    attempt = await WrappedGenerator(asked, extract=lambda state: state["solution"]).attempt(brief(tmp_path))
    riddle, hints = (attempt.answer or "").split("|")
    assert riddle == "6 times 7?"
    assert "case-1" in hints
    with pytest.raises(ConfigError, match="keys riddle, hints, solution"):
        await WrappedGenerator(asked).attempt(brief(tmp_path))


@pytest.mark.parametrize(("place", "told"), [("argument", "no field context"), ("system", "takes no messages")])
def test_a_place_that_a_runnable_has_not_is_refused(place: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        callee(RunnableLambda(lambda text: text), place=place)


async def test_a_graph_begins_with_the_part_of_its_state_that_is_asked(tmp_path: Path) -> None:
    class State(TypedDict):
        question: str
        documents: list[str]
        generation: str

    graph = StateGraph(State)
    graph.add_node("find", lambda state: {"documents": [state["question"][-10:]]})
    graph.add_node("write", lambda state: {"generation": state["documents"][0].upper()})
    graph.add_edge(START, "find")
    graph.add_edge("find", "write")
    generator = WrappedGenerator(callee(graph.compile()), extract=lambda state: state["generation"])
    assert (await generator.attempt(brief(tmp_path))).answer == "6 TIMES 7?"


# A graph on its way


async def test_what_a_graph_did_before_it_failed_is_known(tmp_path: Path) -> None:
    attempt = await act(graph_of(Chat(a=13)), brief(tmp_path))
    first, last = attempt.steps
    assert (attempt.status, attempt.answer) == ("no_answer", None)
    assert '"a": 13' in first.action
    assert "RuntimeError: unlucky" in last.observation
    assert last.error
    assert attempt.tools == ("multiply",)
    assert attempt.usage.tokens == 110


@pytest.mark.parametrize(
    ("limits", "reason"), [(Limits(steps=3), "steps"), (Limits(tokens=200), "tokens"), (Limits(seconds=0.3), "seconds")]
)
async def test_limits_end_a_graph_between_its_steps(limits: Limits, reason: str, tmp_path: Path) -> None:
    chat = Chat(calls=1000)

    async def slow(state: MessagesState) -> dict[str, Any]:
        import asyncio

        await asyncio.sleep(0.05)
        return chat(state)

    graph = graph_of(slow).with_config({"recursion_limit": 5000})
    attempt = await act(graph, brief(tmp_path, limits=limits))
    assert (attempt.status, attempt.reason) == ("limit", reason)
    assert 1 <= len(attempt.steps) <= 8
    assert len(chat.seen) <= 8


async def test_a_limit_does_not_take_away_an_answer_that_is_there(tmp_path: Path) -> None:
    attempt = await act(graph_of(Chat(calls=1)), brief(tmp_path, limits=Limits(steps=2, tokens=220)))
    assert (attempt.answer, attempt.status) == ("42", "answered")


async def test_steps_are_told_while_a_graph_works(tmp_path: Path) -> None:
    events: list[Any] = []
    chat = Chat(calls=2)
    told: list[int] = []

    def watched(state: MessagesState) -> dict[str, Any]:
        told.append(sum(isinstance(event, StepFinished) for event in events))
        return chat(state)

    generator = WrappedGenerator(callee(graph_of(watched)))
    attempt = await generator.attempt(brief(tmp_path), events.append)
    assert told == [0, 0, 1]
    assert tuple(event.step for event in events if isinstance(event, StepFinished)) == attempt.steps


async def test_a_graph_that_asks_a_person_has_failed(tmp_path: Path) -> None:
    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(interrupt("may I?"))]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    attempt = await act(graph.compile(checkpointer=InMemorySaver()), brief(tmp_path))
    assert (attempt.status, attempt.answer) == ("no_answer", None)
    assert "ask a person" in attempt.reason


async def test_attempts_do_not_see_one_another_in_a_graphs_own_memory(tmp_path: Path) -> None:
    chat = Chat()
    graph = graph_of(chat, checkpointer=InMemorySaver())
    for _ in range(2):
        assert (await act(graph, brief(tmp_path))).answer == "42"
    assert [len(seen) for seen in chat.seen] == [2, 4, 2, 4]
    await act(graph, brief(tmp_path), config={"configurable": {"thread_id": "mine"}})
    await act(graph, brief(tmp_path), config={"configurable": {"thread_id": "mine"}})
    assert len(chat.seen[-1]) > 4, "a thread of the caller's own is kept"


async def test_state_that_is_no_dictionary_can_be_followed(tmp_path: Path) -> None:
    class State(BaseModel):
        messages: Annotated[list[Any], add_messages]
        answer: str = ""

    graph = StateGraph(State)
    graph.add_node("go", lambda state: {"messages": [AIMessage("so it is")], "answer": "42"})
    graph.add_edge(START, "go")
    attempt = await act(graph.compile(), brief(tmp_path))
    assert (attempt.answer, attempt.steps[-1].observation) == ("42", "so it is")


# The agent around it


def test_wrapping_gives_an_agent(tmp_path: Path) -> None:
    def double(question: str) -> str:
        return "2"

    with agentfly.wrap(double, tmp_path, settings=CASES_ONLY) as learner:
        assert isinstance(learner, Agent)
        assert isinstance(learner._made.parts.generator, Generator)
        assert (learner.strategy, learner.model_name) == ("wrapped", "double")
        result = learner.run("1 + 1?", reference="2")
        assert (result.answer, result.reward, result.steps) == ("2", 1.0, 1)
        assert result.usage == Usage(seconds=result.usage.seconds)
        record = learner.runs.show(result.run_id)
        assert (record.strategy, record.model) == ("wrapped", "double")
    with agentfly.wrap(double, tmp_path, name="doubler", settings=CASES_ONLY) as learner:
        assert learner.model_name == "doubler"


def test_steps_are_the_agents_own_affair_unless_somebody_says(tmp_path: Path) -> None:
    with agentfly.wrap(repeat, tmp_path) as learner, Agent(model=ScriptedModel(), home=tmp_path) as ours:
        assert learner.settings.limits.steps > ours.settings.limits.steps
    with agentfly.wrap(repeat, tmp_path, settings={"limits.steps": 4}) as learner:
        assert learner.settings.limits.steps == 4


def no_model(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []

    def none(*args: Any, **kwargs: Any) -> Any:
        asked.append("asked")
        raise ModelUnavailableError("no model to use")

    monkeypatch.setattr(choose, "choose_model", none)
    monkeypatch.setattr(choose, "open_model", none)
    return asked


def test_cases_alone_need_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = no_model(monkeypatch)
    with agentfly.wrap(lambda question: "5", tmp_path, settings=CASES_ONLY) as learner:
        right = learner.run("What is 2 + 3?", reference="5")
        assert (right.reward, len(right.learned.cases)) == (1.0, 1)
        wrong = learner.run("What is 2 + 4?", reference="6")
        assert (wrong.reward, len(wrong.learned.cases)) == (0.0, 1)
        assert wrong.recalled == right.learned.cases
    assert asked == []


def test_without_any_model_it_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_model(monkeypatch)
    told: list[Notice] = []
    with agentfly.wrap(lambda question: "5", tmp_path, notify=told.append) as learner:
        assert len(learner.run("1 + 1?", reference="2").learned.cases) == 1
    assert any("cases and checks alone are learned: no model to use" in notice.text for notice in told)


def test_a_model_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with (
        agentfly.wrap(repeat, tmp_path, model="openai/gpt-5-mini") as learner,
        pytest.raises(ModelUnavailableError, match="KEY"),
    ):
        learner.run("1 + 1?")
    assert learner.runs is not None


def test_mcp_servers_of_the_home_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"x": {"command": "/nonexistent"}}}))
    told: list[Notice] = []
    with agentfly.wrap(lambda question: "5", tmp_path, settings=CASES_ONLY, notify=told.append) as learner:
        assert learner.run("1 + 1?").answer == "5"
    assert told == []


def test_only_the_program_that_wraps_can_go_on_with_a_run(tmp_path: Path) -> None:
    calls: list[str] = []

    def agent(question: str) -> str:
        calls.append(question)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return "2"

    with agentfly.wrap(agent, tmp_path, settings=CASES_ONLY) as learner:
        with pytest.raises(KeyboardInterrupt):
            learner.run("1 + 1?", reference="2")
        (run,) = learner.runs.recent(5)
    with Agent(model=ScriptedModel(), home=tmp_path) as ours, pytest.raises(InputError, match=r"agent \(wrapped\)"):
        ours.resume(run.id)
    with agentfly.wrap(agent, tmp_path, settings=CASES_ONLY) as learner:
        assert learner.resume(run.id).reward == 1.0
    assert len(calls) == 2
