"""A process that is killed in the middle of an attempt: what it paid for is not paid for again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.fake_provider import FakeProvider, Fault

from agentfly import Agent, tool
from agentfly.events import StepFinished
from agentfly.testing import ScriptedModel

PROGRAM = [sys.executable, "-c", "from agentfly.cli.main import main; main()"]
PATIENCE = 90.0


def block(*lines: str) -> str:
    return "\n".join(["```python", *lines, "```"])


def until(true: object, provider: FakeProvider) -> None:
    end = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < end:  # type: ignore[operator]
        time.sleep(0.02)
    assert true(), provider.prompts()  # type: ignore[operator]


def test_two_replies_before_kill_9_are_not_paid_for_again(tmp_path: Path, fake_provider: FakeProvider) -> None:
    env = {**os.environ, "OPENAI_API_KEY": "sk-test", "OPENAI_API_BASE": fake_provider.base}
    env["AGENTFLY_HOME"] = str(tmp_path / "home")
    first, second, third = block("x = 20", "print(x)"), block("x += 1", "print(x)"), block("final_answer(x * 2)")
    fake_provider.script = [first, second, Fault(hang=PATIENCE)]
    arguments = ["run", "What is six times seven?", "--model", "openai/fake-model", "--reference", "42"]
    run = subprocess.Popen([*PROGRAM, *arguments], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(fake_provider.requests) == 3, fake_provider)
    run.send_signal(signal.SIGKILL)
    run.wait()
    fake_provider.script = [third]
    said = subprocess.run([*PROGRAM, "runs", "list", "--json"], env=env, capture_output=True, check=True)
    (listed,) = json.loads(said.stdout)
    assert listed["status"] == "interrupted"
    command = [*PROGRAM, "runs", "resume", listed["id"], "--json"]  # the model is that of the run
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["answer"], result["reward"], result["steps"]) == ("42", 1.0, 3)
    assert len(fake_provider.requests) == 4, "two replies, the one that was lost, and the last"
    assert result["usage"]["calls"] == 3
    spoken = [message["content"] for message in fake_provider.requests[-1].body["messages"]]
    assert first in spoken
    assert second in spoken


@tool(risk="write")
def note(text: str) -> str:
    """Write a text down."""
    NOTED.append(text)
    return f"noted {text}"


NOTED: list[str] = []


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    NOTED.clear()


def cut_off(messages: object) -> str:
    raise KeyboardInterrupt


def test_what_tools_did_is_not_done_again(tmp_path: Path) -> None:
    replies = [
        block("print(note('a'))", "open('made.txt', 'w').write('b')"),
        block("print(note(open('made.txt').read()))"),
    ]
    with Agent(model=ScriptedModel([*replies, cut_off]), home=tmp_path, tools=[note]) as agent:
        with pytest.raises(KeyboardInterrupt):
            agent.run("Note it.")
        run_id = agent.runs.recent()[0].id
    assert NOTED == ["a", "b"]
    model = ScriptedModel([block("print(note('a'))"), block("final_answer(1)")])
    told = []
    with Agent(model=model, home=tmp_path, tools=[note]) as agent:
        result = agent.resume(run_id, on_event=lambda event: told.append(event))
    assert (result.answer, result.steps, result.usage.calls) == ("1", 4, 4)
    assert NOTED == ["a", "b", "a"], "the same call again is another one"
    assert [step.observation.strip() for step in result.attempt.steps[:3]] == ["noted a\n1", "noted b", "noted a"]
    assert result.attempt.tools == ("note",)
    assert sum(isinstance(event, StepFinished) for event in told) == 4


def test_a_call_that_was_cut_off_is_not_made_again_by_itself(tmp_path: Path) -> None:
    @tool(risk="write")
    async def hang(text: str) -> str:
        """Write a text down, slowly."""
        NOTED.append(text)
        if len(NOTED) == 1:
            await asyncio.sleep(60)
        return "noted"

    async def killed() -> str:
        async with Agent(model=ScriptedModel([block("hang('a')")]), home=tmp_path, tools=[hang]) as agent:
            running = asyncio.create_task(agent.arun("Note it."))
            while not NOTED:
                await asyncio.sleep(0.01)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            return agent.runs.recent()[0].id

    run_id = asyncio.run(killed())
    model = ScriptedModel([block("print(hang('a'))"), block("final_answer(1)")])
    with Agent(model=model, home=tmp_path, tools=[hang]) as agent:
        assert agent.resume(run_id).answer == "1"
    assert "nobody knows whether it took effect" in model.calls[0].messages[-1].content
    assert NOTED == ["a", "a"], "only where the model, told so, asks for it"


def test_another_strategy_takes_nothing_from_the_record(tmp_path: Path) -> None:
    """A record is of what the generator saw: whoever acts otherwise begins anew."""
    with Agent(model=ScriptedModel([block("print(1)"), cut_off]), home=tmp_path) as agent:
        with pytest.raises(KeyboardInterrupt):
            agent.run("Print it.")
        run_id = agent.runs.recent()[0].id
    model = ScriptedModel(['{"name": "final_answer", "arguments": {"answer": "2"}}'])
    with Agent(model=model, home=tmp_path, strategy="tools") as agent:
        result = agent.resume(run_id)
    assert (result.answer, result.steps, len(model.calls)) == ("2", 1, 1)
