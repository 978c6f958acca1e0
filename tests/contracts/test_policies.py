"""What every selection policy must do, and every one that learns."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.errors import PolicyError
from agentfly.memory.selection.episodic import EpisodicPolicy
from agentfly.memory.selection.neural import NeuralPolicy
from agentfly.memory.selection.similarity import SimilarityPolicy
from agentfly.protocols import Episode, LearningPolicy, Policy, Shown
from agentfly.types import Case

RNG = np.random.default_rng(7)
D = 16
LEARNING: list[Callable[[int], LearningPolicy]] = [EpisodicPolicy, NeuralPolicy]


@pytest.fixture(params=[lambda d: SimilarityPolicy(), *LEARNING], ids=["similarity", "episodic", "neural"])
def policy(request: pytest.FixtureRequest) -> Policy:
    return request.param(D)


@pytest.fixture(params=LEARNING, ids=["episodic", "neural"])
def make(request: pytest.FixtureRequest) -> Callable[[int], LearningPolicy]:
    return request.param


@pytest.fixture
def learner(make: Callable[[int], LearningPolicy]) -> LearningPolicy:
    return make(D)


def vector(*near: np.ndarray, rng: np.random.Generator = RNG, d: int = D) -> np.ndarray:
    """A random unit vector, or one near a given one."""
    drawn = rng.normal(size=d)
    drawn = drawn / np.linalg.norm(drawn)
    found = near[0] + 0.3 * drawn if near else drawn
    return (found / np.linalg.norm(found)).astype(np.float32)


def candidates(n: int) -> tuple[np.ndarray, list[Case], np.ndarray]:
    cases = [Case(id=f"case-{i}", question=f"q{i}", reward=i % 2, shown=i, helped=i / 2) for i in range(n)]
    return vector(), cases, np.stack([vector() for _ in range(n)]) if n else np.zeros((0, D), dtype=np.float32)


def episode(
    number: int,
    state: np.ndarray,
    cases: list[Case],
    vectors: np.ndarray,
    reward: float,
    run: str = "",
    then: tuple[Shown, ...] = (),
) -> Episode:
    shown = Shown(state=state, cases=tuple(cases), vectors=vectors, propensities=(0.5,) * len(cases))
    return Episode(number=number, run=run or f"run-{number}", recalls=(shown, *then), reward=reward)


def stream(n: int, cases: list[Case], vectors: np.ndarray, k: int = 2, seed: int = 3) -> list[Episode]:
    """Runs in which the first case always helps and the others never do, at random states."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(1, n + 1):
        at = rng.choice(len(cases), k, replace=False)
        reward = float(rng.random() < (0.9 if 0 in at else 0.1))
        found.append(episode(number, vector(rng=rng), [cases[i] for i in at], vectors[at], reward))
    return found


def test_is_a_policy_with_a_name(policy: Policy) -> None:
    assert isinstance(policy, Policy)
    assert policy.name == policy.name.lower()


@pytest.mark.parametrize("n", [0, 1, 2, 64])
def test_one_finite_score_for_each_case(policy: Policy, n: int) -> None:
    state, cases, vectors = candidates(n)
    scores = policy.score(state, cases, vectors)
    assert scores.shape == (n,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()


def taught(policy: Policy, cases: list[Case], vectors: np.ndarray, n: int = 40) -> Policy:
    if isinstance(policy, LearningPolicy):
        policy.learn(stream(n, cases, vectors))
    return policy


@pytest.mark.parametrize("learned", [False, True])
def test_a_score_does_not_depend_on_the_order(policy: Policy, learned: bool) -> None:
    state, cases, vectors = candidates(10)
    if learned:
        taught(policy, cases, vectors)
    order = RNG.permutation(10)
    shuffled = policy.score(state, [cases[i] for i in order], vectors[order])
    assert np.allclose(shuffled, policy.score(state, cases, vectors)[order], atol=1e-6)


def test_a_score_does_not_depend_on_the_other_candidates(policy: Policy) -> None:
    state, cases, vectors = candidates(10)
    taught(policy, cases, vectors)
    alone = [policy.score(state, [case], vectors[i : i + 1])[0] for i, case in enumerate(cases)]
    assert np.allclose(alone, policy.score(state, cases, vectors), atol=1e-6)


def test_scoring_changes_nothing(policy: Policy) -> None:
    state, cases, vectors = candidates(10)
    taught(policy, cases, vectors)
    held = policy.dump() if isinstance(policy, LearningPolicy) else b""
    before = (state.copy(), [replace(case) for case in cases], vectors.copy())
    first = policy.score(state, cases, vectors)
    assert np.array_equal(first, policy.score(state, cases, vectors))
    assert np.array_equal(before[0], state)
    assert before[1] == cases
    assert np.array_equal(before[2], vectors)
    assert held == (policy.dump() if isinstance(policy, LearningPolicy) else b"")


def test_with_nothing_learned_the_nearer_of_equals_is_better(policy: Policy) -> None:
    state, cases, vectors = candidates(5)
    equals = [replace(case, reward=1.0, shown=0, helped=0.0) for case in cases]
    scores = policy.score(state, equals, vectors)
    assert list(np.argsort(scores)) == list(np.argsort(vectors @ state))


def test_with_nothing_learned_a_success_is_better_than_a_failure(learner: LearningPolicy) -> None:
    state, cases, vectors = candidates(2)
    same = np.stack([vectors[0], vectors[0]])
    failure, success = learner.score(state, cases, same)
    assert success > failure


@pytest.mark.parametrize("k", [1, 3])
def test_scores_move_toward_what_was_earned(learner: LearningPolicy, k: int) -> None:
    """One case helps, the others do not: it becomes the best by far, at states like those that were seen."""
    state, cases, vectors = candidates(8)
    rng = np.random.default_rng(5)
    for number in range(1, 201):
        at = rng.choice(8, k, replace=False)
        reward = float(0 in at)
        learner.learn([episode(number, vector(state, rng=rng), [cases[i] for i in at], vectors[at], reward)])
    scores = learner.score(state, cases, vectors)
    assert scores[0] == scores.max()
    assert scores[0] - np.delete(scores, 0).max() > 0.3


def test_a_case_may_help_here_and_mislead_there(learner: LearningPolicy) -> None:
    here, cases, vectors = candidates(2)
    there = vector(-here)
    rng = np.random.default_rng(5)
    for number in range(1, 201):
        at, first = int(rng.integers(2)), bool(rng.integers(2))
        state = vector(here if first else there, rng=rng)
        reward = float((at == 0) == first)
        learner.learn([episode(number, state, [cases[at]], vectors[at : at + 1], reward)])
    one, other = learner.score(here, cases, vectors), learner.score(there, cases, vectors)
    assert one[0] > one[1] + 0.3
    assert other[1] > other[0] + 0.3


def test_a_case_in_good_company_does_not_earn_what_the_company_did(learner: LearningPolicy) -> None:
    """The idler is shown only beside the case that helps; the decoy beside an idle one."""
    state, cases, vectors = candidates(4)
    equal = [replace(case, reward=1.0) for case in cases]
    same = np.stack([vectors[0]] * 4)
    rng, number = np.random.default_rng(5), 0
    for _ in range(60):
        for at, chance in (([0, 1], 0.6), ([1, 2], 0.1), ([0, 3], 0.6)):
            number += 1
            reward = float(rng.random() < chance)
            learner.learn([episode(number, vector(state, rng=rng), [equal[i] for i in at], same[at], reward)])
    scores = learner.score(state, equal, same)
    assert scores[0] > scores[1] + 0.2
    assert scores[0] > scores[3] + 0.05


def test_a_case_never_shown_has_a_score_of_its_own(learner: LearningPolicy) -> None:
    state, cases, vectors = candidates(6)
    taught(learner, cases, vectors)
    strangers = [replace(case, id=f"new-{case.id}") for case in cases]
    scores = learner.score(state, strangers, vectors)
    assert np.isfinite(scores).all()
    assert len(set(scores)) > 1


def test_a_later_verdict_takes_the_place_of_the_earlier_one(make: Callable[[int], LearningPolicy]) -> None:
    state, cases, vectors = candidates(1)
    corrected, wrong = make(D), make(D)
    for policy in (corrected, wrong):
        policy.learn([episode(i, state, cases, vectors, 0.0, run=f"run-{i}") for i in range(1, 13)])
    corrected.learn([episode(12 + i, state, cases, vectors, 1.0, run=f"run-{i}") for i in range(1, 13)])
    assert wrong.score(state, cases, vectors)[0] < 0.35
    assert corrected.score(state, cases, vectors)[0] > 0.65


def test_an_older_verdict_does_not_come_back(make: Callable[[int], LearningPolicy]) -> None:
    state, cases, vectors = candidates(1)
    policy = make(D)
    policy.learn([episode(9, state, cases, vectors, 1.0, run="one")])
    before = policy.dump()
    policy.learn([episode(3, state, cases, vectors, 0.0, run="one")])
    assert policy.dump() == before


def test_the_same_episodes_teach_the_same(make: Callable[[int], LearningPolicy]) -> None:
    _, cases, vectors = candidates(6)
    one, other = make(D), make(D)
    for policy in (one, other):
        taught(policy, cases, vectors)
    assert one.dump() == other.dump()


def test_nothing_to_learn_changes_nothing(learner: LearningPolicy) -> None:
    state, cases, vectors = candidates(3)
    taught(learner, cases, vectors)
    before = learner.dump()
    learner.learn([])
    assert learner.dump() == before
    learner.learn([Episode(number=99, run="empty", recalls=(), reward=1.0)])
    learner.learn([episode(100, state, [], np.zeros((0, D), dtype=np.float32), 1.0)])
    assert np.isfinite(learner.score(state, cases, vectors)).all()


def test_several_recalls_in_one_run(learner: LearningPolicy) -> None:
    """The first recall leads on to one that always succeeds or to one that always fails."""
    state, cases, vectors = candidates(4)
    rng = np.random.default_rng(2)
    later = vector()
    for number in range(1, 161):
        good = bool(rng.integers(2))
        then = Shown(
            state=vector(later, rng=rng),
            cases=(cases[2 + good],),
            vectors=vectors[2 + good : 3 + good],
            propensities=(1.0,),
        )
        first = [cases[int(good)]]
        shown = vectors[int(good) : int(good) + 1]
        learner.learn([episode(number, vector(state, rng=rng), first, shown, float(good), then=(then,))])
    scores = learner.score(state, cases[:2], vectors[:2])
    assert scores[1] > scores[0] + 0.3


def test_more_cases_at_once_than_are_remembered(learner: LearningPolicy) -> None:
    state, cases, vectors = candidates(30)
    for number in range(1, 30):
        learner.learn([episode(number, state, cases, vectors, 1.0)])
    assert np.isfinite(learner.score(state, cases, vectors)).all()


@pytest.mark.parametrize("n", [0, 1, 40, 300])
def test_dump_and_load(make: Callable[[int], LearningPolicy], n: int) -> None:
    state, cases, vectors = candidates(12)
    episodes = stream(n + 40, cases, vectors)
    policy, copy = make(D), make(D)
    policy.learn(episodes[:n])
    copy.load(policy.dump())
    assert copy.dump() == policy.dump()
    assert np.array_equal(copy.score(state, cases, vectors), policy.score(state, cases, vectors))
    for one in episodes[n:]:
        policy.learn([one])
        copy.learn([one])
    assert copy.dump() == policy.dump()
    assert np.array_equal(copy.score(state, cases, vectors), policy.score(state, cases, vectors))


def test_damage_is_found_and_changes_nothing(make: Callable[[int], LearningPolicy]) -> None:
    state, cases, vectors = candidates(12)
    policy = make(D)
    taught(policy, cases, vectors)
    whole = policy.dump()
    before = policy.score(state, cases, vectors)
    middle = len(whole) // 2
    for bad in (
        b"",
        b"nonsense",
        b"agentfly-policy\n",
        whole[:-1],
        whole[:40],
        whole + b"x",
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        json.dumps({"policy": policy.name}).encode(),
    ):
        with pytest.raises(PolicyError, match="agentfly memory policy retrain"):
            policy.load(bad)
        assert np.array_equal(before, policy.score(state, cases, vectors))
    assert policy.dump() == whole


def test_state_of_another_policy_or_of_other_dimensions(make: Callable[[int], LearningPolicy]) -> None:
    other = next(each for each in LEARNING if each is not make)
    with pytest.raises(PolicyError, match=f"policy '{other(D).name}'"):
        make(D).load(other(D).dump())
    with pytest.raises(PolicyError, match="8 dimensions"):
        make(D).load(make(8).dump())


def test_a_newer_format_is_refused(make: Callable[[int], LearningPolicy], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys.modules[make.__module__], "FORMAT", 2)
    newer = make(D).dump()
    monkeypatch.undo()
    with pytest.raises(PolicyError, match="newer agentfly"):
        make(D).load(newer)


def test_may_be_used_from_one_thread_after_another(learner: LearningPolicy) -> None:
    state, cases, vectors = candidates(6)
    episodes = stream(30, cases, vectors)
    for one in episodes:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(learner.learn, [one]).result()
    again = type(learner)(D)
    for one in episodes:
        again.learn([one])
    assert np.array_equal(learner.score(state, cases, vectors), again.score(state, cases, vectors))


rewards = st.floats(0.0, 1.0)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    earned=st.lists(rewards, min_size=1, max_size=30),
    k=st.integers(1, 5),
    make=st.sampled_from(LEARNING),
)
def test_scores_are_expected_rewards(
    seed: int, earned: list[float], k: int, make: Callable[[int], LearningPolicy]
) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.stack([vector(rng=rng) for _ in range(6)])
    cases = [Case(id=f"c{i}", question="q", reward=float(rng.random())) for i in range(6)]
    policy = make(D)
    for number, reward in enumerate(earned, 1):
        at = rng.choice(6, k, replace=False)
        policy.learn([episode(number, vector(rng=rng), [cases[i] for i in at], vectors[at], reward)])
    scores = policy.score(vector(rng=rng), cases, vectors)
    assert ((scores >= 0.0) & (scores <= 1.0)).all()


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    earned=st.lists(rewards, min_size=1, max_size=14),
    which=st.integers(0, 13),
    more=st.floats(0.05, 1.0),
)
def test_more_reward_for_a_case_near_a_state_never_lowers_its_score(
    seed: int, earned: list[float], which: int, more: float
) -> None:
    """A law of kernel episodic control, whatever is trusted in it; a network may break it."""

    def learned(earned: list[float]) -> float:
        rng = np.random.default_rng(seed)
        state = vector(rng=rng)
        vectors = np.stack([vector(rng=rng) for _ in range(3)])
        cases = [Case(id=f"c{i}", question="q") for i in range(3)]
        policy = EpisodicPolicy(D)
        for number, reward in enumerate(earned, 1):
            at = [0] if number - 1 == which else [int(rng.integers(3))]
            policy.learn([episode(number, vector(state, rng=rng), [cases[i] for i in at], vectors[at], reward)])
        return float(policy._evidence.of(state, cases, vectors).under(1.0)[0, 0])

    which %= len(earned)
    better = [min(1.0, reward + more) if i == which else reward for i, reward in enumerate(earned)]
    assert learned(better) >= learned(earned) - 1e-9
