"""The frozen benchmark run: jobs go out to an executor, results go to disk, until every attempt has exactly one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from agentfly.bench.folder import ResultsWriter
from agentfly.bench.results import Result
from agentfly.bench.running.executing import Done, Executor, Job
from agentfly.bench.running.jobs import Jobs
from agentfly.bench.running.progress import Tally
from agentfly.bench.running.strikes import Strikes
from agentfly.errors import AgentflyError


class Runner:
    """Runs what has no result yet.

    Args:
        writer: of the results folder.
        executor: makes the attempts; has been started.
        jobs: to do.
        tally: counts what is put on record.
        retries: further tries of an attempt that ended in an error which may pass.
    """

    def __init__(self, writer: ResultsWriter, executor: Executor, jobs: Jobs, tally: Tally, *, retries: int) -> None:
        self._writer, self._executor, self._jobs, self._tally = writer, executor, jobs, tally
        self._retries = retries
        self._strikes = Strikes(executor.slots, worked=tally.progress.done > tally.progress.errors)
        # What is done and not on disk yet is bounded, whatever the disk does.
        self._ready: asyncio.Queue[Done | None] = asyncio.Queue(maxsize=max(2, executor.slots))

    async def run(self) -> None:
        """Run it to its end. Whatever ends it before, what was finished is on disk then.

        Raises:
            ProviderError, InputError: nothing succeeds any more.
            UserError: the agent cannot work as it is set up, or the disk refuses.
        """
        try:
            async with asyncio.TaskGroup() as whole:
                whole.create_task(self._keep())
                async with asyncio.TaskGroup() as group:
                    for _ in range(self._executor.slots):
                        group.create_task(self._work())
                await self._ready.put(None)
        except BaseExceptionGroup as failed:
            raise _first(failed) from None

    async def _work(self) -> None:
        while (job := await self._jobs.next()) is not None:
            await self._ready.put(await self._executor.do(job))

    async def _keep(self) -> None:
        """Put results on disk as they come, those that come together in one go."""
        try:
            more = True
            while more:
                batch = [await self._ready.get(), *self._waiting()]
                more = None not in batch
                await self._decide([done for done in batch if done is not None])
            await self._write(self._strikes.ended())
        finally:
            # Somebody or something ends the run: what was finished is not lost for that.
            await self._write([done for done in self._waiting() if done is not None and self._counts(done)])

    def _waiting(self) -> list[Done | None]:
        found: list[Done | None] = []
        while not self._ready.empty():
            found.append(self._ready.get_nowait())
        return found

    def _counts(self, done: Done) -> bool:
        """Whether it is known already what it came to; an error is looked at again when the run goes on."""
        return done.result.verdict != "error"

    async def _decide(self, batch: Sequence[Done]) -> None:
        keep, again = list[Done](), list[Done]()
        try:
            for place, done in enumerate(batch):
                tried = done.again and done.job.tries < self._retries
                try:
                    keep += self._strikes.saw(done, final=not tried)
                except AgentflyError:
                    keep += filter(self._counts, batch[place + 1 :])
                    raise
                if tried:
                    again.append(done)
        finally:
            await self._write(keep)
        await self._executor.settle(again)
        for done in again:
            self._jobs.again(done)
        for _ in range(len(batch) - len(again)):
            self._jobs.finished()

    async def _write(self, finished: Sequence[Done]) -> None:
        if not finished:
            return
        told = [(_whole(done.job, done.result), done.record) for done in finished]
        writing = asyncio.ensure_future(asyncio.to_thread(self._writer.add, told))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await writing  # a thread cannot be called back: what it writes is written before anything else happens
            raise
        await self._executor.settle(finished)
        self._tally.add(result for result, _ in told)


def _whole(job: Job, result: Result) -> Result:
    """The result with what earlier tries cost."""
    if not job.tries:
        return result
    return replace(
        result,
        retries=job.tries + result.retries,
        usage=job.spent + result.usage,
        seconds=round(job.seconds + result.seconds, 3),
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """One reason is enough, and says more than a group of them."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
