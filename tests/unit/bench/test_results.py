"""One result as a line, a file of lines, and what a benchmark run refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.bench.results import BenchmarkRun, Result, Selected, from_line, read_lines, selected, to_line
from agentfly.errors import InputError
from agentfly.types import Task, Usage

shares = st.none() | st.floats(0, 1)
amounts = st.floats(0, 1e9)
counts = st.integers(0, 10**9)
usages = st.builds(
    Usage, calls=counts, prompt_tokens=counts, completion_tokens=counts, cost_usd=amounts, seconds=amounts
)
results = st.builds(
    Result,
    task_id=st.text(min_size=1),
    attempt=counts,
    verdict=st.sampled_from(["correct", "wrong", "limit", "error", "no_answer", "unjudged"]),
    level=st.none() | st.text(),
    answer=st.none() | st.text(),
    reward=shares,
    scores=st.dictionaries(st.text(), st.floats(0, 1), max_size=3),
    confidence=shares,
    critique=shares,
    rounds=counts,
    first_reward=shares,
    last_reward=shares,
    run_id=st.text(),
    usage=usages,
    seconds=amounts,
    steps=counts,
    calls=st.dictionaries(st.text(), counts, max_size=3),
    retries=counts,
    started=amounts,
    error=st.text(),
)


@given(results)
def test_a_result_comes_back_from_its_line(result: Result) -> None:
    line = to_line(result)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert from_line(line, "here") == result


def test_a_line_is_plain_json_that_others_can_read() -> None:
    line = to_line(Result(task_id="t1", attempt=2, verdict="wrong", answer='a "b"\nc', calls={"python": 3}))
    data = json.loads(line)
    assert (data["task_id"], data["attempt"], data["verdict"], data["answer"]) == ("t1", 2, "wrong", 'a "b"\nc')
    assert data["calls"] == {"python": 3}


def test_half_a_surrogate_pair_does_not_lose_a_result() -> None:
    assert from_line(to_line(Result(task_id="t", verdict="wrong", answer="x\ud800y")), "here").answer == "x?y"


def test_keys_of_a_later_version_are_passed_over() -> None:
    assert from_line('{"task_id": "t", "verdict": "correct", "mood": "fine"}', "here").correct


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        '{"task_id": "t", "verdict": "cor',
        '{"task_id": "t"}',
        '{"verdict": "correct"}',
        '{"task_id": "", "verdict": "correct"}',
        '{"task_id": "t", "verdict": "right"}',
        '{"task_id": "t", "verdict": "correct", "reward": NaN}',
        '{"task_id": "t", "verdict": "correct", "reward": 2}',
        '{"task_id": "t", "verdict": "correct", "attempt": -1}',
        '{"task_id": "t", "verdict": "correct", "attempt": "first"}',
        '{"task_id": "t", "verdict": "correct", "seconds": Infinity}',
        '{"task_id": "t", "verdict": "correct", "usage": {"cost_usd": NaN}}',
        '{"task_id": "t", "verdict": "correct", "calls": {"python": null}}',
        "\x00\x00\x00",
    ],
)
def test_a_damaged_line_is_one_clear_line(line: str) -> None:
    with pytest.raises(InputError, match=r"^results line 7 is damaged: .") as caught:
        from_line(line, "results line 7")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"reward": math.nan}, {"seconds": math.inf}, {"usage": Usage(cost_usd=math.nan)}, {"scores": {"f1": 1.1}}]
)
def test_numbers_that_json_cannot_hold_never_get_as_far_as_a_line(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        Result(task_id="t", verdict="wrong", **wrong)  # type: ignore[arg-type]


def file_of(folder: Path, *lines: bytes) -> Path:
    path = folder / "results.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def line(task: str, attempt: int = 0) -> bytes:
    return to_line(Result(task_id=task, attempt=attempt, verdict="correct"))


def test_lines_are_read_in_their_order(tmp_path: Path) -> None:
    path = file_of(tmp_path, line("b"), line("a", 1), line("a"))
    assert [result.key for result in read_lines(path)] == [("b", 0), ("a", 1), ("a", 0)]
    assert list(read_lines(tmp_path / "none.jsonl")) == []


def test_a_torn_last_line_is_passed_over_and_told(tmp_path: Path) -> None:
    whole = line("a") + line("b")
    path, torn = file_of(tmp_path, whole, line("c")[:-9]), list[int]()
    assert [result.task_id for result in read_lines(path, torn.append)] == ["a", "b"]
    assert torn == [len(whole)]


def test_a_damaged_line_before_others_is_an_error(tmp_path: Path) -> None:
    path = file_of(tmp_path, line("a"), line("b")[:-9] + b"\n", line("c"))
    with pytest.raises(InputError, match=r"results\.jsonl line 2 is damaged"):
        list(read_lines(path))


def test_two_results_of_one_attempt_are_an_error_that_names_both_lines(tmp_path: Path) -> None:
    path = file_of(tmp_path, line("a"), line("b"), line("a"))
    with pytest.raises(InputError, match=r"line 3: a second result of attempt 0 at 'a'; the first is in line 1"):
        list(read_lines(path))


def test_a_run_takes_results_of_what_was_planned_only() -> None:
    tasks = (Selected(task_id="a"), Selected(task_id="b"))
    one = Result(task_id="a", attempt=1, verdict="wrong")
    assert BenchmarkRun(tasks=tasks, results=(one,), attempts=2).by_task() == {"a": [one], "b": []}
    with pytest.raises(InputError, match=r"attempt 1 at 'a', and 1 were planned"):
        BenchmarkRun(tasks=tasks, results=(one,))
    with pytest.raises(InputError, match=r"'z', which is not among the selected"):
        BenchmarkRun(tasks=tasks, results=(Result(task_id="z", verdict="wrong"),))
    with pytest.raises(InputError, match=r"two results of attempt 1 at 'a'"):
        BenchmarkRun(tasks=tasks, results=(one, one), attempts=2)
    with pytest.raises(InputError, match=r"no task is selected"):
        BenchmarkRun(tasks=(), results=())
    with pytest.raises(InputError, match=r"selected twice"):
        BenchmarkRun(tasks=(*tasks, tasks[0]), results=())
    with pytest.raises(InputError, match=r"at least 1 attempt"):
        BenchmarkRun(tasks=tasks, results=(), attempts=0)


def test_attempts_come_in_the_order_of_their_numbers() -> None:
    three = [Result(task_id="a", attempt=n, verdict="wrong") for n in (2, 0, 1)]
    run = BenchmarkRun(tasks=(Selected(task_id="a"),), results=three, attempts=3)
    assert [result.attempt for result in run.by_task()["a"]] == [0, 1, 2]


def test_tasks_without_a_reference_are_known_not_to_be_judged() -> None:
    tasks = [Task("q", id="a", reference="", level="1"), Task("q", id="b")]
    assert selected(tasks) == (Selected(task_id="a", level="1"), Selected(task_id="b", judged=False))
