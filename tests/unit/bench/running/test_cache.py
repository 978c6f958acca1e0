"""Replies of models, kept on disk."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agentfly.bench.running.cache import FILE, ReplyCache, key_of
from agentfly.bench.running.measured import SEEDS_APART, MeasuredModel, Work, working
from agentfly.bench.running.throttle import Throttle
from agentfly.errors import InputError
from agentfly.protocols import CallOptions
from agentfly.testing import ScriptedModel
from agentfly.types import Message, Reply, Usage

ASKED = [Message("user", "What is it?")]


def model_with(folder: Path, replies: list[str]) -> tuple[MeasuredModel, ScriptedModel]:
    scripted = ScriptedModel(
        [Reply(text=text, usage=Usage(calls=1, prompt_tokens=7, cost_usd=0.5, seconds=2.0)) for text in replies]
    )
    return MeasuredModel(scripted, Throttle(2), ReplyCache(folder), ""), scripted


async def ask(model: MeasuredModel, task: str, attempt: int, *, work: Work | None = None, **options: object) -> Reply:
    token = working.set(work or Work((task, attempt)))
    try:
        return await model.complete(ASKED, CallOptions(**options))  # type: ignore[arg-type]
    finally:
        working.reset(token)


async def test_the_same_call_of_the_same_attempt_is_answered_from_disk(tmp_path: Path) -> None:
    first, _ = model_with(tmp_path, ["one"])
    await ask(first, "a", 0)
    second, scripted = model_with(tmp_path, [])
    work = Work(("a", 0))
    reply = await ask(second, "a", 0, work=work)
    assert reply.text == "one"
    assert scripted.calls == []
    assert work.cached == 1
    assert (reply.usage.calls, reply.usage.cost_usd, reply.usage.seconds) == (0, 0.0, 0.0)
    assert reply.usage.prompt_tokens == 7, "limits of tokens are hit as before"


async def test_attempts_stay_independent(tmp_path: Path) -> None:
    model, _ = model_with(tmp_path, ["one", "two", "three", "four"])
    found = [(await ask(model, *key)).text for key in (("a", 0), ("a", 1), ("b", 0), ("a", 0), ("a", 1))]
    assert found == ["one", "two", "three", "one", "two"]


async def test_the_same_call_made_twice_in_an_attempt_has_two_replies(tmp_path: Path) -> None:
    model, _ = model_with(tmp_path, ["one", "two"])
    for _ in range(2):
        work = Work(("a", 0))
        assert [(await ask(model, "a", 0, work=work)).text for _ in range(2)] == ["one", "two"]


async def test_options_and_place_are_part_of_the_call() -> None:
    keys = {
        key_of(model, ASKED, options, ("a", 0), 0)
        for model in ("m", "m http://elsewhere")
        for options in (CallOptions(), CallOptions(temperature=0.5), CallOptions(seed=1), CallOptions(stop=("x",)))
    }
    assert len(keys) == 8
    assert key_of("m", ASKED, CallOptions(timeout=1.0), ("a", 0), 0) == key_of("m", ASKED, CallOptions(), ("a", 0), 0)


async def test_each_attempt_has_seeds_of_its_own(tmp_path: Path) -> None:
    model, scripted = model_with(tmp_path, ["one", "two", "three"])
    for attempt in (0, 1):
        await ask(model, "a", attempt, seed=5)
    await ask(model, "b", 1)
    assert [call.options.seed for call in scripted.calls] == [5, 5 + SEEDS_APART, None]


async def test_outside_of_an_attempt_nothing_is_kept(tmp_path: Path) -> None:
    model, scripted = model_with(tmp_path, ["one", "two"])
    assert [(await model.complete(ASKED)).text for _ in range(2)] == ["one", "two"]
    assert len(scripted.calls) == 2


def test_processes_may_share_one(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from agentfly.bench.running.cache import ReplyCache; from agentfly.types import Reply\n"
        "cache = ReplyCache(Path(sys.argv[1]))\n"
        "for n in range(100): cache.put(f'{n % 60} {int(sys.argv[2]) * (n < 30)}', Reply(text=str(n)))\n"
        "cache.close()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(n)]) for n in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    rows = sqlite3.connect(tmp_path / FILE).execute("SELECT count(*) FROM replies").fetchone()
    assert rows == (60 + 2 * 30,)


def test_what_is_no_cache_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("not a database, but long enough to be looked at as one")
    with pytest.raises(InputError, match=FILE):
        ReplyCache(tmp_path)
    assert (tmp_path / FILE).read_text().startswith("not a database")


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA application_id = 7")
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(InputError, match="another program"):
        ReplyCache(tmp_path)
