"""Scorers: each turns an attempt into feedback. Start with `reference.py`; `named.py` knows them by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentfly.scorers.command import CommandScorer
    from agentfly.scorers.consistency import ConsistencyScorer
    from agentfly.scorers.f1 import F1Scorer, token_f1
    from agentfly.scorers.function import FunctionScorer
    from agentfly.scorers.gaia import gaia_match
    from agentfly.scorers.human import HumanScorer
    from agentfly.scorers.judge import JudgeScorer
    from agentfly.scorers.named import ASKING, COMPARING, NAMES, as_scorer, scorer_named
    from agentfly.scorers.numeric import numeric_match
    from agentfly.scorers.reference import ReferenceScorer

__all__ = [
    "ASKING",
    "COMPARING",
    "NAMES",
    "CommandScorer",
    "ConsistencyScorer",
    "F1Scorer",
    "FunctionScorer",
    "HumanScorer",
    "JudgeScorer",
    "ReferenceScorer",
    "as_scorer",
    "gaia_match",
    "numeric_match",
    "scorer_named",
    "token_f1",
]

_HOMES = {
    "ASKING": "named",
    "COMPARING": "named",
    "NAMES": "named",
    "CommandScorer": "command",
    "ConsistencyScorer": "consistency",
    "F1Scorer": "f1",
    "FunctionScorer": "function",
    "HumanScorer": "human",
    "JudgeScorer": "judge",
    "ReferenceScorer": "reference",
    "as_scorer": "named",
    "gaia_match": "gaia",
    "numeric_match": "numeric",
    "scorer_named": "named",
    "token_f1": "f1",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
