"""Agents that are not ours, learned around: real homes, real graphs of LangGraph, real embeddings; the models are scripts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.config import get_config
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

import agentfly
from agentfly import Agent, Delta, Feedback, Plan, Task
from agentfly.errors import ConfigError
from agentfly.testing import ScriptedModel

CASES_ONLY = {"learning.strategies": False, "learning.checks": False}
RULE = "Answer with the sum, as a bare number."
DIAGNOSIS = json.dumps({"diagnosis": "It chatted.", "insight": RULE, "helpful": [], "harmful": []})
DELTA = json.dumps({"reason": "new", "operations": [{"op": "add", "section": "strategies", "text": RULE}]})

COLOURS = {"rose": "red", "leaf": "green", "sea": "blue", "sun": "yellow"}
PHRASES = [
    "Which colour has the {} in the garden book?",
    "In the garden book, what colour is the {}?",
    "Tell me the colour of the {}, by the garden book.",
    "The {} of the garden book: which colour is it?",
    "What colour does the garden book give the {}?",
]


def tasks(phrases: Sequence[str]) -> list[Task]:
    return [Task(phrase.format(thing), reference=colour) for phrase in phrases for thing, colour in COLOURS.items()]


def recites(question: str, context: str = "") -> str:
    """Knows an answer only from a solved example about the same thing."""
    thing = next(thing for thing in COLOURS if thing in question)
    solved = re.findall(r"Solved example \[[^\]]+\]: (.+)\n(?:.+\n)*?Answer: (.+)", context)
    return next((answer for text, answer in solved if thing in text), "no idea")


def test_a_function_gets_better_over_twenty_tasks(tmp_path: Path) -> None:
    everything = tasks(PHRASES)
    assert len(everything) == 20
    with agentfly.wrap(recites, tmp_path, settings=CASES_ONLY) as learner:
        done = learner.learn_tasks(everything[:8], test=everything[8:], plan=Plan(window=4, ablations=((),)))
        told = done.report
        assert (told.base.total, told.base.correct) == (12, 0)
        assert told.test.correct == 12
        assert told.comparison is not None
        assert (len(told.comparison.gained), len(told.comparison.lost)) == (12, 0)
        assert told.comparison.p < 0.001
        assert {one.phase.partition(":")[2]: one.after.correct for one in told.ablations} == {"nothing": 0}
        assert (told.model, told.strategy) == ("recites", "wrapped")
        case = learner.bank.get(learner.run(everything[0], learn=False).recalled[0])
        assert case.answer in COLOURS.values()
        (known,) = {s.source for s in told.samples}
        assert known == "reference"


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


CONFIGS: list[str] = []


def keeps_to_a_rule(state: MessagesState) -> dict[str, Any]:
    """A scripted chat model: adds with the tool, then chats, unless a rule says that it should not."""
    CONFIGS.append(repr(get_config()))
    messages, usage = state["messages"], {"input_tokens": 50, "output_tokens": 5, "total_tokens": 55}
    if messages[-1].type == "tool":
        total = str(messages[-1].content)
        text = total if RULE in str(messages[0].content) else f"Let me see, that makes {total}, I think."
        return {"messages": [AIMessage(text, usage_metadata=usage)]}
    a, b = re.findall(r"\d+", str(messages[-1].content))[-2:]
    call = {"name": "add", "args": {"a": int(a), "b": int(b)}, "id": "c1"}
    return {"messages": [AIMessage("I had better add.", tool_calls=[call], usage_metadata=usage)]}


def graph() -> Any:
    built = StateGraph(MessagesState)
    built.add_node("chat", keeps_to_a_rule)
    built.add_node("tools", ToolNode([add]))
    built.add_edge(START, "chat")
    built.add_conditional_edges("chat", tools_condition)
    built.add_edge("tools", "chat")
    return built.compile(name="adder")


def test_a_graph_of_langgraph_learns_from_feedback(tmp_path: Path) -> None:
    CONFIGS.clear()
    model = ScriptedModel([DIAGNOSIS, DELTA])
    with agentfly.wrap(graph(), tmp_path, model=model) as learner:
        first = learner.run("What is 1 + 2?")
        assert (first.answer, first.reward, first.steps) == ("Let me see, that makes 3, I think.", None, 2)
        assert (first.usage.calls, first.usage.tokens) == (2, 110)
        learned = learner.learn(first, Feedback(reward=0.0, text="Only the number."))
        assert learned.accepted
        assert [bullet.text for bullet in learner.playbook.current()] == [RULE]
        asked = model.calls[0].messages[-1].content
        for shown in ('"name": "add"', "-> 3", "Only the number.", "I think."):
            assert shown in asked, "the reflector sees what the agent did"
        second = learner.run("What is 4 + 5?", reference="9")
        assert (second.answer, second.reward) == ("9", 1.0)
        assert second.bullets == ("str-00001",)
        case = learner.bank.get(second.learned.cases[0])
        assert case.solution == '1. {"name": "add", "arguments": {"a": 4, "b": 5}} → 9'
        assert (case.provenance.strategy, case.provenance.tools) == ("wrapped", ("add",))
        assert not any(first.run_id in config or second.run_id in config for config in CONFIGS), (
            "our graph is not its parent"
        )
        assert len(model.calls) == 2
    env = {**os.environ, "COLUMNS": "100"}
    command = [sys.executable, "-c", "from agentfly.cli.main import main; main()", "runs", "show", first.run_id]
    shown = subprocess.run(
        [*command, "--home", str(tmp_path)], env=env, capture_output=True, text=True, check=True
    ).stdout
    for text in (
        "adder · wrapped",
        "I had better add.",
        '{"name": "add"',
        "that makes 3, I think.",
        "Only the number.",
    ):
        assert text in shown


def chats(question: str, context: str) -> str:
    """Adds, and answers in the right form only where it is told to."""
    total = sum(map(int, re.findall(r"\d+", question)))
    return str(total) if RULE in context else f"The sum is {total}, of course"


def test_a_rule_that_mends_the_answer_is_kept(tmp_path: Path) -> None:
    with agentfly.wrap(chats, tmp_path, model=ScriptedModel([DIAGNOSIS, DELTA]), gate="fix") as learner:
        result = learner.run("1 + 2?", reference="3")
        assert (result.reward, result.learned.accepted) == (0.0, True)
        assert learner.bank.get(result.learned.cases[0]).answer == "3", "the gate's attempt is worth remembering"
        assert learner.run("4 + 5?", reference="9").reward == 1.0


def test_a_rule_that_mends_nothing_is_dropped(tmp_path: Path) -> None:
    other = DELTA.replace(RULE, "Be brief.")
    with agentfly.wrap(chats, tmp_path, model=ScriptedModel([DIAGNOSIS, other]), gate="fix") as learner:
        result = learner.run("1 + 2?", reference="3")
        assert (result.reward, result.learned.accepted) == (0.0, False)
        assert len(learner.playbook.current()) == 0
        assert learner.bank.get(result.learned.cases[0]).lesson == RULE


def test_exploring_calls_again_and_keeps_what_was_verified(tmp_path: Path) -> None:
    answers = iter(["1", "2", "3", "4"])
    settings = {**CASES_ONLY, "explore": 3}
    with agentfly.wrap(lambda question: next(answers), tmp_path, settings=settings) as learner:
        result = learner.run("Which number?", reference="3")
        assert (result.answer, result.reward) == ("1", 0.0), "the answer is the first one"
        assert learner.bank.get(result.learned.cases[0]).answer == "3"
        assert next(answers) == "4"


def test_a_check_of_the_playbook_has_the_agent_look_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def measures(question: str, context: str) -> str:
        asked.append(context)
        return "3.14" if "decimal" in context else "3.14159"

    add_check = {"op": "add", "section": "checks", "kind": "check", "text": "rounded_as_asked(question, answer)"}
    with agentfly.wrap(measures, tmp_path, settings={"learning.strategies": False}) as learner:
        learner.playbook.commit(Delta.model_validate({"reason": "form", "operations": [add_check]}), author="human")
        result = learner.run("What is pi, rounded to two decimal places?", reference="3.14")
        assert (result.answer, result.reward, result.steps) == ("3.14", 1.0, 2)
        assert "Your answer was: 3.14159" in asked[1]
        attempt = learner.runs.show(result.run_id).attempts[0]
        assert [questioned.answer for questioned in attempt.questioned] == ["3.14159"]
        assert attempt.steps[0].error


def test_the_agents_own_failure_teaches_and_a_providers_does_not(tmp_path: Path) -> None:
    class RateLimitError(Exception):
        pass

    raised: list[Exception] = [LookupError("no table pens"), RateLimitError("slow down")]

    def breaks(question: str) -> str:
        raise raised.pop(0)

    model = ScriptedModel([DIAGNOSIS, json.dumps({"reason": "", "operations": []})])
    with agentfly.wrap(breaks, tmp_path, model=model) as learner:
        own = learner.run("How many pens?", reference="3")
        assert (own.status, own.reward, len(own.learned.cases)) == ("no_answer", 0.0, 1)
        assert "LookupError: no table pens" in model.calls[0].messages[-1].content
        theirs = learner.run("How many books?", reference="3")
        assert (theirs.status, theirs.reward, theirs.learned.cases) == ("error", None, ())
        assert "slow down" in learner.runs.show(theirs.run_id).attempts[0].reason


def test_what_cannot_be_wrapped_leaves_no_home_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes no question"):
        agentfly.wrap(lambda: "1", tmp_path / "home")
    assert list(tmp_path.iterdir()) == []


def test_the_reference_reaches_no_agent(tmp_path: Path) -> None:
    seen: list[str] = []

    def curious(question: str, context: str, *, task: Task, workspace: Path) -> str:
        seen.append(repr((question, context, task, list(workspace.iterdir()))))
        return "none"

    settings = {**CASES_ONLY, "learning.answers": "never", "explore": 1}
    with agentfly.wrap(curious, tmp_path, settings=settings) as learner:
        assert learner.run(Task("Which?", reference="zq-8417", metadata={"truth": "zq-8417"})).reward == 0.0
        assert learner.run("And which one?", reference="zq-8417").reward == 0.0
    assert len(seen) == 4
    assert not any("zq-8417" in text for text in seen)


PROGRAM = """
import os, signal, sys
from pathlib import Path
import agentfly
from agentfly import Plan, Task

home, log, fatal = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def answer(question: str) -> str:
    with log.open("a") as file:
        file.write(question[-1] + "\\n")
    if len(log.read_text().splitlines()) == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return question[-1]

tasks = [Task(f"number {n}", reference=str(n)) for n in range(6)]
settings = {"learning.strategies": False, "learning.checks": False}
with agentfly.wrap(answer, home, settings=settings) as learner:
    done = learner.learn_tasks(tasks, plan=Plan(window=2, concurrency=1))
    samples = [(s.place, s.verdict, len(learner.runs.show(s.run_id).attempts)) for s in done.report.samples]
    print([sorted(samples), learner.bank.count(), done.resumed])
"""


def test_kill_9_in_the_middle_of_a_course_calls_the_agent_once_more_and_no_oftener(tmp_path: Path) -> None:
    program, log, home = tmp_path / "course.py", tmp_path / "log", tmp_path / "home"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(home), str(log)]
    killed = subprocess.run([*command, "4"], capture_output=True, text=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = subprocess.run([*command, "0"], capture_output=True, text=True, timeout=120, check=True)
    assert eval(done.stdout) == [[(n, "correct", 1) for n in range(6)], 6, True]
    assert log.read_text().splitlines() == list("0123345")


def test_what_was_learned_serves_other_agents_of_the_same_home(tmp_path: Path) -> None:
    with agentfly.wrap(recites, tmp_path, settings=CASES_ONLY) as learner:
        learner.run(tasks(PHRASES)[0])
    model = ScriptedModel(["```python\nfinal_answer('red')\n```"])
    with Agent(model=model, home=tmp_path, strategy="codeact") as ours:
        assert ours.run(tasks(PHRASES)[4]).reward == 1.0
        assert "Solved example" in model.calls[0].messages[-1].content
