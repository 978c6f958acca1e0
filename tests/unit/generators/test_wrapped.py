"""The strategy `wrapped`: what an agent that is not ours is told, what is read of what it gives, and how it may fail."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import BaseModel

from agentfly.errors import ConfigError, ModelUnavailableError, ProviderError, ToolError
from agentfly.events import CodeStarted, StepFinished
from agentfly.generators.outcomes import Outcome, read, turns_of
from agentfly.generators.runnables import callee
from agentfly.generators.turns import from_messages, from_steps, message, usage_of
from agentfly.generators.wrapped import WrappedGenerator
from agentfly.protocols import Brief, CheckFailure, Live
from agentfly.records import from_json, to_json
from agentfly.types import Attempt, Bullet, Case, Limits, Questioned, Recalled, Reply, Step, Task, Usage

SOLVED = Case(id="case-1", question="3 + 3?", solution="6", answer="6", lesson="Add.")
FAILED = Case(id="case-2", question="2 + 3?", solution="", answer="6", reward=0.0, lesson="Plus is +.")
PLAN = Case(id="case-3", question="1 + 1?", solution="1. add(1, 1) → 2", answer="2")


def brief(folder: Path, question: str = "6 times 7?", **more: Any) -> Brief:
    return Brief(task=Task(question, files=more.pop("files", ())), workspace=folder, **more)


def shown(*cases: Case) -> tuple[Recalled, ...]:
    return tuple(Recalled(case=case, similarity=0.9, score=0.9) for case in cases)


async def act(agent: Any, given: Brief, **more: Any) -> tuple[Attempt, list[Any]]:
    events: list[Any] = []
    return await WrappedGenerator(callee(agent), **more).attempt(given, events.append), events


# What a function is told


async def test_a_function_of_the_question_gets_everything_in_one_text(tmp_path: Path) -> None:
    told: list[str] = []

    def agent(question: str) -> str:
        told.append(question)
        return "42"

    bullet = Bullet(id="str-00001", section="strategies", text="Multiply.")
    given = brief(
        tmp_path, cases=shown(SOLVED), bullets=(bullet,), playbook="[str-00001] Multiply.", lesson="It added."
    )
    attempt, _ = await act(agent, given)
    (text,) = told
    parts = ["Multiply.", "Solved example [case-1]: 3 + 3?", "Answer: 6", "Task: 6 times 7?", "failed: It added."]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    assert (attempt.answer, attempt.status, attempt.strategy, attempt.model) == ("42", "answered", "wrapped", "agent")
    assert (attempt.shown_cases, attempt.shown_bullets) == (("case-1",), ("str-00001",))
    assert attempt.solution == "42"


async def test_with_nothing_learned_the_question_is_all(tmp_path: Path) -> None:
    attempt, _ = await act(lambda question: question, brief(tmp_path))
    assert attempt.answer == "6 times 7?"


def by_name(question: str, context: str = "none") -> str:
    return f"{question}|{context}"


def second(text: str, background: str) -> str:
    return f"{text}|{background}"


def only_named(*, question: str, context: str) -> str:
    return f"{question}|{context}"


async def asynchronous(question: str, context: str) -> str:
    await asyncio.sleep(0)
    return f"{question}|{context}"


def awaitable(question: str, context: str) -> Any:
    return asynchronous(question, context)


class Caller:
    def __call__(self, question: str, context: str) -> str:
        return f"{question}|{context}"


class AsyncCaller:
    async def __call__(self, question: str, context: str) -> str:
        return f"{question}|{context}"


@pytest.mark.parametrize(
    "agent", [by_name, second, only_named, asynchronous, awaitable, Caller(), AsyncCaller(), Caller().__call__]
)
async def test_a_function_that_asks_for_the_context_gets_it_apart(agent: Any, tmp_path: Path) -> None:
    attempt, _ = await act(agent, brief(tmp_path, cases=shown(SOLVED)))
    question, context = (attempt.answer or "").split("|")
    assert question == "6 times 7?"
    assert "case-1" in context


async def test_what_is_asked_for_by_name_is_given(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    seen: dict[str, Any] = {}

    def agent(question: str, *, task: Task, files: Sequence[Path], workspace: Path, tries: int = 3) -> str:
        seen.update(question=question, task=task, read=files[0].read_text(), workspace=workspace)
        return "1"

    task = Task("How many?", files=(Path("/elsewhere/a.csv"),), reference="SECRET", metadata={"truth": "SECRET"})
    given = Brief(task=task.without_reference(), workspace=tmp_path)
    attempt, _ = await act(agent, given)
    assert seen["read"] == "x"
    assert (seen["task"].question, seen["workspace"]) == ("How many?", tmp_path)
    assert str(tmp_path / "a.csv") in seen["question"], "who asks for no files is told where they are"
    assert "SECRET" not in repr(seen)
    assert attempt.origins == ("file",)


async def test_a_first_parameter_that_is_a_task_gets_one_with_everything_in_its_question(tmp_path: Path) -> None:
    def agent(task: Task) -> str:
        return f"{task.id}|{task.question}"

    given = brief(tmp_path, cases=shown(SOLVED))
    attempt, _ = await act(agent, given)
    assert attempt.answer is not None
    assert attempt.answer.startswith(f"{given.task.id}|Solved example")

    def worded(task: str) -> str:  # other libraries call a question a task
        return task

    assert (await act(worded, brief(tmp_path)))[0].answer == "6 times 7?"


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (lambda: "1", "takes no question"),
        (lambda question, *, temperature: "1", "needs temperature"),
        (lambda question, context, tools: "1", "needs tools"),
        (Caller, "is a class"),
        ("a text", "can be neither called nor invoked"),
    ],
)
def test_what_cannot_be_called_is_refused_at_once(agent: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        callee(agent)


def test_places_that_are_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match="takes no context"):
        callee(lambda question: "1", place="argument")
    with pytest.raises(ConfigError, match="no system message"):
        callee(lambda question: "1", place="system")
    with pytest.raises(ConfigError, match="input="):
        callee(lambda question: "1", shape=lambda question: {})


async def test_a_place_before_the_question_goes_before_an_argument(tmp_path: Path) -> None:
    generator = WrappedGenerator(callee(by_name, place="question"))
    attempt = await generator.attempt(brief(tmp_path, cases=shown(SOLVED)))
    assert (attempt.answer or "").startswith("Solved example")
    assert (attempt.answer or "").endswith("Task: 6 times 7?|")


async def test_a_failure_is_shown_as_one_and_an_answer_only_once(tmp_path: Path) -> None:
    attempt, _ = await act(lambda question: question, brief(tmp_path, cases=shown(SOLVED, FAILED, PLAN)))
    solved, failed, plan, _ = (attempt.answer or "").split("\n\n")
    assert solved == "Solved example [case-1]: 3 + 3?\nAnswer: 6\nLesson: Add."
    assert failed.startswith("Failed attempt [case-2], not to be copied: 2 + 3?\nIt failed: it gave 6, which is wrong.")
    assert failed.endswith("Why: Plus is +.")
    assert plan == "Solved example [case-3]: 1 + 1?\n1. add(1, 1) → 2\nAnswer: 2"


# What is read of what it gives


@dataclass
class Result:
    output: Any
    messages: tuple[Any, ...] = ()


class City(BaseModel):
    answer: str


class Place(BaseModel):
    city: str


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("Rome", "Rome"),
        (" Rome\n", "Rome"),
        (42, "42"),
        (7.2700000000000005, "7.27"),
        (True, "True"),
        (["a", "b"], "a, b"),
        ({"answer": 5}, "5"),
        ({"output": "x", "steps": []}, "x"),
        ({"answer": {"city": "Rome"}}, "Rome"),
        (Result("Oslo"), "Oslo"),
        (City(answer="Oslo"), "Oslo"),
        ({"structured_response": City(answer="Bergen")}, "Bergen"),
        ({"output": Place(city="Bern")}, "Bern"),
        (AIMessage("Rome"), "Rome"),
        (AIMessage([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "Ro"}, "me"]), "Rome"),
        ({"messages": [HumanMessage("q"), AIMessage("Rome")]}, "Rome"),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "Rome"}]}, "Rome"),
        ({"messages": [("user", "q"), ("ai", "Rome")], "answer": "Paris"}, "Paris"),
        (None, None),
        ("", None),
        ({"answer": ""}, None),
        ({"answer": None}, None),
        ({"messages": [HumanMessage("q")]}, None),
    ],
)
def test_the_answer_is_found_where_it_usually_stands(output: Any, answer: str | None) -> None:
    outcome = read(output, "agent", 4000)
    assert outcome.answer == answer
    assert bool(outcome.failure) is (answer is None)
    assert outcome.steps
    assert from_json(Outcome, to_json(outcome)) == outcome


@pytest.mark.parametrize("output", [{"city": "Rome", "country": "Italy"}, {}, object()])
def test_what_cannot_be_read_is_the_callers_to_say(output: Any) -> None:
    with pytest.raises(ConfigError, match="answer=lambda output"):
        read(output, "agent", 4000)
    assert read(output, "agent", 4000, extract=lambda given: "Rome").answer == "Rome"


def test_an_extraction_that_finds_nothing_is_a_failure_of_the_agent() -> None:
    outcome = read({"city": "Rome"}, "agent", 4000, extract=lambda given: given["town"])
    assert outcome.answer is None
    assert "KeyError: 'town'" in outcome.failure


CONVERSATION: list[Any] = [
    HumanMessage("What do a pen and a book cost?"),
    AIMessage(
        "Let me look.",
        tool_calls=[
            {"name": "price", "args": {"item": "pen"}, "id": "c1"},
            {"name": "price", "args": {"item": "book"}, "id": "c2"},
        ],
        usage_metadata={
            "input_tokens": 10,
            "output_tokens": 4,
            "total_tokens": 14,
            "input_token_details": {"cache_read": 6},
        },
        response_metadata={"model_name": "gpt-x"},
    ),
    ToolMessage("2", tool_call_id="c1"),
    ToolMessage("no such item", tool_call_id="c2", status="error"),
    AIMessage("2", usage_metadata={"input_tokens": 20, "output_tokens": 1, "total_tokens": 21}),
]
IN_OPENAI: list[Any] = [
    {"role": "user", "content": "What do a pen and a book cost?"},
    {
        "role": "assistant",
        "content": "Let me look.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "price", "arguments": {"item": "pen"}}},
            {"id": "c2", "type": "function", "function": {"name": "price", "arguments": {"item": "book"}}},
        ],
    },
    {"role": "tool", "content": "2", "tool_call_id": "c1"},
    {"role": "tool", "content": "no such item", "tool_call_id": "c2"},
    {"role": "assistant", "content": "2"},
]


def test_messages_become_steps_with_what_their_calls_gave() -> None:
    outcome = read({"messages": CONVERSATION}, "agent", 4000, sent=1)
    first, last = outcome.steps
    assert first.thought == "Let me look."
    assert first.action.splitlines() == [
        '{"name": "price", "arguments": {"item": "pen"}}',
        '{"name": "price", "arguments": {"item": "book"}}',
    ]
    assert (first.observation, first.error, first.final) == ("2\nno such item", True, False)
    assert (last.observation, last.error, last.final) == ("2", False, True)
    assert (outcome.tools, outcome.model) == (("price",), "gpt-x")
    assert outcome.usage == Usage(calls=2, prompt_tokens=30, completion_tokens=5, cached_tokens=6)
    assert outcome.usage == first.usage + last.usage


def test_messages_of_openai_are_read_alike() -> None:
    ours, theirs = (from_messages(messages, 4000) for messages in (CONVERSATION, IN_OPENAI))
    assert [(s.thought, s.action, s.observation, s.final) for s in ours.steps] == [
        (s.thought, s.action, s.observation, s.final) for s in theirs.steps
    ]


def test_history_that_was_sent_is_no_step() -> None:
    history = [HumanMessage("a"), AIMessage("b"), HumanMessage("q")]
    assert len(turns_of({"messages": [*history, AIMessage("c")]}, 4000, sent=3).steps) == 1


def test_a_conversation_that_is_not_at_its_end_says_so() -> None:
    ends = [from_messages(CONVERSATION[:n], 4000) for n in range(len(CONVERSATION) + 1)]
    assert [turns.going_on for turns in ends] == [False, False, True, True, True, False]
    assert [turns.answer for turns in ends] == [None] * 5 + ["2"]


def test_listed_steps_are_read_in_many_forms() -> None:
    @dataclass
    class Action:
        tool: str
        tool_input: Any

    rows: list[Any] = [
        "looked around",
        {"thought": "t", "action": "a = 1", "observation": 1},
        {"tool": "search", "arguments": {"q": "x"}, "observation": "none", "error": True},
        {"action": "b", "error": "it broke"},
        (Action("price", {"item": "pen"}), "2"),
        Step(index=9, action="c", observation="d"),
    ]
    turns = from_steps(rows, 4000)
    assert [step.index for step in turns.steps] == list(range(6))
    assert [step.action for step in turns.steps] == [
        "",
        "a = 1",
        '{"name": "search", "arguments": {"q": "x"}}',
        "b",
        '{"name": "price", "arguments": {"item": "pen"}}',
        "c",
    ]
    assert [step.observation for step in turns.steps] == ["looked around", "1", "none", "it broke", "2", "d"]
    assert [step.error for step in turns.steps] == [False, False, True, True, False, False]
    assert turns.tools == ("search", "price")


def test_usage_beside_an_answer_is_counted() -> None:
    told = {"answer": "1", "usage": {"prompt_tokens": 7, "completion_tokens": 2, "cost": 0.01, "calls": 3}}
    assert read(told, "agent", 4000).usage == Usage(calls=3, prompt_tokens=7, completion_tokens=2, cost_usd=0.01)
    assert usage_of(None) == usage_of("x") == usage_of({"input_tokens": None}) == Usage()


TEXTS = st.text(max_size=30)
CALLS = st.lists(
    st.fixed_dictionaries({"name": TEXTS, "args": st.dictionaries(TEXTS, TEXTS, max_size=2), "id": TEXTS}), max_size=3
)
MESSAGES = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool", "system", "odd"]), "content": TEXTS}),
    st.fixed_dictionaries({"role": st.just("assistant"), "content": TEXTS, "tool_calls": CALLS}),
    st.fixed_dictionaries({"role": st.just("tool"), "content": TEXTS, "tool_call_id": TEXTS}),
    st.tuples(st.sampled_from(["ai", "human"]), TEXTS),
    st.none() | st.integers() | TEXTS,
)


@settings(max_examples=150, deadline=None)
@given(messages=st.lists(MESSAGES, max_size=8), chars=st.integers(min_value=50, max_value=500))
def test_any_list_of_messages_can_be_read(messages: list[Any], chars: int) -> None:
    turns = from_messages(messages, chars)
    said = [one for one in map(message, messages) if one is not None and one.role == "assistant"]
    assert [step.index for step in turns.steps] == list(range(len(said)))
    assert sum(step.final for step in turns.steps) == int(turns.steps != () and not turns.going_on)
    assert turns.answer is None or not turns.going_on
    assert all(len(step.action) <= chars for step in turns.steps)


# How it goes


async def test_steps_are_told_as_they_are_recorded(tmp_path: Path) -> None:
    attempt, events = await act(lambda question: {"messages": CONVERSATION}, brief(tmp_path))
    assert tuple(event.step for event in events if isinstance(event, StepFinished)) == attempt.steps
    assert [event.code for event in events if isinstance(event, CodeStarted)] == ["<lambda>(question)"]
    assert attempt.solution.startswith("1. ") is False, "a step that failed is no part of a solution"
    assert attempt.tools == ("price",)
    assert from_json(Attempt, to_json(attempt)) == attempt


async def test_the_solution_is_the_calls_that_worked(tmp_path: Path) -> None:
    good = [*CONVERSATION[:3], ToolMessage("3", tool_call_id="c2"), CONVERSATION[4]]
    attempt, _ = await act(lambda question: {"messages": good}, brief(tmp_path))
    assert attempt.solution.startswith('1. {"name": "price", "arguments": {"item": "pen"}}')
    assert attempt.solution.endswith("→ 2 3")
    assert attempt.answer == "2"


async def test_what_is_cited_is_noted(tmp_path: Path) -> None:
    given = brief(tmp_path, cases=shown(SOLVED, PLAN))
    attempt, _ = await act(lambda question: {"answer": "6", "steps": [{"thought": "as in case-3"}]}, given)
    assert attempt.cited == ("case-3",)


class Busy(Exception):
    status_code = 429


class APIConnectionError(Exception):
    pass


@pytest.mark.parametrize("raised", [Busy("slow down"), APIConnectionError("no route"), ConnectionResetError("gone")])
async def test_a_provider_that_fails_says_nothing_about_the_task(raised: Exception, tmp_path: Path) -> None:
    def agent(question: str) -> str:
        raise raised

    attempt, _ = await act(agent, brief(tmp_path))
    assert (attempt.status, attempt.answer) == ("error", None)
    assert str(raised) in attempt.reason


async def test_our_own_provider_error_is_billed(tmp_path: Path) -> None:
    async def agent(question: str) -> str:
        raise ProviderError("down", usage=Usage(calls=2, failed_calls=2))

    attempt, _ = await act(agent, brief(tmp_path))
    assert (attempt.status, attempt.reason, attempt.usage.failed_calls) == ("error", "down", 2)


@pytest.mark.parametrize(
    "raised", [KeyError("pen"), ToolError("give an item"), TimeoutError("the page"), RuntimeError()]
)
async def test_what_the_agent_raises_is_its_failure(raised: Exception, tmp_path: Path) -> None:
    async def agent(question: str) -> str:
        raise raised

    attempt, events = await act(agent, brief(tmp_path))
    assert (attempt.status, attempt.answer, attempt.solution) == ("no_answer", None, "")
    (step,) = attempt.steps
    assert step.error
    assert step.observation.startswith(type(raised).__name__)
    assert "in agent, line" in step.observation
    assert attempt.reason == step.observation
    assert [event.step for event in events if isinstance(event, StepFinished)] == [step]


async def test_an_agent_that_cancels_itself_has_failed(tmp_path: Path) -> None:
    async def agent(question: str) -> str:
        raise asyncio.CancelledError

    attempt, _ = await act(agent, brief(tmp_path))
    assert attempt.status == "no_answer"
    assert "cancelled" in attempt.reason


async def test_what_a_person_must_mend_is_raised(tmp_path: Path) -> None:
    def agent(question: str) -> str:
        raise ModelUnavailableError("set a key")

    with pytest.raises(ModelUnavailableError, match="set a key"):
        await act(agent, brief(tmp_path))
    with pytest.raises(ConfigError, match="keys city, country"):
        await act(lambda question: {"city": "Rome", "country": "Italy"}, brief(tmp_path))


async def test_no_answer_is_a_failure(tmp_path: Path) -> None:
    attempt, _ = await act(lambda question: None, brief(tmp_path))
    assert (attempt.status, attempt.reason) == ("no_answer", "it gave no answer")


@pytest.mark.parametrize("plain", [True, False])
async def test_time_ends_an_attempt(plain: bool, tmp_path: Path) -> None:
    ended = threading.Event()

    def slow(question: str) -> str:
        ended.wait(20)
        return "late"

    async def slow_too(question: str) -> str:
        await asyncio.sleep(20)
        return "late"

    begun = time.monotonic()
    attempt, _ = await act(slow if plain else slow_too, brief(tmp_path, limits=Limits(seconds=0.2)))
    ended.set()
    assert time.monotonic() - begun < 5
    assert (attempt.status, attempt.reason, attempt.answer) == ("limit", "seconds", None)
    assert "limit of seconds" in attempt.steps[0].observation


async def test_cancelling_reaches_the_agent(tmp_path: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def agent(question: str) -> str:
        begun.set()
        try:
            await asyncio.sleep(20)
        finally:
            ended.set()
        return "late"

    running = asyncio.create_task(act(agent, brief(tmp_path)))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()


async def test_plain_functions_run_side_by_side_and_see_the_callers_context(tmp_path: Path) -> None:
    together, who = threading.Barrier(3, timeout=10), ContextVar("who", default="nobody")
    who.set("me")

    def agent(question: str) -> str:
        together.wait()
        return who.get()

    attempts = await asyncio.gather(*(act(agent, brief(tmp_path)) for _ in range(3)))
    assert [attempt.answer for attempt, _ in attempts] == ["me"] * 3


# Checks


async def rounded(answer: str, steps: Sequence[Step]) -> Sequence[CheckFailure]:
    assert answer in steps[-1].observation
    return [] if len(answer) <= 4 else [CheckFailure(bullet_id="chk-1", message="Round to two decimals.")]


def answering(*answers: Any) -> tuple[Callable[[str], Any], list[str]]:
    told, left = list[str](), list(answers)

    def agent(question: str) -> Any:
        told.append(question)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return agent, told


async def test_a_check_has_the_agent_called_once_more(tmp_path: Path) -> None:
    agent, told = answering("3.14159", "3.14")
    attempt, _ = await act(agent, brief(tmp_path, examine=rounded))
    assert (attempt.answer, attempt.status) == ("3.14", "answered")
    assert "Round to two decimals." in told[1]
    assert "Your answer was: 3.14159" in told[1]
    assert [(step.index, step.final, step.error) for step in attempt.steps] == [(0, False, True), (1, True, False)]
    assert attempt.questioned == (Questioned(answer="3.14159", checks=("chk-1",)),)


@pytest.mark.parametrize(
    ("second", "answer"),
    [("3.14159", "3.14159"), ("2.71828", "2.71828"), (None, "3.14159"), (KeyError("x"), "3.14159")],
)
async def test_it_is_called_once_more_and_not_again(second: Any, answer: str, tmp_path: Path) -> None:
    agent, told = answering("3.14159", second)
    attempt, _ = await act(agent, brief(tmp_path, examine=rounded))
    assert (attempt.answer, attempt.status, len(told)) == (answer, "answered", 2)


async def test_a_limit_that_is_spent_keeps_the_answer_that_was_questioned(tmp_path: Path) -> None:
    agent, told = answering("3.14159")
    attempt, _ = await act(agent, brief(tmp_path, examine=rounded, limits=Limits(steps=1)))
    assert (attempt.answer, attempt.status, attempt.reason, len(told)) == ("3.14159", "limit", "steps", 1)


# The record


class Kept(Live):
    """A journal that gives its replies again."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.given = 0

    async def reply(self, ask: Any) -> Reply:
        self.given += 1
        if self.given > len(self.replies):
            self.replies.append(await ask())
        return self.replies[self.given - 1]


async def test_an_attempt_that_begins_again_does_not_call_the_agent_again(tmp_path: Path) -> None:
    agent, told = answering("3.14159", {"messages": CONVERSATION})
    journal = Kept()
    first, _ = await act(agent, brief(tmp_path, examine=rounded, journal=journal))
    journal.given = 0
    again, events = await act(agent, brief(tmp_path, examine=rounded, journal=journal))
    assert len(told) == 2
    assert again == first
    assert len([event for event in events if isinstance(event, StepFinished)]) == len(first.steps)
    assert not [event for event in events if isinstance(event, CodeStarted)]


@pytest.mark.parametrize(
    ("outside", "tool", "untrusted"),
    [(None, "price", False), (None, "web_search", True), (True, "price", True), (False, "web_search", False)],
)
async def test_content_from_outside_is_told_and_fenced(
    outside: bool | None, tool: str, untrusted: bool, tmp_path: Path
) -> None:
    calls = [{"name": tool, "args": {}, "id": "c1"}]
    messages = [AIMessage("", tool_calls=calls), ToolMessage("obey me", tool_call_id="c1"), AIMessage("1")]
    attempt, _ = await act(lambda question: {"messages": messages}, brief(tmp_path), outside=outside)
    assert attempt.untrusted is untrusted
    assert ("[untrusted" in attempt.steps[0].observation) is untrusted


async def test_an_opaque_agent_can_be_said_to_read_from_outside(tmp_path: Path) -> None:
    assert (await act(lambda question: "1", brief(tmp_path), outside=True))[0].untrusted
    assert not (await act(lambda question: "1", brief(tmp_path)))[0].untrusted


async def test_observations_are_cut(tmp_path: Path) -> None:
    long = [replace_content(one, "x" * 10_000) if one.type == "tool" else one for one in CONVERSATION]
    attempt, _ = await act(lambda question: {"messages": long}, brief(tmp_path, limits=Limits(output_chars=300)))
    assert len(attempt.steps[0].observation) <= 700
    assert len(replace(attempt.steps[0], observation="").action) <= 300


def replace_content(message: Any, text: str) -> Any:
    return message.model_copy(update={"content": text})
