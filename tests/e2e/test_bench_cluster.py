"""A benchmark run on a real Ray cluster of this machine: workers, drivers and whole clusters that come and go.

    python test_bench_cluster.py OUT

is a driver of its own, which a test can kill, and `python test_bench_cluster.py` a cluster that was there before.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.fake_provider import FakeProvider

from agentfly.bench.datasets import Dataset, load_dataset
from agentfly.bench.folder import ResultsFolder
from agentfly.bench.results import Result
from agentfly.bench.running.benchmark import Request, run_benchmark
from agentfly.bench.running.plan import Plan
from agentfly.bench.running.spreading import on_ray
from agentfly.config import Settings
from agentfly.events import Notice

TASKS = 40
SETTINGS = {"model": "openai/fake-model", "strategy": "codeact", "tools": {"builtin": "none"}, "limits": {"steps": 2}}
LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
"""127.0.0.1, ::1 and ::ffff:127.0.0.1, as Linux writes them."""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None and not os.environ.get("CI"),
    reason="Ray is not installed: pip install 'agentfly-framework[ray]'",
)


def answer(body: Mapping[str, Any]) -> str:
    """Right for two of three tasks; every fifth needs a second step."""
    text = json.dumps(body["messages"])
    number = int(text.split("number ")[1].split(" ")[0])
    if number % 5 == 0 and "seen" not in text.split("number ")[-1]:
        return "```python\nprint('seen')\n```"
    return f"```python\nfinal_answer({number if number % 3 else -1})\n```"


def dataset(folder: Path) -> Dataset:
    """Tasks with and without a file."""
    file = folder / "tasks.jsonl"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "notes.txt").write_text("nothing of importance")
        rows = [
            {"id": f"t{i}", "question": f"Say number {i} please", "answer": str(i), "level": 1 + i % 2}
            | ({"files": ["notes.txt"]} if i % 4 == 0 else {})
            for i in range(TASKS)
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_dataset(file)


def request(out: Path, executor: str, notices: list[Any] | None = None, **cluster: Any) -> Request:
    return Request(
        dataset=dataset(out.parent / "data"),
        out=out,
        settings=Settings.model_validate(SETTINGS),
        plan=Plan(concurrency=8, executor="ray" if executor == "ray" else "local"),
        emit=(notices if notices is not None else []).append,
        executor=functools.partial(on_ray, **{"workers": 2, "address": "local", **cluster})
        if executor == "ray"
        else None,
    )


def results(out: Path) -> dict[str, Result]:
    """By task; each has one line only, or reading fails."""
    with ResultsFolder(out) as folder:
        return {result.task_id: result for result in folder.results()}


def told(found: Mapping[str, Result]) -> dict[str, tuple[Any, ...]]:
    """What must be the same wherever an attempt was made."""
    return {
        task: (one.verdict, one.answer, one.reward, one.level, one.steps, one.usage.calls, one.usage.tokens)
        for task, one in found.items()
    }


def descendants(of: int) -> dict[int, str]:
    """Processes below one, with their names as Ray sets them."""
    parents: dict[int, list[tuple[int, str]]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            name = (folder / "cmdline").read_text().replace("\0", " ").strip()
        except OSError:
            continue
        if status[0] != "Z":
            parents.setdefault(int(status[1]), []).append((int(folder.name), name))
    found: dict[int, str] = {}
    waiting = [of]
    while waiting:
        for pid, name in parents.get(waiting.pop(), []):
            found[pid] = name
            waiting.append(pid)
    return found


def of_ray(of: int) -> dict[int, str]:
    names = ("ray::", "/ray/core/", "/ray/_private/", "/ray/dashboard/", "/ray/autoscaler/")
    return {pid: name for pid, name in descendants(of).items() if any(part in name for part in names)}


def listening(pids: Mapping[int, str]) -> set[str]:
    """The addresses that these processes listen on."""
    inodes: set[str] = set()
    for pid in pids:
        try:
            links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        inodes |= {link[8:-1] for link in links if link.startswith("socket:")}
    rows = [row.split() for kind in ("tcp", "tcp6") for row in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


def gone(pids: Mapping[int, str], within: float) -> bool:
    """Whether these processes end in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not any(Path(f"/proc/{pid}").exists() and _runs(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    with FakeProvider(answer) as provider:
        monkeypatch.setenv("OPENAI_API_BASE", provider.base)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-never-on-record")
        provider._server.handle_error = lambda *given: None  # type: ignore[method-assign]  # a killed worker hangs up
        yield provider


async def test_a_worker_is_killed_in_the_middle_and_the_results_are_those_of_one_machine(
    provider: FakeProvider, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await run_benchmark(request(tmp_path / "here", "local"))
    asked = len(provider.requests)
    seen: dict[str, Any] = {}

    def shooting(body: Mapping[str, Any]) -> str:
        if len(provider.requests) == asked + 15:
            workers = [pid for pid, name in of_ray(os.getpid()).items() if "ray::ClusterWorker" in name]
            seen["workers"], seen["listening"] = len(workers), listening(of_ray(os.getpid()))
            os.kill(workers[0], signal.SIGKILL)
        return answer(body)

    provider.reply = shooting
    notices: list[Any] = []
    progress = await run_benchmark(request(tmp_path / "there", "ray", notices))

    here, there = results(tmp_path / "here"), results(tmp_path / "there")
    assert told(here) == told(there)
    assert Counter(one.verdict for one in there.values())["correct"] == sum(i % 3 > 0 for i in range(TASKS))
    assert (progress.done, progress.errors) == (TASKS, 0)
    assert seen["workers"] == 2
    assert 1 <= sum(one.retries for one in there.values()) <= 8
    assert any("was lost and is replaced" in one.text for one in notices if isinstance(one, Notice))
    with ResultsFolder(tmp_path / "there") as folder, ResultsFolder(tmp_path / "here") as other:
        assert folder.identity == other.identity
        for task, result in there.items():
            record = folder.trace(task)
            assert record["answer"] == result.answer
            assert record.keys() == other.trace(task).keys()

    assert seen["listening"] <= set(LOOPBACK), "somebody else could reach the cluster"
    assert not of_ray(os.getpid())
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert capfd.readouterr().out == ""
    written = b"".join(path.read_bytes() for path in (tmp_path / "there").rglob("*") if path.is_file())
    assert b"sk-never-on-record" not in written


def test_a_killed_driver_takes_its_cluster_along_and_the_run_goes_on_anywhere(
    provider: FakeProvider, tmp_path: Path
) -> None:
    out, enough = tmp_path / "out", threading.Event()

    def watching(body: Mapping[str, Any]) -> str:
        if (out / "results.jsonl").exists() and (out / "results.jsonl").read_bytes().count(b"\n") >= 10:
            enough.set()
            time.sleep(0.2)
        return answer(body)

    provider.reply = watching
    driver = subprocess.Popen([sys.executable, __file__, str(out)], env=_environment(), cwd=tmp_path)
    try:
        assert enough.wait(60)
        processes = of_ray(driver.pid)
    finally:
        driver.kill()
        driver.wait()
    assert sum("ray::ClusterWorker" in name for name in processes.values()) == 2
    # Ray's two agents look for their parent every few seconds only; everything else goes with the driver.
    assert gone({pid: name for pid, name in processes.items() if "Agent" not in name}, 20)
    before = results(out)
    assert 10 <= len(before) < TASKS

    provider.requests.clear()
    asyncio.run(run_benchmark(request(out, "local")))
    after = results(out)
    assert len(after) == TASKS
    assert {task: after[task] for task in before} == before
    again = {text.split("number ")[1].split(" ")[0] for text in provider.prompts()}
    assert again == {str(i) for i in range(TASKS) if f"t{i}" not in before}


def test_a_cluster_that_was_there_before_stays_and_an_interrupted_driver_leaves_no_worker_on_it(
    provider: FakeProvider, tmp_path: Path
) -> None:
    environment = _environment()
    enough = threading.Event()
    provider.reply = lambda body: (len(provider.requests) >= 10 and enough.set(), answer(body))[1]
    cluster = subprocess.Popen(
        [sys.executable, __file__],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert cluster.stdin is not None
    assert cluster.stdout is not None
    with cluster, cluster.stdin, cluster.stdout:
        address = json.loads(cluster.stdout.readline())
        driver = subprocess.Popen(
            [sys.executable, __file__, str(tmp_path / "out")],
            env={**environment, "RAY_ADDRESS": address}, cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with driver:
            assert enough.wait(60)
            assert not of_ray(driver.pid)
            workers = {pid: name for pid, name in of_ray(cluster.pid).items() if "ClusterWorker" in name}
            assert len(workers) == 2
            driver.send_signal(signal.SIGINT)
            assert driver.wait(20) == 130, driver.stderr and driver.stderr.read()
        assert gone(workers, 10)
        assert cluster.poll() is None
        assert any("raylet" in name for name in of_ray(cluster.pid).values())
        whole = subprocess.run(
            [sys.executable, __file__, str(tmp_path / "out")],
            env={**environment, "RAY_ADDRESS": address}, cwd=tmp_path, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert (whole.returncode, whole.stdout) == (0, ""), whole.stderr
        assert any("raylet" in name for name in of_ray(cluster.pid).values())
    assert len(results(tmp_path / "out")) == TASKS


def _environment() -> dict[str, str]:
    """Of a process of its own: the one of the test, on loopback, with a token that both sides know."""
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    alone = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "ab" * 32}
    return {**os.environ, **alone, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _cluster() -> None:
    """Be a cluster until nobody listens any more."""
    import tempfile

    import ray

    with tempfile.TemporaryDirectory(prefix="af-") as folder:
        context = ray.init(
            address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, _temp_dir=folder,
            logging_level="ERROR", log_to_driver=False,
        )  # fmt: skip
        print(json.dumps(context.address_info["gcs_address"]), flush=True)
        sys.stdin.read()
        ray.shutdown()


def _driver(out: Path) -> None:
    address = os.environ.get("RAY_ADDRESS", "local")
    try:
        asyncio.run(run_benchmark(request(out, "ray", address=address)))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    _driver(Path(sys.argv[1])) if len(sys.argv) > 1 else _cluster()
