"""`ListFiles`: what there is in the workspace."""

from __future__ import annotations

import asyncio
import fnmatch
from itertools import islice
from pathlib import Path

from agentfly.errors import ToolError
from agentfly.tools.documents.inside.kinds import kind_of, suffix_of
from agentfly.tools.documents.workspace import Entry, entries, opened, path_parts, there_are
from agentfly.tools.placing import FolderTool

SHOWN = 200


class ListFiles(FolderTool):
    """The tool ``list_files``. Place it in a workspace with `at` before it is called."""

    def __init__(self) -> None:
        super().__init__(self.list_files)

    async def list_files(self, workspace: Path, folder: str = ".", pattern: str | None = None) -> str:
        """List the files of the working folder and its subfolders, with sizes and kinds.

        pattern keeps names that match it, such as "*.csv".
        """
        return await asyncio.to_thread(_listing, workspace, folder, pattern)


def _listing(workspace: Path, folder: str, pattern: str | None) -> str:
    parts = path_parts(workspace, folder)
    try:
        found = (entry for entry in entries(workspace, parts) if _matches(entry, pattern))
        shown = list(islice(found, SHOWN))
        more = sum(1 for _ in found)
    except OSError:
        raise ToolError(f"{folder!r} is no folder. {there_are(workspace)}") from None
    if not shown:
        return f"No file matches {pattern!r}. {there_are(workspace)}" if pattern else "There are no files here."
    lines = [_line(workspace, entry) for entry in shown]
    if more:
        lines.append(f"and {more:,} more: narrow it with folder or pattern")
    return "\n".join(lines)


def _matches(entry: Entry, pattern: str | None) -> bool:
    if pattern is None:
        return True
    names = (entry.name.lower(), entry.name.rpartition("/")[2].lower())
    return entry.kind == "file" and any(fnmatch.fnmatchcase(name, pattern.lower()) for name in names)


def _line(workspace: Path, entry: Entry) -> str:
    name = "".join(letter if letter.isprintable() else "�" for letter in entry.name)
    if entry.kind == "folder":
        return f"{name}/"
    if entry.kind != "file":
        return f"{name} ({'a link' if entry.kind == 'link' else 'a pipe, a device or a socket'})"
    return f"{name} ({entry.size:,} bytes, {_kind(workspace, entry)})"


def _kind(workspace: Path, entry: Entry) -> str:
    """What a file is by its first bytes, where these tell more than its suffix."""
    if not entry.size:
        return "empty"
    suffix = suffix_of(entry.name).removeprefix(".")
    try:
        with opened(workspace, entry.name) as found:
            head = found.file.read(1024)
    except (ToolError, OSError):
        return "cannot be read"
    kind = kind_of(head)
    if kind in ("zip", "ole"):
        return suffix or kind  # office documents are archives as well
    text = b"\0" not in head or head.startswith((b"\xff\xfe", b"\xfe\xff"))
    return kind or (f"{suffix} " if suffix else "") + ("text" if text else "binary")
