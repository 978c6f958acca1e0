"""Joins concrete classes into the parts of an agent: the one place, with `agentfly.agent`, that names them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentfly.config import Settings
from agentfly.errors import UserError
from agentfly.events import Notice
from agentfly.memory.bank import CaseBank
from agentfly.nodes.evaluate import heard
from agentfly.nodes.state import Parts
from agentfly.nodes.workspace import location
from agentfly.playbooks.ledger import PlaybookLedger
from agentfly.playbooks.rules import Rules
from agentfly.protocols import Checker, Gate, Generator, Model, Repairer, Sandbox, Scorer
from agentfly.store.home import Home
from agentfly.store.journal import JournalStore
from agentfly.store.runs import RunStore
from agentfly.toolset import Toolset
from agentfly.types import Feedback, RunResult, Task

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from agentfly.checkpoints import Checkpointer
    from agentfly.scorers.judges import Judges

EXPLORING = 0.05
"""Temperature of the choice of cases by a policy that learns; its scores are expected rewards. On the simulated stream of
`tests/benchmarks/test_selection.py` it earned more while learning than 0.1 did, and no less afterwards."""

PLAN_STEPS = 20
"""Steps of an attempt by the strategy `plan`, where none are set: three or four subtasks, the plan and the answer."""

GIVEN_STEPS = 50
"""Steps of an attempt by a generator that the caller brings, where none are set: it has its own idea of how many it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Parts that the caller brings as objects."""

    model: Model | None = None
    generator: Generator | None = None
    """Acts in place of our own strategies; the model reflects, curates and judges then."""
    scorer: Scorer | Callable[..., Any] | None = None
    compare: Scorer | Callable[..., Any] | None = None
    """Scores results by their reference where the scorer does not, such as by a dataset's own rule; `scorer` where it is None."""
    tools: Sequence[Any] = ()
    """Functions, `Tool` objects, LangChain tools."""
    notify: Callable[[Notice], None] = field(default=lambda notice: None)


class Composition:
    """Everything that one agent is made of; each part is made when it is first needed.

    Args:
        home: folder of the home; made if it does not exist.
        settings: which parts to take.
        given: parts that the caller brings.
    """

    def __init__(self, home: Path, settings: Settings, given: Given) -> None:
        own = given.generator is None
        self.settings = settings = _with_steps(settings, own)
        self.given = given
        self.home = Home.open(home)
        self.bank = CaseBank(self.home, policy=settings.policy, capacity=settings.memory.capacity)
        self.playbook = PlaybookLedger(
            self.home.db,
            self.home.playbook,
            budget=settings.playbook.tokens,
            rules=Rules(chars=settings.playbook.bullet_chars),
            embedder=self.bank.embedder,
            similar=settings.playbook.similar,
        )
        self.runs = RunStore(self.home.db)
        self.journal = JournalStore(self.home.db)
        self.runs.close_interrupted()
        self.toolset = Toolset(self.home, settings, given.tools, self._tool_model, given.notify, mcp=own)
        self._models: dict[str, Model] = {}
        self._references: dict[str, str | None] = {}

    def varied(self, update: Mapping[str, Any]) -> Composition:
        """The same agent, over the same home and with the same models, under other settings for how it acts and what it is shown.

        Args:
            update: settings by their names at the top; those of the home's own parts (policy, memory, playbook) stay as they are.
        """
        other = copy.copy(self)
        other.settings = self.settings.model_copy(
            update={**({} if self.given.generator else {"strategy": self.strategy}), **update}
        )
        for made in ("parts", "graph", "strategy", "_judges", "_sandbox"):
            other.__dict__.pop(made, None)
        return other

    @cached_property
    def strategy(self) -> str:
        """The strategy in force; ``auto`` never plans, see `_acting`."""
        if self.given.generator is not None:
            return self.given.generator.name
        return self._acting() if self.settings.strategy == "auto" else self.settings.strategy

    def _acting(self) -> str:
        """How the model acts best: ``tools`` where it is known to call functions natively, else ``codeact``, which all can follow."""
        from agentfly.models.abilities import calls_functions

        return "tools" if self._known and calls_functions(self.model_choice[0]) else "codeact"

    @property
    def _known(self) -> bool:
        """Whether the model is what its name says; an object that the caller brings may be a script or a recording."""
        from agentfly.models.litellm import LiteLLMModel

        return self.given.model is None or isinstance(self.given.model, LiteLLMModel)

    def _tool_model(self) -> str | None:
        """The model as far as tools go; None where they would only lengthen its prompt."""
        from agentfly.models.choose import EMBEDDED

        name = self.model_choice[0]
        return name if self._known and name != EMBEDDED else None

    @cached_property
    def model_choice(self) -> tuple[str, str]:
        """The generator's model and why it was taken; of a generator that the caller brings, the agent behind it."""
        if self.given.generator is not None:
            return str(getattr(self.given.generator, "agent", self.given.generator.name)), "given as an object"
        return self._choice

    @cached_property
    def _choice(self) -> tuple[str, str]:
        """Our model, and why it was taken."""
        if self.given.model is not None:
            return self.given.model.name, "given as an object"
        from agentfly.models.choose import choose_model

        choice = choose_model(self.settings)
        return choice.name, choice.why

    @cached_property
    def graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        """The loop, compiled."""
        from agentfly.graph import build

        return build(self.parts, self.checkpointer)

    @cached_property
    def checkpointer(self) -> Checkpointer:
        from agentfly.checkpoints import Checkpointer

        return Checkpointer(self.home.db.path)

    @cached_property
    def parts(self) -> Parts:
        """What the nodes work with."""
        roles = self.settings.models
        _ = self._judges.teaching  # a command that is missing, or nobody to ask, is said before anything is tried
        return Parts(
            memory=self.bank,
            playbook=self.playbook,
            record=self.runs,
            generator=self.given.generator or self._generator(),
            reflector=self._role(roles.reflector),
            curator=self._role(roles.curator),
            checker=self._checker(),
            judge=self._judges.hear,
            gate=self._gate,
            reference=lambda run_id: self._reference(run_id) if self.settings.feedback == "reference" else None,
            temperature=self._temperature,
            workspaces=self.home.artifacts,
            settings=self.settings,
            notes=self.journal,
            repairer=self._repairer,
        )

    @property
    def _temperature(self) -> float:
        """Of the choice of cases while learning. `similarity` learns nothing, so by default it does not explore."""
        given = self.settings.recall.temperature
        return given if given is not None else {"similarity": 0.0}.get(self.settings.policy, EXPLORING)

    def remember_reference(self, run_id: str, reference: str | None) -> None:
        """Keep the reference of a run at hand for its judge, outside of the graph's state."""
        self._references[run_id] = reference

    def forget_reference(self, run_id: str) -> None:
        """The run is over."""
        self._references.pop(run_id, None)

    async def aclose(self) -> None:
        """Release models, the index and the database. May be called twice."""
        await self.toolset.aclose()
        models, self._models = self._models, {}
        for model in models.values():
            await model.aclose()
        if "checkpointer" in self.__dict__:
            self.checkpointer.close()
        self.playbook.flush()
        self.bank.close()
        self.home.close()

    def _generator(self) -> Generator:
        from agentfly.generators.codeact import CodeActGenerator
        from agentfly.generators.toolcalling import ToolCallingGenerator

        settings, sandbox = self.settings, self._sandbox
        made: dict[str, Callable[..., Generator]] = {"codeact": CodeActGenerator, "tools": ToolCallingGenerator}
        plan = self.settings.plan
        acting = plan.executor if self.strategy == "plan" else self.strategy
        acting = self._acting() if acting == "auto" else acting
        more = {"tool_seconds": settings.tools.seconds} if acting == "tools" else {}
        executor = made[acting](self._model(), sandbox, code_seconds=settings.code_seconds, **more)
        if self.strategy != "plan":
            return executor
        from agentfly.generators.planning import PlanGenerator

        return PlanGenerator(self._model(), executor, tools=sandbox.tools, cycles=plan.cycles, subtasks=plan.subtasks)

    @cached_property
    def _sandbox(self) -> Sandbox:
        from agentfly.tools.python import PythonSandbox

        settings = self.settings
        return PythonSandbox(
            settings.code_memory_mb,
            self.toolset.tools,
            tool_seconds=settings.tools.seconds,
            unsafe=settings.unsafe_code,
        )

    @property
    def _repairer(self) -> Repairer | None:
        """Where another agent acts, its solutions are not code that can be run here."""
        if not self.settings.learning.repair or self.given.generator is not None:
            return None
        from agentfly.repair.search import EditSearch

        return EditSearch(self._sandbox)

    def _checker(self) -> Checker:
        from agentfly.playbooks.checks import library
        from agentfly.tools.checking import SandboxedChecker

        settings = self.settings
        return SandboxedChecker(inspect.getsource(library), settings.checks.milliseconds, unsafe=settings.unsafe_code)

    def _model(self, name: str | None = None) -> Model:
        """The model of that name, by default the generator's; opened once, so that roles share it."""
        if name is None and self.given.model is not None:
            return self.given.model
        from agentfly.models.choose import open_model

        name = name or self._choice[0]
        if name not in self._models:
            self._models[name] = open_model(name, self.settings, self.given.notify)
        return self._models[name]

    def _role(self, name: str | None) -> Model:
        """The model of a role in learning."""
        if self.given.generator is None:
            return self._model(name)
        from agentfly.models.absent import for_learning

        return for_learning(self.settings, name, self._model, self.given.notify)

    @cached_property
    def _judges(self) -> Judges:
        from agentfly.scorers.judges import Judges

        return Judges(
            settings=self.settings,
            scorer=self.given.scorer,
            compare=self.given.compare,
            model=lambda: self._model(self.settings.models.judge),
            reference=self._reference,
        )

    def _gate(self, feedback: Feedback) -> Gate:
        from agentfly.gates import gate_for
        from agentfly.gates.always import Always

        if self.settings.feedback == "none":
            return Always("no attempt is judged")
        return gate_for(self.settings.gate, feedback, replays=self.settings.replays)

    async def report(self, task: Task, result: RunResult) -> Feedback | None:
        """What a reference says of an answer where nothing may be learned from it; for the result alone, when all is over.

        None where there is no reference, where it has had its say, or where it cannot be compared.
        """
        attempt = result.attempt
        if task.reference is None or attempt.status == "error" or self._judges.by_reference:
            return None
        known = replace(task.without_reference(), reference=task.reference)
        try:
            workspace = location(self.home.artifacts, result.run_id, 0)
            return await heard(self._judges.reporting.score(known, attempt, workspace), result.run_id)
        except UserError as error:  # the answer is there, and has been learned from
            self.given.notify(Notice(text=f"the answer is not scored: {error}", level="warning"))
            return None

    def _reference(self, run_id: str) -> str | None:
        if run_id in self._references:
            return self._references[run_id]
        return self.runs.show(run_id).task.reference  # feedback that comes after the run


def _with_steps(settings: Settings, own: bool) -> Settings:
    """More steps for a strategy that divides its work, and for one that is not ours, unless a person has said how many."""
    if "steps" in settings.limits.model_fields_set or (own and settings.strategy != "plan"):
        return settings
    limits = settings.limits.model_copy(update={"steps": PLAN_STEPS if own else GIVEN_STEPS})
    return settings.model_copy(update={"limits": limits})


def named_settings(settings: Mapping[str, Any] | None, **named: object) -> dict[str, Any]:
    """Dotted settings together with those that have an argument of their own, which win; objects are no settings."""
    return {**(settings or {}), **{key: value for key, value in named.items() if isinstance(value, str)}}
