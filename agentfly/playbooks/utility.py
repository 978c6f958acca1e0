"""Which bullets are worth their tokens."""

from __future__ import annotations

from agentfly.playbooks.rules import parse_id
from agentfly.playbooks.tokens import estimate_tokens
from agentfly.types import Bullet

IN_PROMPT = frozenset({"strategy", "example"})
"""Kinds that are shown to a model; a check runs and costs no tokens."""


_IDLE = 0.05
"""What being shown without any credit counts against a bullet: twenty such showings weigh as much as one harm."""


def posterior_mean(bullet: Bullet) -> float:
    """Expected helpfulness in (0, 1): the mean of Beta(1 + helpful, 1 + harmful + what it was shown for nothing)."""
    idle = _IDLE * max(0, bullet.shown - bullet.helpful - bullet.harmful)
    return (1 + bullet.helpful) / (2 + bullet.helpful + bullet.harmful + idle)


def worth(bullet: Bullet) -> tuple[float, int, int]:
    """Sorting key, least useful first; of equals the oldest, which has had its chance."""
    parsed = parse_id(bullet.id)
    return posterior_mean(bullet), bullet.version, parsed[1] if parsed else 0


def bullet_line(bullet: Bullet, *, ids: bool = True) -> str:
    """The bullet as a model sees it. Further lines are indented, so that none can pass for a heading or a bullet."""
    label = f"[{bullet.id}] " if ids else "- "
    return label + bullet.text.replace("\n", "\n    ")


def heading_line(section: str) -> str:
    """The heading of a section in the prompt."""
    return f"## {section}"


def bullet_tokens(bullet: Bullet) -> int:
    """Tokens that the bullet takes in the prompt, line end included."""
    return estimate_tokens(bullet_line(bullet) + "\n") if bullet.kind in IN_PROMPT else 0


def heading_tokens(section: str) -> int:
    """Tokens of a section's heading and the blank line before it."""
    return estimate_tokens(heading_line(section) + "\n\n")
