"""Checks: small predicates that look at an answer before it is accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentfly.types import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailure:
    """A check that asks for another look at an answer."""

    bullet_id: str
    message: str


CheckRunner: TypeAlias = Callable[[Task, str, Sequence[Any]], Awaitable[Sequence[CheckFailure]]]
