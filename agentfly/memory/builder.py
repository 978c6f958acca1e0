"""Building the index in a process of its own: Chroma keeps Python's lock for as long as a write takes, a third of a
second for 500 rows, and nothing else in the process would run meanwhile, an event loop included.

The child owns the index while it builds and this process searches exactly. It ends when all is read in, or soon after
its standard input is closed, which the system does too when this process dies.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from agentfly.memory.stamp import Source

log = logging.getLogger(__name__)

STALLED = 120.0
"""Seconds without progress after which a child is given up."""
_LAST_BATCH = 10.0  # seconds that a child may take to finish its batch when told to stop


class Builder:
    """At most one child that builds.

    Args:
        folder: the home's ``index`` folder.
        database: path of the truth.
        source: what the index is built from.
    """

    def __init__(self, folder: Path, database: Path, source: Source) -> None:
        self._order = json.dumps({"folder": str(folder), "database": str(database), "source": asdict(source)})
        self._child: subprocess.Popen[bytes] | None = None
        self.failed = False
        """Whether the last child did not come to a good end."""

    @property
    def running(self) -> bool:
        """Whether there is a child at work."""
        child = self._child
        if child is None:
            return False
        code = child.poll()
        if code is None:
            return True
        self._ended(child, code)
        return False

    def start(self) -> bool:
        """Start a child; whether there is one now."""
        if self.running:
            return True
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "agentfly.memory.builder", self._order],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )
        except OSError as error:
            log.warning("the index cannot be built in a process of its own: %s", error)
            self.failed = True
            return False
        return True

    def wait(self, progress: Callable[[], int]) -> None:
        """Wait for the child to end.

        Args:
            progress: a number that changes as the work goes on; a child for which it does not is stopped.
        """
        last, since = progress(), time.monotonic()
        try:
            while self.running:
                time.sleep(0.05)
                if (now := progress()) != last:
                    last, since = now, time.monotonic()
                elif time.monotonic() - since > STALLED:
                    self.stop(patience=0.0)
                    self.failed = True
        except BaseException:
            self.stop()
            raise

    def stop(self, patience: float = _LAST_BATCH) -> None:
        """End the child after its batch. May be called when there is none.

        Args:
            patience: seconds after which it is killed.
        """
        child = self._child
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            code = child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        self._ended(child, code)

    def _ended(self, child: subprocess.Popen[bytes], code: int) -> None:
        self._child = None
        self.failed = code != 0
        if child.stdin is not None:
            child.stdin.close()
        if code:
            log.warning("the process that builds the index ended with %s", code)


def _build(order: str) -> int:
    """What the child does."""
    from agentfly.memory.index import LARGE_BATCH, ChromaIndex
    from agentfly.store.database import Database

    data = json.loads(order)
    stop = threading.Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    database = Database(Path(data["database"]), create=False)
    index = ChromaIndex(Path(data["folder"]), database, Source(**data["source"]))
    if not index.open(build=True):
        return 3
    index.sync(batch=LARGE_BATCH, stop=stop.is_set)
    good = index.is_open
    index.close()
    database.close()
    return 0 if good else 4


if __name__ == "__main__":
    code = _build(sys.argv[1])
    sys.stdout.flush()
    os._exit(code)  # the thread that watches standard input cannot be interrupted
