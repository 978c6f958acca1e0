"""The scorers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentfly.errors import ConfigError, InputError
from agentfly.protocols import Model, Scorer
from agentfly.scorers.command import CommandScorer
from agentfly.scorers.f1 import F1Scorer
from agentfly.scorers.function import FunctionScorer
from agentfly.scorers.gaia import gaia_match
from agentfly.scorers.numeric import numeric_match
from agentfly.scorers.reference import ReferenceScorer, exact_match

_MATCHES = {"gaia": gaia_match, "exact": exact_match, "numeric": numeric_match}
COMPARING = (*_MATCHES, "f1")
"""Names of the scorers that compare with the reference."""
ASKING = ("judge", "consistency", "human")
"""Names of the scorers that ask others."""
NAMES = ("auto", *COMPARING, "command", *ASKING)


def scorer_named(
    name: str, *, command: str | None = None, judge: Callable[[], Model] | None = None, **sampling: Any
) -> Scorer:
    """A scorer by its name.

    Args:
        name: ``gaia``, ``exact``, ``numeric`` and ``f1`` compare with the reference; ``command`` runs one; ``judge`` asks a model,
            ``consistency`` further attempts, ``human`` a person; ``auto`` is the command where there is one, else ``gaia``.
        command: shell command for `CommandScorer`.
        judge: opens the model for `JudgeScorer`.
        sampling: arguments of `ConsistencyScorer`.

    Raises:
        ConfigError: unknown name, no command for ``command``, no model for ``judge``, or nobody to ask for ``human``.
    """
    if name not in NAMES:
        raise ConfigError(f"unknown scorer {name!r}; choose one of: {', '.join(NAMES)}")
    if name == "command" and not command:
        raise ConfigError("the command scorer needs a command to run")
    if command and name in {"auto", "command"}:
        return CommandScorer(command)
    if name in ASKING:
        return _asking(name, judge, sampling)
    if name == "f1":
        return F1Scorer()
    chosen = "gaia" if name == "auto" else name
    return ReferenceScorer(chosen, _MATCHES[chosen])


def _asking(name: str, judge: Callable[[], Model] | None, sampling: dict[str, Any]) -> Scorer:
    """A scorer that asks others; what it takes to ask is imported only then."""
    if name == "judge":
        from agentfly.scorers.judge import JudgeScorer

        if judge is None:
            raise ConfigError("the judge scorer needs a model: JudgeScorer(model)")
        return JudgeScorer(judge())
    if name == "consistency":
        from agentfly.scorers.consistency import ConsistencyScorer

        return ConsistencyScorer(**sampling)
    from agentfly.scorers.human import HumanScorer

    human = HumanScorer()
    human.check()
    return human


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
