"""Comparisons against numbers worked out by hand, and the laws that they keep."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.bench.comparing import compare, compare_all
from agentfly.bench.metrics import measure
from agentfly.bench.power import detectable, power_of, tasks_needed
from agentfly.bench.resampling import bootstrap_interval, holm, permutation_test
from agentfly.bench.results import BenchmarkRun, Result, Selected
from agentfly.errors import InputError
from agentfly.learning.intervals import mcnemar
from agentfly.types import Usage


def run_of(name: str, right: Sequence[Sequence[int]], **more: str) -> BenchmarkRun:
    """A run from what each attempt at each task came to: 1 right, 0 wrong."""
    results = [
        Result(
            task_id=f"t{task}",
            attempt=n,
            verdict="correct" if one else "wrong",
            reward=float(one),
            answer=str(one),
            run_id=f"{name}-{task}-{n}",
        )
        for task, attempts in enumerate(right)
        for n, one in enumerate(attempts)
    ]
    tasks = [Selected(task_id=f"t{task}", level=str(1 + task % 2)) for task in range(len(right))]
    return BenchmarkRun(name=name, tasks=tasks, results=results, attempts=max(map(len, right)), dataset="d", **more)


def single(name: str, both: int, gained: int, lost: int, neither: int) -> tuple[BenchmarkRun, BenchmarkRun]:
    before = [[1]] * (both + lost) + [[0]] * (gained + neither)
    after = [[1]] * both + [[0]] * lost + [[1]] * gained + [[0]] * neither
    return run_of(f"{name} A", before), run_of(f"{name} B", after)


def test_thirds_that_cancel_out_are_no_difference() -> None:
    """Gained and lost thirds add up to zero, and not to what is left of them in binary."""
    before = run_of("A", [[1], [1], [1], [0], [0]])
    after = run_of("B", [[1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1], [0, 1, 0]])
    found = compare(before, after)
    assert (found.accuracy.value, found.reward_difference) == (0.0, 0.0)
    assert found.power.needed is None


@pytest.mark.parametrize("after", [[1, 1, 1], [0, 1, 0]])
def test_a_single_task_tells_little_however_many_attempts_there_are(after: list[int]) -> None:
    accuracy = compare(run_of("A", [[0]]), run_of("B", [after])).accuracy
    assert accuracy.method == "newcombe"
    assert accuracy.low < 0 < accuracy.value <= accuracy.high


# Two runs with one attempt a task


def test_one_attempt_a_task_by_hand() -> None:
    """36, 12, 2 and 0 pairs: the first example of Newcombe 1998 (table III, method 10), there 0.0569 to 0.3404."""
    found = compare(*single("n", both=36, lost=12, gained=2, neither=0))
    accuracy = found.accuracy
    assert (accuracy.tasks, accuracy.before.value, accuracy.after.value) == (50, 0.96, 0.76)
    assert accuracy.value == pytest.approx(-0.2)
    assert (accuracy.low, accuracy.high) == (pytest.approx(-0.3404, abs=5e-5), pytest.approx(-0.0569, abs=5e-5))
    assert accuracy.method == "newcombe"
    # 14 flips, at most 2 one way: 2 · (1 + 14 + 91) / 2¹⁴
    assert found.mcnemar == pytest.approx(2 * 106 / 2**14)
    assert found.p == found.p_holm == found.mcnemar == found.permutation.p
    assert found.permutation.exact
    assert (len(found.gained), len(found.lost), found.negative_flip_rate) == (2, 12, 12 / 50)
    assert found.reward_difference == pytest.approx(-0.2)
    # Connor: (1.959964 √0.28 + 0.841621 √(0.28 − 0.04))² / 0.04 = 52.5
    assert found.power.needed == 53
    assert found.notices == ()


def test_flips_name_both_runs_of_a_task() -> None:
    found = compare(run_of("A", [[1], [0], [1]]), run_of("B", [[1], [1], [0]]))
    (gained,), (lost,) = found.gained, found.lost
    assert (gained.task_id, gained.level, gained.change) == ("t1", "2", 1.0)
    assert (gained.before.runs, gained.after.runs) == (("A-1-0",), ("B-1-0",))
    assert (lost.before.verdicts, lost.after.verdicts, lost.after.answers) == (("correct",), ("wrong",), ("0",))
    assert [(one.level, one.difference.tasks, one.difference.value) for one in found.levels] == [
        ("1", 2, -0.5),
        ("2", 1, 1.0),
    ]


def test_runs_that_do_not_differ_show_nothing() -> None:
    one, two = single("s", both=5, gained=0, lost=0, neither=5)
    found = compare(one, two)
    assert (found.p, found.gained, found.lost, found.power.needed, found.power.detectable) == (1.0, (), (), None, None)
    assert found.accuracy.low < 0 < found.accuracy.high


def test_many_flips_take_no_time() -> None:
    began = time.process_time()
    assert mcnemar(5000, 5000) == 1.0
    # The normal approximation with continuity correction: z = (200 − 1) / 100.
    assert mcnemar(5100, 4900) == pytest.approx(math.erfc(1.99 / math.sqrt(2)), rel=0.01)
    assert mcnemar(10_000, 0) == 0.0
    assert time.process_time() - began < 0.5


# Several attempts


def test_several_attempts_by_hand() -> None:
    before = run_of("A", [[1, 1], [1, 0], [0, 0], [0, 0]])
    after = run_of("B", [[1, 1], [1, 1], [1, 0], [0, 0]])
    found = compare(before, after)
    assert found.accuracy.value == pytest.approx((0.5 + 0.5) / 4)
    assert found.accuracy.method == "bootstrap"
    assert found.mcnemar is None
    # Two differences of one size and sign: all four ways to sign them, two as extreme.
    assert (found.permutation.p, found.permutation.exact, found.p) == (0.5, True, 0.5)
    assert [(flip.task_id, flip.before.share, flip.after.share) for flip in found.gained] == [
        ("t1", 0.5, 1.0),
        ("t2", 0.0, 0.5),
    ]
    # Mean square 1/8: (1.959964 √0.125 + 0.841621 √(0.125 − 0.0625))² / 0.0625
    assert found.power.needed == math.ceil((1.959964 * math.sqrt(0.125) + 0.841621 * 0.25) ** 2 / 0.0625)


def test_a_different_number_of_attempts_is_compared_and_told() -> None:
    found = compare(run_of("A", [[1], [0]]), run_of("B", [[1, 1], [1, 0]]))
    assert found.accuracy.value == pytest.approx(0.25)
    assert found.mcnemar is None
    assert "the first has 1 attempt a task, the second 2 attempts" in found.notices


def test_rewards_are_compared_beside_accuracies() -> None:
    def rewarded(name: str, rewards: Sequence[float]) -> BenchmarkRun:
        results = [Result(task_id=f"t{n}", verdict="wrong", reward=reward) for n, reward in enumerate(rewards)]
        return BenchmarkRun(
            name=name, tasks=[Selected(task_id=f"t{n}") for n in range(len(rewards))], results=results, dataset="d"
        )

    found = compare(rewarded("A", [0.1, 0.2, 0.3]), rewarded("B", [0.2, 0.4, 0.2]))
    assert found.accuracy.value == 0.0
    assert found.p == 1.0
    assert found.reward_difference == pytest.approx(0.2 / 3)
    # Of 0.1, 0.2 and −0.1, six of the eight ways to sign them sum to at least 0.2 in size.
    assert found.reward_permutation.p == 6 / 8


# What a person has to know


def test_tasks_that_only_one_run_has_are_left_out_and_told() -> None:
    before, after = run_of("A", [[1]] * 8), run_of("B", [[0]] * 2)
    found = compare(before, after)
    assert found.accuracy.tasks == 2
    assert found.notices == ("6 of 8 tasks of A are not in the other: t2, t3, t4, t5, t6, …",)
    with pytest.raises(InputError, match=r"no task in common"):
        compare(before, BenchmarkRun(name="C", tasks=[Selected(task_id="z")], results=[], dataset="d"))


def test_missing_results_count_as_not_right_and_are_told() -> None:
    before = run_of("A", [[1], [1]])
    after = BenchmarkRun(name="B", tasks=before.tasks, results=before.results[:1], dataset="d")
    found = compare(before, after)
    assert found.accuracy.value == -0.5
    assert found.lost[0].after.runs == ()
    assert found.notices == ("1 attempts of B have no result and count as not right",)


def test_tasks_that_cannot_be_judged_are_left_out_and_told() -> None:
    before = run_of("A", [[1], [1]])
    tasks = [before.tasks[0], Selected(task_id="t1", judged=False)]
    found = compare(before, BenchmarkRun(name="B", tasks=tasks, results=before.results, dataset="d"))
    assert found.accuracy.tasks == 1
    assert found.notices == ("1 tasks are left out: their answers cannot be judged",)


def test_different_datasets_are_refused_unless_forced() -> None:
    before = run_of("A", [[1], [1]])
    after = BenchmarkRun(name="B", tasks=before.tasks, results=before.results, dataset="e")
    with pytest.raises(InputError, match=r"A and B are of different datasets \(d and e\); force"):
        compare(before, after)
    assert compare(before, after, force=True).notices == ("the datasets differ",)
    unknown = BenchmarkRun(name="B", tasks=before.tasks, results=before.results)
    assert compare(before, unknown).notices == ("whether the datasets are the same is not known",)


# More than two


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_makes_a_claim_easier(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= q <= min(1.0, len(ps) * p) + 1e-15 for p, q in zip(ps, adjusted, strict=True))
    ranked = sorted(range(len(ps)), key=ps.__getitem__)
    assert all(adjusted[one] <= adjusted[two] for one, two in pairwise(ranked))


def test_several_runs_are_compared_with_the_first_or_each_with_each() -> None:
    runs = [run_of("A", [[0]] * 8), run_of("B", [[1]] * 8), run_of("C", [[1]] * 4 + [[0]] * 4)]
    with_first = compare_all(runs)
    assert [(one.before, one.after) for one in with_first] == [("A", "B"), ("A", "C")]
    assert [one.p for one in with_first] == [2 / 256, 2 / 16]
    assert [one.p_holm for one in with_first] == [4 / 256, 2 / 16]
    every = compare_all(runs, every_pair=True)
    assert [(one.before, one.after) for one in every] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert [one.p_holm for one in every] == [6 / 256, 4 / 16, 4 / 16]
    with pytest.raises(InputError, match=r"at least two"):
        compare_all(runs[:1])


# Resampling


@given(st.lists(st.sampled_from([-1.0, -0.6, -0.2, 0.0, 0.4, 1.0]), min_size=1, max_size=8))
def test_the_exact_permutation_test_counts_every_way(differences: list[float]) -> None:
    reached = abs(sum(differences)) - 1e-9
    ways = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    found = permutation_test(differences)
    assert found.exact
    assert found.p == pytest.approx(sum(way >= reached for way in ways) / len(ways))


def test_drawn_signs_come_near_the_exact_test_and_are_the_same_each_time() -> None:
    chance = random.Random(5)
    few = [chance.choice([-0.5, 0.25, 0.5, 1.0, -1.0]) for _ in range(20)]
    exact = permutation_test(few)
    assert exact.exact
    drawn = permutation_test([*few, 1e-6])
    assert not drawn.exact
    assert drawn.p == pytest.approx(exact.p, abs=0.01)
    assert permutation_test([*few, 1e-6]) == drawn
    many = [chance.gauss(0.1, 1) for _ in range(300)]  # each of another size
    z = sum(many) / math.sqrt(sum(d * d for d in many))
    assert permutation_test(many).p == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), abs=0.01)


def test_no_p_of_a_drawn_test_is_zero() -> None:
    assert permutation_test([0.5, 1.0] * 100).p == pytest.approx(1 / 100_001)


def test_a_fair_coin_is_called_a_difference_as_often_as_it_should_be() -> None:
    chance, called = random.Random(9), 0
    for _ in range(60):
        differences = [chance.choice([-1.0, -0.5, 0.0, 0.5, 1.0]) for _ in range(40)]
        called += permutation_test(differences).p < 0.05
    assert called <= 8


@pytest.mark.parametrize("spread", [5, 10_000])
def test_the_bootstrap_comes_near_the_normal_interval(spread: int) -> None:
    chance = random.Random(1)
    values = [round(chance.uniform(-1, 1) * spread) / spread for _ in range(2000)]
    mean = sum(values) / len(values)
    half = 1.96 * math.sqrt(sum((v - mean) ** 2 for v in values)) / len(values)
    within = bootstrap_interval(values)
    assert within.low == pytest.approx(mean - half, abs=0.002)
    assert within.high == pytest.approx(mean + half, abs=0.002)
    assert bootstrap_interval(values) == within
    assert bootstrap_interval(values, seed=1) != within


# Power


def test_connors_number_by_hand() -> None:
    """(1.959964 · 0.707107 + 0.841621 · √0.46)² / 0.04 = (1.38590 + 0.57081)² / 0.04 = 95.7"""
    assert tasks_needed(0.5, 0.2) == 96
    assert tasks_needed(0.5, -0.2) == tasks_needed(0.5, 0.2)
    assert tasks_needed(0.5, 0.0) is None


@given(st.floats(0.01, 1), st.integers(1, 5000))
def test_what_can_be_detected_needs_as_many_tasks_as_there_are(discordant: float, tasks: int) -> None:
    smallest = detectable(discordant, tasks)
    if smallest is None:
        assert (tasks_needed(discordant, discordant) or 0) > tasks
    else:
        assert (tasks_needed(discordant, smallest) or 0) <= tasks
        assert (tasks_needed(discordant, smallest * 0.99) or math.inf) >= tasks


def test_the_number_of_tasks_gives_the_power_that_it_promises() -> None:
    gained, lost = 0.2, 0.08
    tasks = tasks_needed(gained + lost, gained - lost)
    assert tasks is not None
    chance, seen = random.Random(2), 0
    for _ in range(600):
        draws = [chance.random() for _ in range(tasks)]
        up, down = sum(d < gained for d in draws), sum(gained <= d < gained + lost for d in draws)
        # The test that the formula is for: McNemar's without continuity correction.
        seen += (up - down) ** 2 > 1.959964**2 * (up + down)
    assert 0.75 < seen / 600 < 0.85


def test_power_of_differences_that_are_means() -> None:
    found = power_of([0.5, -0.25, 0.0, 0.25])
    assert found.discordant == pytest.approx((0.25 + 0.0625 + 0.0625) / 4)
    assert found.needed == tasks_needed(found.discordant, 0.125)
    assert found.detectable is None  # four tasks show nothing


# Size


def test_ten_thousand_tasks_of_five_attempts_within_three_seconds() -> None:
    chance = random.Random(4)
    used = Usage(calls=2, prompt_tokens=900, completion_tokens=80)

    def large(name: str, skill: float) -> BenchmarkRun:
        results = [
            Result(
                task_id=f"t{task}",
                attempt=n,
                verdict="correct" if (right := chance.random() < skill * (task % 10) / 5) else "wrong",
                answer="42" if right else str(chance.randint(0, 9)),
                usage=used,
                calls={"python": 2},
            )
            for task in range(10_000)
            for n in range(5)
        ]
        tasks = [Selected(task_id=f"t{task}", level=str(task % 3)) for task in range(10_000)]
        return BenchmarkRun(name=name, tasks=tasks, results=results, attempts=5, dataset="d")

    one, two = large("A", 0.4), large("B", 0.45)
    began = time.process_time()
    measure(one), measure(two)
    found = compare(one, two)
    assert time.process_time() - began < 3.0
    assert found.accuracy.low > 0
