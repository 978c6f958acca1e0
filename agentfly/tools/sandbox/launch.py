"""Choosing a tier and starting a process in it."""

from __future__ import annotations

import itertools
import os
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from agentfly.errors import ConfigError
from agentfly.tools.sandbox import bubblewrap, process
from agentfly.tools.sandbox.child import Child
from agentfly.tools.sandbox.spec import Command, Spec


class Tier(Protocol):
    """A module of this package: one way to confine a process."""

    MEND: str

    def problem(self) -> str: ...
    def command(self, spec: Spec) -> Command: ...


TIERS: dict[str, Tier] = {"bubblewrap": bubblewrap, "process": process}
"""Strictest first."""
_users = itertools.count()


def next_user() -> int:
    """A uid for one worker, out of the range that systemd keeps for services without an account."""
    first, last = 61184, 65519
    return first + (os.getpid() * 31 + next(_users)) % (last - first + 1)


def launch(tier: str, workspace: Path, **settings: Any) -> Child:
    """Start a worker.

    Args:
        tier: one of `TIERS`.
        workspace: existing folder that becomes its working folder.
        settings: further fields of `Spec`.

    Raises:
        SandboxError: it cannot be started.
        ConfigError: there is no such tier.
    """
    if tier not in TIERS:
        raise ConfigError(f"unknown sandbox {tier!r}; known: auto, {', '.join(TIERS)}")
    return Child(partial(_command, TIERS[tier], workspace, settings), gentle=tier == "process")


def _command(tier: Tier, workspace: Path, settings: dict[str, Any], channel: int) -> Command:
    return tier.command(Spec(workspace=workspace, channel=channel, **settings))
