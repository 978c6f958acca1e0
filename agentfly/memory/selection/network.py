"""A small network with one hidden layer and a way around it, trained by Adam. Numpy only; pure but for its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentfly.memory.selection.kernel import times
from agentfly.memory.selection.prior import sigmoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

_BETAS, _TINY = (0.9, 0.999), 1e-8


class Network:
    """p = sigmoid(offset + around . x[:f] + out . tanh(W x + bias)); at first it gives sigmoid(offset).

    Args:
        inputs: length of x.
        around: f, how many of the inputs also go around the hidden layer.
        hidden: size of the hidden layer.
        seed: of the first weights.
        rate: learning rate of Adam.
        decay: by which part of rate the weights shrink at each step.
    """

    def __init__(
        self, inputs: int, around: int, hidden: int = 24, *, seed: int = 0, rate: float = 1e-3, decay: float = 1.0
    ) -> None:
        import numpy as np

        rng = np.random.default_rng(seed)
        self.weights: dict[str, Numbers] = {
            "hidden": (rng.normal(size=(inputs, hidden)) / np.sqrt(inputs)).astype(np.float32),
            "bias": np.zeros(hidden, dtype=np.float32),
            "out": np.zeros(hidden, dtype=np.float32),
            "around": np.zeros(around, dtype=np.float32),
        }
        self._moments = {name: np.zeros((2, *value.shape), dtype=np.float32) for name, value in self.weights.items()}
        self.steps = 0
        self._rate, self._decay = rate, decay

    def logits(self, x: Numbers, offsets: Numbers) -> tuple[Numbers, Numbers]:
        """Logits of n inputs, and what the hidden layer made of them.

        Args:
            x: shape (n, inputs), float32.
            offsets: shape (n,).
        """
        import numpy as np

        w = self.weights
        hidden = np.tanh(times(x, w["hidden"]) + w["bias"])
        return offsets + hidden @ w["out"] + x[:, : len(w["around"])] @ w["around"], hidden

    def __call__(self, x: Numbers, offsets: Numbers, trust: float = 1.0) -> Numbers:
        """p of n inputs with the network's part in the logits multiplied by `trust`, shape (n,)."""
        logits = self.logits(x, offsets)[0].astype("f8")
        return sigmoid(offsets + trust * (logits - offsets))

    def descend(self, x: Numbers, hidden: Numbers, slopes: Numbers) -> None:
        """One step of Adam (Kingma and Ba 2015) with decoupled weight decay.

        Args:
            x: shape (n, inputs).
            hidden: as `logits` gave it.
            slopes: of the loss by each logit, shape (n,).
        """
        import numpy as np

        w = self.weights
        slopes = slopes.astype(np.float32)
        back = slopes[:, None] * w["out"] * (1.0 - hidden**2)
        slope = {
            "hidden": times(np.ascontiguousarray(x.T), back),
            "bias": back.sum(axis=0),
            "out": slopes @ hidden,
            "around": slopes @ x[:, : len(w["around"])],
        }
        self.steps += 1
        first, second = (1.0 - beta**self.steps for beta in _BETAS)
        for name, value in w.items():
            moments, gradient = self._moments[name], slope[name]
            moments[0] += (1 - _BETAS[0]) * (gradient - moments[0])
            moments[1] += (1 - _BETAS[1]) * (gradient**2 - moments[1])
            step = moments[0] / first / (np.sqrt(moments[1] / second) + _TINY)
            value -= (self._rate * (step + self._decay * value)).astype(np.float32)

    def dump(self) -> dict[str, Numbers]:
        """Weights and moments, as arrays to be saved."""
        import numpy as np

        return {
            **{f"net_{name}": value for name, value in self.weights.items()},
            **{f"adam_{name}": value for name, value in self._moments.items()},
            "steps": np.array([self.steps], dtype=np.int64),
        }

    def load(self, saved: Mapping[str, Numbers]) -> None:
        """Take over what `dump` gave.

        Raises:
            ValueError, KeyError: it does not fit.
        """
        import numpy as np

        for name, value in self.weights.items():
            for fresh, shape in ((saved[f"net_{name}"], value.shape), (saved[f"adam_{name}"], (2, *value.shape))):
                if fresh.shape != shape or not np.isfinite(fresh).all():
                    raise ValueError(f"the weights {name!r} do not fit")
        self._moments = {name: saved[f"adam_{name}"].astype(np.float32) for name in self.weights}
        self.weights = {name: saved[f"net_{name}"].astype(np.float32) for name in self.weights}
        self.steps = int(saved["steps"][0])
