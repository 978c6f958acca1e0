"""Settings: pydantic models with their defaults; unknown keys are refused. `agentfly.layers` says where values come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agentfly.types import Limits

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Roles(_Section):
    """Models for single roles; None takes the generator's model."""

    reflector: str | None = None
    curator: str | None = None
    judge: str | None = None


class LimitSettings(_Section):
    """Budgets of one attempt; null is no limit."""

    steps: int = Field(default=6, ge=1, le=1000)
    tokens: int | None = Field(default=None, ge=1)
    cost_usd: float | None = Field(default=None, gt=0)
    seconds: float | None = Field(default=300.0, gt=0)
    output_chars: int = Field(default=4000, ge=200)

    def record(self) -> Limits:
        """The limits as the record that generators see."""
        return Limits(**self.model_dump())


class RecallSettings(_Section):
    """Which cases are shown."""

    k: int = Field(default=4, ge=0, le=64)
    candidates: int = Field(default=32, ge=1, le=1024)
    floor: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.35
    """Cosine under which a case is not shown."""
    failures: Fraction = 0.25
    """Largest share of the shown cases that may be failures."""
    tokens: int = Field(default=1500, ge=0)
    """Budget of what is shown."""
    diversity: Fraction = 0.2
    """Weight of being unlike what is shown already, against the policy's score (maximal marginal relevance)."""
    temperature: float | None = Field(default=None, ge=0.0)
    """Of the soft choice while learning; null is the policy's own, and 0 is none. Evaluation is always greedy."""


class MemorySettings(_Section):
    """What is kept."""

    capacity: int | None = Field(default=None, ge=1)
    """Number of active cases from which on the least useful ones are pruned; null keeps all."""


class PlaybookSettings(_Section):
    """How large the playbook may grow, and how much of it is shown."""

    tokens: int = Field(default=2000, ge=50)
    """Budget of all active bullets together; what is worth least beyond it is retired."""
    prompt_tokens: int | None = Field(default=None, ge=50)
    """Budget of what a prompt shows of a playbook that is larger; null shows all of it."""
    bullet_chars: int = Field(default=500, ge=40)
    leave_out: Fraction = 0.05
    """While learning, how likely each bullet is left out of a run, so that its lift can be estimated."""
    similar: Annotated[float, Field(gt=0.0, le=1.0)] | None = 0.90
    """Cosine from which on two bullets say nearly the same and are merged; null merges none."""

    @property
    def in_prompt(self) -> int:
        """Tokens that a prompt may have of the playbook."""
        return self.tokens if self.prompt_tokens is None else min(self.tokens, self.prompt_tokens)


class CheckSettings(_Section):
    """Executable checks on answers."""

    library: bool = True
    """Whether after a failure the checks that come with agentfly are tried on the record."""
    tolerance: Fraction = 0.02
    """Share of the right answers on the record that a check may flag."""
    milliseconds: int = Field(default=50, ge=1, le=1000)
    """Processor time that one check may take on one answer; waiting ends after five times as long and 0.2 s."""
    record: int = Field(default=400, ge=1, le=10_000)
    """How many of the latest judged attempts a check is measured on."""


class JudgingSettings(_Section):
    """The scorer `consistency`."""

    samples: int = Field(default=5, ge=2, le=64)
    """How many further attempts vote."""
    temperature: float = Field(default=0.8, ge=0.0, le=2.0)
    """At which they are made."""
    agreement: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """Least share of them that must come to one answer; below that there is no verdict."""
    at_once: int = Field(default=2, ge=1, le=64)
    """How many are made side by side for one run."""


class LearningSettings(_Section):
    """What is learned; each can be turned off, to see what the others are worth."""

    cases: bool = True
    strategies: bool = True
    """Rules in words, by the reflector and the curator."""
    checks: bool = True
    successes: bool = True
    """Whether the reflector looks at a success that was hard won and that nothing shown explains."""
    answers: Literal["auto", "always", "never"] = "auto"
    """Whether the right answer of a task that was not solved is kept as a case, where the feedback is by reference. ``auto``: where it
    is no number, because a label answers like tasks too, and a number does not."""
    repair: bool = True
    """Whether a solution that gave a wrong number is tried with small edits, where the feedback is by reference: one that gives the right
    answer is kept in its place."""
    every: bool = False
    """Whether the reflector and the curator look at every attempt, as ACE's own loop does."""
    add_only: bool = False
    """Whether the curator may only add, as ACE's own does."""


class ShowSettings(_Section):
    """Which of the things that were learned are used; each can be turned off, to see what the others are worth."""

    cases: bool = True
    strategies: bool = True
    examples: bool = True
    checks: bool = True

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of bullets that are used."""
        used = {"strategy": self.strategies, "example": self.examples, "check": self.checks}
        return frozenset(kind for kind, on in used.items() if on)


def _names(value: object) -> object:
    """A comma-separated text as the names in it; the two words stay words."""
    if value is None:  # what the word is read as in the environment and in KEY=VALUE
        return "none"
    if not isinstance(value, str):
        return value
    if (word := value.strip().lower()) in ("auto", "none"):
        return word
    return tuple(name.strip() for name in value.split(",") if name.strip())


class PlanSettings(_Section):
    """The strategy `plan`."""

    executor: Literal["auto", "codeact", "tools"] = "auto"
    """What acts on a subtask."""
    cycles: int = Field(default=3, ge=1, le=20)
    """Most plans of one attempt: the first one and those that replace it."""
    subtasks: int = Field(default=8, ge=1, le=50)
    """Most subtasks of one plan."""


class ToolSettings(_Section):
    """Tools that come with agentfly."""

    builtin: Annotated[Literal["auto", "none"] | tuple[str, ...], BeforeValidator(_names)] = "auto"
    """Names of those that are offered. ``auto``: for models other than the embedded one, those that can work here."""
    seconds: float = Field(default=60.0, gt=0)
    """Longest time of one call."""
    search: Literal["auto", "searxng", "tavily", "serper", "ddgs"] = "auto"
    """Which search engine; ``auto`` takes the first that is configured."""
    searxng: str | None = None
    """Address of a SearxNG instance."""
    vision: str | None = None
    """Model that looks at images; null takes the generator's where it can."""
    speech: str | None = None
    """Model that transcribes speech, such as ``openai/whisper-1``."""


class McpSettings(_Section):
    """Tools of MCP servers."""

    config: Path | None = None
    """A JSON file with ``mcpServers``; null takes the home's ``mcp.json`` where there is one."""
    connect_seconds: float = Field(default=30.0, gt=0)
    """How long a server may take to start and to say what it offers."""


class EmbeddedSettings(_Section):
    """The model that runs in this process."""

    weights: Path | None = None
    slots: int = Field(default=4, ge=1, le=64)
    context: int = Field(default=8192, ge=512)
    """Tokens of context of each slot."""
    threads: int | None = Field(default=None, ge=1)


def _strategy_name(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class Settings(_Section):
    """Everything that can be set. `agentfly config show` prints it with the layer each value came from."""

    model: str = "auto"
    models: Roles = Roles()
    api_base: str | None = None
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    seed: int | None = None
    call_seconds: float | None = Field(default=None, gt=0)
    """Longest time that one model call may take, retries included: by default five minutes, and ten of the embedded model, which
    is as quick as the machine."""
    retries: int = Field(default=4, ge=0, le=20)
    strategy: Annotated[Literal["auto", "codeact", "tools", "plan"], BeforeValidator(_strategy_name)] = "auto"
    plan: PlanSettings = PlanSettings()
    tools: ToolSettings = ToolSettings()
    mcp: McpSettings = McpSettings()
    approve: Literal["ask", "auto", "never"] = "auto"
    """Calls of tools that write, execute or reach the network: ``auto`` makes them, ``ask`` waits for a person, ``never``
    refuses them."""
    unsafe_code: bool = False
    """Run model-written code without a sandbox. An argument only: no file and no environment variable can set it."""
    policy: Literal["similarity", "episodic", "neural"] = "similarity"
    gate: Literal["auto", "always", "fix", "replay"] = "auto"
    replays: int = Field(default=3, ge=1, le=32)
    """How many past successes the gate `replay` tries again with a changed playbook."""
    scorer: Literal["auto", "gaia", "exact", "numeric", "f1", "command", "judge", "consistency", "human"] = "auto"
    """Who judges. ``gaia``, ``exact``, ``numeric`` and ``f1`` compare with the reference; ``command`` runs one; ``judge`` asks a model,
    ``consistency`` further attempts, ``human`` a person; ``auto`` is the command where there is one, else ``gaia``."""
    judging: JudgingSettings = JudgingSettings()
    command: str | None = None
    """Shell command that judges an attempt: exit status 0 is success."""
    feedback: Literal["reference", "outcome", "environment", "none"] = "reference"
    """What may be learned from. ``reference``: the reward, and the reflector sees the right answer. ``outcome``: the reward
    alone. ``environment``: what commands, tests and the execution say; a reference only scores the result. ``none``: the
    trace alone, without any verdict."""
    rounds: int = Field(default=1, ge=1, le=8)
    """Reflections on a failed task: after each but the last, the task is tried again with the reflection in view."""
    explore: int = Field(default=0, ge=0, le=16)
    """Further attempts after a failure, to find a solution to learn from; they never change the answer given."""
    explore_temperature: float = Field(default=0.8, ge=0.0, le=2.0)
    explore_cases: bool = True
    """Whether further attempts are shown other cases than those before: what the two earned tells the cases apart."""
    limits: LimitSettings = LimitSettings()
    recall: RecallSettings = RecallSettings()
    memory: MemorySettings = MemorySettings()
    playbook: PlaybookSettings = PlaybookSettings()
    checks: CheckSettings = CheckSettings()
    learning: LearningSettings = LearningSettings()
    show: ShowSettings = ShowSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    code_seconds: float = Field(default=30.0, gt=0)
    """Longest time that one block of code may run."""
    code_memory_mb: int = Field(default=2048, ge=128)
