"""Whether a tier does here what it promises: a few attacks are tried before any other code runs in it."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from agentfly.errors import AgentflyError, SandboxError
from agentfly.tools.sandbox.launch import TIERS, UNSAFE, tier_named
from agentfly.tools.sandbox.probe import attacks

_chosen: dict[tuple[str, bool], str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TierReport:
    """Which tier works."""

    tier: str | None
    """The strictest tier that works here; None when none does."""
    problems: dict[str, str] = field(default_factory=dict)
    """Why a stricter one does not, by tier."""
    mend: str = ""
    """What the person can do about it; empty when nothing needs mending."""

    @property
    def told(self) -> str:
        """The problems in one line."""
        return "; ".join(f"{tier}: {problem}" for tier, problem in self.problems.items())


async def self_test() -> TierReport:
    """Try this system's tiers, strictest first, until one works. Takes about 0.1 s."""
    problems: dict[str, str] = {}
    here = [name for name, tier in TIERS.items() if sys.platform == tier.PLATFORM]
    for name in here:
        problem = await probe(name)
        if not problem:
            mend = next((TIERS[failed].MEND for failed in problems), "")
            return TierReport(tier=name, problems=problems, mend=mend)
        problems[name] = problem
    mend = "; or ".join(TIERS[name].MEND for name in here) or "use Linux or macOS"
    return TierReport(tier=None, problems=problems or {sys.platform: "there is no sandbox for it"}, mend=mend)


async def probe(name: str) -> str:
    """Why a tier does not work here; empty when it does."""
    from agentfly.tools.python import PythonWorker

    if problem := tier_named(name).problem():
        return problem
    with tempfile.TemporaryDirectory(prefix="agentfly-probe-") as folder:
        outside = Path(folder).resolve()
        (outside / "canary").write_text("not for the code", encoding="ascii")
        workspace = outside / "workspace"
        workspace.mkdir()
        outside.chmod(0o755)  # the folder's own mode must not be what stops it
        shared = name != "bubblewrap"
        program = "final_answer(list())" if name == UNSAFE else attacks(os.getpid(), str(outside / "canary"), shared)
        worker = PythonWorker(workspace, name, memory_mb=512)
        try:
            execution = await worker.run(program, timeout=10)
        except AgentflyError as error:
            return str(error)
        finally:
            await worker.close()
    if execution.answer == []:
        return ""
    if execution.answered:
        return f"a test program got through to {', '.join(map(str, execution.answer))}"
    return str(execution.error)


async def choose(tier: str, *, unsafe: bool = False) -> str:
    """The tier to use; what was found is remembered for this process.

    Args:
        tier: a tier's name, or ``auto`` for the strictest that works.
        unsafe: whether ``auto`` may do without a sandbox where none works.

    Raises:
        SandboxError: the tier does not work here, and how to mend that.
        ConfigError: there is no such tier.
    """
    if (tier, unsafe) not in _chosen:
        _chosen[tier, unsafe] = await _choice(tier, unsafe)
    return _chosen[tier, unsafe]


async def _choice(tier: str, unsafe: bool) -> str:
    if tier == "auto":
        report = await self_test()
    else:
        mend = tier_named(tier).MEND
        problem = await probe(tier)
        report = TierReport(tier=None if problem else tier, problems={tier: problem}, mend=mend)
    if report.tier is not None:
        return report.tier
    if unsafe and tier == "auto":
        return UNSAFE
    raise SandboxError(
        f"model-written code cannot be run here: no sandbox works ({report.told}). To mend it: {report.mend}. "
        "--unsafe-code runs it without one, with all that you may read and change in its reach"
    )
