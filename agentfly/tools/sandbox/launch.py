"""Choosing a tier and starting a process in it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Protocol

from agentfly.errors import ConfigError
from agentfly.tools.sandbox import bubblewrap, landlock, seatbelt, unsafe
from agentfly.tools.sandbox.child import Child
from agentfly.tools.sandbox.spec import Command, Spec


class Tier(Protocol):
    """A module of this package: one way to confine a process."""

    PLATFORM: str
    """`sys.platform` where it can work at all."""
    KEEPER: bool
    """Whether a keeper ends its family (see `inside.keeper`), for want of a PID namespace."""
    MEND: str

    def problem(self) -> str: ...
    def command(self, spec: Spec) -> Command: ...


TIERS: dict[str, Tier] = {"bubblewrap": bubblewrap, "landlock": landlock, "seatbelt": seatbelt}
"""Strictest first."""
UNSAFE = "unsafe"
"""No sandbox at all: used only where a person asked for it."""
_ALL: dict[str, Tier] = {**TIERS, UNSAFE: unsafe}


def tier_named(name: str) -> Tier:
    """The tier of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in _ALL:
        raise ConfigError(f"unknown sandbox {name!r}; known: auto, {', '.join(_ALL)}")
    return _ALL[name]


def launch(tier: str, workspace: Path, **settings: Any) -> Child:
    """Start a worker.

    Args:
        tier: one of `TIERS`, or `UNSAFE`.
        workspace: existing folder that becomes its working folder.
        settings: further fields of `Spec`.

    Raises:
        SandboxError: it cannot be started.
        ConfigError: there is no such tier.
    """
    module = tier_named(tier)
    return Child(partial(_command, module, workspace, settings), gentle=module.KEEPER)


def _command(tier: Tier, workspace: Path, settings: dict[str, Any], channel: int) -> Command:
    return tier.command(Spec(workspace=workspace, channel=channel, **settings))
