"""The configuration of servers: the JSON that Claude Desktop, Cursor, VS Code and others use."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from agentfly.errors import ConfigError

Transport: TypeAlias = Literal["http", "sse", "any"]
"""How a remote server is spoken to; ``any`` tries streamable HTTP, then SSE."""

_KEYS = ("mcpServers", "servers")
_TRANSPORTS: Mapping[str, Transport] = {
    "http": "http",
    "sse": "sse",
    "streamablehttp": "http",
}
_KNOWN = frozenset({"command", "args", "env", "cwd", "url", "headers", "type", "transport", "disabled", "enabled"})
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A server that is started here and spoken to over its standard streams."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to the few variables that it is given anyway."""
    cwd: Path | None = None

    @property
    def where(self) -> str:
        """For people; arguments may hold secrets and are not told."""
        return Path(self.command).name


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A server that is reached over HTTP."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    transport: Transport = "any"

    @property
    def where(self) -> str:
        """For people; what may hold secrets is left out."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """One entry."""

    name: str
    target: Program | Remote
    ignored: tuple[str, ...] = ()
    """Keys that mean nothing here."""


def read_servers(source: Path | Mapping[str, Any], environ: Mapping[str, str] | None = None) -> tuple[ServerSpec, ...]:
    """The servers of a file, or of data of the same shape, without those that are disabled.

    Args:
        source: holds ``mcpServers`` (or ``servers``, as VS Code has it).
        environ: for ``${NAME}``, ``${env:NAME}`` and ``${NAME:-default}``; by default this process's.

    Raises:
        ConfigError: not readable, not of that shape, or a variable that is not set; names the file and the key.
    """
    label, data = (str(source), _load(source)) if isinstance(source, Path) else ("the MCP configuration", source)
    if not isinstance(data, Mapping):
        raise ConfigError(f'{label} must hold an object such as {{"mcpServers": {{"name": {{"command": "..."}}}}}}')
    key = next((name for name in _KEYS if name in data), None)
    if key is None:
        raise ConfigError(f"{label} has no mcpServers")
    entries = data[key]
    if not isinstance(entries, Mapping):
        raise _wrong(label, key, "an object of servers by name")
    reader = _Reader(label, os.environ if environ is None else environ)
    return tuple(reader.server(name, f"{key}.{name}", entry) for name, entry in entries.items() if not _disabled(entry))


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"no such file: {path}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}, line {error.lineno}: not valid JSON: {error.msg}") from None
    except (UnicodeDecodeError, RecursionError):
        raise ConfigError(f"{path} is not JSON in UTF-8") from None


def _disabled(entry: Any) -> bool:
    return isinstance(entry, Mapping) and (entry.get("disabled") is True or entry.get("enabled") is False)


def _wrong(label: str, key: str, wanted: str) -> ConfigError:
    return ConfigError(f"{label}: {key} must be {wanted}")


@dataclass(frozen=True, slots=True)
class _Reader:
    label: str
    environ: Mapping[str, str]

    def server(self, name: str, key: str, entry: Any) -> ServerSpec:
        if not name.strip():
            raise ConfigError(f"{self.label}: a server needs a name")
        if not isinstance(entry, Mapping):
            raise _wrong(self.label, key, "an object")
        if ("command" in entry) == ("url" in entry):
            raise _wrong(self.label, key, "an object with either command or url")
        target = self._program(key, entry) if "command" in entry else self._remote(key, entry)
        return ServerSpec(name=name, target=target, ignored=tuple(sorted(set(entry) - _KNOWN)))

    def _program(self, key: str, entry: Mapping[str, Any]) -> Program:
        cwd = entry.get("cwd")
        folder = None if cwd is None else Path(self._text(f"{key}.cwd", cwd)).expanduser()
        if folder is not None and not folder.is_dir():
            raise ConfigError(f"{self.label}: {key}.cwd: no such folder: {folder}")
        args = entry.get("args", [])
        if not isinstance(args, list | tuple):
            raise _wrong(self.label, f"{key}.args", "a list of texts")
        command = self._text(f"{key}.command", entry["command"])
        if not command.strip():
            raise _wrong(self.label, f"{key}.command", "the name of a program")
        return Program(
            command=command,
            args=tuple(self._text(f"{key}.args[{i}]", arg) for i, arg in enumerate(args)),
            env=self._texts(f"{key}.env", entry.get("env")),
            cwd=folder,
        )

    def _remote(self, key: str, entry: Mapping[str, Any]) -> Remote:
        url = self._text(f"{key}.url", entry["url"]).strip()
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable:
            raise _wrong(self.label, f"{key}.url", "an address that begins with http:// or https://")
        given = entry.get("type", entry.get("transport"))
        transport: Transport = "any"
        if given is not None:
            found = _TRANSPORTS.get(re.sub(r"[-_]", "", given).lower()) if isinstance(given, str) else None
            if found is None:
                raise _wrong(self.label, f"{key}.type", "http or sse")
            transport = found
        return Remote(url=url, headers=self._texts(f"{key}.headers", entry.get("headers")), transport=transport)

    def _texts(self, key: str, value: Any) -> dict[str, str]:
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
            raise _wrong(self.label, key, "an object of texts by name")
        return {name: self._text(f"{key}.{name}", text) for name, text in value.items() if text is not None}

    def _text(self, key: str, value: Any) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):  # a port, written as a number
            value = str(value)
        if not isinstance(value, str) or "\x00" in value:
            raise _wrong(self.label, key, "a text")
        return _VARIABLE.sub(lambda match: self._variable(key, match[1]), value)

    def _variable(self, key: str, inside: str) -> str:
        name, has_default, default = inside.removeprefix("env:").partition(":-")
        if name in self.environ:
            return self.environ[name]
        if has_default:
            return default
        if name == "userHome":
            return str(Path.home())
        raise ConfigError(f"{self.label}: {key}: the environment variable {name} is not set")
