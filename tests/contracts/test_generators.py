"""What every strategy must do: a dozen small tasks, and the promises of `agentfly.protocols.Generator`.

A strategy joins by an entry in `STRATEGIES`: how to build it, and how a model that follows it writes its replies.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from agentfly.errors import ModelUnavailableError, ProviderError, ProviderTimeout, UserError
from agentfly.events import CodeStarted, StepFinished, TextDelta
from agentfly.generators.codeact import CodeActGenerator
from agentfly.generators.planning import PlanGenerator
from agentfly.generators.runnables import callee
from agentfly.generators.toolcalling import ToolCallingGenerator
from agentfly.generators.wrapped import WrappedGenerator
from agentfly.protocols import Brief, CheckFailure, Generator, Model
from agentfly.records import from_json, to_json
from agentfly.testing import ScriptedModel
from agentfly.tools.python import PythonSandbox
from agentfly.tools.toolbox import tool
from agentfly.types import (
    Attempt,
    Bullet,
    Case,
    Limits,
    Message,
    Questioned,
    Recalled,
    Reply,
    Step,
    Task,
    ToolCall,
    Usage,
)


@dataclass(frozen=True)
class Strategy:
    """How a strategy is built, and how a reply that runs Python code looks in it."""

    build: Callable[..., Generator]
    reply: Callable[[str], str | Reply]
    nothing_called: str = ""
    """What the model is told after a reply that does nothing."""
    around: tuple[int, int] = (0, 0)
    """Steps that are not the model's own, before and after its steps."""


def _codeact(model: Model, **settings: Any) -> Generator:
    return CodeActGenerator(model, PythonSandbox(memory_mb=1024, tools=[convert, fetch]), **settings)


def _tools(model: Model, **settings: Any) -> Generator:
    return ToolCallingGenerator(model, PythonSandbox(memory_mb=1024, tools=[convert, fetch]), **settings)


def _planned_for(build: Callable[..., Generator]) -> Callable[..., Generator]:
    """The strategy `plan` with an executor, and a planner that hands the whole task on and answers with the result."""

    def planner(messages: Sequence[Message]) -> str:
        if results := re.findall(r", (?:result|best so far):\s+(?:\[untrusted.*\n)?(.*)", messages[-1].content):
            return json.dumps({"thought": "", "subtasks": [], "answer": results[-1]})
        question = messages[1].content.rsplit("Task: ", 1)[1].split("\n\n")[0]
        return json.dumps({"thought": "", "subtasks": [{"id": 1, "task": question, "needs": []}], "answer": ""})

    return lambda model, **settings: PlanGenerator(ScriptedModel(planner), build(model, **settings))


def _called(code: str) -> Reply:
    call = ToolCall(id="call-1", name="python", arguments=json.dumps({"code": code}))
    return Reply(text="Let us see.", tool_calls=(call,), finish_reason="tool_calls")


def _called_in_text(code: str) -> str:
    return json.dumps({"name": "python", "arguments": {"code": code}})


STRATEGIES = {
    "codeact": Strategy(_codeact, lambda code: f"```python\n{code}\n```", "no Python code"),
    "tools": Strategy(_tools, _called, "Nothing was called"),
    "tools in text": Strategy(_tools, _called_in_text, "Nothing was called"),
}
PLANNED = {
    f"plan by {name}": replace(STRATEGIES[name], build=_planned_for(STRATEGIES[name].build), around=(1, 1))
    for name in ("codeact", "tools")
}
"""They share what every strategy promises, not what its model is shown: that is told to the planner or to the executor."""


@tool
def convert(amount: float, unit: str) -> float:
    """Convert an amount in miles or pounds to metric units."""
    return amount * {"miles": 1.609344, "pounds": 0.45359237}[unit]


@tool(risk="network")
def fetch(address: str) -> str:
    """Read a page."""
    if "missing" in address:
        raise ValueError(f"no page {address}")
    return f"the page {address}"


def _wrapped(model: Model, **settings: Any) -> Generator:
    """The strategy `wrapped` around a loop of its own, which tells its steps."""
    inner = CodeActGenerator(model, PythonSandbox(memory_mb=1024, tools=[convert, fetch]), **settings)

    async def solve(question: str, workspace: Path, files: Sequence[Path]) -> dict[str, Any]:
        given = Task(question.split("\n\nFiles:")[0], files=tuple(files))
        attempt = await inner.attempt(Brief(task=given, workspace=workspace))
        if attempt.status == "error":
            raise ProviderError(attempt.reason, usage=attempt.usage)
        usage = {"input_tokens": attempt.usage.prompt_tokens, "calls": attempt.usage.calls}
        return {"answer": attempt.answer, "steps": attempt.steps, "usage": usage}

    return WrappedGenerator(callee(solve))


FOREIGN = {"wrapped": Strategy(_wrapped, STRATEGIES["codeact"].reply)}
"""It shares what is promised of any attempt: what it does within one call is its own affair."""


@dataclass(frozen=True)
class Job:
    """A task with what the model writes, reply by reply."""

    question: str
    answer: str
    codes: Sequence[str]
    files: Sequence[str] = ()


CSV = "name,city,amount\nAda,Rome,10.5\nBob,Oslo,20\nCid,Rome,30.25\nDee,,4\n"
JOBS = {
    "arithmetic": Job("What is 6 times 7?", "42", ["final_answer(6 * 7)"]),
    "table mean": Job(
        "Mean amount, rounded to two decimals?",
        "16.19",
        ["import csv\nr = list(csv.DictReader(open('a.csv')))\nfinal_answer(round(sum(float(x['amount']) for x in r) / len(r), 2))"],
        ["a.csv"],
    ),
    "two steps": Job(
        "Who lives in Oslo?",
        "Bob",
        ["import csv\nrows = list(csv.DictReader(open('a.csv')))\nprint(rows[0])", "final_answer([r['name'] for r in rows if r['city'] == 'Oslo'])"],
        ["a.csv"],
    ),
    "list": Job(
        "List all different cities in alphabetical order, separated by commas.",
        "Oslo, Rome",
        ["import csv\nfinal_answer(sorted({r['city'] for r in csv.DictReader(open('a.csv')) if r['city']}))"],
        ["a.csv"],
    ),
    "mended error": Job("1 + 1?", "2", ["x = 1\nfinal_answer(y + 1)", "final_answer(x + 1)"]),
    "mended syntax": Job("1 + 2?", "3", ["final_answer(1 +", "final_answer(1 + 2)"]),
    "json": Job("How many users are active?", "2", ["import json\nfinal_answer(sum(u['active'] for u in json.load(open('u.json'))))"], ["u.json"]),
    "text": Job("How many lines hold the word error?", "2", ["final_answer(sum('error' in l for l in open('log.txt')))"], ["log.txt"]),
    "archive": Job(
        "How long is the text inside?",
        "11",
        ["import zipfile\nz = zipfile.ZipFile('z.zip')", "final_answer(len(z.read('inner.txt')))"],
        ["z.zip"],
    ),
    "dates": Job("Days from 2024-02-01 to 2024-03-01?", "29", ["from datetime import date\nfinal_answer((date(2024, 3, 1) - date(2024, 2, 1)).days)"]),
    "tool": Job("10 miles in km, one decimal?", "16.1", ["final_answer(round(convert(10, unit='miles'), 1))"]),
    "tool refuses": Job("10 pounds in kg?", "4.5", ["convert(10)", "final_answer(round(convert(10, 'pounds'), 1))"]),
}  # fmt: skip


@pytest.fixture(params=list(STRATEGIES))
def strategy(request: pytest.FixtureRequest) -> Strategy:
    return STRATEGIES[request.param]


@pytest.fixture(params=[*STRATEGIES, *PLANNED])
def any_strategy(request: pytest.FixtureRequest) -> Strategy:
    return {**STRATEGIES, **PLANNED}[request.param]


@pytest.fixture(params=[*STRATEGIES, *PLANNED, *FOREIGN])
def any_generator(request: pytest.FixtureRequest) -> Strategy:
    return {**STRATEGIES, **PLANNED, **FOREIGN}[request.param]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def put(workspace: Path, names: Sequence[str]) -> tuple[Path, ...]:
    for name in names:
        if name == "z.zip":
            with zipfile.ZipFile(workspace / name, "w") as archive:
                archive.writestr("inner.txt", "hello world")
        else:
            users = json.dumps([{"active": True}, {"active": False}, {"active": True}])
            text = {"a.csv": CSV, "u.json": users, "log.txt": "error 1\nok\nan error\n"}[name]
            (workspace / name).write_text(text)
    return tuple(workspace / name for name in names)


def brief(workspace: Path, question: str = "What is 6 times 7?", **settings: Any) -> Brief:
    files = settings.pop("files", ())
    return Brief(task=Task(question, files=files), workspace=workspace, **settings)


async def act(
    strategy: Strategy, codes: Sequence[Any], given: Brief, **settings: Any
) -> tuple[Attempt, ScriptedModel, list[Any]]:
    """Run an attempt; strings are code for the strategy to wrap, anything else goes to the model as it is."""
    model = ScriptedModel([strategy.reply(code) if isinstance(code, str) else code for code in codes])
    events: list[Any] = []
    attempt = await strategy.build(model, **settings).attempt(given, events.append)
    return attempt, model, events


@pytest.mark.parametrize("name", list(JOBS))
async def test_solves(any_generator: Strategy, workspace: Path, name: str) -> None:
    job = JOBS[name]
    given = brief(workspace, job.question, files=put(workspace, job.files))
    attempt, model, _ = await act(any_generator, job.codes, given)
    assert (attempt.answer, attempt.status) == (job.answer, "answered")
    assert len(attempt.steps) == len(job.codes) + sum(any_generator.around)
    assert attempt.steps[-1].final
    assert [s.error for s in attempt.steps[:-1]] == [
        s.observation.rstrip() != "" and "Error" in s.observation for s in attempt.steps[:-1]
    ]
    assert model.remaining == 0
    assert job.question in model.calls[0].messages[-1].content
    for file in job.files:
        assert file in model.calls[0].messages[-1].content
    assert from_json(Attempt, to_json(attempt)) == attempt


@pytest.mark.parametrize("name", ["two steps", "mended error", "archive", "tool refuses"])
async def test_the_solution_alone_gives_the_answer(strategy: Strategy, workspace: Path, name: str) -> None:
    job = JOBS[name]
    given = brief(workspace, job.question, files=put(workspace, job.files))
    first, _, _ = await act(strategy, job.codes, given)
    again, _, _ = await act(strategy, [first.solution], given)
    assert (again.answer, len(again.steps)) == (job.answer, 1)


async def test_tells_what_happens(strategy: Strategy, workspace: Path) -> None:
    attempt, _, events = await act(strategy, ["print('seen')", "final_answer(2)"], brief(workspace))
    said = strategy.reply("print('seen')")
    text = "".join(e.text for e in events if isinstance(e, TextDelta) and e.step == 0)
    assert text == (said.text if isinstance(said, Reply) else said)
    assert [e.code for e in events if isinstance(e, CodeStarted)] == ["print('seen')", "final_answer(2)"]
    assert tuple(e.step for e in events if isinstance(e, StepFinished)) == attempt.steps
    assert attempt.steps[0].observation == "seen"
    assert attempt.usage == attempt.steps[0].usage + attempt.steps[1].usage
    assert attempt.usage.calls == 2
    assert attempt.strategy in STRATEGIES
    assert attempt.sandbox in {"bubblewrap", "landlock"}


async def test_the_observation_reaches_the_model(strategy: Strategy, workspace: Path) -> None:
    _, model, _ = await act(strategy, ["print('a secret number: 7351')", "final_answer(1)"], brief(workspace))
    assert "7351" in model.calls[1].messages[-1].content
    assert model.calls[1].messages[:2] == model.calls[0].messages[:2]  # a stable prefix can be cached


async def test_long_output_is_cut(strategy: Strategy, workspace: Path) -> None:
    given = brief(workspace, limits=Limits(output_chars=300))
    attempt, model, _ = await act(strategy, ["print('x' * 100_000)", "final_answer(1)"], given)
    assert len(attempt.steps[0].observation) <= 340
    assert len(model.calls[1].messages[-1].content) < 700


async def test_no_code_is_a_mistake_of_the_model(strategy: Strategy, workspace: Path) -> None:
    attempt, model, _ = await act(strategy, [Reply(text="It is certainly 42."), "final_answer(42)"], brief(workspace))
    assert attempt.answer == "42"
    assert attempt.steps[0].error
    assert strategy.nothing_called in model.calls[1].messages[-1].content


async def test_repeating_an_error_changes_something(strategy: Strategy, workspace: Path) -> None:
    put(workspace, ["a.csv"])
    codes = ["open('b.csv')", "x = 1\nopen('b.csv')", "open('b.csv')", "final_answer(1)"]
    _, model, _ = await act(strategy, codes, brief(workspace))
    temperatures = [call.options.temperature for call in model.calls]
    assert temperatures[0] == temperatures[1] == 0.0
    assert 0 < temperatures[2] < temperatures[3] <= 1
    assert "another way" in model.calls[2].messages[-1].content
    assert "a.csv: table" in model.calls[2].messages[-1].content
    # A model copies its own mistakes: it sees the last one only, and after the third none of them.
    assert [len(call.messages) for call in model.calls] == [2, 4, 4, 2]


async def test_an_answer_that_is_no_python_gets_a_hint(strategy: Strategy, workspace: Path) -> None:
    codes = ["x = 1\nfinal_answer(@mean[x])", "y = 2\nfinal_answer(@mean[y])", "final_answer(1)"]
    _, model, _ = await act(strategy, codes, brief(workspace))
    assert "a quoted string" in model.calls[1].messages[-1].content
    assert "same error again" in model.calls[2].messages[-1].content


@pytest.mark.parametrize(
    ("limits", "reason", "steps"),
    [
        (Limits(steps=2), "steps", 2),
        (Limits(tokens=1), "tokens", 1),
        (Limits(cost_usd=0.01), "cost", 1),
        (Limits(seconds=2), "seconds", 2),
    ],
)
async def test_limits_keep_the_best_answer(
    strategy: Strategy, workspace: Path, limits: Limits, reason: str, steps: int
) -> None:
    usage = Usage(calls=1, prompt_tokens=50, cost_usd=0.02)
    said = strategy.reply("x = 17\nprint('guess:', x)")
    first = replace(said if isinstance(said, Reply) else Reply(text=said), usage=usage)
    codes = [first, "1 / 0\n" if reason != "seconds" else "import time; time.sleep(30)"]
    attempt, model, _ = await act(strategy, codes, brief(workspace, limits=limits))
    assert (attempt.status, attempt.reason, attempt.answer) == ("limit", reason, "17")
    assert (len(attempt.steps), len(model.calls)) == (steps, steps)
    assert attempt.solution == "x = 17\nprint('guess:', x)"


async def test_a_reply_without_code_may_be_longer(workspace: Path) -> None:
    strategy = STRATEGIES["codeact"]
    replies = [Reply(text=""), "print(1)", "final_answer(1)"]
    _, model, _ = await act(strategy, replies, brief(workspace), stop=("```\n",))
    assert [call.options.stop for call in model.calls] == [("```\n",), (), ("```\n",)]


async def test_code_does_not_outlast_the_attempt(strategy: Strategy, workspace: Path) -> None:
    begun = time.monotonic()
    attempt, _, _ = await act(strategy, ["import time\ntime.sleep(60)"], brief(workspace, limits=Limits(seconds=0.5)))
    assert time.monotonic() - begun < 10
    assert (attempt.status, attempt.reason, attempt.answer) == ("limit", "seconds", None)


async def test_the_model_is_told_what_is_left(strategy: Strategy, workspace: Path) -> None:
    given = brief(workspace, limits=Limits(seconds=60, tokens=5000), temperature=0.4, seed=7)
    _, model, _ = await act(strategy, ["final_answer(1)"], given)
    options = model.calls[0].options
    assert options.timeout is not None
    assert 50 < options.timeout <= 60
    assert options.max_tokens is not None
    assert options.max_tokens <= 5000
    assert (options.temperature, options.seed) == (0.4, 7)


@pytest.mark.parametrize(
    "error", [ProviderError("the provider is down", usage=Usage(calls=3, failed_calls=3)), ProviderTimeout("late")]
)
async def test_a_failed_provider_ends_the_attempt(
    any_strategy: Strategy, workspace: Path, error: ProviderError
) -> None:
    attempt, _, _ = await act(any_strategy, ["print(17)", error], brief(workspace))
    assert (attempt.status, attempt.answer, attempt.reason) == ("error", "17", str(error))
    assert attempt.usage.failed_calls == error.usage.failed_calls


async def test_a_timeout_at_the_end_of_the_time_is_the_limit(strategy: Strategy, workspace: Path) -> None:
    def late(messages: Sequence[Message]) -> str:
        time.sleep(1.1)
        raise ProviderTimeout("late")

    attempt, _, _ = await act(strategy, [late], brief(workspace, limits=Limits(seconds=1)))
    assert (attempt.status, attempt.reason) == ("limit", "seconds")


async def test_what_the_person_must_mend_is_raised(any_generator: Strategy, workspace: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="refused"):
        await act(any_generator, [ModelUnavailableError("key refused")], brief(workspace))


async def test_cancelling_is_quick_and_leaves_nothing(any_generator: Strategy, workspace: Path) -> None:
    beat = "import time\nwhile True: open('beat', 'w').write(str(time.time())); time.sleep(0.01)"
    running = asyncio.create_task(act(any_generator, [beat], brief(workspace)))
    while not (workspace / "beat").exists():
        await asyncio.sleep(0.01)
        assert not running.done()
    begun = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.monotonic() - begun < 5
    last = (workspace / "beat").read_text()
    await asyncio.sleep(0.1)
    assert (workspace / "beat").read_text() == last


@pytest.mark.parametrize(
    ("codes", "tools", "untrusted"),
    [
        (["final_answer(1)"], (), False),
        (["convert(1, 'miles')", "final_answer(1)"], ("convert",), False),
        (["fetch('a')", "convert(1, 'miles'); fetch('b')", "final_answer(1)"], ("fetch", "convert"), True),
        (["fetch('missing')", "final_answer(1)"], ("fetch",), True),
        (["fetch()", ProviderError("the provider is down")], ("fetch",), True),
    ],
)
async def test_tools_and_outside_content_are_told(
    any_strategy: Strategy, workspace: Path, codes: Sequence[Any], tools: tuple[str, ...], untrusted: bool
) -> None:
    attempt, _, _ = await act(any_strategy, codes, brief(workspace))
    assert (attempt.tools, attempt.untrusted) == (tools, untrusted)
    assert from_json(Attempt, to_json(attempt)) == attempt


def test_an_attempt_of_an_older_record_is_read() -> None:
    data = json.loads(to_json(Attempt(task_id="t", answer="1", status="answered")))
    for name in ("tools", "untrusted"):
        del data[name]
    attempt = from_json(Attempt, json.dumps(data))
    assert (attempt.tools, attempt.untrusted) == ((), False)


async def test_a_failure_is_shown_as_one_with_its_reason(strategy: Strategy, workspace: Path) -> None:
    wrong = Case(
        id="case-1", question="2 + 3?", solution="final_answer(2 * 3)", answer="6", reward=0.0, lesson="Plus is +."
    )
    none = Case(id="case-2", question="2 + 4?", solution="", answer=None, reward=0.2, lesson="It ran out of steps.")
    good = Case(id="case-3", question="1 + 1?", solution="final_answer(1 + 1)", answer="2", lesson="Add.")
    recalled = tuple(Recalled(case=case, similarity=0.9, score=0.9) for case in (good, wrong, none))
    _, model, _ = await act(strategy, ["final_answer(1)"], brief(workspace, cases=recalled))
    text = model.calls[0].messages[-1].content
    parts = [part.split("\n\n")[0] for part in text.split("[case-")[1:]]
    heads = [text[: text.index(f"[case-{i}]")].rsplit("\n", 1)[-1] for i in (3, 1, 2)]
    assert [("Failed" in head, "Solved" in head) for head in heads] == [(False, True), (True, False), (True, False)]
    assert ["not to be copied" in part for part in parts] == [False, True, True]
    assert ["It failed" in part for part in parts] == [False, True, True]
    assert "it gave 6, which is wrong" in parts[1]
    assert "Why: Plus is +." in parts[1]
    assert "no answer" in parts[2]
    assert "Why: It ran out of steps." in parts[2]


async def test_recalled_cases_and_playbook_are_shown(strategy: Strategy, workspace: Path) -> None:
    good = Case(
        id="case-7", question="What is 2 times 3?", solution="final_answer(2 * 3)", answer="6", lesson="Multiply."
    )
    bad = Case(
        id="case-8",
        question="What is 2 plus 3?",
        solution="final_answer(2 * 3)",
        answer="6",
        reward=0.0,
        lesson="Plus is +.",
    )
    plan = Case(id="case-9", question="What is up?", solution="1. Look up.\n2. Tell.", answer="sky")
    recalled = tuple(Recalled(case=case, similarity=0.9, score=0.9) for case in (good, bad, plan))
    bullet = Bullet(id="str-00001", section="strategies", text="Round at the end.")
    given = brief(workspace, cases=recalled, bullets=(bullet,), playbook="[str-00001] Round at the end.")
    attempt, model, _ = await act(strategy, ["# as in case-7 and str-00001\nfinal_answer(42)"], given)
    system, user = model.calls[0].messages
    assert "Round at the end." in system.content
    for text in ("final_answer(2 * 3)", "Multiply.", "Plus is +.", "Look up."):
        assert text in user.content
    assert user.content.index("case-7") < user.content.index("What is 6 times 7?")
    wrong = user.content[user.content.index("case-8") : user.content.index("case-9")]
    assert "wrong" in wrong
    assert attempt.shown_cases == ("case-7", "case-8", "case-9")
    assert attempt.shown_bullets == ("str-00001",)
    assert attempt.cited == ("case-7", "str-00001")


async def test_checks_ask_for_another_look_once(strategy: Strategy, workspace: Path) -> None:
    seen: list[str] = []

    async def rounded(answer: str, steps: Sequence[Step]) -> Sequence[CheckFailure]:
        seen.append(answer)
        assert answer in steps[-1].action
        return [] if len(answer) <= 4 else [CheckFailure(bullet_id="chk-1", message="Round to two decimals.")]

    codes = ["final_answer(3.14159)", "final_answer(3.14)"]
    attempt, model, _ = await act(strategy, codes, brief(workspace, examine=rounded))
    assert (attempt.answer, attempt.status, seen) == ("3.14", "answered", ["3.14159", "3.14"])
    assert "Round to two decimals." in model.calls[1].messages[-1].content
    assert [s.final for s in attempt.steps] == [False, True]
    assert attempt.questioned == (Questioned(answer="3.14159", checks=("chk-1",)),)
    stubborn, _, _ = await act(strategy, ["final_answer(3.14159)"] * 2, brief(workspace, examine=rounded))
    assert (stubborn.answer, stubborn.status) == ("3.14159", "answered")
    cut, _, _ = await act(
        strategy, ["final_answer(3.14159)"], brief(workspace, limits=Limits(steps=1), examine=rounded)
    )
    assert (cut.answer, cut.status) == ("3.14159", "limit")


async def test_an_answer_that_was_not_computed_is_questioned_once(strategy: Strategy, workspace: Path) -> None:
    given = brief(workspace, "Mean amount?", files=put(workspace, ["a.csv"]))
    attempt, model, _ = await act(
        strategy, ["final_answer(12.5)", "x = open('a.csv').read()\nfinal_answer(len(x))"], given
    )
    assert attempt.answer == str(len(CSV))
    assert "No file was read" in model.calls[1].messages[-1].content
    stubborn, _, _ = await act(strategy, ["final_answer(12.5)"] * 2, given)
    assert (stubborn.answer, stubborn.status) == ("12.5", "answered")
    seen, _, _ = await act(strategy, ["print(open('a.csv').read())", "final_answer(4)"], given)
    assert len(seen.steps) == 2
    bare = workspace / "bare"
    bare.mkdir()
    without, _, _ = await act(strategy, ["final_answer(4)"], brief(bare, "2 + 2?"))
    assert len(without.steps) == 1


async def test_the_reference_is_nowhere(any_generator: Strategy, workspace: Path) -> None:
    task = Task("What is it?", reference="REF-9931", metadata={"truth": "REF-9931"})
    look = (
        "import os, gc\nseen = [str(dict(os.environ)), str(globals()), str(os.listdir('.'))]\n"
        "seen += [open(p, errors='replace').read() for p in ('/proc/self/cmdline', '/proc/self/environ')]\n"
        "print('REF-' + '9931' in ' '.join(seen))"
    )
    given = Brief(task=task.without_reference(), workspace=workspace)
    attempt, model, _ = await act(any_generator, [look, "final_answer(1)"], given)
    assert attempt.steps[any_generator.around[0]].observation == "False"
    assert not any("REF-9931" in m.content for call in model.calls for m in call.messages)


async def test_attempts_run_side_by_side(any_generator: Strategy, tmp_path: Path) -> None:
    def answer(messages: Sequence[Message]) -> str | Reply:
        return any_generator.reply(f"final_answer({messages[1].content.split('echo ')[1].split()[0]})")

    generator = any_generator.build(ScriptedModel(answer))

    async def one(number: int) -> str | None:
        folder = tmp_path / f"w{number}"
        folder.mkdir()
        return (await generator.attempt(brief(folder, f"echo {number} please"))).answer

    assert await asyncio.gather(*(one(n) for n in range(6))) == [str(n) for n in range(6)]


async def test_is_a_generator(any_generator: Strategy) -> None:
    generator = any_generator.build(ScriptedModel())
    assert isinstance(generator, Generator)
    assert generator.name in {"codeact", "tools", "plan", "wrapped"}


@pytest.mark.parametrize("made", [CodeActGenerator, ToolCallingGenerator])
async def test_a_sandbox_that_does_not_work_is_the_persons_to_mend(made: Any, workspace: Path) -> None:
    generator = made(ScriptedModel(), PythonSandbox(tier="nowhere"))
    with pytest.raises(UserError, match="nowhere"):
        await generator.attempt(brief(workspace))
