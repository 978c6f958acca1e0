"""The seams: what each exchangeable part must offer. Contract suites in tests/contracts run against every implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentfly.protocols.acting import Brief, Generator, Journal, Live, Recall, Scorer, recall_nothing
from agentfly.protocols.checking import Checked, Checker, CheckFailure, CheckWorker, Examine, Judged, Subject, accept
from agentfly.protocols.crediting import Exposure
from agentfly.protocols.executing import (
    OUTSIDE,
    Call,
    CodeWorker,
    Execution,
    Origin,
    Risk,
    Sandbox,
    Tool,
    call_directly,
    origin_of,
    reads_outside,
)
from agentfly.protocols.gating import Gate, Outcome, Past, PastSuccess, Replayed, Retry, Solved, Trial, Verdict, no_past
from agentfly.protocols.judging import UNKNOWN, AskingScorer, Hearing, Sample
from agentfly.protocols.models import CallOptions, Embedder, Model
from agentfly.protocols.repairing import Repair, Repairer
from agentfly.protocols.selection import Episode, LearningPolicy, Policy, Shown

if TYPE_CHECKING:
    from agentfly.protocols.vectors import Scores as Scores
    from agentfly.protocols.vectors import Vector as Vector

__all__ = [
    "OUTSIDE",
    "UNKNOWN",
    "AskingScorer",
    "Brief",
    "Call",
    "CallOptions",
    "CheckFailure",
    "CheckWorker",
    "Checked",
    "Checker",
    "CodeWorker",
    "Embedder",
    "Episode",
    "Examine",
    "Execution",
    "Exposure",
    "Gate",
    "Generator",
    "Hearing",
    "Journal",
    "Judged",
    "LearningPolicy",
    "Live",
    "Model",
    "Origin",
    "Outcome",
    "Past",
    "PastSuccess",
    "Policy",
    "Recall",
    "Repair",
    "Repairer",
    "Replayed",
    "Retry",
    "Risk",
    "Sample",
    "Sandbox",
    "Scorer",
    "Shown",
    "Solved",
    "Subject",
    "Tool",
    "Trial",
    "Verdict",
    "accept",
    "call_directly",
    "no_past",
    "origin_of",
    "reads_outside",
    "recall_nothing",
]
