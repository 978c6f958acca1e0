"""The scorers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentfly.errors import ConfigError, InputError
from agentfly.protocols import Scorer
from agentfly.scorers.command import CommandScorer
from agentfly.scorers.function import FunctionScorer
from agentfly.scorers.gaia import gaia_match
from agentfly.scorers.numeric import numeric_match
from agentfly.scorers.reference import ReferenceScorer, exact_match

_MATCHES = {"gaia": gaia_match, "exact": exact_match, "numeric": numeric_match}
NAMES = ("auto", *_MATCHES, "command")


def scorer_named(name: str, *, command: str | None = None) -> Scorer:
    """A scorer by its name.

    Args:
        name: ``gaia``, ``exact`` or ``numeric`` compare with the reference; ``command`` runs one; ``auto`` is the command
            where there is one, else ``gaia``.
        command: shell command for `CommandScorer`.

    Raises:
        ConfigError: unknown name, or no command for ``command``.
    """
    if name not in NAMES:
        raise ConfigError(f"unknown scorer {name!r}; choose one of: {', '.join(NAMES)}")
    if name == "command" and not command:
        raise ConfigError("the command scorer needs a command to run")
    if command and name in {"auto", "command"}:
        return CommandScorer(command)
    chosen = "gaia" if name == "auto" else name
    return ReferenceScorer(chosen, _MATCHES[chosen])


def as_scorer(given: Scorer | Callable[..., Any] | str) -> Scorer:
    """A scorer from what a caller gives: a scorer, a function (see `FunctionScorer`) or a name.

    Raises:
        ConfigError: unknown name.
        InputError: it is none of these.
    """
    if isinstance(given, str):
        return scorer_named(given)
    if isinstance(given, Scorer) and not isinstance(given, type):
        return given
    if callable(given):
        return FunctionScorer(given)
    raise InputError(f"a scorer must be a Scorer, a function or a name, not {type(given).__name__}")
