"""Fakes for tests of agents: no network, no weights, the same result every time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentfly.models.replay import ReplayMiss, ReplayModel
from agentfly.models.scripted import Call, ScriptedModel, ScriptExhausted

if TYPE_CHECKING:
    from agentfly.protocols import Vector

__all__ = ["Call", "HashEmbedder", "ReplayMiss", "ReplayModel", "ScriptExhausted", "ScriptedModel"]


class HashEmbedder:
    """Embeds a text as its bag of words, hashed (Weinberger et al. 2009): texts that share words are near.

    Args:
        dimensions: length of the vectors.
    """

    def __init__(self, dimensions: int = 384) -> None:
        self._dimensions = dimensions

    @property
    def name(self) -> str:
        return f"hash-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> Vector:
        """As `Embedder.embed`; a text without words gets the first axis."""
        import numpy as np

        rows = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                bucket = int.from_bytes(digest[:7], "big") % self._dimensions
                row[bucket] += 1.0 if digest[7] & 1 else -1.0
            norm = float(np.linalg.norm(row))
            if norm == 0.0:
                row[0] = norm = 1.0
            row /= norm
        return rows
