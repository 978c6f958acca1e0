"""The records that everything else passes around: frozen, slotted, without behaviour beyond arithmetic.

JSON in and out goes through `agentfly.records`, so that this module imports nothing but the standard library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
FeedbackSource = Literal["reference", "command", "judge", "human", "consistency", "environment"]
AttemptStatus = Literal["answered", "no_answer", "limit", "error"]
RunStatus = AttemptStatus | Literal["waiting"]
"""How a run's first attempt ended, or that the run waits for a person's permission."""
Decision = bool | Literal["always"]
"""Whether a call is permitted; ``always`` permits every call of that tool for the rest of the run."""
BulletKind = Literal["strategy", "example", "check"]
Tag = Literal["helpful", "harmful", "neutral"]
CaseStatus = Literal["active", "superseded", "quarantined", "pruned"]


TRUSTED: frozenset[str] = frozenset({"reference", "command", "human"})
"""Sources of feedback that content fetched from outside cannot talk round: neither a model nor a page has a say in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What model calls cost. Adds up with ``+``; failed calls count."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Part of `prompt_tokens` that the provider had cached."""
    cost_usd: float = 0.0
    seconds: float = 0.0
    """Latency summed over calls."""
    failed_calls: int = 0
    """Part of `calls` that ended in an error."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(Usage)})

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that a model asked for: `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model answered."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    finish_reason: str = "stop"
    """``stop``, ``length`` (cut at the token limit), ``tool_calls`` or the provider's own word."""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to be done.

    Args:
        question: what is asked, not empty.
        files: attachments, in the order in which the question may name them.
        reference: the right answer where it is known. Never shown to a generator: see `without_reference`.
        id: stable name; by default a hash of question and file names, so that the same task asked again is the same task.
        level: difficulty as the dataset gives it.
        instructions: what holds for every task of its kind, such as the labels to choose from. Shown before everything that
            differs between tasks, so that a provider can cache it; recall does not look at it.
        metadata: anything else; never shown to a model.
    """

    question: str
    files: tuple[Path, ...] = ()
    reference: str | None = field(default=None, repr=False)
    id: str = ""
    level: str | None = None
    instructions: str = field(default="", repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", tuple(Path(f) for f in self.files))
        if not self.id:
            key = "\x1f".join([self.question, *(f.name for f in self.files)])
            object.__setattr__(
                self, "id", "task-" + hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:12]
            )

    def without_reference(self) -> Task:
        """The task as a generator may see it: no reference, no metadata."""
        return replace(self, reference=None, metadata={})

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names under which an attempt finds the files, in their order.

        They are the files' own, since questions refer to them, but where the name is the task's id: a benchmark's id is all it takes
        to look the answer up, so ``<id>.xlsx`` is ``attachment.xlsx`` unless the question says ``<id>.xlsx`` itself.
        """
        own = [file.name for file in self.files]
        taken = {name for name in own if not self._names_it(name)}
        return tuple(
            _free(f"attachment{name[len(self.id) :]}", taken) if self._names_it(name) else name for name in own
        )

    def _names_it(self, name: str) -> bool:
        """Whether a file's name, but for its ending, is the task's id and nobody has said it aloud."""
        return (name == self.id or name.startswith(f"{self.id}.")) and name not in self.question


def _free(name: str, taken: set[str]) -> str:
    """The name with a number where it is taken already; it is taken then."""
    stem, dot, ending = name.partition(".")
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{stem}-{number}{dot}{ending}"
    taken.add(free)
    return free


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn of a generator."""

    index: int
    thought: str = ""
    action: str = ""
    """The code or the tool calls, as the model wrote them."""
    observation: str = ""
    """What came back, cut to the tool output limit."""
    error: bool = False
    """Whether the observation reports a mistake of the model (exception, no code, bad arguments, failed check)."""
    final: bool = False
    """Whether this step gave the answer."""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    """Time spent in the action, model call excluded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questioned:
    """An answer that checks asked another look at, before it was given."""

    answer: str
    checks: tuple[str, ...]
    """Ids of the checks that it failed."""
    reward: float | None = None
    """What it would have earned; None where nobody judged it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtask:
    """One part of a plan, and what came of it."""

    id: str
    """As the plan numbers it; a later plan may use the same ids again."""
    task: str
    plan: int = 1
    """Which plan of the attempt it is from, counted from 1."""
    needs: tuple[str, ...] = ()
    """Ids of the subtasks whose results it was given."""
    answer: str | None = None
    """Its result; where the status is not ``answered``, the best so far."""
    status: AttemptStatus = "no_answer"
    reason: str = ""
    """Which limit it hit, or which error ended it."""
    solution: str = ""
    """The working code or calls that gave the result."""
    tools: tuple[str, ...] = ()
    """Names of the tools that were called for it."""
    calls: tuple[str, ...] = ()
    """Each call of a tool with its arguments and what it gave, in a line."""
    origins: tuple[str, ...] = ()
    """Where content from outside came from that its result may rest on: ``web``, ``mcp``."""

    @property
    def worked(self) -> bool:
        """Whether there is a result that its executor stood by."""
        return self.status == "answered" and self.answer is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A small mistake in a solution, which an edit mended."""

    kind: str
    """Such as ``scale``: amounts that were not written out in full."""
    said: str
    """One sentence for whoever meets a like task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """All steps on one task and what came of them."""

    task_id: str
    steps: tuple[Step, ...] = ()
    answer: str | None = None
    status: AttemptStatus = "no_answer"
    reason: str = ""
    """Which limit was hit, or which error ended it."""
    solution: str = ""
    """The working part of the attempt, fit to be shown again: the code or plan that gave the answer."""
    shown_cases: tuple[str, ...] = ()
    shown_bullets: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    """Ids of shown cases and bullets that the model named in its replies."""
    left_out: tuple[str, ...] = ()
    """Ids of bullets, checks among them, that were kept back at random so that their lift can be estimated."""
    leave_out: float = 0.0
    """How likely each bullet that was learned was to be among them; 0 where nothing was left to chance."""
    checks: tuple[str, ...] = ()
    """Ids of the checks in force."""
    questioned: tuple[Questioned, ...] = ()
    """Answers that a check asked another look at, in their order."""
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    strategy: str = ""
    sandbox: str = ""
    """The sandbox tier that code ran in, empty when none ran."""
    tools: tuple[str, ...] = ()
    """Names of the tools that were called, in the order of their first call."""
    origins: tuple[str, ...] = ()
    """Where content that was read came from: ``file`` (the task's attachments), ``web``, ``mcp``."""
    untrusted: bool = False
    """Whether content from outside was read on the way (``web`` or ``mcp``)."""
    subtasks: tuple[Subtask, ...] = ()
    """What a plan was divided into, in the order in which it was worked on; empty where nothing was planned."""
    mended: Mistake | None = None
    """The mistake that this attempt is without and another one made; None where a generator made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """How good an attempt was.

    Args:
        reward: in [0, 1].
        text: what was wrong or right; must not contain the reference unless the user allows it.
        source: who says so.
        confidence: how sure the source is, in [0, 1]; None where it does not say.

    Raises:
        ValueError: reward or confidence outside [0, 1].
    """

    reward: float
    text: str = ""
    source: FeedbackSource = "human"
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.reward <= 1.0:  # NaN fails too
            raise ValueError(f"reward must be in [0, 1], not {self.reward!r}")
        if self.confidence is not None and not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence must be in [0, 1], not {self.confidence!r}")

    @property
    def success(self) -> bool:
        """Whether the attempt counts as solved (reward of at least 0.5)."""
        return self.reward >= 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflection:
    """Diagnosis of an attempt (ACE's reflector)."""

    diagnosis: str
    """What went wrong or right."""
    insight: str
    """What to do next time, in one or two sentences that do not depend on this task's values."""
    cause: str = ""
    """The root cause: why it went so."""
    approach: str = ""
    """What would have been right."""
    tags: Mapping[str, Tag] = field(default_factory=dict)
    """Verdict on each shown bullet or case, by id."""
    of_success: bool = False
    """Whether it is about a hard-won success: the insight is what would have got there at once."""
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullet:
    """One playbook item. The id is stable and never used again."""

    id: str
    section: str
    text: str
    kind: BulletKind = "strategy"
    helpful: int = 0
    harmful: int = 0
    shown: int = 0
    runs: tuple[str, ...] = ()
    """Provenance: the runs it was learned from."""
    cases: tuple[str, ...] = ()
    """Provenance: the cases it was distilled from."""
    version: int = 0
    """Playbook version that created it: its age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a case comes from."""

    run: str = ""
    model: str = ""
    strategy: str = ""
    tools: tuple[str, ...] = ()
    untrusted: bool = False
    """Whether content fetched from outside was read on the way."""
    source: str = "run"
    """``run``, ``human``, ``import:<format>``."""
    feedback: str = ""
    """Who judged it: a `FeedbackSource`, empty where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One remembered task: what was asked, what was done, what it earned.

    `id` is empty until a bank has stored the case.
    """

    question: str
    solution: str = ""
    """The working code or plan."""
    answer: str | None = None
    reward: float = 1.0
    lesson: str = ""
    task_id: str = ""
    domain: str = ""
    """Free grouping word, such as a dataset's name."""
    tags: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    id: str = ""
    status: CaseStatus = "active"
    shown: int = 0
    """How often it was shown to a generator."""
    helped: float = 0.0
    """Sum of the rewards of the attempts that it was shown to."""
    seen: int = 1
    """How many cases it stands for: itself and the near-identical ones that were merged into it."""
    created: float = 0.0
    """Seconds since the epoch."""

    @property
    def success(self) -> bool:
        """Whether the remembered attempt counts as solved."""
        return self.reward >= 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A case that was recalled for a task."""

    case: Case
    similarity: float
    """Cosine of the two embeddings, in [-1, 1]."""
    score: float
    """Q(s, c) of the policy; higher is better."""
    propensity: float = 1.0
    """Probability with which it was chosen at its turn, given the choices before it, in (0, 1]; 1 without exploration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets of one attempt, checked before each model call; None is no limit."""

    steps: int = 6
    tokens: int | None = None
    cost_usd: float | None = None
    seconds: float | None = 300.0
    output_chars: int = 4000
    """Longest observation shown to the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a run changed in the home."""

    cases: tuple[str, ...] = ()
    delta: int | None = None
    """Playbook version that the run's delta made; None when no delta was proposed or it was dropped."""
    accepted: bool | None = None
    """The gate's verdict; None when no delta was proposed."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A call of a tool that waits for a person's permission."""

    id: str
    """Within its run."""
    tool: str
    risk: str
    """``write``, ``execute`` or ``network``."""
    arguments: Mapping[str, Any]
    """As the model wrote them."""
    description: str = ""
    """The tool's first line about itself; of an MCP server's tool, the server's words."""
    origin: str = ""
    """Where what it brings comes from: ``file``, ``web``, ``mcp``, or empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What `Agent.run` returns: the fields of ``agentfly run --json`` and the records behind them."""

    run_id: str
    status: RunStatus
    answer: str | None
    reward: float | None
    steps: int
    usage: Usage
    recalled: tuple[str, ...] = ()
    bullets: tuple[str, ...] = ()
    learned: Learned = field(default_factory=Learned)
    pending: tuple[Pending, ...] = ()
    """Calls that the run waits for permission to make."""
    task: Task = field(repr=False)
    attempt: Attempt = field(repr=False)
    feedback: Feedback | None = field(default=None, repr=False)
