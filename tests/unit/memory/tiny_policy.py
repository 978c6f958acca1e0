"""A policy that learns as little as possible, and a record to learn from."""

from __future__ import annotations

import json
import time

import numpy as np

from agentfly.errors import PolicyError
from agentfly.memory import credit
from agentfly.memory.recollection import Recollection
from agentfly.memory.selection.choose import Choice
from agentfly.types import Recalled


class TinyPolicy:
    """Q(s, c) is the mean reward of the runs that c was shown in; 0.5 for a case never shown."""

    def __init__(self, name: str = "tiny", seconds: float = 0.0) -> None:
        self.name = name
        self.seconds = seconds
        self.runs: dict[str, tuple[float, list[str]]] = {}
        self.numbers: list[int] = []

    def score(self, state, cases, vectors):
        totals: dict[str, list[float]] = {}
        for reward, shown in self.runs.values():
            for id in shown:
                totals.setdefault(id, []).append(reward)
        return np.array([np.mean(totals.get(case.id, [0.5])) for case in cases])

    def learn(self, episodes) -> None:
        for episode in episodes:
            time.sleep(self.seconds)
            assert not self.numbers or episode.number > self.numbers[-1], "out of order"
            self.numbers.append(episode.number)
            self.runs[episode.run] = (episode.reward, [case.id for part in episode.recalls for case in part.cases])

    def dump(self) -> bytes:
        return json.dumps({"format": 1, "runs": self.runs, "numbers": self.numbers}).encode()

    def load(self, data: bytes) -> None:
        try:
            held = json.loads(data)
            format_ = held["format"]
        except (ValueError, KeyError, TypeError):
            raise PolicyError("it is damaged") from None
        if format_ > 1:
            raise PolicyError("it has a newer format")
        self.runs = {run: (reward, shown) for run, (reward, shown) in held["runs"].items()}
        self.numbers = held["numbers"]

    def describe(self):
        return {"runs": len(self.runs)}


def show(bank, run: str, cases, *, state=None, propensity: float = 0.5, temperature: float = 0.1) -> None:
    """Record that cases were shown, in this order."""
    dimensions = bank.embedder.dimensions
    if state is None:
        state = np.eye(1, dimensions, dtype=np.float32)[0]
    recalled = tuple(Recalled(case=case, similarity=0.5, score=0.5, propensity=propensity) for case in cases)
    recollection = Recollection(
        text="?",
        state=state,
        chosen=recalled,
        candidates=tuple(case.id for case in cases),
        choice=Choice(k=len(cases), temperature=temperature),
        policy="tiny",
        policy_version=0,
    )
    credit.shown(bank._db, run, f"task-{run}", recollection, bank.embedder.name)


def judged(bank, run: str, cases, reward: float, **options) -> None:
    """Record a run that was judged."""
    show(bank, run, cases, **options)
    credit.outcome(bank._db, run, reward)
