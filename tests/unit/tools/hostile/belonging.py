"""Which processes of the host came from a worker, wherever they hide."""

from __future__ import annotations

import contextlib
from pathlib import Path


def processes(workspace: Path, user: int) -> dict[int, str]:
    """Processes that see `workspace` as their own, by pid, with what they are.

    A process is known by its mounts, by its environment, which children inherit, or by the worker's own user.

    Args:
        workspace: folder of the worker.
        user: the worker's uid where it has one of its own; 0 where it has not.
    """
    needle, found = str(workspace), {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if _belongs(folder, needle, user):
                    found[int(folder.name)] = _describe(folder)
    return found


def _belongs(folder: Path, needle: str, user: int) -> bool:
    status = _read(folder / "status")
    if "\nState:\tZ" in status:
        return False
    uids = [line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")]
    if user and uids and str(user) in uids[0]:
        return True
    seen = (_read(folder / "mountinfo"), _read(folder / "environ"))
    return any(f"{needle} " in text or f"={needle}\0" in text for text in seen)


def _describe(folder: Path) -> str:
    return _read(folder / "cmdline").replace("\0", " ")[:80]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
