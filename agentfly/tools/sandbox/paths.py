"""What of this machine the code must be able to read: system libraries, the interpreter, installed packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

SYSTEM = ("/usr", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/ssl/openssl.cnf")
LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Folders that lead into /usr on most systems, and stand beside it on others."""


@cache
def interpreter() -> tuple[tuple[str, str], ...]:
    """Folders (source, where it is seen) that this interpreter needs beyond the system's."""
    wanted = [sys.base_prefix, sys.prefix, *packages()]
    chain = Path(sys.executable)
    while chain.is_symlink():  # a virtual environment's python leads to the real one, perhaps by several links
        chain = chain.parent / chain.readlink()
        wanted.append(str(chain.parent))
    pairs: list[tuple[str, str]] = []
    for path in wanted:
        for target in (os.path.normpath(path), os.path.realpath(path)):
            covered = any(Path(target).is_relative_to(p) for p in ("/usr", *(t for _, t in pairs)))
            if target != "/" and not covered:
                pairs.append((os.path.realpath(path), target))
    return tuple(pairs)


def packages() -> tuple[str, ...]:
    """Folders of installed packages that this process imports from."""
    return tuple(p for p in sys.path if p.endswith(("site-packages", "dist-packages")) and Path(p).is_dir())


def way(targets: Iterable[Path]) -> dict[str, list[str]]:
    """Folders that are closed to another user than root, and what it must reach below them."""
    closed: dict[str, None] = {}
    reached: dict[str, None] = {}
    sources = [Path(source) for source, _ in interpreter()]
    for target in (*sources, *targets):
        parents = [p for p in reversed(target.parents) if not p.stat().st_mode & 0o001]
        if parents:
            closed[str(parents[0])] = None
            reached[str(target)] = None
    return {"closed": list(closed), "reached": list(reached)}
