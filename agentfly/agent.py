"""The agent: run a task, learn from it, go on where a killed run stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agentfly.composition import Composition, Given, named_settings
from agentfly.driving import Drive
from agentfly.errors import InputError
from agentfly.events import Event, Notice, RunStarted
from agentfly.layers import home_path, resolve_settings
from agentfly.nodes.permission import expanded
from agentfly.nodes.state import State
from agentfly.playbooks.teaching import teach
from agentfly.protocols import Generator, Model, Scorer
from agentfly.running import Approve, OnEvent, as_task, decided, last, new_run_id, wait
from agentfly.store.runs import RUNNING
from agentfly.types import Decision, Feedback, Learned, RunResult, Task, Usage

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

    from agentfly.config import Settings
    from agentfly.learning.adapting import OnProgress, Plan, TasksLearned, Wanted
    from agentfly.learning.traces.learning import OnBatch, TracesLearned
    from agentfly.learning.traces.reading import Source
    from agentfly.memory.bank import CaseBank
    from agentfly.playbooks.ledger import PlaybookLedger
    from agentfly.store.runs import RunStore

WRAPPED = "wrapped"
"""The strategy of agents that are not ours, which only the program that wraps them can call."""
ScorerLike = str | Scorer | Callable[..., Any]


class Agent:
    """An agent that learns.

    Args:
        model: a name such as ``openai/gpt-5-mini``, ``embedded`` or ``auto``, or an object that implements `Model`.
        home: folder that holds what it has learned; see `agentfly.layers.home_path` for the default.
        tools: Python functions, `Tool` objects or LangChain tools that the model may call.
        generator: acts in place of our own strategies; `agentfly.wrap` makes one of any agent.
        scorer: gives feedback: a scorer's name, a `Scorer`, or a function; see `agentfly.scorers.FunctionScorer`.
        strategy: how it acts: ``codeact``, ``tools``, ``plan``, or ``auto``.
        policy: which recalled cases are shown: ``similarity``, ``episodic`` or ``neural``.
        gate: which deltas are kept: ``always``, ``fix``, ``replay``, or ``auto``.
        settings: any other setting of `agentfly.config.Settings`, by dotted key: ``{"limits.steps": 10}``.
        notify: takes notices (fallbacks, progress of downloads); may be called from another thread.

    Raises:
        ConfigError: a setting is wrong.
        HomeError: the home cannot be used.
    """

    def __init__(
        self,
        *,
        model: str | Model | None = None,
        home: str | Path | None = None,
        tools: Sequence[Any] = (),
        scorer: ScorerLike | None = None,
        strategy: str | None = None,
        policy: str | None = None,
        gate: str | None = None,
        settings: Mapping[str, Any] | None = None,
        notify: Callable[[Notice], None] | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.home = home_path(home)
        arguments = named_settings(settings, model=model, scorer=scorer, strategy=strategy, policy=policy, gate=gate)
        resolved, self.origins = resolve_settings(self.home, arguments)
        given = Given(
            model=None if isinstance(model, str) else model,
            generator=generator,
            scorer=None if isinstance(scorer, str) else scorer,
            tools=tools,
            notify=notify or (lambda notice: None),
        )
        self._made = Composition(self.home, resolved, given)
        self._drive = Drive(self._made)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._made.settings

    @property
    def bank(self) -> CaseBank:
        """The case memory."""
        return self._made.bank

    @property
    def playbook(self) -> PlaybookLedger:
        """The playbook with its history."""
        return self._made.playbook

    @property
    def runs(self) -> RunStore:
        """The record of all runs."""
        return self._made.runs

    @property
    def graph(self) -> CompiledStateGraph[Any, Any, Any, Any]:
        """The compiled LangGraph graph, to embed or to inspect."""
        return self._made.graph

    @property
    def strategy(self) -> str:
        """The strategy in force."""
        return self._made.strategy

    @property
    def model_name(self) -> str:
        """The generator's model."""
        return self._made.model_choice[0]

    @property
    def model_why(self) -> str:
        """Why that model was taken."""
        return self._made.model_choice[1]

    def run(
        self,
        question: str | Task,
        *,
        files: Sequence[str | Path] = (),
        reference: str | None = None,
        learn: bool | None = None,
        exclude_self: bool = False,
        approve: Approve | None = None,
        on_event: OnEvent | None = None,
    ) -> RunResult:
        """Work on a task, and learn from it where there is feedback.

        Args:
            question: what to do, or a whole `Task`.
            files: attachments, copied into the attempt's private workspace.
            reference: the right answer where it is known; scored against, never shown to the generator.
            learn: False leaves the home as it is; None learns whenever there is feedback.
            exclude_self: keep out cases of this very task, and of the same question under another id, as evaluation demands.
            approve: decides on calls of tools that write, execute or reach the network, and turns asking on for this run.
                Without it a run under the setting ``approve: ask`` is left waiting: the result's status is ``waiting``,
                its `pending` lists the calls, and `resume` goes on.
            on_event: called with each typed event as it happens.

        Raises:
            UserError: bad input, no usable model, an unusable home.
        """
        options = {"files": files, "reference": reference, "learn": learn, "exclude_self": exclude_self}
        return wait(self.arun(question, on_event=on_event, approve=approve, **options))

    async def arun(self, question: str | Task, *, on_event: OnEvent | None = None, **options: Any) -> RunResult:
        """`run` for asynchronous callers; many may be awaited at once."""
        return await last(self.astream(question, **options), on_event)

    async def astream(
        self,
        question: str | Task,
        *,
        files: Sequence[str | Path] = (),
        reference: str | None = None,
        learn: bool | None = None,
        exclude_self: bool = False,
        approve: Approve | None = None,
    ) -> AsyncIterator[Event]:
        """Work on a task and yield each typed event; the last one is `RunFinished`."""
        task = as_task(question, files, reference)
        await self._made.toolset.connect()
        _ = self._made.parts  # an unknown model or a missing key is said before anything is recorded
        run_id, hidden = new_run_id(), task.without_reference()
        model = self.model_name
        mode = "ask" if approve is not None and self.settings.approve == "auto" else self.settings.approve
        settings = self.settings.model_copy(update={"approve": mode})
        self.runs.start(run_id, task, model, self.strategy, settings, learn=learn is not False)
        yield RunStarted(run_id=run_id, task=hidden, model=model, strategy=self.strategy)
        first: State = {
            "run_id": run_id,
            "task": hidden,
            "learn": learn is not False,
            "kept": True,
            "approve": mode,
            "exclude_self": exclude_self,
            "usage": Usage(),
        }
        async for event in self._drive.run(run_id, task, first, approve=approve):
            yield event

    def resume(
        self,
        run_id: str,
        *,
        decisions: Mapping[str, Decision] | Decision | None = None,
        approve: Approve | None = None,
        on_event: OnEvent | None = None,
    ) -> RunResult:
        """Go on with a run that was killed or interrupted, or that waits for permission; also in another process.

        Model replies that were paid for are not asked for again, and no call of a tool is made twice.

        Args:
            run_id: its id, or the beginning of it.
            decisions: on the calls that it waits for: True, False or ``always`` by the id of the call, or one for all.
                ``always`` permits every call of that tool for the rest of the run.
            approve: decides on those that `decisions` leaves open, and on later ones.
            on_event: called with each typed event as it happens.

        Raises:
            InputError: no such run, it has nothing left to do, another process works on it, or no such call waits.
        """
        return wait(self.aresume(run_id, decisions=decisions, approve=approve, on_event=on_event))

    async def aresume(
        self,
        run_id: str,
        *,
        decisions: Mapping[str, Decision] | Decision | None = None,
        approve: Approve | None = None,
        on_event: OnEvent | None = None,
    ) -> RunResult:
        """`resume` for asynchronous callers."""
        record = self.runs.show(run_id)
        if record.status == RUNNING:
            raise InputError(f"run {record.id} is being worked on; wait for it to end")
        if WRAPPED in (record.strategy, self.strategy) and record.strategy != self.strategy:
            raise InputError(
                f"run {record.id} was done by {record.model} ({record.strategy}): only that can go on with it"
            )
        if not await self._drive.state(record.id):  # a run that is closed keeps no state
            raise InputError(f"run {record.id} has nothing left to do: start it again with `agentfly run`")
        await self._made.toolset.connect()
        calls = await self._drive.pending(record.id)
        try:
            verdicts = {} if decisions is None else expanded(decisions, calls)
        except ValueError as error:
            raise InputError(f"run {record.id}: {error}") from None
        if approve is not None:
            verdicts = await decided(approve, calls, verdicts)
        if calls and not verdicts:
            return await last(self._drive.waiting(record.id, record.task, calls), on_event)
        self.runs.reopen(record.id)
        going_on = self._drive.run(record.id, record.task, None, approve=approve, decisions=verdicts)
        return await last(going_on, on_event)

    def learn(self, result: RunResult | str, feedback: Feedback, *, on_event: OnEvent | None = None) -> Learned:
        """Learn from feedback that came after the run: reflect, curate, retain.

        Args:
            result: what `run` returned, or the id of a recorded run.
            feedback: the reward and, in words, why.
            on_event: called with each typed event as it happens.

        Raises:
            InputError: no such run, or one that never got to an attempt.
        """
        return wait(self.alearn(result, feedback, on_event=on_event))

    async def alearn(self, result: RunResult | str, feedback: Feedback, *, on_event: OnEvent | None = None) -> Learned:
        """`learn` for asynchronous callers."""
        record = self.runs.show(result if isinstance(result, str) else result.run_id)
        return await self._drive.learn(record, feedback, on_event or (lambda event: None))

    def learn_traces(
        self,
        source: Source,
        *,
        batch: int = 8,
        limit: int | None = None,
        on_event: OnEvent | None = None,
        on_batch: OnBatch | None = None,
    ) -> TracesLearned:
        """Learn from attempts that somebody else recorded: cases, and rules that several of them ask for.

        Args:
            source: a file of JSON lines or a JSON list, or the traces as dictionaries: our own runs, OpenAI conversations
                with a verdict, or question, steps and verdict. A trace is learned from once.
            batch: how many are curated together.
            limit: most traces to learn from.
            on_event: called with each typed event as it happens.
            on_batch: called with what came of all traces so far, after each batch is kept.

        Raises:
            InputError: the source cannot be read, or none of its traces can be learned from.
        """
        return wait(self.alearn_traces(source, batch=batch, limit=limit, on_event=on_event, on_batch=on_batch))

    async def alearn_traces(
        self,
        source: Source,
        *,
        batch: int = 8,
        limit: int | None = None,
        on_event: OnEvent | None = None,
        on_batch: OnBatch | None = None,
    ) -> TracesLearned:
        """`learn_traces` for asynchronous callers."""
        from agentfly.learning.traces.learning import learn_traces

        unheard: Callable[[Any], None] = lambda told: None  # noqa: E731
        emit, tell = on_event or unheard, on_batch or unheard
        return await learn_traces(self._made, source, batch=batch, limit=limit, emit=emit, on_batch=tell)

    def learn_tasks(
        self,
        tasks: Sequence[Task],
        *,
        validation: Wanted = (),
        test: Wanted = (),
        limit: int | None = None,
        plan: Plan | None = None,
        compare: Scorer | Callable[..., Any] | None = None,
        on_event: OnEvent | None = None,
        on_progress: OnProgress | None = None,
        restart: bool = False,
    ) -> TasksLearned:
        """Learn over a dataset: base, learning, validation, the best version, test. Interrupted, the same call goes on.

        Args:
            tasks: to learn from, and to set aside from.
            validation: how many tasks choose the best version (a number, or a share in (0, 1)), or tasks of their own.
            test: how many are answered before and after and never learned from, or tasks of their own.
            limit: most tasks to learn from.
            plan: how to learn; by default one pass over all tasks.
            compare: compares answers with references by a rule of the dataset's own; it is also learned from where the agent has no
                scorer.
            on_event: called with each typed event as it happens.
            on_progress: called as samples come in.
            restart: begin anew although an unfinished course of the same tasks, settings and plan could be gone on with.

        Raises:
            InputError: nothing to learn from, or another process works on it.
            UserError: no usable model, an unusable home.
        """
        work = self.alearn_tasks(
            tasks, validation=validation, test=test, limit=limit, plan=plan, compare=compare, on_event=on_event,
            on_progress=on_progress, restart=restart,
        )  # fmt: skip
        return wait(work)

    async def alearn_tasks(
        self,
        tasks: Sequence[Task],
        *,
        validation: Wanted = (),
        test: Wanted = (),
        limit: int | None = None,
        plan: Plan | None = None,
        compare: Scorer | Callable[..., Any] | None = None,
        on_event: OnEvent | None = None,
        on_progress: OnProgress | None = None,
        restart: bool = False,
    ) -> TasksLearned:
        """`learn_tasks` for asynchronous callers."""
        from agentfly.learning.adapting import learn_tasks

        unheard: Callable[[Any], None] = lambda told: None  # noqa: E731
        return await learn_tasks(
            self._made, tasks, validation=validation, test=test, limit=limit, plan=plan, compare=compare, emit=on_event or unheard,
            on_progress=on_progress or unheard, restart=restart,
        )  # fmt: skip

    def teach(self, text: str, section: str = "strategies") -> Learned:
        """Put a person's rule straight into the playbook.

        Raises:
            InputError: the rule cannot be a bullet; says why.
        """
        return teach(self.playbook, text, section, author="human", reason="taught by a person")

    async def aclose(self) -> None:
        """Release models, the index and the database. May be called twice."""
        await self._made.aclose()

    def close(self) -> None:
        """`aclose` for synchronous callers."""
        wait(self.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()
