"""Q(s, c; theta) by a small network over the embeddings and over what the record says of the case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentfly.memory.selection.buffer import WIDTH
from agentfly.memory.selection.estimates import Estimate
from agentfly.memory.selection.evidence import Evidence
from agentfly.memory.selection.kernel import times
from agentfly.memory.selection.network import Network
from agentfly.memory.selection.stateformat import pack, unpack, unusable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agentfly.protocols import Episode, Scores, Shown, Vector
    from agentfly.types import Case

    Numbers = NDArray[Any]

FORMAT = 1
CODE = 32  # numbers that an embedding is projected to for the network
FEATURES = 8
BATCH = 48  # recalls of one step
_LONG = 256  # episodes at once from which on not each of them makes for a step
DISCOUNT = 1.0  # gamma: all recalls of a run serve the same end
TEMPERATURE = 0.1  # alpha of the soft-Q target; that of the soft choice
TRUSTS = (0.0, 0.25, 0.5, 1.0)  # how much of the network's part may count
_FADING = 0.997  # by which the losses of the trusts fade with each recall
_CLEARLY = 3.0  # nats by which it must have foretold better before it counts at all
_EARLY = 16  # recalls before which nothing is trained


class NeuralPolicy:
    """Q(s, c; theta): AgentFly's parametric read (arXiv 2508.16153, section 3).

        logit Q(s, c; theta) = logit Q_kernel(s, c) + trust . f(x; theta)

    Q_kernel is the estimate of `EpisodicPolicy`, so that the network learns what that misses, and x holds its parts as
    features (prior, overall mean, effect near the state, weight of the evidence, number of showings), cosine and own
    reward, and the embeddings of state and case as codes of 32 numbers with their product and difference. The features
    of a recall are written down before its reward is known: no outcome is in its own features.

    Loss, over a replay of the latest 4,096 recalls: cross-entropy -y log q - (1 - y) log(1 - q), with q the mean of
    Q(s, c; theta) over the shown cases (the one shown, Q itself), so that credit is shared additively. For the last recall
    of a run y is the reward; for an earlier one it is the soft-Q target of AgentFly's M-MDP (its eq. 7 to 10)

        y = gamma alpha log( 1/n sum_c' exp(Q(s', c'; theta) / alpha) )

    over the n cases shown in the next recall. The reward comes at the end only, so r = 0 before; the mean in place of the
    sum shifts y by a constant alpha log n and keeps it within [0, 1].

    `trust` in {0, 1/4, 1/2, 1} is the one under which the latest rewards, each before it was learned from, would have been
    foretold best, by at least 3 nats: a network that has learned noise by heart does not count.

    Args:
        dimensions: d of the embeddings.
        seed: of the first weights and of the batches.
    """

    name = "neural"

    def __init__(self, dimensions: int, seed: int = 0) -> None:
        import numpy as np

        self._dimensions, self._seed = dimensions, seed
        size = min(CODE, dimensions)
        basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, size)))
        self._basis = (basis * np.sqrt(dimensions)).astype(np.float32)  # codes of about unit variance
        self._evidence = self._fresh()
        self._network = self._untrained()
        self._losses = np.zeros(len(TRUSTS))

    @property
    def trust(self) -> float:
        """Part of the network's correction that counts: the one that would have foretold the latest rewards best."""
        best = int(self._losses.argmin())
        return TRUSTS[best] if self._losses[0] - self._losses[best] > _CLEARLY else 0.0

    def _fresh(self) -> Evidence:

        size = self._basis.shape[1]
        return Evidence(self._dimensions, {"codes": (WIDTH, size), "features": (WIDTH, FEATURES), "logits": (WIDTH,)})

    def _untrained(self) -> Network:
        return Network(FEATURES + 4 * self._basis.shape[1], FEATURES, seed=self._seed)

    def score(self, state: Vector, cases: Sequence[Case], vectors: Vector) -> Scores:
        """See `agentfly.protocols.Policy`; in (0, 1)."""
        import numpy as np

        if not cases:
            return np.zeros(0)

        features, offsets = _features(self._evidence.of(state, cases, vectors))
        codes = times(vectors, self._basis)
        x = _inputs(features[0], np.broadcast_to(state @ self._basis, codes.shape), codes)
        scores: Scores = self._network(x, offsets[0], self.trust)
        return scores

    def learn(self, episodes: Sequence[Episode]) -> None:
        """See `agentfly.protocols.LearningPolicy`."""
        before = self._evidence.seen
        self._evidence.take(episodes, self._note)
        new = self._evidence.seen - before
        for _ in range(new if new <= _LONG else _LONG + (new - _LONG) // 3):
            self._step()

    def _note(self, rows: Sequence[int], recalls: Sequence[tuple[Episode, Shown]], estimate: Estimate) -> None:
        """Write down beside each recall what the network saw of it."""
        import numpy as np

        arrays = self._evidence.buffer.arrays
        features, offsets = _features(estimate)
        for i, (row, (_, shown)) in enumerate(zip(rows, recalls, strict=True)):
            n = min(len(shown.cases), arrays["codes"].shape[1])
            arrays["codes"][row] = 0.0
            arrays["codes"][row, :n] = (shown.vectors[:n] @ self._basis).astype("f2")
            arrays["features"][row], arrays["logits"][row] = features[i].astype("f2"), offsets[i].astype("f2")
        self._judge(np.array(rows))

    def _judge(self, rows: Numbers) -> None:
        """Count what each trust would have lost on recalls that the network was not trained on."""
        import numpy as np

        b = self._evidence.buffer
        x, offsets, shares = self._batch(rows)
        rewards = b["rewards"][rows]
        for i, trust in enumerate(TRUSTS):
            found = np.clip((self._network(x, offsets, trust).reshape(shares.shape) * shares).sum(axis=1), 0.02, 0.98)
            loss = -(rewards * np.log(found) + (1.0 - rewards) * np.log(1.0 - found))
            self._losses[i] = _FADING ** len(rows) * self._losses[i] + float((b["active"][rows] * loss).sum())

    def _step(self) -> None:
        import numpy as np

        b = self._evidence.buffer
        usable = np.flatnonzero(b["active"] > 0)
        if len(usable) < _EARLY:
            return
        rng = np.random.default_rng((self._seed, self._network.steps))
        rows = usable[rng.integers(0, len(usable), BATCH)]
        x, offsets, shares = self._batch(rows)
        logits, hidden = self._network.logits(x, offsets)
        each = 1.0 / (1.0 + np.exp(-logits))
        found = np.clip((each.reshape(shares.shape) * shares).sum(axis=1), 0.02, 0.98)
        slopes = (found - self._targets(rows)) / (found * (1.0 - found)) * b["active"][rows] / BATCH
        self._network.descend(x, hidden, (slopes[:, None] * shares).ravel() * each * (1.0 - each))

    def _batch(self, rows: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Inputs and offsets of all cases of some recalls, and their shares in the slates."""
        import numpy as np

        b = self._evidence.buffer
        width = b.width
        codes = b["codes"][rows, :width]
        states = np.broadcast_to(times(b["states"][rows], self._basis)[:, None], codes.shape)
        x = _inputs(b["features"][rows, :width], states, codes)
        return x.reshape(-1, x.shape[-1]), b["logits"][rows, :width].ravel(), b["shares"][rows, :width]

    def _targets(self, rows: Numbers) -> Numbers:
        """The reward; for a recall that another one followed, the soft value of that one."""
        import numpy as np

        b = self._evidence.buffer
        targets, following = b["rewards"][rows].copy(), b["following"][rows]
        places = np.flatnonzero(following >= 0)
        if places.size:
            x, offsets, shares = self._batch(following[places])
            values = self._network(x, offsets).reshape(shares.shape)
            mean = (shares * np.exp(values / TEMPERATURE)).sum(axis=1)
            targets[places] = DISCOUNT * TEMPERATURE * np.log(mean)
        bounded: Numbers = np.clip(targets, 0.0, 1.0)
        return bounded

    def dump(self) -> bytes:
        """See `agentfly.protocols.LearningPolicy`."""
        import numpy as np

        saved = {
            **self._evidence.dump(),
            **self._network.dump(),
            "seed": np.array([self._seed], dtype=np.int64),
            "losses_of_trust": self._losses,
        }
        return pack(self.name, FORMAT, self._dimensions, saved)

    def load(self, data: bytes) -> None:
        """See `agentfly.protocols.LearningPolicy`."""
        saved = unpack(data, self.name, FORMAT, self._dimensions)
        try:
            fresh = NeuralPolicy(self._dimensions, int(saved["seed"][0]))
            fresh._evidence.load(saved)
            fresh._network.load(saved)
            if saved["losses_of_trust"].shape != (len(TRUSTS),):
                raise ValueError("the losses of the trusts do not fit")
            fresh._losses = saved["losses_of_trust"].astype("f8")
        except (ValueError, KeyError, IndexError) as error:
            raise unusable(self.name, f"is damaged: {error}") from None
        self.__dict__.update(fresh.__dict__)


def _features(estimate: Estimate) -> tuple[Numbers, Numbers]:
    """What the record says of each case, as numbers of like scale, and the logit of the estimate."""
    import numpy as np

    value = np.clip(estimate.value, 0.02, 0.98)
    logits = np.log(value / (1.0 - value))
    columns = (
        logits,
        3.0 * (estimate.prior - 0.5),
        3.0 * estimate.overall,
        3.0 * estimate.effect,
        np.log1p(estimate.weight),
        np.log1p(estimate.count) - 1.0,
        2.0 * estimate.cosines,
        2.0 * estimate.outcomes - 1.0,
    )
    return np.stack(columns, axis=-1).astype(np.float32), logits.astype(np.float32)


def _inputs(features: Numbers, states: Numbers, codes: Numbers) -> Numbers:
    """Features, the codes of state and case, their product and their difference."""
    import numpy as np

    x: Numbers = np.concatenate([features, states, codes, states * codes, np.abs(states - codes)], axis=-1)
    return x.astype(np.float32, copy=False)
