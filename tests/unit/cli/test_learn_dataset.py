"""`agentfly learn DATASET`: options, bad input, what is printed where; on a scripted model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from agentfly.cli import learn, session

Run = Callable[..., Any]
QUICK = ("--set", "learning.strategies=false", "--set", "learning.checks=false")


@pytest.fixture
def agents(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Agents that answer 7, and whatever the task says where it says so; they are kept in this list."""
    from agentfly import Agent
    from agentfly.errors import ProviderError
    from agentfly.testing import ScriptedModel

    made: list[Any] = []

    def reply(messages: Any, options: Any = None) -> str:
        asked = messages[-1].content.rpartition("Task: ")[2]
        if "stop here" in asked:
            raise KeyboardInterrupt
        if "fail here" in asked:
            raise ProviderError("the provider is down")
        return f"```python\nfinal_answer({8 if 'even' in asked else 7})\n```"

    def make(home: Path, settings: Any, notify: Any) -> Agent:
        agent = Agent(
            model=ScriptedModel(reply), home=home, settings={"strategy": "codeact", **settings}, notify=notify
        )
        made.append(agent)
        return agent

    monkeypatch.setattr(session, "make_agent", make)
    return made


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"question": f"Task {number} is {'odd' if number % 2 else 'even'}.", "answer": "7", **more}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write(tmp_path / "tasks.jsonl", [row(n) for n in range(12)])


def test_programs_get_one_object(agentfly: Run, agents: list[Any], dataset: Path) -> None:
    done = agentfly("learn", dataset, "--test", 4, "--validation", 2, "--limit", 4, "--json", *QUICK)
    assert done.code == 0
    assert done.out.count("\n") == 1
    data = json.loads(done.out)
    assert (data["mode"], data["reason"], data["learned"]) == ("offline", "done", 4)
    assert data["tasks"] == {"learn": 4, "validate": 2, "test": 4}
    assert data["comparison"]["tasks"] == 4
    assert {phase["name"] for phase in data["phases"]} == {"base", "learn", "validate", "test"}
    assert data["id"].startswith("learn-")


def test_people_get_lines_about_phases_and_a_report(agentfly: Run, agents: list[Any], dataset: Path) -> None:
    done = agentfly("learn", dataset, "--test", 4, "--limit", 4, "--ablate", "cases", "--ablate", "none", *QUICK)
    assert done.code == 0
    assert [line.split("  ")[0] for line in done.err.splitlines()] == [
        "base",
        "learning",
        "test",
        "only cases",
        "nothing shown",
    ]
    assert "right (" in done.err
    assert done.out.strip()
    assert "\x1b" not in done.err + done.out


def test_what_is_learned_is_not_tested(agentfly: Run, agents: list[Any], dataset: Path) -> None:
    data = json.loads(agentfly("learn", dataset, "--test", "0.25", "--validation", "25%", "--json", *QUICK).out)
    groups: dict[str, set[str]] = {}
    for sample in data["samples"]:
        groups.setdefault(sample["phase"], set()).add(sample["task_id"])
    assert groups["base"] == groups["test"]
    assert len(groups["test"]) == 3
    assert groups["learn"].isdisjoint(groups["test"] | groups["validate"])


def test_a_dataset_to_test_on(agentfly: Run, agents: list[Any], dataset: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "test.jsonl", [row(n) for n in (1, 2, 50, 51)])
    done = agentfly("learn", dataset, "--test", other, "--test-limit", 3, "--json", *QUICK)
    data = json.loads(done.out)
    assert data["tasks"] == {"learn": 10, "validate": 0, "test": 3}
    assert "2 of 12 tasks are left out of learning: they are in the test too" in done.err


def test_online_learns_task_by_task(agentfly: Run, agents: list[Any], dataset: Path) -> None:
    data = json.loads(agentfly("learn", dataset, "--mode", "online", "--limit", 3, "--json", *QUICK).out)
    assert (data["mode"], data["plan"]["window"], data["learned"]) == ("online", 1, 3)
    assert [stage["samples"] for stage in data["growth"] if stage["samples"]] == [1, 2, 3]


def test_options_reach_plan_and_settings(agentfly: Run, agents: list[Any], dataset: Path) -> None:
    done = agentfly(
        "learn", dataset, "--limit", 2, "--epochs", 2, "--window", 2, "--concurrency", 2, "--order", "shuffled", "--seed", 5,
        "--gate", "always", "--policy", "episodic", "--explore", 1, "--budget-tokens", 10**6, "--budget-cost", 2.5,
        "--budget-seconds", 600, "--json", *QUICK,
    )  # fmt: skip
    data = json.loads(done.out)
    assert data["plan"] == {
        "epochs": 2, "window": 2, "concurrency": 2, "order": "shuffled", "every": None, "patience": None,
        "budget": {"tokens": 10**6, "cost_usd": 2.5, "seconds": 600.0}, "ablations": [],
    }  # fmt: skip
    settings = agents[0].settings
    assert (data["seed"], settings.seed, settings.explore) == (5, 5, 1)
    assert (settings.gate, settings.policy) == ("always", "episodic")


def test_a_benchmark_is_scored_by_its_own_rule_unless_told_otherwise(
    agentfly: Run, agents: list[Any], tmp_path: Path
) -> None:
    context = "Use formula Ratio to answer. Formula: a / b. Question: {} odd? Answer:"
    path = write(tmp_path / "f.jsonl", [{"context": context.format(n), "target": "7.001"} for n in range(2)])
    rounded = json.loads(agentfly("learn", path, "--scorer", "auto", "--json", *QUICK).out)
    exact = json.loads(agentfly("learn", path, "--scorer", "exact", "--json", *QUICK).out)
    command = json.loads(agentfly("learn", path, "--command", "true", "--json", *QUICK).out)
    right = [[sample["verdict"] for sample in data["samples"]] for data in (rounded, exact, command)]
    assert right == [["correct"] * 2, ["wrong"] * 2, ["correct"] * 2]
    assert {sample["source"] for sample in command["samples"]} == {"command"}


def test_presets_are_under_what_the_person_says(agentfly: Run, agents: list[Any], dataset: Path) -> None:
    assert agentfly("learn", dataset, "-n", 1, "--preset", "memento", "--set", "recall.k=2").code == 0
    memento = agents[0].settings
    assert (memento.recall.k, memento.recall.floor, memento.recall.failures) == (2, -1.0, 1.0)
    assert (memento.learning.strategies, memento.show.checks, memento.learning.cases) == (False, False, True)
    done = agentfly("learn", dataset, "-n", 1, "--preset", "ace", "--gate", "fix", "--json", *QUICK)
    ace = agents[1].settings
    assert (ace.gate, ace.learning.add_only, ace.learning.every, ace.show.cases) == ("fix", True, True, False)
    assert ace.learning.strategies is False, "set by hand"
    assert json.loads(done.out)["plan"]["window"] == 1


def test_the_help_names_what_there_is() -> None:
    from agentfly.layers import PRESETS
    from agentfly.learning.adaptation import plan

    assert get_args(plan.Mode) == learn.MODES
    assert get_args(plan.Order) == learn.ORDERS
    assert plan.PARTS == learn.PARTS
    assert tuple(sorted(PRESETS)) == learn.PRESETS


def test_each_ablation_is_done_once(agentfly: Run, agents: list[Any], dataset: Path) -> None:
    given = ("--ablate", "each", "--ablate", "checks,strategies", "--ablate", "strategies, checks", "--ablate", "none")
    data = json.loads(agentfly("learn", dataset, "-n", 1, "--test", 2, *given, "--json", *QUICK).out)
    singles = [["cases"], ["strategies"], ["examples"], ["checks"], []]
    assert data["plan"]["ablations"] == [*singles, ["strategies", "checks"]]


# Showing


def test_a_course_is_shown_again(agentfly: Run, agents: list[Any], dataset: Path, tmp_path: Path) -> None:
    first = json.loads(agentfly("learn", dataset, "-n", 1, "--json", *QUICK).out)
    second = json.loads(agentfly("learn", dataset, "-n", 2, "--json", *QUICK).out)
    assert json.loads(agentfly("learn", "--show", "--json").out) == second
    assert json.loads(agentfly("learn", "--show", first["id"], "--json").out) == first
    shown = agentfly("learn", "--show", "--report", tmp_path / "page.html")
    assert shown.code == 0
    assert (tmp_path / "page.html").read_text().lower().startswith("<!doctype html>")
    assert "page.html" in shown.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "page.html", "tasks.jsonl"]


def test_there_may_be_nothing_to_show(agentfly: Run, agents: list[Any], dataset: Path) -> None:
    assert "no home at" in agentfly("learn", "--show").err
    agentfly("run", "Task 1 is odd.", "--no-learn")
    done = agentfly("learn", "--show")
    assert (done.code, done.err) == (
        2,
        "agentfly: nothing was learned over a dataset here yet: agentfly learn DATASET\n",
    )
    assert "no record of learning learn-x" in agentfly("learn", "--show", "learn-x").err


# Going on


def test_interrupted_it_says_how_far_and_goes_on(agentfly: Run, agents: list[Any], tmp_path: Path) -> None:
    rows = [row(1), row(3), {"question": "stop here, odd", "answer": "7"}, row(5)]
    path = write(tmp_path / "tasks.jsonl", rows)
    done = agentfly("learn", path, "--window", 1, *QUICK)
    assert (done.code, done.out) == (130, "")
    assert done.err.startswith(
        "agentfly: interrupted: 2 of 4 samples learned from; what is done is kept, and the same command"
    )
    again = agentfly("learn", path, "--window", 1, *QUICK)
    id = again.err.splitlines()[0].removeprefix("agentfly: going on with ")
    assert id in done.err
    other = agentfly("learn", path, "--limit", 1, *QUICK)
    assert f"this is a new course: {id} is not finished" in other.err
    fresh = agentfly("learn", path, "--window", 1, "--restart", *QUICK)
    assert "going on" not in fresh.err
    assert f"({id})" not in fresh.err


def test_a_provider_that_is_down_ends_it(agentfly: Run, agents: list[Any], tmp_path: Path) -> None:
    path = write(tmp_path / "tasks.jsonl", [{"question": f"fail here {n}", "answer": "7"} for n in range(9)])
    done = agentfly("learn", path, "--test", 3, "--window", 1, *QUICK)
    assert (done.code, done.out) == (1, "")
    assert "the provider is down" in done.err
    assert "the same call goes on" in done.err
    shown = json.loads(agentfly("learn", "--show", "--json").out)
    assert (shown["reason"], shown["samples"]) == ("unfinished", [])


# Mistakes

BAD: list[tuple[tuple[object, ...], str]] = [
    ((), "what from? give a dataset, or recorded attempts with --traces FILE"),
    (("",), "what from?"),
    (("gone.jsonl",), "no dataset at gone.jsonl"),
    (("DATA", "--traces", "DATA"), "give --traces or the dataset"),
    (("--show", "--traces", "DATA"), "give --traces or --show, not both"),
    (("DATA", "--batch", "4"), "--batch says nothing with a dataset"),
    (("--traces", "DATA", "--epochs", "2"), "--epochs says nothing with --traces"),
    (("--traces", "DATA", "--report", "x.html"), "--report says nothing with --traces"),
    (("--show", "--limit", "2"), "--limit says nothing with --show"),
    (("--show", "--model", "embedded"), "--model says nothing with --show"),
    (("DATA", "--mode", "sideways"), "--mode sideways: it must be one of: offline, online"),
    (("DATA", "--order", "random"), "--order random: it must be one of: given, shuffled, difficulty"),
    (("DATA", "--mode", "online", "--epochs", "2"), "online learning sees each task once"),
    (("DATA", "--mode", "online", "--validation", "2"), "--validation chooses the best version of learning offline"),
    (("DATA", "--epochs", "0"), "'--epochs'"),
    (("DATA", "--limit", "0"), "'--limit'"),
    (("DATA", "--explore", "17"), "'--explore'"),
    (("DATA", "--every", "2"), "--every needs --validation"),
    (("DATA", "--patience", "2"), "--patience needs --validation"),
    (("DATA", "--ablate", "none"), "--ablate needs --test"),
    (("DATA", "--test-limit", "2"), "--test-limit needs --test"),
    (("DATA", "--test", "2", "--test-limit", "2"), "--test-limit is for a dataset"),
    (
        ("DATA", "--test", "2", "--ablate", "cases,magic"),
        "'magic' is none of: cases, strategies, examples, checks, none, each",
    ),
    (("DATA", "--test", "2", "--ablate", ""), "'' is none of"),
    (("DATA", "--test", "2", "--ablate", "none,cases"), "'none' is none of"),
    (("DATA", "--test", "0"), "--test 0: give a number of tasks, a share between 0 and 1, or a dataset"),
    (("DATA", "--test", "-3"), "--test -3: give a number"),
    (("DATA", "--test", "2.5"), "--test 2.5: give a number"),
    (("DATA", "--test", "nan"), "--test nan: give a number"),
    (("DATA", "--validation", "1.0"), "--validation 1.0: give a number"),
    (("DATA", "--test", "12"), "test: 12 of 12 tasks cannot be set aside"),
    (("DATA", "--test", "no.jsonl"), "no dataset at no.jsonl"),
    (("DATA", "--test", "DATA"), "nothing left to learn from"),
    (("DATA", "--preset", "reflexion"), "no preset is named 'reflexion'; there are: ace, agentfly, memento"),
    (("DATA", "--gate", "sometimes"), "gate"),
    (("DATA", "--set", "nonsense=1"), "unknown setting 'nonsense'"),
    (("DATA", "--budget-cost", "0"), "--budget-cost must be more than 0"),
    (("DATA", "--budget-seconds", "nan"), "--budget-seconds must be more than 0"),
    (("DATA", "--levels", "9"), "no task of level 9"),
    (("DATA", "--report", "FOLDER"), "is a folder"),
    (("DATA", "--report", "no/such/x.html"), "there is no folder"),
    (("MUTE",), "no task of the dataset has an answer to learn by"),
    (("DATA", "--home", "DATA"), "is a file"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(map(str, given)) or "nothing" for given, _ in BAD])
def test_a_mistake_is_one_line(
    agentfly: Run, agents: list[Any], dataset: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    mute = write(tmp_path / "mute.jsonl", [{"question": "Who knows?"}])
    meant = {"DATA": str(dataset), "FOLDER": str(tmp_path), "MUTE": str(mute)}
    done = agentfly("learn", *(meant.get(argument, argument) for argument in arguments))
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.count("\n") == 1
    assert said in done.err
