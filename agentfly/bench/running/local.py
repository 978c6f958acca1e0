"""Attempts on this machine, side by side in one event loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence

from agentfly.bench.running.afterwards import criticised, with_rounds
from agentfly.bench.running.answering import TemplateScorer
from agentfly.bench.running.cache import ReplyCache
from agentfly.bench.running.executing import Done, Job, Setup, prefix
from agentfly.bench.running.measured import MeasuredComposition, Work, working
from agentfly.bench.running.outcomes import as_record, as_result, failed
from agentfly.bench.running.throttle import Throttle
from agentfly.composition import Given
from agentfly.errors import UserError
from agentfly.events import Notice
from agentfly.learning.adaptation.attempts import Attempts
from agentfly.learning.adaptation.breaker import Breaker
from agentfly.nodes.state import Emit, State
from agentfly.protocols import Model
from agentfly.types import RunResult

_log = logging.getLogger("agentfly.bench")
_REFUSED = "refused the request"
"""In the words of a model whose provider answered that the request itself is wrong: it will be wrong the next time."""


class LocalExecutor:
    """Makes attempts in this process; what an executor on another machine has one of for itself, too.

    Args:
        setup: of the benchmark run.
        slots: attempts at once.
        emit: takes notices.
        model: answers in place of the one that the settings name.

    Raises:
        UserError: the home or the cache cannot be used.
    """

    def __init__(
        self, setup: Setup, slots: int, emit: Emit = lambda event: None, *, model: Model | None = None
    ) -> None:
        self._setup, self._slots, self._emit = setup, max(1, slots), emit
        self._cache = ReplyCache(setup.cache) if setup.cache is not None else None
        self._throttle = Throttle(self._slots)
        self.made = MeasuredComposition(
            setup.home, setup.settings, given(setup, emit, model), self._throttle, self._cache
        )
        self._attempts: Attempts | None = None
        self._ends = _Ends()
        self._open: dict[str, tuple[State, RunResult]] = {}
        self._begun: set[str] = set()
        """Runs that are not settled, those under way included."""

    @property
    def slots(self) -> int:
        """As `Executor.slots`. Where the provider turns calls away, what waits for the throttle has not begun to cost anything."""
        return self._slots

    async def start(self, closed: Collection[str] = ()) -> None:
        """As `Executor.start`."""
        await self.made.toolset.connect()
        _ = self.made.parts  # an unknown model or a missing key is said before anything is tried
        if self._attempts is None:
            self._attempts = Attempts(self.made, self._quiet, self._ends)
        if closed:
            self._attempts.sweep(prefix(self._setup.identity), closed)

    async def do(self, job: Job) -> Done:
        """As `Executor.do`."""
        if self._attempts is None:
            await self.start()
        run_id, work, started = job.run_id(self._setup.identity), Work(job.key), time.time()
        token = working.set(work)
        self._begun.add(run_id)
        try:
            return await self._done(job, run_id, work, started)
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001  one bad task never ends a benchmark: it counts, and the log has the place
            _log.exception("attempt %d at task %s failed", job.attempt, job.task.id)
            reason = f"internal error: {type(error).__name__}: {error}"
            seconds = round(time.time() - started, 3)
            told = failed(job.task, attempt=job.attempt, run_id=run_id, reason=reason, started=started, seconds=seconds)
            return Done(job=job, result=told, record={"status": "error", "reason": reason, "steps": []})
        finally:
            working.reset(token)
            self._ends.forget(run_id)

    async def _done(self, job: Job, run_id: str, work: Work, started: float) -> Done:
        assert self._attempts is not None
        state, result = await self._attempts.frozen(run_id, job.task, f"{job.task.id} {job.attempt}")
        seconds = self._attempts.seconds(run_id)
        self._open[run_id] = state, result
        told = as_result(result, attempt=job.attempt, started=started, seconds=seconds)
        told = await with_rounds(told, job.task, result.attempt, self._setup.scorer)
        if self._setup.critique:
            told = await criticised(told, job.task, result.attempt, self.made.critic)
        record = as_record(job.task, result.attempt, result.feedback, cached=work.cached)
        return Done(job=job, result=told, record=record, again=told.verdict == "error" and self._ends.may_pass(run_id))

    async def settle(self, done: Sequence[Done]) -> None:
        """As `Executor.settle`."""
        if self._attempts is None:
            return
        self._begun.difference_update(one.result.run_id for one in done)
        held = [self._open.pop(one.result.run_id) for one in done if one.result.run_id in self._open]
        with self.made.home.db.write():
            for state, result in held:
                self._attempts.drive.write(state, result)
            for one in done:
                self._attempts.closed(one.result.run_id)

    async def aclose(self) -> None:
        """As `Executor.aclose`. What was not settled is left to whoever goes on."""
        if self._attempts is not None:
            self._attempts.interrupted(self._begun)
        self._begun.clear()
        self._open.clear()
        await self.made.aclose()
        if self._cache is not None:
            self._cache.close()

    def _quiet(self, event: object) -> None:
        """Of all that happens in an attempt, only warnings are for people who watch many of them."""
        if isinstance(event, Notice):
            self._emit(event)


def given(setup: Setup, emit: Emit, model: Model | None = None) -> Given:
    """The parts that a benchmark brings to its agent."""
    scorer = None if setup.scorer is None else TemplateScorer(setup.scorer)
    return Given(model=model, scorer=scorer, notify=emit)


class _Ends(Breaker):
    """Remembers whose failure ended an attempt; whether to go on is for the runner to say, which sees all machines."""

    def __init__(self) -> None:
        super().__init__(worked=True)
        self._passing: set[str] = set()

    def saw(self, run_id: str, failed: str | None, *, provider: bool = True) -> None:
        if failed is not None and provider and _REFUSED not in failed:
            self._passing.add(run_id)

    def may_pass(self, run_id: str) -> bool:
        """Whether the attempt was ended by a provider that may not fail the next time."""
        return run_id in self._passing

    def forget(self, run_id: str) -> None:
        """The attempt is over."""
        self._passing.discard(run_id)
