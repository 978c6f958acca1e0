"""Tier `seatbelt`: macOS's own sandbox, by a profile that `sandbox-exec` puts a process under.

There is no PID namespace: processes that leave the worker's group are not found when it ends.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from agentfly.tools.sandbox.paths import interpreter
from agentfly.tools.sandbox.spec import PROGRAM, Command, Spec, environment, program

PLATFORM = "darwin"
KEEPER = False
MEND = "it needs macOS's own /usr/bin/sandbox-exec"
_EXECUTABLE = Path("/usr/bin/sandbox-exec")
_READABLE = ("/usr/lib", "/usr/share", "/usr/bin", "/bin", "/System", "/Library/Frameworks", "/private/var/db/timezone")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


def problem() -> str:
    """Why this tier cannot be used here; empty when it may work (the self-test says whether it does)."""
    if sys.platform != PLATFORM:
        return "it needs macOS"
    return "" if _EXECUTABLE.is_file() else f"{_EXECUTABLE} was not found"


def command(spec: Spec) -> Command:
    """The process to start."""
    scratch = Path(tempfile.mkdtemp(prefix="agentfly-code-")).resolve()
    writable = [spec.workspace, scratch] if spec.file_mb else []
    readable = [PROGRAM, spec.workspace, *(Path(source) for source, _ in interpreter())]
    text = profile(readable, writable, [spec.workspace / name for name in spec.readonly])
    argv = program(spec, str(PROGRAM.parent), own_user=False, keeper=False)
    env = environment(str(spec.workspace), str(scratch))
    return Command(argv=(str(_EXECUTABLE), "-p", text, *argv), env=env, cwd=spec.workspace, scratch=scratch)


def profile(readable: Iterable[Path], writable: Iterable[Path], readonly: Iterable[Path]) -> str:
    """A profile in the sandbox's own language: everything is refused but what is named; of two rules the later holds.

    Args:
        readable: folders besides the system's own.
        writable: folders where files may be made, changed and removed.
        readonly: files in them that may not.
    """
    folders = [*_READABLE, *map(str, readable), *map(str, writable)]
    lines = [
        "(version 1)",
        "(deny default)",
        "(allow process-fork)",
        "(allow process-exec)",
        "(allow signal (target same-sandbox))",
        "(allow sysctl-read)",
        "(allow file-read-metadata)",
        f"(allow file-read* {_paths('subpath', folders)})",
        f"(allow file-read* file-write-data {_paths('literal', _DEVICES)})",
    ]
    if given := _paths("subpath", map(str, writable)):
        lines.append(f"(allow file-write* {given})")
    if given := _paths("literal", map(str, readonly)):
        lines.append(f"(deny file-write* {given})")
    return "\n".join([*lines, "(deny network*)"])


def _paths(kind: str, paths: Iterable[str]) -> str:
    return " ".join(f"({kind} {_quoted(path)})" for path in paths)


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
