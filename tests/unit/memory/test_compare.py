"""What policies would have earned, from the record of another one: against worlds whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from tiny_policy import TinyPolicy

from agentfly.errors import InputError, PolicyError
from agentfly.memory import credit
from agentfly.memory.bank import CaseBank
from agentfly.memory.recollection import Recollection
from agentfly.memory.selection import decisions
from agentfly.memory.selection.choose import Choice, choose, likelihood
from agentfly.memory.selection.compare import Comparison, compare
from agentfly.memory.selection.estimators import doubly_robust, self_normalised, standard_error
from agentfly.memory.selection.replay import folds, replayed
from agentfly.testing import HashEmbedder
from agentfly.types import Case, Recalled

STATES, CASES = 4, 8


# The estimators alone


def draw(rng: np.random.Generator, n: int):
    """One recall for each run: four actions, logged and target probabilities, a reward for each action."""
    logged, target = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])
    earns = np.array([0.2, 0.4, 0.6, 0.9])
    action = rng.choice(4, size=n, p=logged)
    rewards = (rng.random(n) < earns[action]).astype(float)
    return (target / logged)[action], action, rewards, float(target @ earns), target


@pytest.mark.parametrize("model", [np.zeros(4), np.array([0.2, 0.4, 0.6, 0.9]), np.array([0.9, 0.1, 0.8, 0.0])])
def test_the_interval_covers_the_truth_whatever_the_model_says(model: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    errors, covered = [], 0
    for _ in range(400):
        weights, action, rewards, truth, target = draw(rng, 200)
        expected = np.full((200, 1), target @ model)
        found = doubly_robust(weights[:, None], expected, model[action][:, None], rewards)
        errors.append(found.value - truth)
        covered += abs(found.value - truth) <= 1.96 * found.error
    assert abs(np.mean(errors)) < 4 * np.std(errors) / 20
    assert 0.91 <= covered / 400 <= 0.99


def test_a_good_model_makes_the_error_small() -> None:
    rng = np.random.default_rng(6)
    weights, action, rewards, _, target = draw(rng, 2000)
    earns = np.array([0.2, 0.4, 0.6, 0.9])
    blind = self_normalised(weights, rewards)
    good = doubly_robust(weights[:, None], np.full((2000, 1), target @ earns), earns[action][:, None], rewards)
    assert good.error < blind.error


def test_runs_of_two_recalls_are_weighted_recall_by_recall() -> None:
    """The second state depends on the first choice: a model of the logged states alone would be biased."""
    rng = np.random.default_rng(7)
    logged, target = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    earns = np.array([[0.1, 0.3], [0.5, 0.9]])  # by first and second choice; some runs end after the first
    truth = float(target @ [0.7 * (earns[0] @ target) + 0.3 * 0.2, 0.7 * (earns[1] @ target) + 0.3 * 0.2])
    errors, covered = [], 0
    for _ in range(300):
        n = 300
        a, b, goes_on = rng.choice(2, n, p=logged), rng.choice(2, n, p=logged), rng.random(n) < 0.7
        rewards = (rng.random(n) < np.where(goes_on, earns[a, b], 0.2)).astype(float)
        ratio = target / logged
        weights = np.stack([ratio[a], ratio[a] * np.where(goes_on, ratio[b], 1.0)], axis=1)
        model = np.array([0.3, 0.7])
        predicted = np.stack([model[a], np.where(goes_on, model[b] - 0.2, 0.0)], axis=1)
        expected = np.stack([np.full(n, target @ model), np.where(goes_on, target @ model - 0.2, 0.0)], axis=1)
        found = doubly_robust(weights, expected, predicted, rewards)
        errors.append(found.value - truth)
        covered += abs(found.value - truth) <= 1.96 * found.error
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(300) + 0.002
    assert 0.90 <= covered / 300 <= 0.99


def test_on_policy_every_estimate_is_the_mean() -> None:
    rewards = np.random.default_rng(1).random(50)
    found = self_normalised(np.ones(50), rewards)
    assert found.value == pytest.approx(rewards.mean())
    assert found.error == pytest.approx(rewards.std(ddof=1) / np.sqrt(50)) == pytest.approx(standard_error(rewards))
    assert (found.overlap, found.clipped) == (pytest.approx(50), 0)


def test_heavy_weights_are_truncated_and_counted() -> None:
    weights = np.array([1000.0, *[0.5] * 99])
    found = self_normalised(weights, np.array([1.0, *[0.0] * 99]))
    assert found.clipped == 1
    assert found.value == pytest.approx(10 / (10 + 49.5))
    assert found.overlap < 30
    none = self_normalised(np.zeros(10), np.ones(10))
    assert none.overlap == 0.0


# On a bank


class Table:
    """Scores by state and case, from a table."""

    def __init__(self, name: str, table: np.ndarray) -> None:
        self.name = name
        self.table = table

    def score(self, state, cases, vectors):
        return np.array([self.table[int(np.argmax(state[:STATES])), int(case.task_id)] for case in cases])


@dataclass
class World:
    """A bank whose cases are useful by a table; the reward of a run is the mean usefulness of what was shown, or 0."""

    bank: CaseBank
    useful: np.ndarray
    logged: np.ndarray
    stored: list[Case]
    vectors: np.ndarray
    choice: Choice
    rng: np.random.Generator

    def chosen(self, table: np.ndarray, state: int, choice: Choice) -> list[Recalled]:
        found = [
            Recalled(case=case, similarity=float(self.vectors[i, state]), score=float(table[state, i]))
            for i, case in enumerate(self.stored)
        ]
        return choose(found, self.vectors, replace(choice, seed=int(self.rng.integers(2**31))))

    def earned(self, state: int, chosen: list[Recalled]) -> float:
        return float(np.mean([self.useful[state, int(one.case.task_id)] for one in chosen]))

    def truth(self, table: np.ndarray, draws: int = 2000) -> float:
        states = self.rng.integers(STATES, size=draws)
        return float(np.mean([self.earned(s, self.chosen(table, s, self.choice)) for s in states]))

    def log(self, n: int, recalls: int = 1, start: int = 0, **choice) -> None:
        how = replace(self.choice, **choice)
        with self.bank._db.write():
            for run in range(start, start + n):
                earned = []
                for _ in range(recalls):
                    state = int(self.rng.integers(STATES))
                    chosen = self.chosen(self.logged, state, how)
                    earned.append(self.earned(state, chosen))
                    self.show(f"run-{run}", state, chosen, how)
                credit.outcome(self.bank._db, f"run-{run}", float(self.rng.random() < np.mean(earned)))

    def show(self, run: str, state: int, chosen: list[Recalled], choice: Choice) -> None:
        recollection = Recollection(
            text="?",
            state=np.eye(16, dtype=np.float32)[state],
            chosen=tuple(chosen),
            candidates=tuple(case.id for case in self.stored),
            choice=choice,
            policy="table",
            policy_version=0,
        )
        credit.shown(self.bank._db, run, "task", recollection, self.bank.embedder.name)

    def compare(self, *policies, **options) -> Comparison:
        return compare(self.bank._db, policies, self.bank.embedder, **options)


@pytest.fixture
def world(tmp_path):
    made = []

    def make(seed: int, **choice) -> World:
        rng = np.random.default_rng(seed)
        bank = CaseBank(tmp_path / f"world-{len(made)}", HashEmbedder(16))
        made.append(bank)
        vectors = rng.normal(size=(CASES, 16)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        stored = bank.add_many(
            [Case(question=f"question {i}", task_id=str(i), reward=float(i % 4 > 0)) for i in range(CASES)], vectors
        )
        return World(
            bank=bank,
            useful=rng.random((STATES, CASES)),
            logged=rng.random((STATES, CASES)),
            stored=stored,
            vectors=vectors,
            choice=Choice(**{"k": 2, "temperature": 0.4, "diversity": 0.1, "failures": 0.5, **choice}),
            rng=rng,
        )

    yield make
    for bank in made:
        bank.close()


def test_estimates_cover_the_truth_and_rank_the_better_policy_first(world) -> None:
    covered, errors = 0, []
    for seed in range(8):
        one = world(seed)
        one.log(150)
        tables = {"good": one.useful + 0.2 * one.logged, "bad": 0.4 * one.logged - one.useful}
        found = one.compare(*(Table(name, table) for name, table in tables.items()))
        assert (found.judged, found.runs, found.fixed, found.unusable) == (150, 150, 0, 0)
        good, bad = found.policies
        assert good.value > bad.value
        for value in found.policies:
            error = value.value - one.truth(tables[value.policy], 1000)
            errors.append(error / value.error)
            covered += abs(error) <= 1.96 * value.error
            assert abs(value.value - value.weighted) < 0.2
        pair = next(each for each in found.differences if {each.better, each.worse} == {"good", "bad"})
        assert (pair.better, pair.value) == ("good", pytest.approx(good.value - bad.value))
    assert covered >= 13, "15 of 16 are expected"
    assert abs(np.mean(errors)) < 0.8


def test_the_policy_that_made_the_record_earns_what_the_record_says(world) -> None:
    one = world(1)
    one.log(120)
    found = one.compare(Table("same", one.logged))
    (same,) = found.policies
    assert same.weighted == pytest.approx(found.mean)
    assert same.overlap == pytest.approx(120)
    assert same.value == pytest.approx(found.mean, abs=2 * found.error)
    assert same.error <= 1.05 * found.error
    rewards = one.bank._db.read("SELECT avg(reward) FROM interactions")[0][0]
    assert found.mean == pytest.approx(rewards)


def test_the_difference_of_two_like_policies_is_surer_than_their_values(world) -> None:
    one = world(2)
    one.log(150)
    found = one.compare(Table("a", one.logged), Table("b", one.logged + 0.05 * one.useful))
    pair = next(each for each in found.differences if "record" not in {each.better, each.worse})
    assert pair.error < 0.5 * found.policies[0].error


def test_runs_of_several_recalls_count_as_one_run(world) -> None:
    one = world(3)
    one.log(150, recalls=2)
    table = one.logged + 0.3 * one.useful
    found = one.compare(Table("better", table))
    assert found.runs == 150
    (better,) = found.policies
    assert abs(better.value - one.truth(table)) < 3 * better.error
    assert better.value > found.mean - 2 * found.error


def test_the_weight_of_a_run_is_the_product_over_its_recalls(world) -> None:
    one = world(16)
    one.log(20, recalls=3)
    table = Table("other", one.useful)
    log = decisions.read(one.bank._db, one.bank.embedder.name, 16, 100)
    found = replayed(table, folds(one.bank._db, log.runs, one.bank.embedder), None)
    for run, weights in zip(log.runs, found.weights, strict=True):
        ratios = []
        for decision in run.decisions:
            scores = table.score(decision.state, [each.case for each in decision.candidates], None)
            scored = [replace(each, score=float(q)) for each, q in zip(decision.candidates, scores, strict=True)]
            likely = np.prod(likelihood(scored, decision.vectors, decision.choice, decision.order))
            ratios.append(likely / decision.propensity)
        assert weights == pytest.approx(np.cumprod(ratios))


def test_a_learned_policy_is_not_judged_on_what_it_was_trained_on(world) -> None:
    """Rewards are pure chance: whoever learns them by heart earns nothing by it."""
    one = world(4)
    one.useful[:] = 0.5
    one.log(160)
    policy = TinyPolicy()
    found = one.compare(policy)
    (tiny,) = found.policies
    assert abs(tiny.value - 0.5) < 3 * tiny.error
    assert policy.runs == {}, "the caller's object is as it was"


class Peeping:
    """Learns which runs it is given, and scores by what the counters of the cases tell."""

    name = "peeping"

    def __init__(self) -> None:
        self.given: list[set[int]] = []
        self.seen: dict[str, set[tuple[int, float]]] = {}

    def score(self, state, cases, vectors):
        for case in cases:
            self.seen.setdefault(case.id, set()).add((case.shown, case.helped))
        return np.zeros(len(cases))

    def learn(self, episodes) -> None:
        self.given.append({episode.number for episode in episodes})

    def dump(self) -> bytes:
        return b""

    def load(self, data: bytes) -> None:
        pass


def test_neither_training_nor_counters_tell_of_the_runs_that_it_is_judged_on(world) -> None:
    one = world(5)
    one.log(60)
    policy = Peeping()
    one.compare(policy)
    assert sorted(map(len, policy.given)) == [30, 30]
    assert policy.given[0] & policy.given[1] == set()
    for case in one.stored:
        halves = policy.seen[case.id]
        now = one.bank.get(case.id)
        assert sum(shown for shown, _ in halves) == (now.shown if len(halves) == 2 else now.shown // 2)
    totals = [
        sum(helped for _, helped in policy.seen[case.id]) for case in one.stored if len(policy.seen[case.id]) == 2
    ]
    helped = [one.bank.get(case.id).helped for case in one.stored if len(policy.seen[case.id]) == 2]
    assert totals == pytest.approx(helped)


def test_policies_by_name(world) -> None:
    one = world(6)
    one.log(60)
    found = one.bank.compare()
    assert [value.policy for value in found.policies] == ["similarity", "episodic", "neural"]
    assert all((value.value is None) == bool(value.reason) for value in found.policies)
    assert found == one.bank.compare(), "the same every time"
    with pytest.raises(InputError, match="best"):
        one.bank.compare(["best"])


# Where the record cannot tell


def test_nothing_judged(world) -> None:
    one = world(7)
    found = one.compare("similarity")
    assert (found.judged, found.mean) == (0, None)
    assert found.policies[0].value is None
    assert "feedback" in found.policies[0].reason


def test_a_record_without_exploration_says_so(world) -> None:
    one = world(8)
    one.log(40, temperature=0.0)
    found = one.compare("similarity", Table("other", one.useful))
    assert (found.judged, found.runs, found.fixed) == (40, 0, 40)
    earned = one.bank._db.read("SELECT avg(reward) FROM interactions WHERE rank = 0")[0][0]
    assert found.mean == pytest.approx(earned), "what was earned is known all the same"
    assert 0 < found.error < 0.1
    for value in found.policies:
        assert (value.value, value.error) == (None, None)
        assert "without exploration: set recall.temperature" in value.reason
    assert found.differences == ()


def test_greedy_runs_in_a_mixed_record_are_left_out(world) -> None:
    one = world(9)
    one.log(40)
    only = one.compare(Table("same", one.logged))
    one.log(40, start=40, temperature=0.0)
    found = one.compare(Table("same", one.logged))
    assert (found.judged, found.runs, found.fixed) == (80, 40, 40)
    assert found.mean == only.mean


def test_no_overlap_says_so(world) -> None:
    one = world(10, temperature=0.05)
    one.log(60)
    found = one.compare(Table("contrary", -50 * one.logged), Table("same", one.logged))
    contrary, same = found.policies
    assert contrary.value is None
    assert "overlap" in contrary.reason
    assert contrary.overlap < 10
    assert same.value is not None
    assert {name for each in found.differences for name in (each.better, each.worse)} == {"same", "record"}


def test_a_greedy_policy_may_be_asked_for(world) -> None:
    one = world(11, k=1, temperature=1.0)
    one.log(200)
    found = one.compare(Table("greedy", one.useful), temperature=0.0)
    (greedy,) = found.policies
    truth = float(np.mean([one.useful[s].max() for s in range(STATES)]))
    assert greedy.value is not None
    assert abs(greedy.value - truth) < 3.5 * greedy.error
    assert greedy.overlap < 80


def test_what_cannot_be_made_over_again_is_left_out(world) -> None:
    one = world(12)
    one.log(40)
    run = one.bank._db.read("SELECT run_id FROM recalls ORDER BY id")[0][0]
    db = one.bank._db
    with db.write() as tx:
        tx.execute("UPDATE recalls SET embedder = 'other' WHERE run_id = ?", (run,))
        tx.execute("UPDATE recalls SET candidates = '[\"case-gone\"]' WHERE run_id = 'run-1'")
        tx.execute("UPDATE recalls SET choice = json_set(choice, '$.floor', 2.0) WHERE run_id = 'run-2'")
    found = one.compare(Table("same", one.logged))
    assert (found.judged, found.runs, found.unusable) == (40, 37, 3)
    with db.write() as tx:
        tx.execute("UPDATE cases SET embedder = 'other'")
    found = one.compare(Table("same", one.logged))
    assert (found.runs, found.policies[0].value) == (0, None)
    assert "only 0 of 40" in found.policies[0].reason


def test_a_record_from_before_exploration_was_recorded(world) -> None:
    one = world(13)
    one.log(20)
    with one.bank._db.write() as tx:
        tx.execute("UPDATE recalls SET choice = '{}', candidates = NULL")
    assert one.compare("similarity").fixed == 20


def test_only_the_latest_runs_are_looked_at(world) -> None:
    one = world(14)
    one.log(60)
    assert one.compare(Table("same", one.logged), limit=25).judged == 25


def test_a_policy_whose_scores_are_none_is_named(world) -> None:
    one = world(15)
    one.log(20)
    with pytest.raises(PolicyError, match="'broken'"):
        one.compare(Table("broken", np.full((STATES, CASES), np.nan)))
