"""The parts of the selection policies that learn, and a short stream on which they have to learn something."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.selection_stream import fresh, stream

from agentfly.errors import InputError, PolicyError
from agentfly.memory.selection import buffer, evidence, prior
from agentfly.memory.selection.buffer import Buffer, kept, key
from agentfly.memory.selection.evidence import Evidence
from agentfly.memory.selection.kernel import credit, kernel, times
from agentfly.memory.selection.named import POLICIES, policy_named
from agentfly.memory.selection.network import Network
from agentfly.memory.selection.neural import TEMPERATURE, NeuralPolicy
from agentfly.memory.selection.stateformat import pack, unpack
from agentfly.memory.selection.tallies import Tallies
from agentfly.memory.selection.tuning import Tuning
from agentfly.protocols import Episode, Shown
from agentfly.types import Case

D = 8


def unit(*values: float) -> np.ndarray:
    vector = np.zeros(D, dtype=np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


def recall(state: np.ndarray, *ids: str) -> Shown:
    vectors = np.array([unit(1, i) for i in range(len(ids))], dtype=np.float32).reshape(-1, D)
    cases = tuple(Case(id=id, question=id) for id in ids)
    return Shown(state=state, cases=cases, vectors=vectors, propensities=(1.0,) * len(ids))


def episode(number: int, *recalls: Shown, reward: float = 1.0, run: str = "") -> Episode:
    return Episode(number=number, run=run or f"run-{number}", recalls=recalls, reward=reward)


@pytest.mark.parametrize("name", ["episodic", "neural"])
def test_a_policy_learns_what_similarity_cannot_see(name: str) -> None:
    """The benchmark in small: looser bounds, for a policy that has stopped learning."""
    similarity = stream(fresh("similarity"), 0, k=1, episodes=900, tail=200)
    learned = stream(fresh(name), 0, k=1, episodes=900, tail=200)
    assert similarity.greedy <= 0.65
    assert learned.greedy >= 0.75
    assert learned.soft >= 0.65


@pytest.mark.parametrize("name", POLICIES)
def test_policies_by_name(name: str) -> None:
    assert policy_named(name, D).name == name


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(InputError, match="similarity, episodic, neural"):
        policy_named("best", D)


# Local credit


def shared(slates: list[list[int]], rewards: list[float], size: int, pseudo: float = 1.0, base: float = 1e9):
    width = max(len(slate) for slate in slates)
    places = np.zeros((1, len(slates), width), dtype=int)
    shares = np.zeros((1, len(slates), width))
    for i, slate in enumerate(slates):
        places[0, i, : len(slate)], shares[0, i, : len(slate)] = slate, 1 / len(slate)
    bounds = (np.full(size, -1.0), np.full(size, 1.0))
    weights = np.ones((1, len(slates)))
    return credit(weights, places, shares, np.array([rewards]), bounds, np.array([[pseudo]]), base)


def test_for_single_cases_the_credit_is_the_kernel_weighted_mean_with_pseudo_counts() -> None:
    found = shared([[0], [0], [1]], [0.8, 0.4, -0.6], size=3, pseudo=2.0)
    assert found.effects[0] == pytest.approx([1.2 / 4, -0.6 / 3, 0.0], abs=1e-6)
    assert found.weights[0] == pytest.approx([2, 1, 0])


def test_credit_of_a_slate_goes_to_the_case_that_earned_it() -> None:
    """Case 0 earns 0.8, the others nothing; 1 is always beside it, and without 0 nothing comes of 1."""
    found = shared([[0, 1], [1, 2], [0, 2]] * 30, [0.4, 0.0, 0.4] * 30, size=3, pseudo=0.01)
    assert found.effects[0] == pytest.approx([0.8, 0.0, 0.0], abs=0.03)


def test_effects_keep_within_their_bounds() -> None:
    found = shared([[0, 1]] * 20 + [[0]] * 5, [1.0] * 20 + [0.0] * 5, size=2, pseudo=0.01)
    assert (np.abs(found.effects) <= 1.0).all()


def test_what_all_cases_earn_alike_is_the_ease_of_the_state() -> None:
    found = shared([[i] for i in range(8)], [0.5] * 8, size=8, pseudo=1.0, base=1.0)
    assert found.baseline[0] == pytest.approx(0.5 * 8 / 9)
    assert np.abs(found.effects).max() < 0.05


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.floats(-1, 1), st.floats(0.01, 1))
def test_the_kernel_falls_with_distance_and_is_at_most_one(cosines: list[float], near: float, width: float) -> None:
    weights = kernel(np.sort(cosines), near, width)
    assert ((weights >= 0) & (weights <= 1)).all()
    assert (np.diff(weights) >= 0).all()


@settings(max_examples=20)
@given(st.integers(1, 700), st.integers(1, 400), st.integers(1, 40))
def test_products_in_blocks_are_products(n: int, k: int, m: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(n, k)).astype("f4"), rng.normal(size=(k, m)).astype("f4")
    assert np.allclose(times(a, b), a @ b, rtol=1e-4, atol=1e-3)


# What is remembered


def test_the_oldest_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Buffer.__init__, "__defaults__", (None, 10))
    held = Evidence(D)
    for number in range(1, 26):
        held.take([episode(number, recall(unit(1), f"case-{number}"))])
    assert held.buffer.size == 10
    assert sorted(held.buffer["numbers"]) == list(range(16, 26))
    assert len(held.tallies) == 10
    counts, _ = held.tallies.of(np.array([key("case-25"), key("case-1")]))
    assert list(counts) == [1.0, 0.0]


def test_a_run_judged_again_is_counted_once() -> None:
    held = Evidence(D)
    for number, reward in enumerate([1.0, 0.0, 1.0], 1):
        held.take([episode(number, recall(unit(1), "a"), reward=reward, run="same")])
    assert held.buffer["active"].sum() == 1
    assert held.tallies.of(np.array([key("a")]))[0] == [1.0]


def test_recalls_of_one_run_share_one_reward() -> None:
    held = Evidence(D)
    held.take([episode(1, recall(unit(1), "a"), recall(unit(0, 1), "b"), recall(unit(0, 1)))])
    assert list(held.buffer["active"]) == [0.5, 0.5]
    assert list(held.buffer["following"]) == [1, -1]


def test_a_long_list_keeps_the_last_word_of_the_latest_runs() -> None:
    said = [episode(i, recall(unit(1), "a"), run=f"run-{i % 6}") for i in range(1, 20)]
    assert [one.number for one in kept(said, 4)] == [16, 17, 18, 19]
    assert [one.number for one in kept(said, 100)] == [14, 15, 16, 17, 18, 19]


def test_keys_are_never_nothing() -> None:
    assert key("") != 0
    assert key("a") != key("b")
    assert key("\udc80") > 0


def test_a_tally_comes_back_to_nothing() -> None:
    tallies = Tallies()
    tallies.add([1, 2], 1.0, 0.4)
    tallies.add([1], 1.0, 0.2)
    assert tallies.of(np.array([1, 2, 3]))[0] == pytest.approx([2, 1, 0])
    assert tallies.without(np.array([2]), np.array(1.0), np.array(0.4)) == pytest.approx([0.0])
    tallies.add([1, 2], -1.0, -0.4)
    assert len(tallies) == 1


def test_the_estimate_is_in_parts_that_add_up() -> None:
    held = Evidence(D)
    held.take([episode(i, recall(unit(1), "a"), reward=1.0) for i in range(1, 10)])
    found = held.of(unit(1), [Case(id="a", question=""), Case(id="b", question="")], np.stack([unit(1), unit(1)]))
    assert found.weight[0] == pytest.approx([9, 0])
    assert found.effect[0, 1] == 0.0
    assert found.under(1.0)[0, 0] > found.under(1.0)[0, 1] > 0.5


def test_what_the_record_says_of_single_cases_counts_only_where_it_foretells_better() -> None:
    rng = np.random.default_rng(3)
    helps, noise = Evidence(D), Evidence(D)
    for i in range(1, 200):
        shown = recall(unit(1), "ab"[i % 2])
        helps.take([episode(i, shown, reward=float(i % 2))])
        noise.take([episode(i, shown, reward=float(rng.integers(2)))])
    assert helps.trust > 0.0
    assert noise.trust == 0.0


# The prior


def test_the_prior_learns_which_way_the_cosine_pays() -> None:
    rng = np.random.default_rng(0)
    cosines = rng.uniform(0, 1, (500, 1))
    rewards = (rng.random(500) < 1 - cosines[:, 0]).astype(float)  # the nearer, the worse
    weights = prior.fit(
        np.array(prior.START), cosines, np.ones_like(cosines), np.ones_like(cosines), rewards, np.ones(500)
    )
    assert weights[1] < 0
    low, high = prior.expected(weights, np.array([0.1, 0.9]), np.ones(2))
    assert low == pytest.approx(0.9, abs=0.12)
    assert high == pytest.approx(0.1, abs=0.12)


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_the_prior_bears_rewards_all_of_one_kind(reward: float) -> None:
    cosines = np.full((50, 1), 0.6)
    weights = prior.fit(
        np.array(prior.START), cosines, np.ones((50, 1)), np.ones((50, 1)), np.full(50, reward), np.ones(50)
    )
    assert np.isfinite(weights).all()
    assert abs(prior.expected(weights, np.array(0.6), np.array(1.0)) - reward) < 0.15


# The network


def test_the_network_begins_as_what_it_is_given() -> None:
    network, rng = Network(6, 2), np.random.default_rng(0)
    x, offsets = rng.normal(size=(4, 6)).astype("f4"), np.array([-1.0, 0.0, 1.0, 3.0])
    assert network(x, offsets) == pytest.approx(1 / (1 + np.exp(-offsets)))


def test_the_network_descends() -> None:
    network, rng = Network(6, 2, rate=1e-2, decay=0.0), np.random.default_rng(0)
    x = rng.normal(size=(64, 6)).astype("f4")
    rewards = (x[:, 3] * x[:, 4] > 0).astype(float)  # no line parts these
    for _ in range(1500):
        logits, hidden = network.logits(x, np.zeros(64))
        network.descend(x, hidden, (1 / (1 + np.exp(-logits)) - rewards) / 64)
    assert ((network(x, np.zeros(64)) > 0.5) == rewards).mean() > 0.9


def test_an_earlier_recall_is_taught_the_soft_value_of_the_next() -> None:
    """alpha log mean exp(Q(s', c') / alpha) in place of the reward; the last recall is taught the reward."""
    policy = NeuralPolicy(D)
    policy.learn([episode(1, recall(unit(1), "a"), recall(unit(0, 1), "b", "c"), reward=1.0)])
    x, offsets, _ = policy._batch(np.array([1]))
    values = policy._network(x, offsets)[:2]
    soft = TEMPERATURE * math.log(np.exp(values / TEMPERATURE).mean())
    assert policy._targets(np.array([0, 1])) == pytest.approx([soft, 1.0], abs=1e-6)


# The state as bytes


def test_the_state_is_no_pickle_and_says_what_it_is() -> None:
    data = pack("episodic", 1, D, {"a": np.arange(3, dtype="f4")})
    assert b'"policy": "episodic", "version": 1, "dimensions": 8' in data
    assert unpack(data, "episodic", 1, D)["a"].tolist() == [0, 1, 2]


@settings(max_examples=60)
@given(st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    whole = pack("episodic", 1, D, {"a": np.arange(30, dtype="f8")})
    at = data.draw(st.integers(0, len(whole) - 1))
    bad = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    with pytest.raises(PolicyError):
        unpack(bad, "episodic", 1, D)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"prior": np.array([np.nan, 1, 1])},
        {"active": np.ones(5000, dtype="f4")},
        {"tuning": np.array([0.5, 0.0, 1.0, 0.5])},
        {"tallies": np.ones((7, 2))},
    ],
)
@pytest.mark.parametrize("name", ["episodic", "neural"])
def test_a_whole_state_that_makes_no_sense_is_refused(name: str, arrays: dict[str, np.ndarray]) -> None:
    """The checksum is right, what is said is not."""
    policy = policy_named(name, D)
    policy.learn([episode(1, recall(unit(1), "a"))])
    good = unpack(policy.dump(), name, 1, D)
    before = policy.dump()
    with pytest.raises(PolicyError, match="retrain"):
        policy.load(pack(name, 1, D, {**good, **arrays} if arrays else {}))
    assert policy.dump() == before


def test_tuning_out_of_range_is_refused() -> None:
    assert Tuning.of(np.array(Tuning().values())) == Tuning()
    with pytest.raises(ValueError):
        Tuning.of(np.array([0.5, 0.1, -1.0, 0.5]))


def test_what_is_remembered_is_bounded() -> None:
    assert buffer.CAPACITY * buffer.WIDTH <= 1 << 16
    assert evidence.NEIGHBOURS <= buffer.CAPACITY
