"""Whether a tier does here what it promises: a few attacks are tried before any other code runs in it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from agentfly.errors import AgentflyError, ConfigError, SandboxError
from agentfly.tools.sandbox.launch import TIERS

_PROBE = """
import os, socket
found = []
def reached(what, act):
    try:
        act()
    except OSError:
        return
    found.append(what)
reached("the network", lambda: socket.create_connection(("192.0.2.1", 9), timeout=0.2))
reached("host files", lambda: open("/etc/shadow").read())
reached("files outside", lambda: open("/agentfly-probe", "w"))
told = [v.split("=")[0] for v in open("/proc/1/environ").read().split("\\0") if v]
if set(told) - {"PATH", "PWD"}:
    found.append("the environment of its host")
if os.getuid() == 0:
    found.append("root")
if sum(name.isdigit() for name in os.listdir("/proc")) > 4:
    found.append("other processes")
final_answer(found)
"""
_chosen: dict[str, str] = {}


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
    def confined(self) -> bool:
        """Whether code is kept from the network and from the person's files."""
        return self.tier == "bubblewrap"


async def self_test() -> TierReport:
    """Try the tiers, strictest first, until one works. Takes about 0.1 s."""
    problems: dict[str, str] = {}
    for name in TIERS:
        problem = await probe(name)
        if not problem:
            mend = next((TIERS[failed].MEND for failed in problems), "")
            return TierReport(tier=name, problems=problems, mend=mend)
        problems[name] = problem
    return TierReport(tier=None, problems=problems, mend="; ".join(t.MEND for t in TIERS.values() if t.MEND))


async def probe(name: str) -> str:
    """Why a tier does not work here; empty when it does."""
    from agentfly.tools.python import PythonWorker

    if problem := TIERS[name].problem():
        return problem
    with tempfile.TemporaryDirectory(prefix="agentfly-probe-") as folder:
        worker = PythonWorker(Path(folder).resolve(), name, memory_mb=512)
        try:
            execution = await worker.run("final_answer([])" if name == "process" else _PROBE, timeout=10)
        except AgentflyError as error:
            return str(error)
        finally:
            await worker.close()
    if execution.answer == []:
        return ""
    return f"a test program got through to {execution.answer}" if execution.answered else str(execution.error)


async def choose(tier: str) -> str:
    """The tier to use; what was found is remembered for this process.

    Raises:
        SandboxError: the tier does not work here, and how to mend that.
        ConfigError: there is no such tier.
    """
    if tier not in _chosen:
        if tier == "auto":
            report = await self_test()
        elif tier in TIERS:
            problem = await probe(tier)
            report = TierReport(tier=None if problem else tier, problems={tier: problem}, mend=TIERS[tier].MEND)
        else:
            raise ConfigError(f"unknown sandbox {tier!r}; known: auto, {', '.join(TIERS)}")
        if report.tier is None:
            told = "; ".join(f"{name}: {problem}" for name, problem in report.problems.items())
            raise SandboxError(f"model-written code cannot be run here ({told}). To mend it: {report.mend}")
        _chosen[tier] = report.tier
    return _chosen[tier]
