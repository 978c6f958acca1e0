"""A shell command as the judge of an attempt."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import tempfile
from asyncio.subprocess import Process
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import ClassVar

from agentfly.scorers.reference import missing
from agentfly.types import Attempt, Feedback, Task

_log = logging.getLogger("agentfly.scorers")

_PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "VIRTUAL_ENV", "SYSTEMROOT")
_KEPT = 64_000  # bytes of output that are read back
_SHOWN = 2_000  # characters of it that become the text of the feedback
_ENV_LIMIT = 100_000  # Linux refuses environment strings of 128 KiB


@dataclass(frozen=True, slots=True)
class CommandScorer:
    """Runs a command in the attempt's folder: exit status 0 is a reward of 1, any other of 0.

    The answer is on standard input, in the file ``$AGENTFLY_ANSWER_FILE`` and, cut to 100,000 bytes, in
    ``$AGENTFLY_ANSWER``; it is never put into the command's text. When the command succeeds and the last line that it prints
    is a number in [0, 1], that number is the reward. Its output becomes the text of the feedback.

    The command runs as the user, outside the sandbox, in a folder whose content the model may have written. It gets a
    short list of environment variables, so that no key leaks into what it runs.

    A command that cannot be found, does not end in time or is killed gives no verdict: that is not the attempt's
    fault. The reason goes to the log ``agentfly.scorers`` as a warning.

    Args:
        command: shell command.
        seconds: time allowed.
    """

    name: ClassVar[str] = "command"
    command: str
    seconds: float = 60.0

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """Run the command on an answer; None when it could not judge."""
        if attempt.answer is None:
            return missing("command")
        with tempfile.TemporaryDirectory(prefix="agentfly-score-") as folder:
            # Not in the workspace: the model may have put a link of that name there.
            answer_file = Path(folder, "answer.txt")
            answer_file.write_text(attempt.answer, encoding="utf-8", errors="replace")
            try:
                status, output = await self._run(workspace, answer_file, self._environment(task, attempt, answer_file))
            except TimeoutError:
                self._warn(f"did not end within {self.seconds:g} s")
                return None
            except OSError as error:
                self._warn(f"could not be started: {error}")
                return None
        if status in (126, 127) or status < 0:
            why = f"was killed by signal {-status}" if status < 0 else f"was not found or cannot be run ({status})"
            self._warn(f"{why}: {_last_line(output)}")
            return None
        reward = _reward_in(output) if status == 0 else 0.0
        return Feedback(reward=reward, text=_text(status, output), source="command")

    def _warn(self, reason: str) -> None:
        _log.warning("the scoring command %r %s; the attempt has no feedback", self.command, reason)

    def _environment(self, task: Task, attempt: Attempt, answer_file: Path) -> dict[str, str]:
        answer = (attempt.answer or "").replace("\0", "").encode("utf-8", "replace")[:_ENV_LIMIT]
        return {key: os.environ[key] for key in _PASSED_ON if key in os.environ} | {
            "AGENTFLY_ANSWER": answer.decode("utf-8", "ignore"),
            "AGENTFLY_ANSWER_FILE": str(answer_file),
            "AGENTFLY_TASK_ID": task.id,
        }

    async def _run(self, workspace: Path, answer_file: Path, env: dict[str, str]) -> tuple[int, str]:
        # A pipe of our own: with asyncio's, waiting for the command would also wait for what it left in the background.
        source, sink = os.pipe()
        with FileIO(source) as output, answer_file.open("rb") as answer:
            try:
                process = await asyncio.create_subprocess_shell(
                    self.command,
                    cwd=workspace,
                    env=env,
                    stdin=answer,
                    stdout=sink,
                    stderr=sink,
                    start_new_session=True,
                )
            finally:
                os.close(sink)
            return await self._outcome(process, output)

    async def _outcome(self, process: Process, output: FileIO) -> tuple[int, str]:
        reading = asyncio.create_task(_tail(output))
        try:
            async with asyncio.timeout(self.seconds):
                status = await process.wait()
            _kill_group(process)  # or reading would wait for the rest of it
            await asyncio.wait([reading], timeout=1.0)
            return status, reading.result() if reading.done() else ""
        finally:
            _kill_group(process)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await process.wait()


def _kill_group(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def _tail(output: FileIO) -> str:
    """The end of what comes through a pipe."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), output
    )
    kept = b""
    try:
        while chunk := await reader.read(_KEPT):
            kept = (kept + chunk)[-_KEPT:]
    finally:
        transport.close()
    return kept.decode("utf-8", "replace").strip()


def _reward_in(output: str) -> float:
    """The last line where it is a reward, else 1."""
    try:
        value = float(_last_line(output))
    except ValueError:
        return 1.0
    return value if 0.0 <= value <= 1.0 else 1.0


def _last_line(output: str) -> str:
    return output.rsplit("\n", 1)[-1].strip()


def _text(status: int, output: str) -> str:
    head = "The command accepts the answer" if status == 0 else f"The command ends with status {status}"
    shown = output if len(output) <= _SHOWN else "…" + output[-_SHOWN:]
    return f"{head}:\n{shown}" if shown else f"{head}."
