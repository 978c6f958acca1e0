"""Metrics against numbers worked out by hand, and the laws that they keep."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.bench.calibration import calibration, rounds
from agentfly.bench.estimators import (
    best,
    continuous_scores,
    edit_similarity,
    ks,
    levenshtein,
    majority,
    mean_by_task,
    pass_at_k,
    pass_hat_k,
    quantile,
    same_by,
)
from agentfly.bench.metrics import AtK, measure
from agentfly.bench.results import BenchmarkRun, Result, Selected
from agentfly.bench.spending import Point, frontier, spread
from agentfly.scorers import gaia_match
from agentfly.types import Usage

same = same_by(gaia_match)


def result(task: str, attempt: int = 0, verdict: str = "correct", **more: Any) -> Result:
    return Result(task_id=task, attempt=attempt, verdict=verdict, **more)  # type: ignore[arg-type]


def run_of(answers: dict[str, Sequence[str | None]], right: str = "42", attempts: int | None = None) -> BenchmarkRun:
    """A run from the answers to each task; None is no answer."""
    verdicts = {None: "no_answer", right: "correct"}
    results = [
        result(task, n, verdicts.get(answer, "wrong"), answer=answer)
        for task, given in answers.items()
        for n, answer in enumerate(given)
    ]
    most = attempts or max(map(len, answers.values()))
    return BenchmarkRun(tasks=[Selected(task_id=task) for task in answers], results=results, attempts=most)


def at(run: BenchmarkRun, k: int) -> AtK:
    return next(one for one in measure(run).overall.at_k if one.k == k)


# One attempt


def test_every_selected_task_is_in_the_denominator_however_it_ended() -> None:
    verdicts = ["correct", "correct", "wrong", "limit", "error", "no_answer", "unjudged"]
    tasks = [Selected(task_id=f"t{n}", level="1" if n < 4 else "2") for n in range(8)]  # the last has no result
    tasks.append(Selected(task_id="withheld", level="2", judged=False))
    results = [result(f"t{n}", verdict=verdict) for n, verdict in enumerate(verdicts)]
    found = measure(BenchmarkRun(tasks=tasks, results=[*results, result("withheld", verdict="unjudged")]))
    overall = found.overall
    assert (overall.tasks, overall.attempts, overall.done, overall.right) == (8, 8, 7, 2)
    assert overall.accuracy is not None
    assert overall.accuracy.value == 2 / 8
    # Wilson's interval of 2 of 8, worked out by hand: centre (0.25 + z²/16) / (1 + z²/8) and so on.
    assert (overall.accuracy.low, overall.accuracy.high) == (
        pytest.approx(0.0715, abs=1e-4),
        pytest.approx(0.5907, abs=1e-4),
    )
    assert overall.verdicts == {
        "correct": 2,
        "wrong": 1,
        "limit": 1,
        "error": 1,
        "no_answer": 1,
        "unjudged": 1,
        "not_done": 1,
    }
    assert [(one.level, one.score.tasks, one.score.right) for one in found.levels] == [("1", 4, 2), ("2", 4, 0)]
    assert (found.unjudged_tasks, found.unjudged_done) == (1, 1)
    assert not found.complete


def test_where_nothing_can_be_judged_there_is_no_accuracy() -> None:
    run = BenchmarkRun(tasks=[Selected(task_id="a", judged=False)], results=[result("a", verdict="unjudged")])
    found = measure(run)
    assert (found.overall.accuracy, found.overall.at_k, found.seeds, found.point) == (None, (), None, None)
    assert found.complete
    assert found.spending.attempts == 1


def test_a_task_without_a_level_is_told_apart_where_others_have_one() -> None:
    tasks = [Selected(task_id="a"), Selected(task_id="b", level="1")]
    assert [one.level for one in measure(BenchmarkRun(tasks=tasks, results=[])).levels] == ["1", "none"]
    assert measure(BenchmarkRun(tasks=tasks[:1], results=[])).levels == ()


# Several attempts


def test_three_attempts_by_hand() -> None:
    """Four tasks with 3, 2, 1 and 0 right of 3."""
    run = run_of(
        {
            "a": ["42", "42", "42"],
            "b": ["7", "42", "42.0"],  # the dataset's rule takes 42.0 for 42
            "c": ["42", "7", "7"],
            "d": [None, "7", None],
        }
    )
    results = [r if r.answer != "42.0" else result("b", 2, answer="42.0") for r in run.results]
    run = BenchmarkRun(tasks=run.tasks, results=results, attempts=3)
    found = measure(run)
    assert found.overall.accuracy is not None
    assert found.overall.accuracy.value == pytest.approx(6 / 12)
    # Means by task 1, 2/3, 1/3, 0: squared deviations 1/4, 1/36, 1/36, 1/4, summed 5/9, over 4 · 3.
    assert found.overall.accuracy.se == pytest.approx(math.sqrt(5 / 9 / 12))
    one, two, three = found.overall.at_k
    assert (one.pass_at_k.value, one.pass_hat_k.value) == (pytest.approx(0.5), pytest.approx(0.5))
    # Of 2: no right one in 0, 0, 1/3 and all of the draws; two right ones in 1, 1/3, 0, 0 of them.
    assert two.pass_at_k.value == pytest.approx((1 + 1 + 2 / 3 + 0) / 4)
    assert two.pass_hat_k.value == pytest.approx((1 + 1 / 3) / 4)
    assert (three.pass_at_k.value, three.pass_hat_k.value) == (3 / 4, 1 / 4)
    # First of 1: a, c. Of 2: a, and c by the tie, b's tie goes to 7. Of 3: a, b (2 of 3), c's majority is 7.
    assert (one.majority.value, two.majority.value, three.majority.value) == (2 / 4, 2 / 4, 2 / 4)
    assert found.seeds is not None
    assert found.seeds.accuracies == (2 / 4, 2 / 4, 2 / 4)
    assert found.seeds.se == 0.0


def test_attempts_that_were_not_made_count_as_not_right_for_every_k() -> None:
    run = run_of({"a": ["42"], "b": ["42", "42", "42"]}, attempts=3)
    assert at(run, 1).pass_at_k.value == pytest.approx((1 / 3 + 1) / 2)
    assert at(run, 3).pass_hat_k.value == 1 / 2
    assert at(run, 3).majority.value == 1.0
    seeds = measure(run).seeds
    assert seeds is not None
    assert seeds.accuracies == (1.0, 0.5, 0.5)
    # Deviations 1/3, -1/6, -1/6: variance (1/9 + 1/36 + 1/36) / 2, over 3 attempts.
    assert seeds.se == pytest.approx(math.sqrt((1 / 9 + 2 / 36) / 2 / 3))


def test_attempts_that_agree_are_worth_no_more_than_one() -> None:
    """Clusters: ten attempts that always come to the same are as uncertain as one."""
    answers = {f"t{n}": "42" if n < 5 else "7" for n in range(10)}
    once, often = (measure(run_of({t: [a] * k for t, a in answers.items()})).overall.accuracy for k in (1, 10))
    assert once is not None
    assert often == once


def test_independent_attempts_narrow_the_interval() -> None:
    chance = random.Random(3)
    run = run_of({f"t{n}": [chance.choice(["42", "7"]) for _ in range(10)] for n in range(50)})
    accuracy = measure(run).overall.accuracy
    one = measure(run_of({f"t{n}": ["42" if n % 2 else "7"] for n in range(50)})).overall.accuracy
    assert accuracy is not None
    assert one is not None
    assert accuracy.high - accuracy.low < (one.high - one.low) / 2


def test_majority_counts_answers_that_are_one_by_the_datasets_rule() -> None:
    votes = [
        result("a", n, verdict="wrong", answer=a) for n, a in enumerate(["Paris.", "Rome", "paris", "ROME", "rome!"])
    ]
    found = majority(votes, same)
    assert found is votes[1]


def test_of_equal_groups_the_first_to_begin_wins() -> None:
    votes = [result("a", n, "wrong", answer=answer) for n, answer in enumerate(["1", "2", "3", "3", "2"])]
    assert majority(votes, same) is votes[1]
    assert majority(votes[:4], same) is votes[2]
    assert majority(votes[:2], same) is votes[0]


def test_the_first_k_are_those_with_the_lowest_numbers_though_one_has_no_result() -> None:
    tasks = [Selected(task_id="a")]
    found = measure(BenchmarkRun(tasks=tasks, results=[result("a", 1, answer="42", confidence=1.0)], attempts=2))
    one, two = found.overall.at_k
    assert (one.majority.value, two.majority.value) == (0.0, 1.0)
    assert one.best_by_confidence is not None
    assert one.best_by_confidence.value == 0.0


def test_missing_answers_have_no_vote_and_an_empty_answer_has_one() -> None:
    given = [result("a", n, "no_answer") for n in range(3)]
    assert majority(given, same) is None
    assert majority([*given, lone := result("a", 3, answer="42")], same) is lone
    assert majority([empty := result("a", 0, answer=""), given[0]], same) is empty


def test_an_answer_at_a_limit_votes() -> None:
    given = [result("a", n, "limit", answer="7") for n in range(2)]
    assert majority([result("a", 9, answer="42"), *given], same) is given[0]


def test_best_of_k_goes_by_the_score_and_never_by_the_truth() -> None:
    tasks = [Selected(task_id="a"), Selected(task_id="b")]
    results = [
        result("a", 0, "wrong", answer="7", confidence=0.9, critique=0.1),
        result("a", 1, answer="42", confidence=0.4, critique=0.8),
        result("b", 0, answer="42", confidence=0.5),
        result("b", 1, "wrong", answer="7"),
    ]
    two = measure(BenchmarkRun(tasks=tasks, results=results, attempts=2)).overall.at_k[1]
    assert two.pass_at_k.value == 1.0
    assert two.best_by_confidence is not None
    assert two.best_by_confidence.value == 0.5
    assert two.best_by_critique is not None
    assert two.best_by_critique.value == 1.0  # b has no critique: its first answer is taken
    none = run_of({"a": ["42", "7"]})
    assert at(none, 2).best_by_confidence is None
    assert best([result("a", verdict="no_answer", confidence=1.0)], lambda r: r.confidence) is None


def test_for_which_k_a_report_tells() -> None:
    assert ks(1) == (1,)
    assert ks(4) == (1, 2, 3, 4)
    assert ks(64) == (1, 2, 5, 10, 20, 50, 64)
    assert ks(100) == (1, 2, 5, 10, 20, 50, 100)


# Laws


@given(st.integers(1, 40), st.data())
def test_both_estimators_are_the_share_of_draws(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert pass_at_k(n, c, k) == pytest.approx(1 - math.comb(n - c, k) / math.comb(n, k))
    assert pass_hat_k(n, c, k) == pytest.approx(math.comb(c, k) / math.comb(n, k))
    assert pass_hat_k(n, c, k) <= c / n + 1e-12
    assert c / n <= pass_at_k(n, c, k) + 1e-12


def test_estimators_by_counting_every_draw() -> None:
    outcomes = [True, False, True, False, False]
    for k in range(1, 6):
        draws = list(combinations(outcomes, k))
        assert pass_at_k(5, 2, k) == pytest.approx(sum(map(any, draws)) / len(draws))
        assert pass_hat_k(5, 2, k) == pytest.approx(sum(map(all, draws)) / len(draws))


def test_estimators_are_stable_where_binomials_are_not() -> None:
    assert pass_at_k(100_000, 1, 50_000) == pytest.approx(0.5)
    assert pass_hat_k(100_000, 99_999, 50_000) == pytest.approx(0.5)
    for wrong in ((0, 0, 1), (3, 4, 1), (3, 1, 0), (3, 1, 4), (3, -1, 1)):
        with pytest.raises(ValueError, match=r"must be in"):
            pass_at_k(*wrong)
        with pytest.raises(ValueError, match=r"must be in"):
            pass_hat_k(*wrong)


answered = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.lists(st.sampled_from(["42", "7", "8", None]), min_size=0, max_size=4),
    min_size=1,
    max_size=6,
)


@given(answered, st.randoms(use_true_random=False))
def test_the_laws_of_every_run(answers: dict[str, list[str | None]], chance: random.Random) -> None:
    run = run_of(answers, attempts=4)
    found = measure(run)
    score = found.overall
    assert score.accuracy is not None
    assert sum(score.verdicts.values()) == score.attempts == 4 * len(answers)
    passed = [one.pass_at_k.value for one in score.at_k]
    solid = [one.pass_hat_k.value for one in score.at_k]
    assert passed[0] == pytest.approx(score.accuracy.value) == pytest.approx(solid[0])
    assert all(one <= two + 1e-12 for one, two in pairwise(passed))
    assert all(one + 1e-12 >= two for one, two in pairwise(solid))
    assert found.seeds is not None
    assert found.seeds.mean == pytest.approx(score.accuracy.value)
    for one in score.at_k:
        for mean in (one.pass_at_k, one.pass_hat_k, one.majority):
            assert 0.0 <= mean.low <= mean.value <= mean.high <= 1.0
    assert score.at_k[-1].majority.value <= passed[-1]  # nobody chooses better than one who knows
    shuffled = list(run.results)
    chance.shuffle(shuffled)
    assert measure(BenchmarkRun(tasks=run.tasks, results=shuffled, attempts=4)) == found


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 8))
def test_a_mean_is_within_its_interval(shares: list[float], attempts: int) -> None:
    mean = mean_by_task(shares, attempts)
    assert mean is not None
    assert 0.0 <= mean.low <= mean.value <= mean.high <= 1.0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(11)
    held = 0
    for _ in range(400):
        truths = [chance.betavariate(0.6, 0.4) for _ in range(60)]
        shares = [sum(chance.random() < p for _ in range(4)) / 4 for p in truths]
        mean = mean_by_task(shares, 4)
        assert mean is not None
        held += mean.low <= 0.6 <= mean.high
    assert 0.92 <= held / 400 <= 0.985


# Amounts


def test_amounts_by_hand() -> None:
    def one(n: int, tokens: int, calls: dict[str, int], verdict: str = "correct", retries: int = 0) -> Result:
        used = Usage(calls=n + 1, prompt_tokens=tokens - 10, completion_tokens=10, cost_usd=tokens / 1000)
        return result(f"t{n}", verdict=verdict, usage=used, seconds=float(n), calls=calls, retries=retries)

    results = [
        one(0, 100, {"python": 2}),
        one(1, 200, {"python": 1, "web_search": 5}, "wrong", retries=2),
        one(2, 300, {}, "error", retries=1),
        one(3, 1000, {"web_search": 0}),
    ]
    spent = measure(BenchmarkRun(tasks=[Selected(task_id=f"t{n}") for n in range(5)], results=results)).spending
    tokens = spent.amounts["tokens"]
    assert spent.attempts == 4
    assert (tokens.total, tokens.mean, tokens.median, tokens.most) == (1600, 400, 250, 1000)
    assert tokens.p95 == pytest.approx(300 + 0.85 * 700)  # place 2.85 between the third and the fourth
    assert spent.amounts["cost_usd"].total == pytest.approx(1.6)
    assert spent.amounts["seconds"].median == 1.5
    assert spent.amounts["completion_tokens"].total == 40
    assert (spent.retries, spent.retried) == (3, 2)
    assert (spent.tokens_per_right, spent.cost_per_right) == (800, pytest.approx(0.8))
    assert [(tool.name, tool.calls, tool.attempts) for tool in spent.tools] == [("web_search", 5, 1), ("python", 3, 2)]


def test_nothing_finished_costs_nothing() -> None:
    spent = measure(BenchmarkRun(tasks=[Selected(task_id="a")], results=[])).spending
    assert spent.amounts["tokens"] == spread([])
    assert spent.tokens_per_right is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_a_quantile_is_between_values_and_grows(values: list[float], share: float) -> None:
    ordered = sorted(values)
    assert ordered[0] <= quantile(ordered, share) <= ordered[-1]
    assert quantile(ordered, 0) == ordered[0]
    assert quantile(ordered, 1) == ordered[-1]


def test_what_is_worth_its_cost() -> None:
    def point(name: str, accuracy: float, cost: float) -> Point:
        return Point(name=name, accuracy=accuracy, low=0, high=1, cost=cost, tokens=10 - cost, seconds=1)

    points = [point("cheap", 0.3, 1), point("good", 0.6, 3), point("waste", 0.5, 4), point("twin", 0.6, 3)]
    assert frontier(points) == {"cheap", "good", "twin"}
    assert frontier(points, lambda one: one.tokens) == {"waste", "good", "twin"}


# Continuous scores


def test_scores_beside_exact_match() -> None:
    assert continuous_scores(None, "x") == {"f1": 0.0, "edit_similarity": 0.0}
    found = continuous_scores("the Eiffel tower", "Eiffel Tower Paris")
    assert found["f1"] == pytest.approx(4 / 5)
    run = BenchmarkRun(
        tasks=[Selected(task_id="a"), Selected(task_id="b")],
        results=[result("a", n, "wrong", scores={"f1": 0.5 + n / 2}) for n in range(2)],
        attempts=2,
    )
    assert measure(run).scores["f1"].value == pytest.approx((1.5 / 2 + 0) / 2)


def test_edit_similarity_by_hand() -> None:
    assert levenshtein("kitten", "sitting") == 3
    assert edit_similarity("Kitten", " sitting\n") == pytest.approx(1 - 3 / 7)
    assert edit_similarity("", "") == 1.0
    assert edit_similarity("abc", "") == 0.0
    assert edit_similarity("a  b", "A B") == 1.0


@given(st.text("abc", max_size=9), st.text("abc", max_size=9))
def test_the_distance_is_that_of_the_textbook(one: str, other: str) -> None:
    row = list(range(len(other) + 1))
    for i, x in enumerate(one, start=1):
        above, row = row, [i]
        for j, y in enumerate(other, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    assert levenshtein(one, other) == row[-1] == levenshtein(other, one)


def test_the_distance_of_long_texts_takes_no_time() -> None:
    began = time.process_time()
    assert levenshtein("abcde" * 2000, "abcde" * 1999) == 5
    assert time.process_time() - began < 1.0


# Reflection and trust


def test_rounds_of_reflection_by_hand() -> None:
    outcomes = [(1.0, 1.0)] * 3 + [(1.0, 0.0)] + [(0.0, 1.0)] * 2 + [(0.0, 0.0)] * 4
    results = [result(f"t{n}", first_reward=a, last_reward=b) for n, (a, b) in enumerate(outcomes)]
    found = rounds([*results, result("without")])
    assert found is not None
    assert (found.attempts, found.gain) == (10, 1)
    assert (found.stayed.count, found.stayed.total, found.stayed.share) == (3, 4, 0.75)
    assert (found.mended.count, found.mended.total, found.mended.share) == (2, 6, pytest.approx(1 / 3))
    assert found.mended.low < 1 / 3 < found.mended.high
    assert rounds([result("without")]) is None
    only_wrong = rounds(results[4:])
    assert only_wrong is not None
    assert only_wrong.stayed.share is None


def test_trust_in_scores_by_hand() -> None:
    results = [
        result("a", confidence=0.9),
        result("b", confidence=0.5),
        result("c", verdict="wrong", confidence=0.5),
        result("d", verdict="wrong", confidence=0.1),
        result("e", verdict="unjudged", confidence=1.0),
        result("f"),
    ]
    found = calibration(results, lambda r: r.confidence)
    assert found is not None
    assert (found.attempts, found.when_right, found.when_wrong) == (4, 0.7, 0.3)
    assert found.brier == pytest.approx((0.01 + 0.25 + 0.25 + 0.01) / 4)
    assert found.auc == pytest.approx((1 + 1 + 0.5 + 1) / 4)  # of four pairs one ties
    assert calibration(results, lambda r: r.critique) is None
    alone = calibration(results[:1], lambda r: r.confidence)
    assert alone is not None
    assert alone.auc is None
