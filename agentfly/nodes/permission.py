"""Permission: which calls of tools may be made, which are refused, and which wait for a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentfly.errors import ToolError
from agentfly.nodes.state import Notes
from agentfly.protocols import Tool, origin_of
from agentfly.records import from_json, to_data, to_json
from agentfly.types import Decision, Pending

ASKED, DECIDED = "asked", "decided"
NEVER = "calls of {} ({}) are not permitted in this run: do without, or give the best answer that you can"
REFUSED = "a person refused this call of {}: take another way, or give the best answer that you can"
ALONE = "calls of {} ({}) need a person's permission, and nobody can be asked here: do without"


class Waiting(Exception):
    """A call waits for a person, and ends the attempt for now.

    No `AgentflyError`: what mends the mistakes of a model or a provider must not take it for one.
    """


@dataclass(slots=True, kw_only=True)
class Permissions:
    """What an attempt may do."""

    mode: str = "auto"
    """As `Settings.approve`."""
    can_ask: bool = False
    """Whether a person can be asked."""
    always: frozenset[str] = frozenset()
    """Names of the tools of which every call is permitted."""
    decided: Mapping[str, bool] = field(default_factory=dict)
    """Verdicts by the place of the call."""
    wanted: dict[str, Pending] = field(default_factory=dict)
    """Calls that were found to need permission, by their place; ids are given when they are asked."""

    def check(self, tool: Tool, arguments: Mapping[str, Any], place: str) -> None:
        """Let a call pass.

        Args:
            tool: what is called.
            arguments: with what.
            place: which call of the run it is, the same when its attempt begins again.

        Raises:
            ToolError: it is refused.
            Waiting: a person must be asked; the call is among those that are wanted.
        """
        if tool.risk == "read" or self.mode == "auto" or tool.name in self.always:
            return
        if self.mode == "never":
            raise ToolError(NEVER.format(tool.name, tool.risk))
        if place in self.decided:
            if self.decided[place]:
                return
            raise ToolError(REFUSED.format(tool.name))
        if not self.can_ask:
            raise ToolError(ALONE.format(tool.name, tool.risk))
        told = next((line.strip() for line in tool.description.splitlines() if line.strip()), "")
        self.wanted[place] = Pending(
            id="", tool=tool.name, risk=tool.risk, arguments=dict(arguments), description=told, origin=origin_of(tool)
        )
        raise Waiting(tool.name)


def permissions_of(notes: Notes, run_id: str, mode: str) -> Permissions:
    """What a person has decided in a run so far."""
    asked, decided = _record(notes, run_id)
    return Permissions(
        mode=mode,
        can_ask=True,
        always=frozenset(asked[key][1].tool for key, verdict in decided.items() if verdict == "always"),
        decided={asked[key][0]: bool(verdict) for key, verdict in decided.items()},
    )


def undecided(notes: Notes, run_id: str) -> tuple[Pending, ...]:
    """The calls of a run that wait for a person, in the order in which they were asked."""
    asked, decided = _record(notes, run_id)
    # A word for all calls of a tool is one for those that were asked beside it.
    always = {asked[key][1].tool for key, verdict in decided.items() if verdict == "always"}
    return tuple(call for key, (_, call) in asked.items() if key not in decided and call.tool not in always)


async def settle(notes: Notes, run_id: str, interrupt: Callable[[Any], Any]) -> None:
    """Stop the graph for the calls of a run that are not decided; come back once any is, with its verdict on record.

    Args:
        notes: the journal.
        run_id: of the run.
        interrupt: LangGraph's. Within one node it gives the values of earlier stops again, in their order: those that say
            nothing of these calls are passed over.
    """
    calls = await asyncio.to_thread(undecided, notes, run_id)
    while calls:
        value = interrupt({"run_id": run_id, "calls": [to_data(call) for call in calls]})
        said = value if isinstance(value, Mapping) else {}
        found = {call.id: said[call.id] for call in calls if call.id in said}
        for key, verdict in found.items():
            decision = verdict if verdict == "always" else verdict is True
            await asyncio.to_thread(notes.add, run_id, "", DECIDED, key, {"decision": decision})
        if found:
            return


async def want(notes: Notes, run_id: str, wanted: Mapping[str, Pending]) -> None:
    """Put calls on record as asked, each once."""
    asked, _ = await asyncio.to_thread(_record, notes, run_id)
    known = {place for place, _ in asked.values()}
    fresh = [(place, call) for place, call in wanted.items() if place not in known]
    for number, (place, call) in enumerate(fresh, start=len(asked) + 1):
        payload = {"place": place, "call": to_data(call)}
        await asyncio.to_thread(notes.add, run_id, "", ASKED, f"call-{number}", payload)


def expanded(decisions: Mapping[str, Decision] | Decision, calls: Sequence[Pending]) -> dict[str, Decision]:
    """Verdicts by the id of the call; one verdict stands for all.

    Raises:
        ValueError: no such call waits, or no such verdict; says which.
    """
    known = [call.id for call in calls]
    given = dict(decisions) if isinstance(decisions, Mapping) else dict.fromkeys(known, decisions)
    for key, verdict in given.items():
        if key not in known:
            raise ValueError(f"no call {key!r} waits; there is {', '.join(known) or 'none'}")
        if not (isinstance(verdict, bool) or verdict == "always"):
            raise ValueError(f"the verdict on {key} is {verdict!r}; it must be True, False or 'always'")
    return given


def _record(notes: Notes, run_id: str) -> tuple[dict[str, tuple[str, Pending]], dict[str, Decision]]:
    """Calls that were asked, with their places, and the verdicts; both by id."""
    asked: dict[str, tuple[str, Pending]] = {}
    decided: dict[str, Decision] = {}
    for entry in notes.read(run_id):
        if entry.kind == ASKED:
            call = from_json(Pending, to_json({**entry.payload["call"], "id": entry.key}))
            asked[entry.key] = entry.payload["place"], call
        elif entry.kind == DECIDED:
            decided.setdefault(entry.key, entry.payload["decision"])
    return asked, decided
