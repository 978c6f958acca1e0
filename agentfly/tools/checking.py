"""Checks in a process of their own: milliseconds, no files, no network."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentfly.errors import SandboxError
from agentfly.protocols import Checked, CheckWorker, Subject
from agentfly.tools.sandbox.child import Broken, Child
from agentfly.tools.sandbox.launch import launch
from agentfly.tools.sandbox.users import give_back, next_user
from agentfly.tools.subjects import plain_batches
from agentfly.types import Bullet

START_SECONDS = 30.0
HARD_SECONDS = 40.0
"""For each check of a request: after how many seconds without a verdict a worker that should have stopped its checks is given up, see `inside.checks.TOTAL`."""
MEMORY_MB = 256
LONGEST_TEXT = 20_000
"""Characters of a check's source."""
MOST_TOGETHER = 16
"""Checks of one request: with the longest sources they fit into a frame."""


class SandboxedChecker:
    """Opens workers that run checks.

    Args:
        library: source of the functions that checks may call.
        milliseconds: of processor time that one check may take on one answer; waiting ends after five times as long and 0.2 s.
        tier, unsafe: as `agentfly.tools.python.PythonSandbox`.
    """

    def __init__(self, library: str, milliseconds: int = 50, tier: str = "auto", *, unsafe: bool = False) -> None:
        self._library = library
        self._milliseconds = milliseconds
        self._tier = tier
        self._unsafe = unsafe

    @asynccontextmanager
    async def open(self) -> AsyncIterator[CheckWorker]:
        """A worker. Its process starts beside other work and is waited for by the first checks."""
        worker = _Worker(self._library, self._milliseconds / 1000, self._tier, self._unsafe)
        try:
            yield worker
        finally:
            await worker.close()


class _Worker:
    """A `CheckWorker`, for one event loop. Each check runs in a fork of the process, so what it does ends with it."""

    def __init__(self, library: str, seconds: float, tier: str, unsafe: bool) -> None:
        self._library = library
        self._limits = {"seconds": seconds, "waiting": 5 * seconds + 0.2}
        self._tier = tier
        self._unsafe = unsafe
        self._lock = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._child: Child | None = None
        self._held: object = None
        """The batch that the process knows."""
        self._closed = False
        self._user = next_user()
        self._starting: asyncio.Task[Child] | None = asyncio.create_task(self._start())

    async def check(self, checks: Sequence[Bullet], subjects: Sequence[Subject]) -> Sequence[Sequence[Checked]]:
        async with self._lock:
            if self._closed:
                raise SandboxError("the worker for checks is closed")
            table: list[list[Checked]] = [[] for _ in checks]
            for batch in plain_batches(subjects) if checks else ():
                await self._batch(checks, table, batch)
            return [[column[row] for column in table] for row in range(len(subjects))]

    async def close(self) -> None:
        """End the process and remove its folder."""
        self._closed = True
        try:
            if self._starting is not None:
                self._starting.cancel()
                await asyncio.gather(self._starting, return_exceptions=True)  # who waited for it was told
        finally:
            try:
                if self._child is not None:
                    await self._drop(self._child)
            finally:
                give_back(self._user)
                self._user = 0
                if self._folder is not None:
                    self._folder.cleanup()

    async def _batch(self, checks: Sequence[Bullet], table: list[list[Checked]], batch: list[dict[str, Any]]) -> None:
        """Add what the checks say of a batch; those that had a problem before are not tried again."""
        tried = []
        for index, (bullet, column) in enumerate(zip(checks, table, strict=True)):
            if column and column[-1].problem:
                column += [replace(column[-1], seconds=0.0)] * len(batch)
            elif len(bullet.text) > LONGEST_TEXT:
                column += [Checked(problem=f"it is longer than {LONGEST_TEXT:,} characters")] * len(batch)
            else:
                tried.append(index)
        told = await self._told([checks[index].text for index in tried], batch)
        for index, column_of in zip(tried, told, strict=True):
            table[index] += column_of

    async def _told(self, texts: list[str], batch: list[dict[str, Any]]) -> list[list[Checked]]:
        """What each check says. Where the worker breaks, they are tried again one by one to know which of them broke it."""
        found: dict[int, list[Checked]] = {}
        for some in _portions(texts):
            if not await self._exchange(some, batch, found):
                for index in some.keys() - found.keys():
                    if not await self._exchange({index: texts[index]}, batch, found):
                        found[index] = [Checked(problem="it broke the worker for checks")] * len(batch)
        return [found[index] for index in range(len(texts))]

    async def _exchange(
        self, texts: dict[int, str], batch: list[dict[str, Any]], found: dict[int, list[Checked]]
    ) -> bool:
        """Run checks and enter what they say; whether the worker held out."""
        child = await self._started()
        try:
            if self._held is not batch:
                await child.send({"op": "subjects", "subjects": batch})
                self._held = batch
            number, names = next(self._numbers), list(texts)
            await child.send({"op": "checks", "id": number, "texts": list(texts.values()), **self._limits})
            for _ in names:
                async with asyncio.timeout(HARD_SECONDS * len(names)):
                    frame = await child.receive()
                index, column = _column(frame, number, len(batch))
                found[names[index]] = column
        except (Broken, TimeoutError):
            await self._drop(child)
            return False
        except BaseException:  # cancelled in the middle of an exchange, or a bug: its state cannot be known
            await self._drop(child)
            raise
        return texts.keys() <= found.keys()

    async def _started(self) -> Child:
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        try:
            return await asyncio.shield(self._starting)
        except SandboxError:
            self._starting = None
            raise

    async def _start(self) -> Child:
        from agentfly.tools.sandbox.check import choose

        tier = await choose(self._tier, unsafe=self._unsafe)
        try:
            child = self._child = self._launched(tier)
        except OSError as error:
            raise SandboxError(f"the worker for checks cannot be started: {error}") from None
        try:
            async with asyncio.timeout(START_SECONDS):
                await child.send({"op": "library", "source": self._library})
                problem = (await child.receive()).get("problem")
        except (Broken, TimeoutError):
            child.output.drain()
            problem = " ".join(child.output.take().split())[-500:] or "no answer"
        if problem:
            await self._drop(child)
            raise SandboxError(f"the worker for checks ({tier}) did not start: {problem}")
        return child

    def _launched(self, tier: str) -> Child:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="agentfly-checks-", ignore_cleanup_errors=True)
        settings = {"memory_mb": MEMORY_MB, "file_mb": 0, "user": self._user, "site": False}
        return launch(tier, Path(self._folder.name).resolve(), **settings, options={"checks": True})

    async def _drop(self, child: Child) -> None:
        child.kill()
        if self._child is child:
            self._child = self._starting = self._held = None
        try:
            await child.gone()
        finally:
            child.release()


def _column(frame: dict[str, Any], number: int, count: int) -> tuple[int, list[Checked]]:
    """Which check of a request a frame tells of, and what.

    Raises:
        Broken: it is no such frame.
    """
    try:
        rows = [Checked(message=str(m), problem=str(p), seconds=float(s)) for m, p, s in frame["rows"]]
        if frame["id"] != number or len(rows) != count:
            raise Broken("a frame tells of something else")
        return int(frame["index"]), rows
    except (KeyError, TypeError, ValueError):
        raise Broken("a frame is not of the protocol") from None


def _portions(texts: list[str]) -> list[dict[int, str]]:
    """Sources by their index, as many together as one frame takes."""
    portions: list[dict[int, str]] = []
    for index, text in enumerate(texts):
        if index % MOST_TOGETHER == 0:
            portions.append({})
        portions[-1][index] = text
    return portions
