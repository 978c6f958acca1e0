"""Hearings: how a judge that asks others does so within a run: what it asks for is counted, and kept while the run is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentfly.errors import ProviderError
from agentfly.folders import remove_tree
from agentfly.nodes.generate import attempt_task, is_kept, sample_name
from agentfly.nodes.journal import Remembered
from agentfly.nodes.state import Parts, State
from agentfly.nodes.workspace import location
from agentfly.protocols import CallOptions, Hearing, Model
from agentfly.records import from_json, to_json
from agentfly.types import Attempt, Message, Reply, Usage

VOTES, VOTE = "votes", "vote"
"""Under which words the journal has the answers of further attempts."""
Spend = Callable[[Usage], None]
"""Takes what judging cost."""


class Counted:
    """A model whose calls are counted, failed ones too."""

    def __init__(self, model: Model, spend: Spend) -> None:
        self._model, self._spend = model, spend

    @property
    def name(self) -> str:
        return self._model.name

    async def complete(
        self,
        messages: Sequence[Message],
        options: CallOptions = CallOptions(),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `Model.complete`."""
        try:
            reply = await self._model.complete(messages, options, on_text)
        except ProviderError as error:
            self._spend(error.usage)
            raise
        self._spend(reply.usage)
        return reply

    async def aclose(self) -> None:
        """The model is released by who opened it."""


def hearing(
    state: State, parts: Parts, attempt: Attempt, *, number: int, learning: bool, spend: Spend = lambda usage: None
) -> Hearing:
    """The hearing of an attempt.

    Args:
        state: of the run.
        parts: what the nodes work with.
        attempt: that is judged.
        number: of the attempt.
        learning: see `Hearing.learning`.
        spend: takes what judging costs. A hearing that is held again, since the process was killed, costs the same again.
    """

    def asking(model: Model) -> Model:
        if is_kept(state, parts) and parts.notes is not None:
            model = Remembered(model, parts.notes, state["run_id"], f"{number}.judge")
        return Counted(model, spend)

    return Hearing(
        run_id=state["run_id"],
        task=state["task"],
        attempt=attempt,
        workspace=location(parts.workspaces, state["run_id"], number),
        learning=learning,
        asking=asking,
        sample=_Samples(state=state, parts=parts, number=number, spend=spend).sample,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Samples:
    """Further attempts at a task, made once for a run: they vote on every attempt of it, and count where they were first asked for.

    They see what the attempt saw, and nothing is learned from them. Nobody is asked about their calls of tools: what would
    need permission is refused.
    """

    state: State
    parts: Parts
    number: int
    spend: Spend

    async def sample(self, k: int) -> str | None:
        """As `agentfly.protocols.Sample`."""
        vote = await asyncio.to_thread(self._vote, k)
        if vote is not None:
            if vote["judging"] == self.number:
                self.spend(from_json(Usage, vote["usage"]))
            answer: str | None = vote["answer"]
            return answer
        attempt = await self._attempt(k)
        self.spend(attempt.usage)
        if attempt.status == "error":  # the provider's failure is no vote: the next time it may give one
            return None
        await asyncio.to_thread(self._keep, k, attempt)
        return attempt.answer

    async def _attempt(self, k: int) -> Attempt:
        mode = self.state.get("approve", self.parts.settings.approve)
        alone: State = {**self.state, "learn": False, "approve": "auto" if mode == "auto" else "never"}
        try:
            return await attempt_task(alone, self.parts, _unheard, number=self.number, explore=False, sample=k)
        finally:
            folder = location(self.parts.workspaces, self.state["run_id"], sample_name(self.number, k))
            remove_tree(folder)

    def _vote(self, k: int) -> Mapping[str, Any] | None:
        notes = self.parts.notes
        if notes is None or not is_kept(self.state, self.parts):
            return None
        known = (entry for entry in notes.read(self.state["run_id"]) if entry.kind == VOTE and entry.key == str(k))
        return next((entry.payload for entry in known), None)

    def _keep(self, k: int, attempt: Attempt) -> None:
        notes, run_id = self.parts.notes, self.state["run_id"]
        if notes is None or not is_kept(self.state, self.parts):
            return
        vote = {"answer": attempt.answer, "judging": self.number, "usage": to_json(attempt.usage)}
        notes.add(run_id, VOTES, VOTE, str(k), vote)
        notes.forget(run_id, sample_name(self.number, k))


def _unheard(event: object) -> None:
    """The steps of attempts that only vote do not belong among the run's events."""
