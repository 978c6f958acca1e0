"""Marks of what an agent has learned, and the way back to the best of them."""

from __future__ import annotations

from dataclasses import dataclass

from agentfly.composition import Composition
from agentfly.memory.marks import MemoryMark


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A version of memory, playbook and policy."""

    version: int
    """Of the playbook."""
    case: int
    event: int
    judged: int

    @property
    def memory(self) -> MemoryMark:
        """The part that is the memory's and the policy's."""
        return MemoryMark(case=self.case, event=self.event, judged=self.judged)


def mark(made: Composition) -> Mark:
    """The version that there is now."""
    memory = made.bank.mark()
    return Mark(version=made.playbook.current().version, case=memory.case, event=memory.event, judged=memory.judged)


def back_to(made: Composition, moment: Mark, runs: str, reason: str) -> list[str]:
    """Bring a home back to a version, as far as some runs have led away from it. Done again, it changes nothing.

    Args:
        made: the agent's parts.
        moment: where to go back to.
        runs: what the ids of these runs begin with.
        reason: for the record, and no other reason is worded like it: by it a way back that was gone already is known.

    Returns:
        What could not be brought back, in words.
    """
    made.bank.back_to(moment.memory, runs, reason)
    since = [line for line in made.playbook.history(None, dropped=False) if (line.version or 0) > moment.version]
    if not since or any(line.author == "rollback" and line.reason == reason for line in since):
        return []
    foreign = [line for line in since if not (line.run or "").startswith(runs)]
    if foreign:
        return [
            f"the playbook was changed by somebody else meanwhile ({foreign[0].author}, version {foreign[0].version}): it "
            f"stays as it is; `agentfly playbook rollback {moment.version}` goes back to the version that did best"
        ]
    made.playbook.rollback(moment.version, reason, author="rollback")
    return []
