"""The file of pins: which definition of each tool is trusted. A tool whose definition changed is held back until a person approves."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from agentfly.errors import HomeBusyError, HomeError, InputError
from agentfly.replacing import replace_file
from agentfly.tools.mcp.definitions import Definition

VERSION = 1
LOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One tool as it was trusted."""

    digest: str
    trusted: Definition
    since: str
    """When it was trusted, ISO 8601 in UTC."""
    changed: Definition | None = None
    """What the server offers instead, where that differs: held back."""


Book: TypeAlias = dict[str, dict[str, Pin]]
"""Pins by server and tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the pins say about the tools that a server offers now."""

    new: tuple[str, ...] = ()
    """Seen for the first time, and trusted from now on."""
    changed: Mapping[str, Pin]
    """Not to be offered."""


class Pins:
    """The pins of one home.

    Args:
        path: JSON file; made when the first tool is pinned.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Book:
        """All pins.

        Raises:
            HomeError: the file is damaged or of a newer version. Nothing is trusted then.
        """
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise HomeError(f"{self._path} cannot be read: {error}") from None
        try:
            return _parsed(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise HomeError(
                f"{self._path} is damaged; restore it, or delete it to trust the tools of all MCP servers anew"
            ) from None

    def check(self, server: str, offered: Sequence[Definition]) -> Verdict:
        """Compare what a server offers with what was trusted; what is new is trusted, and both are written down.

        Raises:
            HomeError: the file cannot be read or written.
            HomeBusyError: another process holds it.
        """
        with self._changing() as book:
            pins = book.setdefault(server, {})
            new = tuple(tool.name for tool in offered if tool.name not in pins)
            for tool in offered:
                pin = pins.get(tool.name)
                if pin is None:
                    pins[tool.name] = _pin(tool)
                else:
                    pins[tool.name] = replace(pin, changed=None if tool.digest == pin.digest else tool)
            changed = {tool.name: pins[tool.name] for tool in offered if pins[tool.name].changed is not None}
        return Verdict(new=new, changed=changed)

    def approve(self, server: str, tool: str | None = None, seen: Mapping[str, Definition] | None = None) -> list[str]:
        """Trust what a server offers now in place of what was trusted.

        Args:
            server: its name in the configuration.
            tool: the server's name of it; None for all that changed.
            seen: what the person looked at, by tool; what has changed again since stays held back. None trusts what there is.

        Returns:
            Names of the tools that are trusted anew; empty where nothing was held back.

        Raises:
            InputError: nothing is known of such a server or tool.
        """

        def renew(pins: dict[str, Pin], names: list[str]) -> list[str]:
            held = {name: new for name in names if (new := pins[name].changed) is not None}
            if seen is not None:
                held = {name: new for name, new in held.items() if name in seen and seen[name].digest == new.digest}
            pins.update({name: _pin(new) for name, new in held.items()})
            return list(held)

        return self._edit(server, tool, renew)

    def forget(self, server: str, tool: str | None = None) -> list[str]:
        """Drop pins, so that whatever is offered next is trusted as on first sight.

        Returns:
            Names of the tools that were forgotten.

        Raises:
            InputError: nothing is known of such a server or tool.
        """

        def drop(pins: dict[str, Pin], names: list[str]) -> list[str]:
            for name in names:
                del pins[name]
            return names

        return self._edit(server, tool, drop)

    def _edit(self, server: str, tool: str | None, edit: Callable[[dict[str, Pin], list[str]], list[str]]) -> list[str]:
        with self._changing() as book:
            if server not in book:
                known = f"; known: {', '.join(sorted(book))}" if book else ""
                raise InputError(f"no tools of an MCP server {server!r} have been seen{known}")
            if tool is not None and tool not in book[server]:
                raise InputError(f"{server} has no tool {tool!r}; it has {', '.join(sorted(book[server])) or 'none'}")
            done = edit(book[server], sorted(book[server]) if tool is None else [tool])
            if not book[server]:
                del book[server]
        return done

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Book]:
        """The pins, written back at the end where they are not as before."""
        from filelock import FileLock, Timeout

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._path}.lock", timeout=LOCK_SECONDS):
                book = self.read()
                before = _text(book)
                yield book
                if (after := _text(book)) != before:
                    replace_file(self._path, after, synced=True, mode=0o600)
        except Timeout:
            raise HomeBusyError(f"{self._path} is locked by another process; try again") from None
        except OSError as error:
            raise HomeError(f"{self._path} cannot be written: {error.strerror or error}") from None


def _pin(tool: Definition) -> Pin:
    return Pin(digest=tool.digest, trusted=tool, since=datetime.now(UTC).isoformat(timespec="seconds"))


def _parsed(data: Any) -> Book:
    if data["version"] > VERSION:
        raise HomeError(f"the pins of MCP tools were written by a newer agentfly (version {data['version']})")
    return {
        server: {
            name: Pin(
                digest=str(pin["sha256"]),
                trusted=Definition.of(pin["trusted"]),
                since=str(pin["since"]),
                changed=Definition.of(pin["changed"]) if pin.get("changed") else None,
            )
            for name, pin in pins.items()
        }
        for server, pins in data["servers"].items()
    }


def _text(book: Book) -> str:
    servers = {
        server: {
            name: {
                "sha256": pin.digest,
                "since": pin.since,
                "trusted": pin.trusted.data(),
                **({"changed": pin.changed.data()} if pin.changed else {}),
            }
            for name, pin in pins.items()
        }
        for server, pins in book.items()
        if pins
    }
    return json.dumps({"version": VERSION, "servers": servers}, indent=1, sort_keys=True) + "\n"
