"""What programs leave in their folder, and the host reading it afterwards: it neither waits, nor follows, nor falls over."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from unit.tools.hostile.ground import ATTACHMENTS, Ground, names, source

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESULTS = [name for name in names() if name.startswith(("results/", "writing/locked", "writing/set_id"))]
SLOWEST = 20.0
# In a process of its own, for one that waits for a pipe cannot be told to stop.
_LOOK = """
import sys
from pathlib import Path
from agentfly.tools.files import preview, previews
folder = Path(sys.argv[1])
told = [preview(path) for path in sorted(folder.iterdir())] + [previews(folder.iterdir())]
assert all(text.isprintable() for one in told[:-1] for text in one.splitlines()), "control characters"
assert previews(folder.iterdir()).count("\\n- ") < min(len(list(folder.iterdir())), 21), "a name that forges another file"
sys.stdout.buffer.write("\\n".join(told).encode())
"""
_TIDY = """
import sys
from pathlib import Path
from agentfly.nodes.workspace import prepare, tidy
from agentfly.types import Task
folder = Path(sys.argv[1])
root, attached = folder.parents[1], Path(sys.argv[2])
task = Task("q", files=tuple(attached.iterdir()))
tidy(root, folder.parent.name, task)
assert {p.name for p in folder.iterdir()}.isdisjoint(p.name for p in task.files) if folder.exists() else True
again = prepare(root, folder.parent.name, 1, task)
assert sorted(p.name for p in again.iterdir()) == sorted(p.name for p in task.files), sorted(again.iterdir())
"""


@pytest.mark.parametrize("name", RESULTS)
async def test_previews(ground: Ground, name: str) -> None:
    await read_afterwards(ground, name, _LOOK)


@pytest.mark.parametrize("name", RESULTS)
async def test_tidying_and_preparing_again(ground: Ground, name: str) -> None:
    await read_afterwards(ground, name, _TIDY)


async def read_afterwards(ground: Ground, name: str, reader: str) -> None:
    """Run a program, then `reader` on what it left."""
    async with ground.open("run/1") as (worker, folder):
        await worker.run(source(name, ground.facts(worker)), 5)
    attached = ground.stage.folder / "attached"
    attached.mkdir(exist_ok=True)
    for file in ATTACHMENTS:
        (attached / file).write_text("a,b\n")
    command = [sys.executable, "-c", reader, str(folder), str(attached)]
    done = subprocess.run(command, capture_output=True, timeout=SLOWEST, check=False)
    assert done.returncode == 0, done.stderr.decode()[-500:]
    assert ground.stage.secret.encode() not in done.stdout, "a link was followed"
    assert ground.stage.damage([], ground.stage.folder / "nothing") == []
