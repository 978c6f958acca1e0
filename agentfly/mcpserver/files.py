"""Which files another agent may have attached: those below the roots, whatever links say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agentfly.errors import InputError

MAX_FILE_BYTES = 512 * 2**20
"""Largest attachment: files are copied into each attempt's workspace."""


def default_roots(cwd: Path) -> tuple[Path, ...]:
    """The working folder where nobody named a root; none where that would be the whole disk or a whole home.

    Desktop programs start servers in such folders, and then nobody has chosen it.
    """
    cwd = cwd.resolve()
    return () if cwd == Path(cwd.anchor) or cwd == _user_home() else (cwd,)


def attachments(given: Iterable[str], roots: Sequence[Path]) -> tuple[Path, ...]:
    """Files that may be attached, as absolute paths.

    Args:
        given: paths or ``file:`` addresses; a relative one is looked for below each root in turn.
        roots: folders that files may come from.

    Raises:
        InputError: names the first file that is outside of the roots, missing or too large.
    """
    return tuple(_allowed(text, roots) for text in given)


def local_path(uri: str) -> Path | None:
    """The path of a ``file:`` address of this machine; None for any other."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    path = Path(unquote(parts.path))
    return path if path.is_absolute() else None


def _allowed(text: str, roots: Sequence[Path]) -> Path:
    if not roots:
        raise InputError(
            f"{text} cannot be attached: there is no folder to read from; start the server with --root DIR, "
            "or open a folder in the client"
        )
    path = local_path(text) if text.startswith("file:") else Path(text)
    if path is None:
        raise InputError(f"{text} cannot be attached: give the path of a file on this machine")
    try:
        allowed = [root.resolve() for root in roots]
        for root in roots:
            real = (root / path).resolve()  # an absolute path stays as it is
            if any(map(real.is_relative_to, allowed)) and real.exists():
                return _usable(text, root / path, real)
    except (OSError, ValueError, RuntimeError) as error:  # a loop of links, a name too long, a NUL
        raise InputError(f"{text} cannot be attached: {error}") from None
    raise InputError(f"{text} cannot be attached: there is no such file below {', '.join(map(str, roots))}")


def _usable(text: str, path: Path, real: Path) -> Path:
    if not real.is_file():
        raise InputError(f"{text} cannot be attached: it is not a regular file")
    if (size := real.stat().st_size) > MAX_FILE_BYTES:
        raise InputError(
            f"{text} cannot be attached: it has {size / 2**20:,.0f} MiB, the most is {MAX_FILE_BYTES // 2**20} MiB"
        )
    return real if real.name == path.name else path  # the name that the question may use


def _user_home() -> Path | None:
    try:
        return Path.home().resolve()
    except RuntimeError:
        return None
