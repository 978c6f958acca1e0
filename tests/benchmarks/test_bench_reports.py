"""What reports on large benchmark runs cost: 10,000 tasks with 5 attempts each, read, told and compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import benched

from agentfly.bench.folder import ResultsWriter

pytestmark = pytest.mark.benchmark

TASKS, ATTEMPTS, SECONDS, MEMORY = 10_000, 5, 10.0, 512
COMMANDS = {
    "report": ["report", "a"],
    "report --json": ["report", "a", "--json"],
    "report --html": ["report", "a", "--html", "a.html"],
    "report --against --html": ["report", "a", "--against", "b", "--html", "against.html"],
    "compare": ["compare", "a", "b"],
    "compare --html": ["compare", "a", "b", "--html", "compare.html"],
    "export": ["export", "a", "--gaia", "a.jsonl", "--force"],
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("large")
    tasks = [{"task_id": f"t{n}", "level": str(1 + n % 3)} for n in range(TASKS)]
    for seed, name in enumerate("ab"):
        results = benched.varied(seed, ATTEMPTS, TASKS)
        with ResultsWriter(home / name, benched.config(tasks, ATTEMPTS)) as writer:
            for start in range(0, len(results), 5_000):
                writer.add((one, benched.record(one, text="word " * 200)) for one in results[start : start + 5_000])
            writer.finish()
    return home


@pytest.mark.parametrize("name", COMMANDS)
def test_a_large_run(large: Path, name: str, record_property: pytest.RecordProperty) -> None:
    with (large / "out").open("wb") as out:
        command = [str(Path(sys.executable).with_name("agentfly")), "bench", *COMMANDS[name]]
        process = subprocess.Popen(command, cwd=large, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    record_property("seconds", seconds)
    record_property("megabytes", megabytes)
    print(f"{name}: {seconds:.1f} s of a processor, {megabytes:.0f} MiB")
    assert process.returncode == 0, (large / "out").read_text()
    assert seconds < SECONDS
    assert megabytes < MEMORY
