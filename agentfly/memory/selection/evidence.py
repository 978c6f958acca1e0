"""What the record says about a case near a state: the estimate that both policies that learn rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentfly.memory.selection import prior
from agentfly.memory.selection.buffer import WIDTH, Buffer, active_part, kept, key
from agentfly.memory.selection.estimates import Estimate, Near
from agentfly.memory.selection.kernel import credit, kernel
from agentfly.memory.selection.tallies import Tallies
from agentfly.memory.selection.tuning import Tuning, due, tuned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentfly.protocols import Episode, Shown, Vector
    from agentfly.types import Case

    Numbers = NDArray[Any]

NEIGHBOURS = 256
"""Past recalls that one estimate rests on: those of the highest kernel weight."""

STATE_PRIOR = 2.0
"""Recalls that the prior of a state's own ease is worth."""

TRUSTS = (0.0, 0.5, 1.0)
"""How much of what the record says of single cases may count."""

_CLEARLY = 0.5  # nats by which it must have foretold better than the prior before it counts
_FADING = 0.997  # by which the losses of the trusts fade with each recall
_TOGETHER = 32  # episodes of a long list that are taken in at a time


class Evidence:
    """Judged recalls, and estimates from them.

    Args:
        dimensions: d of the embeddings.
        extras: further arrays to keep beside each recall, see `Buffer`.
    """

    def __init__(self, dimensions: int, extras: Mapping[str, tuple[int, ...]] | None = None) -> None:
        import numpy as np

        self.buffer = Buffer(dimensions, extras)
        self.tallies = Tallies()
        self.tuning = Tuning()
        self.prior = np.array(prior.START)
        self.losses = np.zeros((3, 6))  # of the tunings that were tried
        self.foretold = np.zeros(len(TRUSTS))  # losses of the trusts on rewards not known yet
        self.seen = 0  # episodes taken in
        self._due = due(0)

    @property
    def trust(self) -> float:
        """Part of what the record says of single cases that counts: the one that foretold the latest rewards best."""
        best = int(self.foretold.argmin())
        return TRUSTS[best] if self.foretold[0] - self.foretold[best] > _CLEARLY else 0.0

    def _judge(self, rows: Sequence[int], estimate: Estimate) -> None:
        """Count what each trust would have lost on rewards that the estimate did not know."""
        import numpy as np

        b, places = self.buffer, list(rows)
        rewards, active, shares = b["rewards"][places], b["active"][places], b["shares"][places]
        for i, trust in enumerate(TRUSTS):
            found = np.clip((estimate.under(trust) * shares).sum(axis=1), 0.02, 0.98)
            loss = -(rewards * np.log(found) + (1.0 - rewards) * np.log(1.0 - found))
            self.foretold[i] = _FADING ** len(places) * self.foretold[i] + float((active * loss).sum())

    def take(self, episodes: Sequence[Episode], note: Any = None) -> None:
        """Take in judged runs, in the order of their numbers; see `agentfly.protocols.LearningPolicy.learn`.

        Args:
            episodes: one, or a long list, which is taken in many at a time.
            note: called as ``note(rows, recalls, estimate)`` with each batch before its rewards are known to anything
                here, so that what it writes down beside them is what was known when they were shown.
        """
        episodes = kept(episodes, self.buffer.capacity)
        for start in range(0, len(episodes), _TOGETHER):
            self._take(episodes[start : start + _TOGETHER], note)

    def _take(self, episodes: Sequence[Episode], note: Any) -> None:
        fresh = [episode for episode in episodes if self._forget(episode)]
        recalls = [(episode, shown) for episode in fresh for shown in episode.recalls if shown.cases]
        self.seen += len(fresh)
        if recalls:
            estimate = self._expected([shown for _, shown in recalls])
            rows = [self._write(episode, shown) for episode, shown in recalls]
            for (episode, _), row, (after, _), later in zip(recalls, rows, recalls[1:], rows[1:], strict=False):
                if after is episode:
                    self.buffer.arrays["following"][row] = later
            self._judge(rows, estimate)
            if note is not None:
                note(rows, recalls, estimate)
        if self.seen >= self._due:
            self._due = due(self.seen)
            self.prior = self._fitted()
            self.tuning, self.losses = tuned(self)

    def _forget(self, episode: Episode) -> bool:
        """Drop what the run said before; False for one that is older than that."""
        rows, number = self.buffer.known(episode.run)
        if number > episode.number:
            return False
        for row in rows:
            self._tally(row, -1)
        self.buffer.drop(rows)
        return True

    def _write(self, episode: Episode, shown: Shown) -> int:
        buffer = self.buffer
        row = buffer.place()
        if buffer["active"][row] > 0:
            self._tally(row, -1)
        buffer.write(row, shown, episode, active_part(episode))
        buffer.arrays["expected"][row] = self._slate_prior(row)
        self._tally(row, 1)
        return row

    def _tally(self, row: int, sign: int) -> None:
        buffer = self.buffer
        part = sign * float(buffer["active"][row])
        residual = part * float(buffer["rewards"][row] - buffer["expected"][row])
        self.tallies.add([int(case) for case in buffer["cases"][row] if case], part, residual)

    def _slate_prior(self, row: int) -> float:
        buffer = self.buffer
        found = prior.expected(self.prior, buffer["cosines"][row], buffer["outcomes"][row])
        return float((found * buffer["shares"][row]).sum())

    def _expected(self, shown: Sequence[Shown]) -> Estimate:
        """Estimates for the cases of some recalls, padded to `WIDTH`."""
        import numpy as np

        keys = np.zeros((len(shown), WIDTH), dtype=np.int64)
        cosines, outcomes = np.zeros((2, len(shown), WIDTH))
        for i, one in enumerate(shown):
            n = min(WIDTH, len(one.cases))
            keys[i, :n] = [key(case.id) for case in one.cases[:n]]
            cosines[i, :n] = np.vecdot(one.vectors[:n], one.state)
            outcomes[i, :n] = [case.reward for case in one.cases[:n]]
        return self.estimate(np.stack([one.state for one in shown]), keys, cosines, outcomes)

    def _fitted(self) -> Numbers:
        b = self.buffer
        return prior.fit(self.prior, b["cosines"], b["outcomes"], b["shares"], b["rewards"], b["active"])

    def of(self, state: Vector, cases: Sequence[Case], vectors: Vector) -> Estimate:
        """The estimate for n candidates at one state: arrays of shape (1, n)."""
        import numpy as np

        keys = np.array([key(case.id) for case in cases], dtype=np.int64)
        cosines = np.vecdot(vectors, state).astype(np.float64)
        outcomes = np.array([case.reward for case in cases])
        return self.estimate(state[None], keys[None], cosines[None], outcomes[None])

    def estimate(self, states: Vector, keys: Numbers, cosines: Numbers, outcomes: Numbers) -> Estimate:
        """Estimates for C cases at each of B states.

        Args:
            states: shape (B, d).
            keys: of the cases, shape (B, C); see `buffer.key`.
            cosines: of states and cases, shape (B, C).
            outcomes: what the cases earned themselves, shape (B, C).
        """
        import numpy as np

        similarities = np.stack([np.vecdot(self.buffer["states"], state) for state in states])
        return self.estimate_from(self.near(similarities, keys), keys, cosines, outcomes, self.tuning)

    def near(self, similarities: Numbers, keys: Numbers, most: int = NEIGHBOURS) -> Near:
        """The past recalls that estimates at B states rest on.

        Args:
            similarities: cosines of the states with the remembered ones, shape (B, size); -2 leaves one out.
            keys: of the cases that will be asked for, shape (B, C).
            most: R, the recalls that are taken for each state.
        """
        import numpy as np

        b, size = self.buffer, self.buffer.size
        usable = np.where(b["active"] > 0, similarities, -2.0)
        if size > most:
            rows = np.argpartition(usable, size - most, axis=1)[:, -most:]
        else:
            rows = np.broadcast_to(np.arange(size), usable.shape)
        similarities = np.take_along_axis(usable, rows, axis=1)
        width = b.width
        cases, shares = b["cases"][rows, :width], b["shares"][rows, :width]
        units, places = np.unique(np.concatenate([cases.ravel(), keys.ravel()]), return_inverse=True)
        usual = prior.expected(self.prior, b["cosines"][rows, :width], b["outcomes"][rows, :width])
        here = places[: cases.size]
        times_shown = np.bincount(here, minlength=len(units))
        mean = (np.bincount(here, usual.ravel(), len(units)) + 0.5) / (times_shown + 1.0)
        counts, overall = self.tallies.of(units)
        return Near(
            similarities=similarities,
            active=b["active"][rows] * (similarities > -1.5),
            places=here.reshape(cases.shape),
            shares=shares,
            beyond=b["rewards"][rows] - (shares * usual).sum(axis=2),
            asked=places[cases.size :].reshape(keys.shape),
            usual=mean,
            overall=overall,
            counts=counts,
        )

    def estimate_from(self, near: Near, keys: Numbers, cosines: Numbers, outcomes: Numbers, tuning: Tuning) -> Estimate:
        """`estimate` from the recalls that are `near`, under a given tuning."""
        import numpy as np

        weights = kernel(near.similarities, tuning.near, tuning.bandwidth) * near.active
        overall = tuning.carry * near.overall
        residuals = near.beyond - (near.shares * overall[near.places]).sum(axis=2)
        # A showing among others says less; without this the prior would outweigh all that slates can tell.
        held = (near.shares > 0).sum(axis=(1, 2)), (near.shares.max(axis=2, initial=0.0) > 0).sum(axis=1)
        pseudo = tuning.pseudo * (np.maximum(held[1], 1) / np.maximum(held[0], 1))[:, None]
        bounds = (-near.usual - overall, 1.0 - near.usual - overall)
        found = credit(weights, near.places, near.shares, residuals, bounds, pseudo, STATE_PRIOR)
        batch = np.arange(len(keys))[:, None]
        return Estimate(
            prior=prior.expected(self.prior, cosines, outcomes),
            overall=overall[near.asked],
            ease=np.broadcast_to(found.baseline[:, None], keys.shape),
            effect=found.effects[batch, near.asked],
            weight=found.weights[batch, near.asked],
            count=near.counts[near.asked],
            cosines=cosines,
            outcomes=outcomes,
            trust=self.trust,
        )

    def dump(self) -> dict[str, Numbers]:
        """Everything, as arrays to be saved."""
        import numpy as np

        return {
            **self.buffer.dump(),
            **self.tallies.dump(),
            "prior": self.prior,
            "tuning": np.array(self.tuning.values()),
            "losses": self.losses,
            "foretold": self.foretold,
            "progress": np.array([self.seen, self._due], dtype=np.int64),
        }

    def load(self, saved: Mapping[str, Numbers]) -> None:
        """Take over what `dump` gave.

        Raises:
            ValueError, KeyError: it does not fit.
        """
        import numpy as np

        if saved["prior"].shape != (3,) or not np.isfinite(saved["prior"]).all():
            raise ValueError("the prior does not fit")
        if saved["losses"].shape != (3, 6) or not np.isfinite(saved["losses"]).all():
            raise ValueError("the losses do not fit")
        if saved["foretold"].shape != (len(TRUSTS),) or not np.isfinite(saved["foretold"]).all():
            raise ValueError("the losses of the trusts do not fit")
        tuning, tallies = Tuning.of(saved["tuning"]), Tallies()
        tallies.load(saved)
        self.buffer.load(saved)
        self.tallies, self.tuning, self.prior = tallies, tuning, saved["prior"].astype(np.float64)
        self.losses = saved["losses"].astype(np.float64)
        self.foretold = saved["foretold"].astype(np.float64)
        self.seen, self._due = (int(n) for n in saved["progress"])
