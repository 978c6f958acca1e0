"""Options that several commands share, and the checks that need nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agentfly.cli import state
from agentfly.errors import ConfigError, HomeError, InputError

MAX_FILE_BYTES = 512 * 2**20
"""Largest attachment: files are copied into each attempt's workspace."""
MAX_QUESTION_CHARS = 200_000

# Allowed values as the help names them; a test holds them equal to those of `agentfly.config.Settings`.
STRATEGIES = ("auto", "codeact", "tools", "plan")
POLICIES = ("similarity", "episodic", "neural")
GATES = ("auto", "always", "fix", "replay")
SCORERS = ("auto", "gaia", "exact", "numeric", "f1", "command", "judge", "consistency", "human")
APPROVALS = ("ask", "auto", "never")


def _one_of(names: Sequence[str]) -> str:
    return ", ".join(names)


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder that holds what was learned. Default: $AGENTFLY_HOME, else your data folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", callback=state.set_debug)]
Files = Annotated[
    list[Path] | None,
    typer.Option("--file", "-f", metavar="FILE", help="Attach a file (up to 512 MiB); may be given several times."),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="M",
        help="Model: auto, embedded, or provider/name as LiteLLM writes it (openai/gpt-5-mini).",
    ),
]
Strategy = Annotated[str | None, typer.Option("--strategy", metavar="S", help=f"How to act: {_one_of(STRATEGIES)}.")]
Policy = Annotated[
    str | None, typer.Option("--policy", metavar="P", help=f"How cases are selected: {_one_of(POLICIES)}.")
]
GateName = Annotated[
    str | None, typer.Option("--gate", metavar="G", help=f"When a playbook change is kept: {_one_of(GATES)}.")
]
ScorerName = Annotated[
    str | None,
    typer.Option("--scorer", metavar="NAME", help=f"Who judges the answer: {_one_of(SCORERS)}."),
]
Command = Annotated[
    str | None,
    typer.Option("--command", metavar="CMD", help="Shell command that judges the attempt: exit status 0 is success."),
]
Tools = Annotated[
    str | None,
    typer.Option(
        "--tools", metavar="NAMES", help="Built-in tools to offer: auto, none, or names such as read_file,fetch_page."
    ),
]
Mcp = Annotated[
    Path | None,
    typer.Option("--mcp", metavar="FILE", help="JSON file with mcpServers. Default: mcp.json in the home."),
]
Approve = Annotated[
    str | None,
    typer.Option(
        "--approve",
        metavar="HOW",
        help=f"Tool calls that write, execute or reach the network: {_one_of(APPROVALS)}.",
    ),
]
UnsafeCode = Annotated[
    bool, typer.Option("--unsafe-code", help="Run model-written code WITHOUT a sandbox, where none works here.")
]
Steps = Annotated[int | None, typer.Option("--steps", metavar="N", help="Most steps of an attempt.")]
Seconds = Annotated[float | None, typer.Option("--seconds", metavar="S", help="Most seconds of an attempt.")]
Tokens = Annotated[int | None, typer.Option("--tokens", metavar="N", help="Most tokens of an attempt.")]
Temperature = Annotated[float | None, typer.Option("--temperature", metavar="T", help="Sampling temperature, 0 to 2.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed for sampling.")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Any setting of `agentfly config show`; may be given several times."
    ),
]


def overrides(sets: Sequence[str] | None = None, **given: Any) -> dict[str, Any]:
    """The arguments layer of the settings.

    Args:
        sets: ``key=value`` texts; ``null`` is no value.
        given: settings by name, two underscores for a dot; None was not given. These win over `sets`.

    Raises:
        ConfigError: a text of `sets` has no key or no equals sign.
    """
    layer: dict[str, Any] = {}
    for item in sets or ():
        key, equals, value = item.partition("=")
        if not equals or not all(key.strip().split(".")):
            raise ConfigError(f"--set {item}: write it as KEY=VALUE, such as --set limits.steps=10")
        _put(layer, key.strip(), None if value.strip().lower() in {"null", "none"} else value.strip())
    for name, value in given.items():
        if value is not None:
            _put(layer, name.replace("__", "."), value)
    return layer


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, leaf = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {key}: {parent} is a value, not a group of settings")
    tree[leaf] = value


def check_settings(home: Path | None, layer: dict[str, Any]) -> Path:
    """The home's path, once home and settings are known to be usable.

    Raises:
        HomeError: the home is not a folder.
        ConfigError: unknown key or impossible value, in any layer.
    """
    from agentfly.layers import home_path, resolve_settings

    path = home_path(home)
    if path.exists() and not path.is_dir():
        raise HomeError(f"the home {path} is a file; give a folder with --home")
    resolve_settings(path, layer)
    return path


def existing_home(home: Path | None) -> Path:
    """The path of a home that something was learned in; nothing is created.

    Raises:
        HomeError: there is none.
    """
    from agentfly.layers import home_path

    path = home_path(home)
    if path.exists() and not path.is_dir():
        raise HomeError(f"the home {path} is a file; give a folder with --home")
    if not (path / "agentfly.db").is_file():
        raise HomeError(f"no home at {path} yet: `agentfly run` makes one, --home DIR looks elsewhere")
    return path


def read_question(text: str) -> str:
    """The question as given, or standard input for ``-``.

    Raises:
        InputError: blank, too long or not text.
    """
    if text == "-":
        try:
            text = sys.stdin.buffer.read().decode("utf-8") if hasattr(sys.stdin, "buffer") else sys.stdin.read()
        except UnicodeDecodeError:
            raise InputError("the question on standard input is not UTF-8 text") from None
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("the question is not UTF-8 text") from None
    if not text.strip():
        raise InputError('the question is empty; ask something: agentfly run "QUESTION"')
    if "\x00" in text:
        raise InputError("the question holds a NUL character; attach binary data with --file")
    if len(text) > MAX_QUESTION_CHARS:
        raise InputError(
            f"the question has {len(text):,} characters, the most is {MAX_QUESTION_CHARS:,}; "
            "put the text in a file and attach it with --file"
        )
    return text.strip()


def check_files(files: Sequence[Path] | None) -> tuple[Path, ...]:
    """Attachments that can be read, with names that differ.

    Raises:
        InputError: names the first file that cannot be used, and why.
    """
    seen: dict[str, Path] = {}
    for given in files or ():
        path = check_file(given)
        if path.name in seen:
            raise InputError(f"two files are named {path.name}: {seen[path.name]} and {given}; rename one")
        seen[path.name] = given
    return tuple(check_file(path) for path in seen.values())


def check_file(given: Path) -> Path:
    """One attachment as an absolute path.

    Raises:
        InputError: missing, not a regular file, unreadable or too large.
    """
    path = given.expanduser().absolute()
    try:
        if path.is_dir():
            raise InputError(f"{given} is a folder; attach its files one by one, or zip it")
        if not path.exists():
            raise InputError(f"no such file: {given}")
        if not path.is_file():
            raise InputError(f"{given} is not a regular file")
        with path.open("rb") as stream:
            stream.read(1)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{given} cannot be read: {error.strerror}") from None
    if size > MAX_FILE_BYTES:
        raise InputError(f"{given} has {size / 2**20:,.0f} MiB, the most is {MAX_FILE_BYTES // 2**20} MiB")
    return path
