"""What one recall found, and how the shown cases were chosen from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentfly.memory.selection.choose import Choice, arranged
from agentfly.types import Recalled

if TYPE_CHECKING:
    from agentfly.protocols import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """One recall, as it is recorded for credit and for learning."""

    text: str
    """What the cases were recalled for."""
    state: Vector | None
    """Embedding of `text`, shape (d,); None where nothing was found."""
    chosen: tuple[Recalled, ...]
    """The chosen cases, in the order of the choice."""
    candidates: tuple[str, ...]
    """Ids of the cases that the policy scored, nearest first."""
    choice: Choice
    policy: str
    policy_version: int

    @property
    def shown(self) -> tuple[Recalled, ...]:
        """The chosen cases as they are shown: all successes before the first failure."""
        return arranged(self.chosen)
