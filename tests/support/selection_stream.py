"""A simulated stream of tasks on which the case-selection policies are measured.

The world, drawn anew for each seed, in 384 dimensions:

- 10 topics of 2 families each, so 20 task families. A topic is a random direction, a family another one. The embedding of a task is
  0.7 topic + 0.4 family + 0.6 noise, made of unit length: two tasks of a family have a cosine of about 0.64, of the
  two families of a topic about 0.49, of two topics about 0.
- A bank of 800 cases, 40 to a family. Each looks like a task of its family, more or less: its weights on topic and
  family are drawn from U(0.5, 0.8) and U(0.1, 0.5), **whatever kind it is of**, so that looks say nothing about use:
  10 *work*: they help tasks of their family and mislead those of the other family of the topic;
  15 are *decoys*: they mislead in both families;
  5 are *strays*: they look like their family and work for the other one;
  10 do *nothing*. All of them succeeded at their own task, so that their own reward is no hint.
- Candidates of a task are the 32 cases nearest to it.
- What is shown decides the chance of success: each shown case gives 1 where it helps, 0 where it misleads, 0.3 where it
  does nothing (that is what the agent can do by itself), and the chance is the mean over the K shown: the agent follows one
  of them. The outcome is then turned round with a probability of 10 %: the reward noise.

The oracle knows the chances and shows the K best of the same 32 candidates. A policy's share is its expected reward over
the oracle's, both with the noise in them.

In the other stream similarity is the truth: the chance that a case gives is a logistic function of its cosine alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from agentfly.composition import EXPLORING
from agentfly.memory.selection.choose import Choice, choose
from agentfly.memory.selection.named import policy_named
from agentfly.protocols import Episode, LearningPolicy, Policy, Shown
from agentfly.types import Case, Recalled

D, TOPICS, CANDIDATES = 384, 10, 32
NOISE, ALONE = 0.1, 0.3
KINDS = ("works",) * 10 + ("decoy",) * 15 + ("stray",) * 5 + ("nothing",) * 10


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


class World:
    """Tasks, cases, and what a case does for a task."""

    def __init__(self, seed: int, truth: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.truth = truth  # whether similarity is
        self.topics = unit(self.rng.normal(size=(TOPICS, D)))
        self.families = unit(self.rng.normal(size=(2 * TOPICS, D)))
        self.kinds = KINDS * (2 * TOPICS)
        self.home = np.repeat(np.arange(2 * TOPICS), len(KINDS))  # family that a case looks like
        looks = self.rng.uniform(0.5, 0.8, len(self.kinds)), self.rng.uniform(0.1, 0.5, len(self.kinds))
        self.vectors = self._drawn(self.home, looks[0][:, None], looks[1][:, None])
        self.cases = [Case(id=f"case-{i}", question=f"question {i}") for i in range(len(self.kinds))]

    def _drawn(self, family: np.ndarray, topic_weight: np.ndarray, family_weight: np.ndarray) -> np.ndarray:
        noise = 0.6 * unit(self.rng.normal(size=(len(family), D)))
        return unit(topic_weight * self.topics[family // 2] + family_weight * self.families[family] + noise)

    def task(self) -> tuple[int, np.ndarray]:
        """A task: its family and its embedding."""
        family = int(self.rng.integers(2 * TOPICS))
        return family, self._drawn(np.array([family]), np.array([[0.7]]), np.array([[0.4]]))[0]

    def chances(self, family: int, state: np.ndarray, places: np.ndarray) -> np.ndarray:
        """What each of these cases gives for a task."""
        if self.truth:
            return 1.0 / (1.0 + np.exp(-10.0 * (self.vectors[places] @ state - 0.5)))
        return np.array([self._chance(family, place) for place in places])

    def _chance(self, family: int, place: int) -> float:
        kind, home = self.kinds[place], int(self.home[place])
        if kind == "nothing" or home // 2 != family // 2:
            return ALONE
        if kind == "decoy":
            return 0.0
        return float((home == family) == (kind == "works"))


@dataclass(kw_only=True)
class Outcome:
    """What one policy earned on one stream."""

    greedy: float = 0.0
    """Share of the oracle's reward over the tail, with the greedy choice (as in evaluation)."""
    soft: float = 0.0
    """The same with the soft choice that it learned by."""
    updates: list[float] = field(default_factory=list)
    """Milliseconds of each update."""


def noisy(chance: float) -> float:
    """Expected reward: the outcome is turned round one time in ten."""
    return NOISE + (1 - 2 * NOISE) * chance


@dataclass(frozen=True, kw_only=True)
class Offer:
    """The candidates of one task as a policy scores them, and what each would give."""

    state: np.ndarray
    found: list[Recalled]
    vectors: np.ndarray
    chances: dict[str, float]

    @classmethod
    def of(cls, world: World, policy: Policy) -> Offer:
        family, state = world.task()
        cosines = np.vecdot(world.vectors, state)
        places = np.argsort(-cosines, kind="stable")[:CANDIDATES]
        cases, vectors = [world.cases[i] for i in places], world.vectors[places]
        scores = policy.score(state, cases, vectors)
        found = [
            Recalled(case=case, similarity=float(cosines[i]), score=float(score))
            for i, case, score in zip(places, cases, scores, strict=True)
        ]
        given = dict(zip((case.id for case in cases), world.chances(family, state, places), strict=True))
        return cls(state=state, found=found, vectors=vectors, chances=given)

    def best(self, k: int) -> float:
        """The oracle's expected reward."""
        return noisy(statistics.fmean(sorted(self.chances.values())[-k:]))

    def choose(self, choice: Choice) -> tuple[float, list[Recalled]]:
        """Expected reward of a choice, and the cases chosen."""
        chosen = choose(self.found, self.vectors, choice)
        return noisy(statistics.fmean(self.chances[one.case.id] for one in chosen)), chosen

    def episode(self, number: int, chosen: list[Recalled], reward: float) -> Episode:
        """The record of what was shown and what it earned."""
        places = {one.case.id: place for place, one in enumerate(self.found)}
        at = [places[one.case.id] for one in chosen]
        shown = Shown(
            state=self.state,
            cases=tuple(one.case for one in chosen),
            vectors=self.vectors[at],
            propensities=tuple(one.propensity for one in chosen),
        )
        return Episode(number=number, run=f"run-{number}", recalls=(shown,), reward=reward)


def stream(
    policy: Policy, seed: int, *, k: int, episodes: int, tail: int, truth: bool = False, temperature: float = EXPLORING
) -> Outcome:
    """Let a policy choose and learn, one episode after the other, through the real `choose` and `learn`.

    Up to the last episode it chooses softly and learns; over the tail its greedy choice on the same tasks is
    measured besides, without being learned from.
    """
    world, out, sums = World(seed, truth), Outcome(), np.zeros(3)
    coin = np.random.default_rng(seed + 1000)
    learns = isinstance(policy, LearningPolicy)
    for number in range(1, episodes + 1):
        offer = Offer.of(world, policy)
        reward, chosen = offer.choose(Choice(k=k, temperature=temperature if learns else 0.0, seed=number))
        if number > episodes - tail:
            sums += offer.best(k), offer.choose(Choice(k=k))[0], reward
        if isinstance(policy, LearningPolicy):
            episode = offer.episode(number, chosen, float(coin.random() < reward))
            start = time.perf_counter()
            policy.learn([episode])
            out.updates.append((time.perf_counter() - start) * 1e3)
    out.greedy, out.soft = float(sums[1] / sums[0]), float(sums[2] / sums[0])
    return out


def fresh(name: str) -> Policy:
    """A policy that has learned nothing."""
    return policy_named(name, D)


def milliseconds(action: Callable[[], object], times: int = 100) -> float:
    """Median time of an action."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e3
