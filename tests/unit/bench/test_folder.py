"""The folder of results: what it refuses, what survives a kill, and what is read back."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from agentfly.bench.configuration import configuration, differences
from agentfly.bench.folder import Event, ResultsFolder, ResultsWriter, worked
from agentfly.bench.results import Result, to_line
from agentfly.errors import InputError
from agentfly.types import Attempt, Step

CONFIG = configuration({"model": {"name": "embedded", "temperature": 0.0}, "seed": 0, "tasks": ["a", "b", "c", "d"]})


def result(task: str, attempt: int = 0, **more: Any) -> Result:
    return Result(task_id=task, attempt=attempt, verdict="correct", **more)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


def test_results_and_records_come_back(tmp_path: Path) -> None:
    attempt = Attempt(task_id="a", steps=(Step(index=0, action="print(1)", observation="1"),), answer="1")
    with ResultsWriter(tmp_path / "out", CONFIG) as writer:
        assert not writer.resumed
        writer.add([(result("a", answer="1"), attempt), (result("a", 1), {"steps": [], "note": "ü"})])
        writer.finish()
    with ResultsFolder(tmp_path / "out") as folder:
        assert [one.key for one in folder.results()] == [("a", 0), ("a", 1)]
        assert folder.trace("a")["steps"][0]["action"] == "print(1)"
        assert folder.trace("a", 1) == {"steps": [], "note": "ü"}
        assert folder.config == CONFIG
        with pytest.raises(InputError, match=r"no record of attempt 0 at 'z'"):
            folder.trace("z")


def test_going_on_knows_what_is_done_and_puts_it_on_record(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, CONFIG) as writer:
        writer.add([(result("a"), {})])
    with ResultsWriter(tmp_path, CONFIG) as writer:
        assert writer.resumed
        assert writer.done == {("a", 0)}
        writer.add([(result("b"), {})])
        writer.finish(right=2)
    events = ResultsFolder(tmp_path).events()
    assert [event.event for event in events] == ["start", "interruption", "resume", "end"]
    assert events[2].about == {"results": 1}
    assert [one.task_id for one in ResultsFolder(tmp_path).results()] == ["a", "b"]


def test_an_exception_is_an_interruption_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ResultsWriter(tmp_path, CONFIG):
        raise KeyboardInterrupt
    assert ResultsFolder(tmp_path).events()[-1].about == {"reason": "KeyboardInterrupt"}


def test_a_second_result_of_an_attempt_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, CONFIG) as writer:
        writer.add([(result("a"), {"first": True})])
        for batch in ([result("b"), result("a")], [result("b"), result("b")]):
            with pytest.raises(InputError, match=r"has a result already"):
                writer.add([(one, {}) for one in batch])
        assert writer.done == {("a", 0)}
    folder = ResultsFolder(tmp_path)
    assert [one.task_id for one in folder.results()] == ["a"]
    assert folder.trace("a") == {"first": True}


def test_another_configuration_is_refused_in_one_line_that_names_what_differs(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, CONFIG) as writer:
        writer.add([(result("a"), {})])
    before = content(tmp_path)
    other = configuration(
        {"model": {"name": "gpt", "temperature": 0.0}, "tasks": ["a", "b", "c", "e"], "strategy": "tools"}
    )
    with pytest.raises(InputError) as caught:
        ResultsWriter(tmp_path, other)
    said = str(caught.value)
    assert 'model.name ("embedded" there, "gpt" here)' in said
    assert "seed (0 there, nothing here)" in said
    assert 'strategy (nothing there, "tools" here)' in said
    assert "tasks (4 entries there, 4 here, 2 not in both)" in said
    assert "temperature" not in said
    assert "\n" not in said
    assert content(tmp_path) == before


def test_what_does_not_decide_may_differ(tmp_path: Path) -> None:
    ResultsWriter(tmp_path, configuration(CONFIG["decides"], {"host": "one"})).close()
    with ResultsWriter(tmp_path, configuration(CONFIG["decides"], {"host": "two"})):
        pass
    assert ResultsFolder(tmp_path).config["about"] == {"host": "one"}


def test_differences_tell_true_from_1_and_an_empty_mapping_from_none() -> None:
    assert differences({"a": True, "b": {}, "c": {"d": 1}}, {"a": 1, "c": {"d": 1}}) == {
        "a": (True, 1),
        "b": ({}, None),
    }


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"identity": "x", "decides": {}}'])
def test_a_damaged_configuration_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    for opened in (lambda: ResultsFolder(tmp_path), lambda: ResultsWriter(tmp_path, CONFIG)):
        with pytest.raises(InputError, match=r"config\.json"):
            opened()
    assert (tmp_path / "config.json").read_text() == text


def test_a_configuration_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    ResultsWriter(tmp_path, CONFIG).close()
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace("embedded", "gpt"))
    with pytest.raises(InputError, match=r"was changed after it was written"):
        ResultsFolder(tmp_path)


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"something else \(thesis\.tex\).*nothing was changed"):
        ResultsWriter(tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match=r"is a file"):
        ResultsWriter(tmp_path / "thesis.tex", CONFIG)
    with pytest.raises(InputError, match=r"is a file"):
        ResultsFolder(tmp_path / "thesis.tex")
    with pytest.raises(InputError, match=r"holds no results of a benchmark run"):
        ResultsFolder(tmp_path)


def test_what_a_kill_left_before_the_configuration_stood_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "config.json.new").write_text('{"format": 1, "iden')
    with ResultsWriter(tmp_path, CONFIG) as writer:
        writer.add([(result("a"), {})])
    assert ResultsFolder(tmp_path).config == CONFIG


def test_a_torn_last_line_is_cut_off_and_the_attempt_may_be_made_again(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, CONFIG) as writer:
        writer.add([(result("a"), {})])
    path = tmp_path / "results.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + to_line(result("b"))[:-5])
    with (tmp_path / "events.jsonl").open("ab") as events:
        events.write(b'{"event": "resu')
    assert [one.task_id for one in ResultsFolder(tmp_path).results()] == ["a"]
    assert path.read_bytes() != whole  # reading changes nothing
    with ResultsWriter(tmp_path, CONFIG) as writer:
        assert path.read_bytes() == whole
        writer.add([(result("b"), {})])
    assert [one.task_id for one in ResultsFolder(tmp_path).results()] == ["a", "b"]
    assert [event.event for event in ResultsFolder(tmp_path).events()][-2:] == ["resume", "interruption"]


def test_a_damaged_line_in_the_middle_is_an_error_and_nothing_is_changed(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, CONFIG) as writer:
        writer.add([(result(name), {}) for name in "abc"])
    path = tmp_path / "results.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\x00" * 40 + b"\n" + lines[2])
    before = content(tmp_path)
    with pytest.raises(InputError, match=r"results\.jsonl line 2 is damaged"):
        ResultsWriter(tmp_path, CONFIG)
    assert content(tmp_path) == before
    with pytest.raises(InputError, match=r"line 2"):
        list(ResultsFolder(tmp_path).results())


def test_a_foreign_or_damaged_file_of_records_is_one_clear_line(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, CONFIG) as writer:
        writer.add([(result("a"), {})])
    (tmp_path / "traces.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match=r"traces\.db cannot be used"):
        ResultsFolder(tmp_path).trace("a")
    with pytest.raises(InputError, match=r"traces\.db cannot be used"):
        ResultsWriter(tmp_path, CONFIG)
    (tmp_path / "traces.db").unlink()
    with sqlite3.connect(tmp_path / "traces.db") as other:
        other.execute("PRAGMA application_id = 7")
    other.close()
    with pytest.raises(InputError, match=r"of another program"):
        ResultsWriter(tmp_path, CONFIG)


def test_a_folder_that_cannot_be_written_to_can_be_read() -> None:
    program = (
        "import os, sys; from agentfly.bench.folder import ResultsFolder, ResultsWriter\n"
        "folder = ResultsFolder(sys.argv[1]); list(folder.results())\n"  # imports what it needs as root
        "os.getuid() or os.setuid(65534)\n"
        "print(len(list(folder.results())), folder.trace('a'))\n"
        "try: ResultsWriter(sys.argv[1], folder.config)\n"
        "except Exception as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as above:  # pytest's own folders are closed to others
        out = Path(above) / "out"
        with ResultsWriter(out, CONFIG) as writer:
            writer.add([(result("a"), {"x": 1})])
        (out / "lock").unlink()
        Path(above).chmod(0o755)
        out.chmod(0o555)
        try:
            done = subprocess.run([sys.executable, "-c", program, str(out)], capture_output=True, text=True)
        finally:
            out.chmod(0o755)
    assert done.stdout == f"1 {{'x': 1}}\n{out} cannot be used: Permission denied\n", done.stderr


def test_reading_leaves_nothing_behind(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, CONFIG) as writer:
        writer.add([(result("a"), {"x": 1})])
    before = content(tmp_path)
    assert sorted(before) == ["config.json", "events.jsonl", "results.jsonl", "traces.db"]
    with ResultsFolder(tmp_path) as folder:
        list(folder.results()), folder.trace("a"), folder.events()
        assert content(tmp_path) == before


def test_a_full_disk_leaves_whole_lines_only(tmp_path: Path) -> None:
    """The system refuses to let the file grow past a size, as a full disk would."""
    with ResultsWriter(tmp_path, CONFIG) as writer:
        writer.add([(result("a"), {})])
        size = (tmp_path / "results.jsonl").stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        writer._traces.add([(("b", 0), {})])
        add, writer._traces.add = writer._traces.add, lambda records: list(records)  # type: ignore[method-assign, assignment]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, hard))
        try:
            with pytest.raises(InputError, match=r"results\.jsonl cannot be written"):
                writer.add([(result("b"), {})])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
            writer._traces.add = add  # type: ignore[method-assign]
        assert (tmp_path / "results.jsonl").stat().st_size == size
        writer.add([(result("b"), {})])
    assert [one.task_id for one in ResultsFolder(tmp_path).results()] == ["a", "b"]


WRITER = """
import json, os, sys
from agentfly.bench.folder import ResultsWriter
from agentfly.bench.results import Result, from_line, to_line
from agentfly.records import to_json
from_line(to_line(Result(task_id="warm", verdict="wrong")), "here"), to_json({})
path, batch = sys.argv[1], int(sys.argv[2])
writer = ResultsWriter(path, json.loads(sys.argv[3]))
print("open", flush=True)
for n in range(len(writer.done), 100_000, batch):
    writer.add([(Result(task_id=f"t{i}", verdict="correct", answer="x" * (i % 700)), {"i": i}) for i in range(n, n + batch)])
    print(n + batch, flush=True)
"""


def start(folder: Path, batch: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(folder), str(batch), json.dumps(CONFIG)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_second_process_is_told_to_wait_and_readers_are_not(tmp_path: Path) -> None:
    first = start(tmp_path, 1)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "open\n"
        first.stdout.readline()
        second = start(tmp_path, 1)
        assert second.wait(30) != 0
        assert second.stderr is not None
        assert "is being written to by another process; wait" in second.stderr.read().splitlines()[-1]
        with pytest.raises(InputError, match=r"another process"):
            ResultsWriter(tmp_path, CONFIG)
        folder = ResultsFolder(tmp_path)
        assert list(folder.results())
        assert folder.trace("t0") == {"i": 0}
    finally:
        first.kill()
        first.communicate()


def test_killed_at_any_moment_nothing_told_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    chance, told = random.Random(7), 0
    for _ in range(6):
        process = start(tmp_path, 7)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        time.sleep(chance.uniform(0.0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        lines = process.communicate()[0].split()
        told = int(lines[-1]) if lines else told
        folder = ResultsFolder(tmp_path)
        there = [one.task_id for one in folder.results()]
        assert len(there) >= told
        assert there == [f"t{n}" for n in range(len(there))]
        assert all(folder.trace(f"t{n}") == {"i": n} for n in chance.sample(range(len(there)), min(20, len(there))))
        folder.close()
    assert told
    with ResultsWriter(tmp_path, CONFIG) as writer:
        assert len(writer.done) == len(there)
    events = [event.event for event in ResultsFolder(tmp_path).events()]
    assert events == ["start", *["interruption", "resume"] * 6, "interruption"]


def test_time_worked_leaves_pauses_out() -> None:
    moments = [("start", 10.0), ("interruption", 14.0), ("resume", 100.0), ("end", 103.0), ("resume", 200.0)]
    assert worked(Event(event=kind, time=when) for kind, when in moments) == 7.0  # type: ignore[arg-type]


def test_fifty_thousand_results_are_read_fast_and_one_at_a_time(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, CONFIG) as writer:
        for task in range(10_000):
            lines = [(result(f"t{task}", n, answer="42", calls={"python": 2}), {}) for n in range(5)]
            writer._results._end += len(data := b"".join(to_line(one) for one, _ in lines))
            os.write(writer._results._handle or -1, data)
    folder = ResultsFolder(tmp_path)
    began = time.process_time()
    assert sum(1 for _ in folder.results()) == 50_000
    assert time.process_time() - began < 2.0
    tracemalloc.start()
    stream = folder.results()
    for _ in range(200):
        next(stream)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000  # nothing like the file's 20 MB
    tracemalloc.stop()
