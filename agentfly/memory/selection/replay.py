"""What a policy would do at the recorded recalls, without having learned from the runs that it is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from agentfly.memory.selection import record
from agentfly.memory.selection.baseline import Baseline
from agentfly.memory.selection.choose import likelihood, sequences
from agentfly.memory.selection.decisions import Decision, LoggedRun
from agentfly.memory.selection.scores import checked
from agentfly.protocols import Embedder, Episode, LearningPolicy, Policy
from agentfly.store.database import Database
from agentfly.types import Case, Recalled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

_FOLDS = 2
_DRAWS = 4  # choices of the policy over which the model's reward is averaged for each recall


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Runs to judge on, and what may be learned from for it."""

    places: tuple[int, ...]
    runs: tuple[LoggedRun, ...]
    training: list[Episode]
    baseline: Baseline
    outcomes: dict[str, tuple[int, float]]
    """How often each case was shown in `runs`, and the sum of the rewards."""
    cases: dict[str, Case] = field(default_factory=dict)
    """Those that were asked for, as they are known here."""

    def known(self, case: Case) -> Case:
        """The case with counters that tell nothing of `runs`."""
        if case.id not in self.cases:
            shown, helped = self.outcomes.get(case.id, (0, 0.0))
            self.cases[case.id] = replace(case, shown=max(case.shown - shown, 0), helped=max(case.helped - helped, 0.0))
        return self.cases[case.id]


def folds(db: Database, runs: Sequence[LoggedRun], embedder: Embedder) -> list[Fold]:
    """Every other run, so that both parts come from all times. What cannot be judged on is learned from in both."""
    episodes = record.episodes(db, 0, None, embedder.name, embedder.dimensions)
    found = []
    for part in range(_FOLDS):
        places = range(part, len(runs), _FOLDS)
        held_out = {runs[i].number for i in places}
        training = [one for one in episodes if one.number not in held_out]
        outcomes: dict[str, tuple[int, float]] = {}
        for episode in (one for one in episodes if one.number in held_out):
            for case in (case for shown in episode.recalls for case in shown.cases):
                count, total = outcomes.get(case.id, (0, 0.0))
                outcomes[case.id] = (count + 1, total + episode.reward)
        found.append(
            Fold(
                places=tuple(places),
                runs=tuple(runs[i] for i in places),
                training=training,
                baseline=Baseline(training),
                outcomes=outcomes,
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a policy does at the recorded recalls: the arguments of `estimators.doubly_robust`."""

    weights: Numbers
    expected: Numbers
    predicted: Numbers


def replayed(policy: Policy, parts: Sequence[Fold], temperature: float | None) -> Replay:
    """Train a policy for each fold, and let it make the recorded choices.

    Args:
        policy: left as it is given.
        parts: the folds.
        temperature: of its choice; None takes that of each recall.
    """
    import numpy as np

    n, steps = sum(len(part.runs) for part in parts), max(len(run.decisions) for part in parts for run in part.runs)
    replay = Replay(weights=np.ones((n, steps)), expected=np.zeros((n, steps)), predicted=np.zeros((n, steps)))
    first = policy.dump() if isinstance(policy, LearningPolicy) else b""
    try:
        for part in parts:
            if isinstance(policy, LearningPolicy):
                policy.load(first)
                policy.learn(part.training)
            for place, run in zip(part.places, part.runs, strict=True):
                _replay_run(policy, part, run, temperature, replay, place)
    finally:
        if isinstance(policy, LearningPolicy):
            policy.load(first)
    return replay


def _replay_run(
    policy: Policy, fold: Fold, run: LoggedRun, temperature: float | None, replay: Replay, place: int
) -> None:
    """The model's reward of a run is the mean over its recalls; each recall adds what it changes of the mean so far."""
    before = 0.0
    for step, decision in enumerate(run.decisions):
        likely, predicted, expected = _replay_decision(policy, fold, decision, temperature, seed=run.number + step)
        replay.weights[place, step:] *= likely / decision.propensity
        replay.predicted[place, step] = (predicted - before) / (step + 1)
        replay.expected[place, step] = (expected - before) / (step + 1)
        before += replay.predicted[place, step]


def _replay_decision(
    policy: Policy, fold: Fold, decision: Decision, temperature: float | None, seed: int
) -> tuple[float, float, float]:
    """Probability of the recorded choice under the policy; the model's reward of it, and of the policy's own choice."""
    import numpy as np

    vectors, cases = decision.vectors, [fold.known(one.case) for one in decision.candidates]
    scores = checked(policy.score(decision.state, cases, vectors), len(cases), policy).tolist()
    scored = [
        Recalled(case=case, similarity=one.similarity, score=score)
        for case, one, score in zip(cases, decision.candidates, scores, strict=True)
    ]
    choice = decision.choice if temperature is None else replace(decision.choice, temperature=temperature)
    worth = fold.baseline.worth(decision.state, [one.case.id for one in scored])
    cosines = np.array([one.similarity for one in scored])
    successes = np.array([one.case.success for one in scored], dtype=np.float64)

    def reward(order: Sequence[int]) -> float:
        rows = list(order)
        return fold.baseline.reward(worth[rows], cosines[rows], successes[rows])

    draws = _DRAWS if choice.temperature > 0 else 1
    own = [reward(order) for order in sequences(scored, vectors, replace(choice, seed=seed), draws)]
    likely = float(np.prod(likelihood(scored, vectors, choice, decision.order)))
    return likely, reward(decision.order), float(np.mean(own))
