"""Trying an index without trusting it: in a child process, which a damaged one may kill or hang."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

SECONDS = 60.0
"""How long the child may take."""


def probe(folder: Path, samples: Mapping[str, Sequence[float]]) -> dict[str, Any] | None:
    """Open and query an index in a child process.

    Args:
        folder: Chroma's folder.
        samples: some embeddings that are in it, by id.

    Returns:
        ``count``, ``ids``, and ``missed``: how many samples did not find themselves and all the neighbours there are.
        None when the child did not come back with an answer.
    """
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            # -P: nothing from the folder that we happen to stand in
            [sys.executable, "-P", "-m", "agentfly.memory.index", str(folder)],
            input=json.dumps(dict(samples)),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={**os.environ, "PYTHONPATH": path},
            check=True,
        )
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        log.info("the index failed its test: %s", error)
        return None


def locked(database: Path) -> bool:
    """Whether another process holds Chroma's own database: opening it would hang for minutes."""
    if not database.exists():
        return False
    try:
        with closing(sqlite3.connect(database, timeout=1.0, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:  # damaged, which the probe will tell
        return False
    return False
