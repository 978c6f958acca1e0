"""The report on a course of learning, against figures counted by hand."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.learned import record, sample, stage

from agentfly.errors import InputError
from agentfly.learning import words
from agentfly.learning.curves import MOST, block_size, blocks
from agentfly.learning.report import Report, contract, report, told
from agentfly.learning.tallies import VERDICTS, by_level, compare, cost, score
from agentfly.store.adaptations import Sample, Stage
from agentfly.store.runs import RunStore
from agentfly.types import Task, Usage

TASKS = {"learn": 4, "validate": 2, "test": 4}


def course(home: Path, samples: list[Sample], stages: list[Stage] | None = None, **rest: object) -> Report:
    return report(*record(home, samples, stages or [], **{"tasks": TASKS, **rest}))  # type: ignore[arg-type]


def phase(name: str, *right: bool, **fields: object) -> list[Sample]:
    return [sample(name, place, one, **fields) for place, one in enumerate(right)]


def usual() -> list[Sample]:
    return [
        *phase("base", True, True, False, False),
        *phase("learn", True, False, False, True),
        *phase("validate", False, True, epoch=0),
        *phase("validate", True, True, epoch=4),
        *phase("test", False, True, True, True),
        *phase("test:cases", True, True, True, False),
        *phase("test:nothing", True, True, False, False),
    ]


def test_base_and_learned_are_compared_task_by_task(tmp_path: Path) -> None:
    found = course(tmp_path, usual(), outcome={}).comparison
    assert found is not None
    assert (found.tasks, found.both, found.neither) == (4, 1, 0)
    assert [(flip.task_id, flip.before_run, flip.after_run) for flip in found.lost] == [
        ("test-0", "L-base-0-0", "L-test-0-0")
    ]
    assert [flip.task_id for flip in found.gained] == ["test-2", "test-3"]
    assert (found.lost[0].before_answer, found.lost[0].after_answer) == ("right", "wrong")
    assert found.difference == pytest.approx(0.25)
    assert found.p == 1.0  # of three flips, two and one: 2 * (1 + 3) / 8
    assert (round(found.after.low, 3), round(found.after.high, 3)) == (0.301, 0.954)  # Wilson's of 3 in 4
    assert found.low < found.difference < found.high


def test_each_choice_of_what_is_shown_is_compared_with_the_base_in_the_order_of_the_plan(tmp_path: Path) -> None:
    found = course(tmp_path, usual(), outcome={}, ablations=[[], ["cases"]])
    assert [one.phase for one in found.ablations] == ["test:nothing", "test:cases"]
    nothing, cases = found.ablations
    assert (nothing.difference, nothing.gained, nothing.lost, nothing.p) == (0.0, (), (), 1.0)
    assert [flip.task_id for flip in cases.gained] == ["test-2"]
    assert [one.name for one in found.phases] == ["base", "learn", "validate", "test", "test:nothing", "test:cases"]


def test_tasks_in_another_order_are_still_the_same_tasks() -> None:
    before = [sample("base", place, place < 2, task_id=f"t{place}") for place in range(4)]
    after = [sample("test", place, place < 2, task_id=f"t{3 - place}") for place in range(4)]
    found = compare("test", before, after)
    assert (found.both, len(found.gained), len(found.lost)) == (0, 2, 2)


def test_every_sample_counts_however_it_ended(tmp_path: Path) -> None:
    ends = [sample("test", place, verdict=verdict) for place, verdict in enumerate(VERDICTS)]
    found = course(tmp_path, [*phase("base", True), *ends], outcome={}).test
    assert (found.total, found.correct) == (6, 1)
    assert found.accuracy == pytest.approx(1 / 6)
    assert found.verdicts == dict.fromkeys(VERDICTS, 1)
    assert words.verdicts(found) == "1 hit a limit, 1 ended in an error, 1 gave no answer, 1 judged by nobody"


def test_answers_that_nobody_judged_are_pointed_out(tmp_path: Path) -> None:
    found = course(tmp_path, [sample("learn", 0), sample("learn", 1, verdict="unjudged", reward=None)], outcome={})
    assert found.notices == ("learn: nobody judged 1 of 2 answers; they count as not right",)


def test_validations_stand_where_they_were_made_and_the_version_that_was_kept_is_marked(tmp_path: Path) -> None:
    samples = [*usual(), *phase("validate", True, False, epoch=2)]
    found = course(tmp_path, samples, outcome={"kept": 2})
    assert [(one.samples, one.score.correct, one.kept) for one in found.validations] == [
        (0, 1, False), (2, 1, True), (4, 2, False),
    ]  # fmt: skip
    assert (found.kept, found.learned) == (2, 4)
    assert words.kept(found) == "the one after 2 of 4 samples: none that came later did better"


@pytest.mark.parametrize(
    ("kept", "says"), [(None, "the last one, after 4 samples"), (0, "the home as it was before")], ids=["last", "none"]
)
def test_which_version_was_kept(tmp_path: Path, kept: int | None, says: str) -> None:
    assert words.kept(course(tmp_path, usual(), outcome={"kept": kept})).startswith(says)


def test_what_learning_cost_is_all_that_its_samples_used(tmp_path: Path) -> None:
    spent = [
        Usage(calls=1, prompt_tokens=90, completion_tokens=10),
        Usage(calls=5, prompt_tokens=700, completion_tokens=200, cost_usd=0.5),
    ]
    samples = [sample("learn", place, usage=usage, seconds=1.0 + place) for place, usage in enumerate(spent)]
    samples += phase("validate", True, True, epoch=0)  # 110 tokens each
    found = course(tmp_path, samples, outcome={}).learning
    assert (found.samples, found.tokens_per_sample, found.calls_per_sample) == (2, 500.0, 3.0)
    assert found.tokens_per_sample_validated == 500.0 + 110.0
    assert (found.seconds_per_sample, found.cost_usd_per_sample) == (1.5, 0.25)


def test_cost_has_mean_and_median() -> None:
    found = cost([sample("base", n, usage=Usage(calls=n, prompt_tokens=10 * n), seconds=n) for n in (1, 2, 9)])
    assert (found.tokens, found.tokens_mean, found.tokens_median) == (120, 40.0, 20.0)
    assert (found.seconds, found.seconds_mean, found.seconds_median) == (12.0, 4.0, 2.0)
    assert (found.calls_mean, found.calls_median) == (4.0, 2.0)
    assert cost([]).tokens_mean == 0.0


def test_growth_kept_and_dropped_changes_and_further_attempts(tmp_path: Path) -> None:
    samples = [
        sample("learn", 0, solved=True, cases=("case-1",)),
        sample("learn", 1, False, solved=True, attempts=3, cases=("case-2",)),
        sample("learn", 2, False, solved=False, attempts=4),
        sample("learn", 3, False, solved=True, attempts=2, mended="scale"),
    ]
    stages = [stage(0), stage(3, cases=2, bullets=1, checks=1, version=3, kept=2, dropped=1)]
    found = course(tmp_path, samples, stages, outcome={})
    assert [(one.samples, one.cases, one.bullets, one.checks, one.version) for one in found.growth] == [
        (0, 0, 0, 0, 0), (3, 2, 1, 1, 3),
    ]  # fmt: skip
    learning = found.learning
    assert (learning.kept, learning.dropped, learning.cases, learning.attempts) == (2, 1, 2, 10)
    assert (learning.solved_by_further_attempts, learning.repaired) == (1, 1)
    assert "4 samples left 2 cases; 2 changes of the playbook were kept and 1 dropped." in words.learned(found)
    assert "In 1 sample one small edit put a wrong answer right." in words.learned(found)


def test_levels_are_counted_apart() -> None:
    found = by_level([sample("test", 0, level="2"), sample("test", 1, False, level="1"), sample("test", 2, level=None)])
    assert [(one.level, one.score.correct, one.score.total) for one in found] == [("1", 0, 1), ("2", 1, 1)]


# What is not finished


def test_an_unfinished_course_is_reported_as_far_as_it_got(tmp_path: Path) -> None:
    samples = [*phase("base", True, True, False), *phase("learn", True)]
    found = course(tmp_path, samples, epochs=2)
    assert (found.reason, found.finished, found.kept) == ("unfinished", None, None)
    assert [(one.name, one.score.total, one.planned) for one in found.phases] == [("base", 3, 4), ("learn", 1, 8)]
    assert found.comparison is None
    assert "the same command goes on with it" in words.ending(found)


def test_learning_that_ended_before_its_tests_has_decided_what_is_kept(tmp_path: Path) -> None:
    store, id = record(tmp_path, usual(), tasks=TASKS)
    store.note(id, {"seconds": 754.0, "ending": {"kept": 2, "reason": "early", "notices": ["told"]}})
    found = report(store, id)
    assert (found.reason, found.kept, found.notices, found.seconds) == ("unfinished", 2, ("told",), 754.0)
    assert dict(words.facts(found))["time"].endswith("to …; learning took 13 min")


def test_a_test_that_was_interrupted_is_compared_on_the_tasks_that_both_have(tmp_path: Path) -> None:
    found = course(tmp_path, [*phase("base", True, False, False, True), *phase("test", True, True), sample("test", 9)])
    assert found.comparison is not None
    assert (found.comparison.tasks, found.comparison.before.correct, found.comparison.after.correct) == (2, 1, 2)
    assert "so far" in words.headline(found)


def test_a_course_that_has_just_begun_has_a_report(tmp_path: Path) -> None:
    found = course(tmp_path, [])
    assert (found.learned, found.blocks, found.phases, found.samples) == (0, (), (), ())
    assert words.headline(found) == "Nothing has been learned from yet."


def test_without_test_tasks_the_first_answers_speak(tmp_path: Path) -> None:
    found = course(tmp_path, phase("learn", True, False, True, True), mode="online", outcome={})
    assert words.headline(found).startswith(
        "3 of 4 first answers were right, before each task was learned from: 75.0 %"
    )


def test_there_is_no_report_on_what_never_was(tmp_path: Path) -> None:
    store, _ = record(tmp_path, [])
    with pytest.raises(InputError, match="no record of learning nothing-here"):
        report(store, "nothing-here")


# Curves


def test_blocks_hold_accuracy_and_accuracy_so_far() -> None:
    found = blocks([sample("learn", place, place >= 5) for place in range(10)])
    assert [(one.first, one.last, one.score.correct, one.running.correct) for one in found] == [
        (1, 5, 0, 0),
        (6, 10, 5, 5),
    ]
    assert found[1].running.accuracy == 0.5
    assert (found[1].running.low, found[1].running.high) == (score_of(5, 10).low, score_of(5, 10).high)


def score_of(right: int, of: int):  # type: ignore[no-untyped-def]
    return score([sample("learn", place, place < right) for place in range(of)])


def test_no_block_holds_samples_of_two_epochs() -> None:
    found = blocks([sample("learn", place, epoch=epoch) for epoch in (1, 2) for place in range(7)])
    assert [(one.epoch, one.first, one.last, one.running.total) for one in found] == [
        (1, 1, 7, 7), (2, 8, 14, 7),
    ]  # fmt: skip


@given(st.lists(st.booleans(), max_size=700))
def test_blocks_cover_each_sample_once_in_a_readable_number(answers: list[bool]) -> None:
    found = blocks([sample("learn", place, right) for place, right in enumerate(answers)])
    assert sum(one.score.total for one in found) == len(answers)
    assert sum(one.score.correct for one in found) == sum(answers)
    assert [one.first for one in found[1:]] == [one.last + 1 for one in found[:-1]]
    assert len(found) <= MOST
    assert len(found) >= MOST / 2 or len(answers) < 50
    assert all(one.running.correct == sum(answers[: one.last]) for one in found)


@given(st.integers(50, 10**7))
def test_blocks_are_round_and_many_enough(total: int) -> None:
    size = block_size(total)
    assert MOST / 2 <= total / size <= MOST
    assert size % 5 == 0


# What it says of the agent, and how it travels


def test_settings_that_were_changed_are_told_and_addresses_are_not(tmp_path: Path) -> None:
    given_settings = {"gate": "replay", "api_base": "http://user:secret@host", "learning": {"checks": False}, "seed": 3}
    found = course(tmp_path, [], settings=given_settings)
    assert found.settings == {
        "seed": 3, "policy": "similarity", "gate": "replay", "feedback": "reference", "explore": 0, "learning.checks": False,
    }  # fmt: skip
    assert "secret" not in json.dumps(contract(found))
    assert told({}) == {}


def test_the_contract_is_json_that_holds_the_figures(tmp_path: Path) -> None:
    found = json.loads(
        json.dumps(contract(course(tmp_path, usual(), [stage(4, cases=2)], outcome={"notices": ["said"]})))
    )
    assert found["comparison"]["lost"][0]["task_id"] == "test-0"
    assert found["comparison"]["after"]["accuracy"] == 0.75
    assert found["learning"]["tokens_per_sample"] == 110.0
    assert found["notices"] == ["said"]
    assert [one["samples"] for one in found["growth"]] == [4]
    assert len(found["samples"]) == len(usual())
    assert found["plan"]["window"] == 4


def test_questions_and_right_answers_are_looked_up_where_the_runs_are_at_hand(tmp_path: Path) -> None:
    store, id = record(tmp_path, usual(), tasks=TASKS, outcome={})
    runs = RunStore(store._db)
    runs.start("L-test-0-0", Task("How much?", reference="7", id="test-0"), "m", "codeact", {}, learn=False)
    found = report(store, id, runs).comparison
    assert found is not None
    assert (found.lost[0].question, found.lost[0].reference) == ("How much?", "7")
    assert (found.gained[0].question, found.gained[0].reference) == ("", None), "its run is not on record"


@pytest.mark.parametrize(
    ("low", "high", "says"), [(0.01, 0.2, "better"), (-0.2, -0.01, "worse"), (-0.1, 0.2, "not shown")]
)
def test_no_more_is_claimed_than_the_interval_allows(low: float, high: float, says: str) -> None:
    found = compare("test", phase("base", True), phase("test", True))
    assert says in words.verdict(replace(found, low=low, high=high))


def test_figures_in_words() -> None:
    assert words.points(0.0) == "0.0"
    assert words.points(-0.0004) == "0.0"
    assert words.points(-0.052) == "−5.2"
    assert words.points(0.11) == "+11.0"
    assert (words.p_value(0.0004), words.p_value(0.0209), words.p_value(0.0004, "p")) == (
        "< 0.001",
        "0.021",
        "p < 0.001",
    )
    assert words.phase("test:strategies+checks") == "only strategies + checks"
    assert [words.duration(s) for s in (3.4, 754, 11_100)] == ["3 s", "13 min", "3 h 05 min"]
    assert words.phase("test:nothing") == "nothing shown"


def test_a_course_that_really_ran_is_reported(tmp_path: Path) -> None:
    from agentfly import Agent
    from agentfly.learning.adaptation.course import Course, Tasks
    from agentfly.learning.adaptation.plan import Plan
    from agentfly.store.adaptations import AdaptationStore
    from agentfly.testing import ScriptedModel

    tasks = [Task(f"what is {n}", reference="7" if n % 2 else "9", id=f"t{n}") for n in range(6)]
    plain = {"gate": "always", "strategy": "codeact", "learning.strategies": False, "learning.checks": False}

    async def run() -> tuple[Report, str]:
        model = ScriptedModel(lambda messages, options=None: "```python\nfinal_answer(7)\n```")
        agent = Agent(model=model, home=tmp_path, settings=plain)
        try:
            groups = Tasks(train=tasks[:2], validation=tasks[2:4], test=tasks[4:])
            ended = await Course(agent._made, groups, Plan(window=2, ablations=(("cases",),))).run()
            home = agent._made.home
            return report(AdaptationStore(home.db), ended.id, RunStore(home.db)), ended.id
        finally:
            await agent.aclose()

    found, id = asyncio.run(run())
    assert (found.id, found.reason, found.learned) == (id, "done", 2)
    assert [(one.name, one.score.correct, one.score.total, one.planned) for one in found.phases] == [
        ("base", 1, 2, 2), ("learn", 1, 2, None), ("validate", 2, 4, None), ("test", 1, 2, 2), ("test:cases", 1, 2, 2),
    ]  # fmt: skip
    assert found.comparison is not None
    assert found.comparison.difference == 0.0
    assert found.learning.tokens_per_sample > 0
