"""The seams: what each exchangeable part must offer. Contract suites in tests/contracts run against every implementation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from agentfly.types import Attempt, Bullet, Case, Feedback, Limits, Message, Recalled, Reply, Task

if TYPE_CHECKING:  # numpy takes 0.1 s to import and most callers only need the names
    import numpy as np
    from numpy.typing import NDArray

    Vector: TypeAlias = NDArray[np.float32]
    Scores: TypeAlias = NDArray[np.float64]

Risk = Literal["read", "write", "execute", "network"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Parameters of one model call; None leaves the provider's default."""

    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    """Asks for a reply that is JSON of this schema, as strictly as the provider can."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """OpenAI tool descriptions."""
    timeout: float | None = None
    """Seconds for the whole call, retries included."""


@runtime_checkable
class Model(Protocol):
    """A chat model."""

    @property
    def name(self) -> str:
        """Name as given on the command line, such as ``openai/gpt-5-mini`` or ``embedded``."""
        ...

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Answer a conversation.

        Args:
            messages: the conversation, system message first.
            options: parameters of this call.
            on_text: called with each piece of text as it arrives.

        Raises:
            ProviderError: the call failed after retries; carries the usage.
            ModelUnavailableError: unknown model or refused key.
        """
        ...

    async def aclose(self) -> None:
        """Release what the model holds. May be called twice."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """Identifies the vectors: two embedders with one name give the same vectors."""
        ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vector:
        """Embed `n` texts into an array of shape (n, dimensions), float32, rows of unit length."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailure:
    """A check that asks for another look at an answer."""

    bullet_id: str
    message: str


Recall: TypeAlias = Callable[[str], Awaitable[Sequence[Recalled]]]
"""Recalls cases for a subtask, given in words, and records that they were shown in this run."""


async def recall_nothing(text: str) -> Sequence[Recalled]:
    """A `Recall` without a memory behind it."""
    return ()


CheckRunner: TypeAlias = Callable[[Task, str, Sequence[Any]], Awaitable[Sequence[CheckFailure]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """Everything that a generator may know about its task. `task` carries no reference."""

    task: Task
    workspace: Path
    """Private folder of this attempt; holds copies of the task's files under their own names."""
    cases: tuple[Recalled, ...] = ()
    bullets: tuple[Bullet, ...] = ()
    playbook: str = ""
    """The bullets as text, rendered within the budget."""
    recall: Recall = recall_nothing
    """For strategies that plan: the cases for one subtask."""
    limits: Limits = field(default_factory=Limits)
    temperature: float = 0.0
    seed: int | None = None


@runtime_checkable
class Generator(Protocol):
    """A strategy for acting on a task."""

    @property
    def name(self) -> str: ...

    async def attempt(self, brief: Brief, emit: Callable[[Any], None] = ...) -> Attempt:
        """Work on a task until there is an answer or a limit is hit.

        Mistakes of the model become observations. A spent limit or a failed provider ends the attempt with that
        status and the best answer so far; nothing but `UserError`, cancellation and our own bugs is raised.

        Args:
            brief: the task and what was recalled for it.
            emit: takes typed events (`agentfly.events`) as they happen.
        """
        ...


@runtime_checkable
class Scorer(Protocol):
    """Gives feedback on an attempt."""

    @property
    def name(self) -> str: ...

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """Judge an attempt.

        Returns:
            Feedback, or None where this scorer has nothing to go by (no reference, say). A missing answer earns 0.
        """
        ...


@runtime_checkable
class Policy(Protocol):
    """Chooses which candidates are shown."""

    @property
    def name(self) -> str: ...

    def score(self, state: Vector, cases: Sequence[Case], vectors: Vector) -> Scores:
        """Q(s, c) of each candidate.

        Args:
            state: embedding of the task, shape (d,).
            cases: n candidates.
            vectors: their embeddings, shape (n, d), rows of unit length.

        Returns:
            Array of shape (n,); higher is better.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One recall of a judged run, from the record: what a policy learns from."""

    state: Vector
    """Embedding of the task or subtask, shape (d,)."""
    cases: tuple[Case, ...]
    """The m cases that were shown, in the order in which they were chosen."""
    vectors: Vector
    """Their embeddings, shape (m, d)."""
    propensities: tuple[float, ...]
    """Probability of each choice given the ones before it, see `Recalled.propensity`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """All recalls of one judged run, in their order, and what the run earned."""

    number: int
    """Place in the record: rises with every judgement. A run that is judged again comes again, with a new number."""
    run: str
    recalls: tuple[Shown, ...]
    reward: float


@runtime_checkable
class LearningPolicy(Policy, Protocol):
    """A policy that learns from judged recalls. Not safe for threads: its keeper takes care of that."""

    def learn(self, episodes: Sequence[Episode]) -> None:
        """Take in new episodes, in the order of their numbers; a run seen before replaces what it said then."""
        ...

    def dump(self) -> bytes:
        """Everything learned, with its format version; no pickle."""
        ...

    def load(self, data: bytes) -> None:
        """Take over what `dump` gave.

        Raises:
            PolicyError: not of this policy, of a newer format, or damaged; what was learned before is unchanged.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """An attempt with its feedback."""

    attempt: Attempt
    feedback: Feedback
    id: str = ""
    """Where the record of runs has it: run id and number, as ``RUN/1``. Empty where only the run knows it so far."""


Retry: TypeAlias = Callable[[], Awaitable[Trial | None]]
"""Makes a fresh attempt at a task under set conditions; None when it cannot be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """A task that was solved before, as the record of runs has it."""

    run: str
    task: Task
    """Without the reference: who judges an attempt looks that up by the run."""
    reward: float
    shown: tuple[str, ...] = ()
    """Ids of the bullets that stood in the prompt."""
    cited: tuple[str, ...] = ()
    """Ids of cases and bullets that the attempt named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSuccess:
    """A solved task that can be tried again."""

    run: str
    task_id: str
    reward: float
    """What it earned then."""
    candidate: Retry
    """Tries it with the playbook as the delta would make it."""
    current: Retry
    """Tries it with the playbook as it is, everything else equal."""


Past: TypeAlias = Callable[[], Awaitable[Sequence[PastSuccess]]]
"""Past successes that a delta could spoil, the most telling first."""


async def no_past() -> Sequence[PastSuccess]:
    """A `Past` of which nothing can be tried again."""
    return ()


Outcome: TypeAlias = Literal["held", "flipped", "noise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of a past success under the candidate playbook."""

    run: str
    """The run that solved it."""
    task_id: str
    before: float
    """Reward that it earned then."""
    after: float
    """Reward with the candidate playbook."""
    control: float | None = None
    """Reward with the current playbook; None where no such attempt was made or it could not be judged."""
    outcome: Outcome = "held"
    """``flipped``: the candidate fails and the current playbook does not. ``noise``: both fail."""
    attempts: tuple[str, ...] = ()
    """Ids of the attempts: with the candidate, then with the current playbook. See `Trial.id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A gate's decision on a delta, with what it rests on."""

    accepted: bool
    reason: str
    trials: tuple[Trial, ...] = ()
    """Attempts at the task at hand made to decide, for the record and for the case bank."""
    replays: tuple[Replayed, ...] = ()
    """Past successes that were tried again, in that order."""


@runtime_checkable
class Gate(Protocol):
    """Decides whether a delta is kept."""

    @property
    def name(self) -> str: ...

    async def decide(self, first: Trial, retry: Retry, past: Past = no_past, *, adds: bool = True) -> Verdict:
        """Judge a candidate playbook.

        Args:
            first: the attempt that the delta was learned from.
            retry: another attempt at the same task with the candidate in force.
            past: solved tasks that can be tried again.
            adds: whether the delta says anything new; one that only removes or merges has nothing to mend.
        """
        ...


@runtime_checkable
class Tool(Protocol):
    """Something a generator can call."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the arguments, an object."""
        ...

    @property
    def risk(self) -> Risk: ...

    async def call(self, arguments: Mapping[str, Any]) -> Any:
        """Run the tool.

        Returns:
            A JSON-able value or text.

        Raises:
            ToolError: wrong arguments or a refusal; the text goes to the model.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What came of running one block of code."""

    output: str = ""
    """What was printed to stdout and stderr, the middle cut out where it was too long."""
    value: str | None = None
    """The value of the last expression as a REPL echoes it; None where there is none or it is None."""
    error: str | None = None
    """What went wrong, for the model to read: the lines of its code that were running, then the exception."""
    answered: bool = False
    """Whether the code called ``final_answer``."""
    answer: Any = None
    """What ``final_answer`` was given, as plain JSON data."""
    seconds: float = 0.0
    """Time the block ran, tool calls included."""
    timed_out: bool = False
    restarted: bool = False
    """Whether the worker had to be started again, so that all variables are lost."""
    tools: tuple[str, ...] = ()
    """Names of the tools that the code called, in the order of their first call; calls that failed count."""
    untrusted: bool = False
    """Whether one of them has the risk ``network``, so that content from outside may have been read."""


@runtime_checkable
class CodeWorker(Protocol):
    """Runs blocks of model-written Python in another process and keeps their variables in between."""

    @property
    def tier(self) -> str:
        """How the process is confined: ``bubblewrap`` or ``process``."""
        ...

    async def run(self, code: str, timeout: float) -> Execution:
        """Run one block.

        Args:
            code: Python source.
            timeout: seconds that it may take, tool calls not counted.

        Raises:
            SandboxError: the worker cannot be started here. Whatever the code does is an `Execution`.
        """
        ...

    async def close(self) -> None:
        """End the process and everything that it started. May be called twice."""
        ...


@runtime_checkable
class Sandbox(Protocol):
    """Opens workers."""

    @property
    def tools(self) -> Sequence[Tool]:
        """Tools that every worker offers as functions."""
        ...

    def open(self, workspace: Path, tools: Sequence[Tool] = ()) -> AbstractAsyncContextManager[CodeWorker]:
        """A worker whose working folder is `workspace`; it is closed on leaving the context.

        Args:
            workspace: folder that the code may read and write.
            tools: offered as functions besides the sandbox's own.

        Raises:
            SandboxError: on entering, when no tier works on this machine.
        """
        ...
