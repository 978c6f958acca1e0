"""Calls that need a person's permission: the run waits on record, holds nothing, and goes on where it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentfly import Agent, tool
from agentfly.cli.processes import descendants
from agentfly.errors import InputError
from agentfly.events import AttemptFinished, CodeStarted, Event, RunFinished, StepFinished, TextDelta
from agentfly.testing import ScriptedModel
from agentfly.types import Pending, Reply, RunResult, ToolCall, Usage

SENT: list[str] = []
READ: list[str] = []


@tool(risk="write")
def send(text: str) -> str:
    """Send a text to everybody."""
    SENT.append(text)
    return f"sent {text}"


@tool(risk="execute")
def launch(name: str) -> str:
    """Start a program."""
    SENT.append(f"launch {name}")
    return f"started {name}"


@tool
def look(name: str) -> str:
    """Look something up."""
    READ.append(name)
    return f"{name} is 21"


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    SENT.clear()
    READ.clear()


def block(*lines: str) -> str:
    return "\n".join(["```python", *lines, "```"])


LOOK = block("found = look('x')", "print(found)")
SEND = block("print(send('hello'))")
DONE = block("final_answer(int(found.split()[-1]) * 2)")
REPLIES = [LOOK, SEND, DONE]


def agent_with(home: Path, replies: Sequence[Any], **options: Any) -> tuple[Agent, ScriptedModel]:
    model = ScriptedModel(list(replies))
    settings = {"approve": "ask", **options.pop("settings", {})}
    return Agent(model=model, home=home, tools=[send, launch, look], settings=settings, **options), model


def steps(result: RunResult) -> list[str]:
    return [step.observation for step in result.attempt.steps]


def journal(agent: Agent) -> int:
    return int(agent._made.home.db.read("SELECT count(*) FROM journal")[0][0])


def test_a_run_waits_on_record_and_another_agent_goes_on_without_paying_or_doing_anything_twice(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, REPLIES)
    with agent:
        before = set(descendants())
        waiting = agent.run("What is twice x?", reference="42")
        assert set(descendants()) == before, "what waits holds no process"
        assert (waiting.status, waiting.answer, waiting.usage.calls) == ("waiting", None, 2)
        (call,) = waiting.pending
        assert (call.tool, call.risk, call.arguments) == ("send", "write", {"text": "hello"})
        assert call.description == "Send a text to everybody."
        assert (SENT, READ, len(model.calls)) == ([], ["x"], 2)
        listed = agent.runs.recent()[0]
        assert (listed.status, agent.runs.show(listed.id).reason) == ("waiting", "permission to call send")
    agent, model = agent_with(tmp_path, [DONE])
    with agent:
        assert agent.runs.recent()[0].status == "waiting", "opening a home takes no waiting run for a dead one"
        result = agent.resume(waiting.run_id, decisions={call.id: True})
        assert (result.status, result.answer, result.reward) == ("answered", "42", 1.0)
        assert (SENT, READ, len(model.calls)) == (["hello"], ["x"], 1)
        assert result.usage.calls == 3, "replies that are given again count once"
        assert [step.usage.calls for step in result.attempt.steps] == [1, 1, 1]
        assert "sent hello" in steps(result)[1]
        assert journal(agent) == 0
        with pytest.raises(InputError, match="nothing left"):
            agent.resume(waiting.run_id)


def test_a_refused_call_is_told_to_the_model_and_the_run_goes_on(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, [LOOK, SEND, DONE])
    with agent:
        waiting = agent.run("What is twice x?")
        result = agent.resume(waiting.run_id, decisions=False)
        assert (result.status, result.answer, SENT) == ("answered", "42", [])
        assert "a person refused this call of send" in model.calls[2].messages[-1].content


def test_undecided_it_waits_on_and_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    agent, model = agent_with(tmp_path, REPLIES)
    with agent:
        waiting = agent.run("What is twice x?")
        again = agent.resume(waiting.run_id)
        assert (again.status, again.pending, again.usage.calls) == ("waiting", waiting.pending, 2)
        for decisions in ({"call-9": True}, {waiting.pending[0].id: "maybe"}):
            with pytest.raises(InputError, match=waiting.run_id):
                agent.resume(waiting.run_id, decisions=decisions)  # type: ignore[arg-type]
        assert agent.runs.recent()[0].status == "waiting"
        assert (len(model.calls), SENT) == (2, [])


def test_always_permits_a_tool_for_the_rest_of_the_run_and_no_other(tmp_path: Path) -> None:
    many = block("send('a'); send('b')")
    agent, _ = agent_with(tmp_path, [many, block("send('c'); launch('d')"), block("final_answer(1)"), many])
    with agent:
        waiting = agent.run("Send them all.")
        waiting = agent.resume(waiting.run_id, decisions={waiting.pending[0].id: "always"})
        assert [call.tool for call in waiting.pending] == ["launch"]
        assert SENT == ["a", "b", "c"]
        assert agent.resume(waiting.run_id, decisions=True).status == "answered"
        assert SENT == ["a", "b", "c", "launch d"]
        assert agent.run("Send them again.").status == "waiting", "another run asks anew"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_function_of_the_caller_decides_in_place(tmp_path: Path, asynchronous: bool) -> None:
    asked: list[Pending] = []

    def decide(call: Pending) -> bool:
        asked.append(call)
        return call.tool == "send"

    async def think(call: Pending) -> bool:
        await asyncio.sleep(0)
        return decide(call)

    replies = [LOOK, SEND, block("launch('x')"), DONE]
    agent, model = agent_with(tmp_path, replies, settings={"approve": "auto"})
    events: list[Event] = []
    with agent:
        result = agent.run(
            "What is twice x?", approve=think if asynchronous else decide, on_event=events.append
        )  # asking is turned on by giving somebody to ask
    assert (result.status, result.answer, SENT, READ) == ("answered", "42", ["hello"], ["x"])
    assert [call.tool for call in asked] == ["send", "launch"]
    assert len(model.calls) == 4
    told = [event.step.index for event in events if isinstance(event, StepFinished)]
    assert told == [0, 1, 2, 3], "each step once, though the attempt began three times"
    assert [event.step for event in events if isinstance(event, CodeStarted)] == [0, 1, 2, 3]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "".join(replies)
    assert sum(isinstance(event, AttemptFinished) for event in events) == 1
    assert sum(isinstance(event, RunFinished) for event in events) == 1


def test_another_process_tells_the_steps_but_not_their_text(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, REPLIES)
    with agent:
        waiting = agent.run("What is twice x?")
    agent, _ = agent_with(tmp_path, [DONE])
    events: list[Event] = []
    with agent:
        agent.resume(waiting.run_id, decisions=True, on_event=events.append)
    assert [event.step.index for event in events if isinstance(event, StepFinished)] == [0, 1, 2]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == DONE


@pytest.mark.parametrize("given", ["yes", None, 1])
def test_a_function_that_says_neither_yes_nor_no_leaves_the_run_waiting(tmp_path: Path, given: Any) -> None:
    agent, _ = agent_with(tmp_path, REPLIES)
    with agent:
        with pytest.raises(InputError, match="approve returned"):
            agent.run("What is twice x?", approve=lambda call: given)
        assert (agent.runs.recent()[0].status, SENT) == ("waiting", [])


def test_whoever_leaves_at_the_question_leaves_the_run_waiting(tmp_path: Path) -> None:
    def leave(call: Pending) -> bool:
        raise KeyboardInterrupt

    agent, _ = agent_with(tmp_path, REPLIES)
    with agent:
        with pytest.raises(KeyboardInterrupt):
            agent.run("What is twice x?", approve=leave)
        assert agent.runs.recent()[0].status == "waiting"


def test_one_question_in_two_places_is_acted_on_once(tmp_path: Path) -> None:
    first, _ = agent_with(tmp_path, REPLIES)
    second, _ = agent_with(tmp_path, [DONE])
    with first, second:
        waiting = first.run("What is twice x?")

        def elsewhere(call: Pending) -> bool:
            assert second.resume(waiting.run_id, decisions=True).answer == "42"
            return True

        with pytest.raises(InputError, match="nothing left to do"):
            first.resume(waiting.run_id, approve=elsewhere)
        assert (first.runs.recent()[0].status, SENT) == ("answered", ["hello"])


@pytest.mark.parametrize(("mode", "sent"), [("auto", ["hello"]), ("never", [])])
def test_without_asking_it_is_done_or_not(tmp_path: Path, mode: str, sent: list[str]) -> None:
    agent, model = agent_with(tmp_path, REPLIES, settings={"approve": mode})
    with agent:
        assert agent.run("What is twice x?").answer == "42"
    assert sent == SENT
    assert ("not permitted in this run" in model.calls[2].messages[-1].content) == (mode == "never")


def test_never_is_stronger_than_somebody_to_ask(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, REPLIES, settings={"approve": "never"})
    with agent:
        assert agent.run("What is twice x?", approve=lambda call: True).answer == "42"
    assert SENT == []


def test_a_run_keeps_asking_though_who_goes_on_with_it_would_not(tmp_path: Path) -> None:
    agent, _ = agent_with(tmp_path, [SEND, block("launch('x')"), DONE])
    with agent:
        waiting = agent.run("Send and start.")
    agent, _ = agent_with(tmp_path, [block("launch('x')")], settings={"approve": "auto"})
    with agent:
        waiting = agent.resume(waiting.run_id, decisions=True)
        assert ([call.tool for call in waiting.pending], SENT) == (["launch"], ["hello"])


def native(*calls: tuple[str, dict[str, Any]]) -> Reply:
    asked = tuple(
        ToolCall(id=f"c{number}", name=name, arguments=json.dumps(arguments))
        for number, (name, arguments) in enumerate(calls)
    )
    return Reply(text="", tool_calls=asked, usage=Usage(calls=1, prompt_tokens=10))


FETCHED: list[str] = []


@tool(risk="network", origin="")
async def fetch(name: str) -> str:
    FETCHED.append(name)
    await asyncio.sleep(0.01)
    return f"page {name}"


@tool
async def slowly(name: str) -> str:
    READ.append(name)
    await asyncio.sleep(0.1)
    return f"read {name}"


def test_calls_side_by_side_wait_together_and_what_the_others_gave_is_kept(tmp_path: Path) -> None:
    FETCHED.clear()
    asked = native(("fetch", {"name": "a"}), ("slowly", {"name": "b"}), ("fetch", {"name": "c"}))
    model = ScriptedModel([asked, native(("final_answer", {"answer": "1"}))])
    options = {"tools": [fetch, slowly], "strategy": "tools", "settings": {"approve": "ask"}}
    with Agent(model=model, home=tmp_path, **options) as agent:
        waiting = agent.run("Fetch both.")
        assert [call.arguments for call in waiting.pending] == [{"name": "a"}, {"name": "c"}]
        assert (FETCHED, READ) == ([], ["b"])
        first, second = (call.id for call in waiting.pending)
        waiting = agent.resume(waiting.run_id, decisions={first: True})
        assert [call.id for call in waiting.pending] == [second], "what nobody decided is asked about again"
        result = agent.resume(waiting.run_id, decisions={second: False})
        assert (result.answer, FETCHED, READ) == ("1", ["a"], ["b"])
        texts = [message.content for message in model.calls[1].messages[-3:]]
        assert texts[:2] == ["page a", "read b"]
        assert "a person refused" in texts[2]


def test_who_said_always_is_not_asked_about_the_calls_beside_it(tmp_path: Path) -> None:
    FETCHED.clear()
    asked = native(("fetch", {"name": "a"}), ("fetch", {"name": "b"}))
    model = ScriptedModel([asked, native(("final_answer", {"answer": "1"}))])
    options = {"tools": [fetch], "strategy": "tools", "settings": {"approve": "ask"}}
    questions: list[Pending] = []
    with Agent(model=model, home=tmp_path, **options) as agent:
        waiting = agent.run("Fetch both.")
        decisions = {waiting.pending[0].id: "always"}
        result = agent.resume(waiting.run_id, decisions=decisions, approve=lambda call: bool(questions.append(call)))  # type: ignore[arg-type, func-returns-value]
    assert (result.answer, sorted(FETCHED), questions) == ("1", ["a", "b"], [])


DIAGNOSIS = json.dumps({"diagnosis": "It did not send.", "insight": "Send it.", "helpful": [], "harmful": []})
DELTA = json.dumps({"reason": "new", "operations": [{"op": "add", "section": "strategies", "text": "Send it first."}]})


def test_a_gates_attempt_waits_too_and_is_tried_with_the_very_delta(tmp_path: Path) -> None:
    wrong = block("final_answer(7)")
    agent, _ = agent_with(tmp_path, [wrong, DIAGNOSIS, DELTA, SEND])
    with agent:
        waiting = agent.run("What is six times seven?", reference="42")
        assert (waiting.status, waiting.answer, waiting.usage.calls) == ("waiting", "7", 4)
    agent, model = agent_with(tmp_path, [block("final_answer(42)")])
    with agent:
        result = agent.resume(waiting.run_id, decisions=True)
        assert (result.answer, result.learned.accepted, SENT) == ("7", True, ["hello"])
        assert len(model.calls) == 1, "neither the curator nor the first step is paid for again"
        assert result.usage.calls == 5


def test_feedback_after_the_run_can_ask_nobody(tmp_path: Path) -> None:
    from agentfly import Feedback

    agent, model = agent_with(
        tmp_path, [block("final_answer(7)"), DIAGNOSIS, DELTA, SEND, block("final_answer(7)")], gate="fix"
    )
    with agent:
        result = agent.run("What is six times seven?")
        agent.learn(result, Feedback(reward=0.0, text="No."))
        assert SENT == []
        assert "not permitted" in model.calls[4].messages[-1].content


def test_who_embeds_the_graph_answers_its_interrupt(tmp_path: Path) -> None:
    from langgraph.types import Command

    agent, _ = agent_with(tmp_path, REPLIES)
    with agent:
        waiting = agent.run("What is twice x?")
        thread: Any = {"configurable": {"thread_id": waiting.run_id}}

        async def go_on() -> Any:
            (stop,) = (await agent.graph.aget_state(thread)).interrupts
            assert stop.value["calls"][0]["tool"] == "send"
            return await agent.graph.ainvoke(Command(resume={stop.value["calls"][0]["id"]: True}), thread)

        state = asyncio.run(go_on())
        assert (state["attempt"].answer, SENT) == ("42", ["hello"])
