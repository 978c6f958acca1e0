"""What happens during a run, as typed data. The terminal view, `--json` logs and user interfaces are views of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from agentfly.types import Attempt, Feedback, Pending, Recalled, Reflection, RunResult, Step, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    run_id: str
    task: Task
    """Without the reference."""
    model: str
    strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesRecalled:
    cases: tuple[Recalled, ...]
    bullets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """A piece of the model's reply, as it is generated."""

    text: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeStarted:
    """The model's action is about to run."""

    code: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFinished:
    attempt: Attempt
    retry: bool = False
    """Whether this was a gate's further attempt, not the answer to the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    feedback: Feedback | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflected:
    reflection: Reflection | None
    problem: str = ""
    """Why there is none, when the reflector's reply could not be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """A delta was proposed, and kept or dropped."""

    accepted: bool
    reason: str
    changes: tuple[str, ...] = ()
    """One line for each operation, for people."""
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    cases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person should know: a fallback taken, a warning, progress."""

    text: str
    level: str = "info"
    progress: tuple[int, int] | None = None
    """(done, total) in bytes or items, for a progress bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalNeeded:
    """The run cannot go on before a person has decided on these calls. Nothing of it is running while it waits."""

    run_id: str
    calls: tuple[Pending, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    result: RunResult
    """Its status is ``waiting`` where the run only stopped for a person's permission."""


Event: TypeAlias = (
    RunStarted
    | CasesRecalled
    | TextDelta
    | CodeStarted
    | StepFinished
    | AttemptFinished
    | Evaluated
    | Reflected
    | Curated
    | Retained
    | Notice
    | ApprovalNeeded
    | RunFinished
)
