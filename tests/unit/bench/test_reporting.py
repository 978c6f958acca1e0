"""Reports on folders of results: what they say, of whatever state a folder is in."""

from __future__ import annotations

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import benched

from agentfly.bench.comparisons import compared, comparisons_data
from agentfly.bench.folder import ResultsFolder, ResultsWriter
from agentfly.bench.leaderboard import export_run, reasoning_trace
from agentfly.bench.recorded import all_recorded, recorded
from agentfly.bench.reporting import learning_curve, report, report_data
from agentfly.bench.results import Result, to_line
from agentfly.errors import InputError
from agentfly.records import to_data

RIGHT, WRONG = "correct", "wrong"


def data(folder: Path, *against: Path) -> dict[str, Any]:
    run, *earlier = all_recorded([folder, *against])
    found = report_data(report(run, earlier))
    return dict(json.loads(json.dumps(found, allow_nan=False)))


# What is told


def test_three_attempts_agree_with_a_computation_by_hand(tmp_path: Path) -> None:
    tasks = [{"task_id": name, "level": level} for name, level in (("a", "1"), ("b", "1"), ("c", "2"))]
    verdicts = {"a": (RIGHT, RIGHT, WRONG), "b": (WRONG, RIGHT, WRONG), "c": ("error", "no_answer", "limit")}
    results = [benched.result(name, k, v) for name, row in verdicts.items() for k, v in enumerate(row)]
    found = data(benched.write(tmp_path / "run", results, tasks=tasks, attempts=3))
    assert (found["correct"], found["total"], found["accuracy"]) == (3, 9, pytest.approx(1 / 3))
    assert {level: (one["correct"], one["total"]) for level, one in found["by_level"].items()} == {
        "1": (3, 6),
        "2": (0, 3),
    }
    assert found["pass@1"] == pytest.approx(1 / 3)
    assert found["pass@2"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found["pass@3"] == pytest.approx(2 / 3)
    assert found["pass^2"] == pytest.approx((1 / 3) / 3)
    assert found["pass^3"] == 0
    assert found["majority@3"] == pytest.approx(1 / 3)
    assert [(one["task_id"], one["correct"], one["right"]) for one in found["tasks"]] == [
        ("a", True, 2), ("b", False, 1), ("c", False, 0),
    ]  # fmt: skip
    assert found["tasks"][2]["verdicts"] == ["error", "no_answer", "limit"]
    assert found["metrics"]["overall"]["verdicts"] == {RIGHT: 3, WRONG: 3, "limit": 1, "error": 1, "no_answer": 1}
    assert found["metrics"]["seeds"]["accuracies"] == [pytest.approx(1 / 3), pytest.approx(2 / 3), 0]


@given(st.lists(st.sampled_from([RIGHT, WRONG, "limit", "error", "no_answer", None]), min_size=24, max_size=24))
@settings(max_examples=25, deadline=None)
def test_every_selected_task_is_in_every_denominator(verdicts: list[str | None]) -> None:
    keys = [(f"t{n}", k) for n in range(12) for k in range(2)]
    results = [benched.result(*key, verdict) for key, verdict in zip(keys, verdicts, strict=True) if verdict]
    with TemporaryDirectory() as place:
        found = data(benched.write(Path(place) / "run", results, attempts=2))
    assert (
        found["total"]
        == 24
        == sum(found["verdicts"].values())
        == sum(one["total"] for one in found["by_level"].values())
    )
    assert found["correct"] == verdicts.count(RIGHT) == sum(one["right"] for one in found["tasks"])
    assert found["verdicts"].get("not_done", 0) == verdicts.count(None) == 24 - found["done"]
    assert [one["task_id"] for one in found["tasks"]] == [f"t{n}" for n in range(12)]
    assert (found["state"] == "done") == (None not in verdicts)


def test_tasks_that_nobody_can_judge_stand_apart(tmp_path: Path) -> None:
    tasks = [{"task_id": "a"}, {"task_id": "w", "judged": False}]
    found = data(
        benched.write(
            tmp_path / "run", [benched.result("a"), benched.result("w", 0, "unjudged", reward=None)], tasks=tasks
        )
    )
    assert (found["accuracy"], found["total"], found["withheld"], found["done"]) == (1.0, 1, ["w"], 2)
    assert [one["task_id"] for one in found["tasks"]] == ["a"]
    assert set(found["by_level"]) == {"none"}
    alone = data(benched.write(tmp_path / "other", [benched.result("w", 0, "unjudged", reward=None)], tasks=tasks[1:]))
    assert (alone["accuracy"], alone["correct"], alone["total"], alone["tasks"]) == (None, 0, 0, [])


def test_the_curve_follows_the_order_in_which_tasks_were_worked_on(tmp_path: Path) -> None:
    # Worked on backwards, and only the later half is right.
    results = [benched.result(f"t{n}", 0, RIGHT if n < 6 else WRONG, started=2_000.0 - n) for n in range(12)]
    found = recorded(benched.write(tmp_path / "run", results, mode="online"))
    points = learning_curve(found.run)
    assert [(one.first, one.last) for one in points] == [(1, 5), (6, 12)]
    assert [one.accuracy.value for one in points] == [0.0, pytest.approx(6 / 7)]
    assert [one.running.value for one in points] == [0.0, 0.5]
    assert report(found).curve == points
    assert report(recorded(benched.write(tmp_path / "frozen", results))).curve == ()


def test_against_earlier_runs_is_seen_from_this_one_and_adjusted(tmp_path: Path) -> None:
    rows = {"now": range(2, 12), "before": range(3), "older": range(11)}
    folders = {
        name: benched.write(
            tmp_path / name, [benched.result(f"t{n}", 0, RIGHT if n in right else WRONG) for n in range(12)]
        )
        for name, right in rows.items()
    }
    found = data(folders["now"], folders["before"], folders["older"])
    first, second = found["against"]
    assert (first["before"], first["after"], first["difference"]) == ("before", "now", pytest.approx(7 / 12))
    assert [flip["task_id"] for flip in first["lost"]] == ["t0", "t1"]
    assert first["lost"][0]["before"]["runs"] == ["run-t0-0"]
    assert first["p_holm"] == pytest.approx(2 * first["p"])
    assert second["p_holm"] == 1.0
    assert [point["name"] for point in found["points"]] == ["now", "before", "older"]


def test_several_runs_are_compared_with_the_first_or_each_with_each(tmp_path: Path) -> None:
    runs = all_recorded(
        [benched.write(tmp_path / name, benched.varied(seed)) for seed, name in enumerate(("a", "b", "c"))]
    )
    told = comparisons_data(runs, compared(runs))
    assert [(one["before"], one["after"]) for one in told["comparisons"]] == [("a", "b"), ("a", "c")]
    assert "difference" not in told
    pairs = comparisons_data(runs, compared(runs, every_pair=True))["comparisons"]
    assert [(one["before"], one["after"]) for one in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    two = comparisons_data(runs[:2], compared(runs[:2]))
    assert two["difference"] == two["comparisons"][0]["difference"]


# Folders in any state


def test_a_folder_that_somebody_writes_to_can_be_read(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, benched.config()) as writer:
        writer.add([(one := benched.result("t3"), benched.record(one))])
        found = recorded(tmp_path)
        assert (found.state, found.done, found.planned) == ("running", 1, 12)
        assert found.ended is None
        writer.add([(one := benched.result("t4"), benched.record(one))])
    assert (recorded(tmp_path).state, recorded(tmp_path).done) == ("stopped", 2)
    # Reading has not kept the next writer out.
    ResultsWriter(tmp_path, benched.config()).close()


def test_half_a_line_is_a_result_that_is_not_there_yet(tmp_path: Path) -> None:
    benched.write(tmp_path, [benched.result("t0"), benched.result("t1")], finish=False)
    with (tmp_path / "results.jsonl").open("ab") as file:
        file.write(to_line(benched.result("t2"))[:-20])
    assert recorded(tmp_path).done == 2


def test_a_folder_without_any_result_is_all_not_done(tmp_path: Path) -> None:
    found = data(benched.write(tmp_path, [], finish=False))
    assert (found["accuracy"], found["total"], found["verdicts"], found["state"]) == (
        0.0,
        12,
        {"not_done": 12},
        "stopped",
    )


def damage(folder: Path, how: str) -> None:
    config = folder / "config.json"
    told = json.loads(config.read_text())
    if how == "line":
        (folder / "results.jsonl").write_text('{"task_id": "t0"}\n' + (folder / "results.jsonl").read_text())
    elif how == "stranger":
        with (folder / "results.jsonl").open("ab") as file:
            file.write(to_line(Result(task_id="nobody", verdict="correct")))
    elif how == "format":
        config.write_text(json.dumps({**told, "format": 99}))
    elif how == "changed":
        config.write_text(json.dumps({**told, "decides": {**told["decides"], "seed": 7}}))
    elif how == "empty":
        config.write_text("")
    elif how == "gone":
        config.unlink()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("line", "results.jsonl line 1 is damaged: verdict: Field required"),
        ("stranger", "there is a result of 'nobody', which is not among the selected tasks"),
        ("format", "config.json is of format 99, and this version knows 1; upgrade agentfly"),
        ("changed", "config.json was changed after it was written"),
        ("empty", "config.json is damaged: it is not JSON"),
        ("gone", "holds no results of a benchmark run (there is no config.json in it)"),
    ],
)
def test_damage_is_one_line_that_names_the_folder(tmp_path: Path, how: str, said: str) -> None:
    folder = benched.write(tmp_path / "run", [benched.result("t0"), benched.result("t1")])
    damage(folder, how)
    with pytest.raises(InputError) as caught:
        recorded(folder)
    assert said in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tasks", "attempts", "said"),
    [
        ([], 1, "which tasks were selected"),
        ([{"task_id": 3}], 1, "the ids of the tasks"),
        (["a"], 0, "how many attempts"),
    ],
)
def test_a_configuration_that_does_not_say_what_was_selected(
    tmp_path: Path, tasks: list[Any], attempts: int, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        recorded(benched.write(tmp_path, [], tasks=tasks, attempts=attempts))


def test_runs_of_one_name_are_told_apart_and_the_same_folder_twice_is_refused(tmp_path: Path) -> None:
    one, other = (benched.write(tmp_path / place / "out", []) for place in ("monday", "friday"))
    assert [each.run.name for each in all_recorded([one, other])] == ["monday/out", "friday/out"]
    (tmp_path / "link").symlink_to(one)
    with pytest.raises(InputError, match="is given twice"):
        all_recorded([one, tmp_path / "link"])


# For a leaderboard


def test_every_selected_task_has_a_line(tmp_path: Path) -> None:
    results = [
        benched.result("t0"),
        benched.result("t1", 0, "no_answer"),
        benched.result("t0", 1, WRONG, answer="x\ny"),
    ]
    folder = benched.write(tmp_path / "run", results, attempts=2, finish=False)
    done = export_run(folder, tmp_path / "first.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "first.jsonl").read_text().splitlines()]
    assert [row["task_id"] for row in rows] == [f"t{n}" for n in range(12)]
    assert [row["model_answer"] for row in rows] == ["21", *[""] * 11]
    assert all(set(row) == {"task_id", "model_answer", "reasoning_trace"} for row in rows)
    assert "Action: print(3 * 7)" in rows[0]["reasoning_trace"]
    assert rows[2]["reasoning_trace"] == ""
    assert (done.lines, len(done.empty), done.untraced, done.chosen) == (12, 11, (), False)
    export_run(folder, tmp_path / "second.jsonl", 1)
    assert json.loads((tmp_path / "second.jsonl").read_text().splitlines()[0])["model_answer"] == "x\ny"
    with pytest.raises(InputError, match=r"no attempt 2 .* there is 0 to 1"):
        export_run(folder, tmp_path / "third.jsonl", 2)
    assert not (tmp_path / "third.jsonl").exists()


def test_answers_are_exported_though_their_records_are_gone(tmp_path: Path) -> None:
    folder = benched.write(tmp_path / "run", [benched.result("t0")])
    (folder / "traces.db").unlink()
    done = export_run(folder, tmp_path / "out.jsonl")
    assert done.untraced == ("t0",)
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["model_answer"] == "21"


def test_a_trace_comes_from_the_record_of_a_run_or_of_an_attempt(tmp_path: Path) -> None:
    run = benched.record(benched.result("t0"))
    told = reasoning_trace(to_data(run))
    assert told.startswith("Step 1\n\nThought: Three sevens are wanted.")
    assert told == reasoning_trace(to_data(run.attempt))
    assert reasoning_trace({"status": "error", "reason": "gone", "steps": []}) == ""
    assert reasoning_trace(None) == reasoning_trace([1]) == reasoning_trace({"steps": "no"}) == ""
    folder = benched.write(tmp_path, [benched.result("t0")])
    with ResultsFolder(folder) as found:
        assert reasoning_trace(found.trace("t0")).strip() == told.strip()


def test_a_thousand_tasks_are_reported_and_compared_quickly(tmp_path: Path) -> None:
    tasks = [{"task_id": f"t{n}", "level": str(n % 3)} for n in range(1000)]
    folders = []
    for seed in (1, 2):
        folder = benched.write(tmp_path / f"{seed}", [], tasks=tasks, attempts=2, finish=False)
        results = benched.varied(seed, attempts=2, tasks=1000)
        (folder / "results.jsonl").write_bytes(b"".join(map(to_line, results)))
        folders.append(folder)
    begun = time.process_time()
    run, other = all_recorded(folders)
    assert report(run, [other]).against[0].accuracy.tasks == 1000
    # Ten thousand with five attempts are to take ten seconds; this is a twenty-fifth of that.
    assert time.process_time() - begun < 4.0
