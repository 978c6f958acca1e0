"""A benchmark under a provider that fails, and under kill -9: every attempt ends up with exactly one result."""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import benchmarking
from support.benchmarking import Nursery, command, environment, results, write_tasks
from support.faulty_provider import FAULTS, FaultyProvider, right, rows

TASKS, AT_ONCE, LATENCY, KILLS = 300, 32, 0.2, 10
PATIENT = ("--set", "call_seconds=20")


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: processes are killed here, not machines."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    found = Nursery()
    yield found
    found.close()


def accounted(found: list[dict[str, Any]], tasks: int) -> None:
    """Each task has one result, and it is the right one."""
    assert sorted(one["task_id"] for one in found) == sorted(f"task-{n}" for n in range(tasks))
    for one in found:
        expected = "correct" if right(int(one["task_id"].partition("-")[2])) else "wrong"
        assert one["verdict"] == expected, one


def run(nursery: Nursery, folder: Path, provider: FaultyProvider, tasks: Path, name: str) -> float:
    """A whole run; its seconds, from its first event to its last."""
    out = folder / name
    arguments = command(tasks, out, "--concurrency", str(AT_ONCE), "--json", *PATIENT)
    pid = nursery.begin(arguments, environment(provider.base, folder / "home"), folder)
    assert nursery.wait(pid) == 0, (folder / "err").read_text()
    assert json.loads((folder / "out").read_text())["done"] == len(tasks.read_text().splitlines())
    times = [json.loads(line)["time"] for line in (out / "events.jsonl").read_text().splitlines()]
    return float(times[-1] - times[0])


def test_every_task_is_accounted_for_whatever_the_provider_does(folder: Path, nursery: Nursery) -> None:
    tasks = write_tasks(folder / "tasks.jsonl", rows(TASKS))
    with FaultyProvider(latency=LATENCY, shares=FAULTS, seed=2) as provider:
        run(nursery, folder, provider, tasks, "results")
        seen = provider.close()
    assert min(seen[how] for how in FAULTS) >= 1, "the test is about all of them"
    found = results(folder / "results")
    accounted(found, TASKS)
    failed = sum(one["usage"]["failed_calls"] for one in found)
    assert failed >= seen["429"] + seen["500"] + seen["garbage"], "what failed is on the bill"


def test_a_provider_that_admits_few_is_not_hammered(folder: Path, nursery: Nursery) -> None:
    """It takes a while to notice; from then on few calls are turned away."""
    tasks, log = write_tasks(folder / "tasks.jsonl", rows(160)), folder / "calls"
    with FaultyProvider(latency=0.1, most=4, log=log) as provider:
        run(nursery, folder, provider, tasks, "results")
    accounted(results(folder / "results"), 160)
    how = [line.split()[0] for line in log.read_text().splitlines()]
    answered = [place for place, one in enumerate(how) if one == "ok"]
    first, last = how[: answered[53]], how[answered[106] :]
    print(first.count("429"), last.count("429"))
    assert last.count("429") < first.count("429") / 2


def test_killed_at_any_moment_it_goes_on_and_makes_nothing_twice(folder: Path, nursery: Nursery) -> None:
    """Ten times kill -9, then to the end: one result each, and no finished attempt was made again."""
    tasks, out, log = write_tasks(folder / "tasks.jsonl", rows(TASKS)), folder / "results", folder / "calls"
    arguments, rng = command(tasks, out, "--concurrency", str(AT_ONCE)), random.Random(4)
    known: dict[str, Any] = {}
    with FaultyProvider(latency=0.08, log=log) as provider:
        env = environment(provider.base, folder / "home")
        for _ in range(KILLS):
            # While it still begins, or when there are a few results, or some dozens more than before.
            enough, pid = len(known) + rng.randint(0, 25), nursery.begin(arguments, env, folder)
            until = time.monotonic() + 60
            while _lines(out / "results.jsonl") < enough and time.monotonic() < until:
                time.sleep(0.005)
            time.sleep(rng.random() * 0.2)
            os.kill(pid, signal.SIGKILL)
            assert nursery.wait(pid) == -signal.SIGKILL, (folder / "err").read_text()
            before, known = known, {line["task_id"]: line for line in _whole(out / "results.jsonl")}
            assert {name: known[name] for name in before} == before, "what was finished stays as it was"
        calls = len(log.read_text().splitlines())
        assert nursery.wait(nursery.begin(arguments, env, folder)) == 0, (folder / "err").read_text()
    found = results(out)
    accounted(found, TASKS)
    assert 0 < len(known) < TASKS, "it was killed in the middle"
    assert {name: one for one in found if (name := one["task_id"]) in known} == known
    asked = [line.split()[1] for line in log.read_text().splitlines()]
    assert not {f"task-{number}" for number in asked[calls:]} & known.keys(), "nothing that was finished is asked again"
    # A call whose reply was not on disk yet is made again; so many are under way at a kill, at most.
    assert len(asked) <= TASKS + KILLS * AT_ONCE
    kinds = benchmarking.events(out)
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert kinds.count("interruption") == kinds.count("resume")


def test_ctrl_c_ends_it_cleanly_and_the_same_command_goes_on(folder: Path, nursery: Nursery) -> None:
    tasks, out = write_tasks(folder / "tasks.jsonl", rows(60)), folder / "results"
    arguments = command(tasks, out, "--concurrency", "8")
    with FaultyProvider(latency=0.1) as provider:
        env = environment(provider.base, folder / "home")
        pid, until = nursery.begin(arguments, env, folder), time.monotonic() + 60
        while _lines(out / "results.jsonl") < 10 and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(pid, signal.SIGINT)
        assert nursery.wait(pid) == 130
        assert (folder / "out").read_text() == ""
        done = _lines(out / "results.jsonl")
        assert 10 <= done < 60
        assert "the same command goes on there" in (folder / "err").read_text().splitlines()[-1]
        assert benchmarking.events(out)[-1] == "interruption"
        assert nursery.wait(nursery.begin(arguments, env, folder)) == 0, (folder / "err").read_text()
    complaints = (folder / "err").read_text()
    assert f"going on, {done} of 60 are done" in complaints
    accounted(results(out), 60)
    assert benchmarking.events(out) == ["start", "interruption", "resume", "end"]


@pytest.mark.benchmark
def test_faults_cost_less_than_six_tenths_more(folder: Path, nursery: Nursery) -> None:
    tasks = write_tasks(folder / "tasks.jsonl", rows(TASKS))
    walls = {}
    for name, shares in (("ideal", {}), ("faults", FAULTS)):
        with FaultyProvider(latency=3.0, shares=shares, seed=1) as provider:
            walls[name] = run(nursery, folder, provider, tasks, name)
        accounted(results(folder / name), TASKS)
    print(
        f"\nideal {walls['ideal']:.1f} s, with faults {walls['faults']:.1f} s: {walls['faults'] / walls['ideal']:.2f}"
    )
    assert walls["faults"] <= 1.6 * walls["ideal"]


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _whole(path: Path) -> list[dict[str, Any]]:
    """The lines of a file that are whole."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
