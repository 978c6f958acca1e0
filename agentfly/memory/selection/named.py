"""The selection policies by name."""

from __future__ import annotations

from agentfly.errors import InputError
from agentfly.protocols import Policy

POLICIES = ("similarity", "episodic", "neural")


def policy_named(name: str, dimensions: int) -> Policy:
    """A fresh policy that has learned nothing.

    Args:
        name: ``similarity``, ``episodic`` or ``neural``.
        dimensions: d of the embeddings.

    Raises:
        InputError: no such policy.
    """
    if name == "similarity":
        from agentfly.memory.selection.similarity import SimilarityPolicy

        return SimilarityPolicy()
    if name == "episodic":
        from agentfly.memory.selection.episodic import EpisodicPolicy

        return EpisodicPolicy(dimensions)
    if name == "neural":
        from agentfly.memory.selection.neural import NeuralPolicy

        return NeuralPolicy(dimensions)
    raise InputError(f"unknown selection policy {name!r}; known: {', '.join(POLICIES)}")
