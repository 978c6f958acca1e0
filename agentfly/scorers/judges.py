"""Who judges in an agent: whose verdict is learned from, and what reports where a reference is only to report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from agentfly.config import Settings
from agentfly.protocols import AskingScorer, Hearing, Model, Scorer
from agentfly.scorers.named import COMPARING, as_scorer, scorer_named
from agentfly.types import Feedback

Brought: TypeAlias = "Scorer | Callable[..., Any] | None"

REFERENCED = ("reference", "outcome")
"""The kinds of feedback (`Settings.feedback`) in which a reference has a part."""


@dataclass(frozen=True, kw_only=True)
class Judges:
    """The judges of one agent.

    Args:
        settings: say who judges, and what may be learned from.
        scorer: that the caller brings; it goes before the one of the settings.
        compare: that the caller brings to compare with references in reports; `scorer` where it is None.
        model: opens the judge's model.
        reference: looks up the reference of a run.
    """

    settings: Settings
    scorer: Brought
    compare: Brought
    model: Callable[[], Model]
    reference: Callable[[str], str | None]

    @cached_property
    def teaching(self) -> Scorer:
        """Whose verdict is learned from.

        Raises:
            ConfigError: it cannot judge here: no command, nobody to ask.
        """
        if self.scorer is not None:
            return as_scorer(self.scorer)
        settings, judging = self.settings, self.settings.judging
        return scorer_named(
            settings.scorer,
            command=settings.command,
            judge=self.model,
            samples=judging.samples,
            agreement=judging.agreement,
            at_once=judging.at_once,
        )

    @cached_property
    def reporting(self) -> Scorer:
        """What scores a result by its reference where something else is learned from."""
        if self.compare is not None:
            return as_scorer(self.compare)
        if self.scorer is not None and self._asking is None:
            return self.teaching
        # A command looks at no reference: it has spoken already.
        return scorer_named(self.settings.scorer if self.settings.scorer in COMPARING else "auto")

    @cached_property
    def _asking(self) -> AskingScorer | None:
        """Who asks others, if that is who teaches. Looked at once: whether something has the methods of a protocol takes a while to find out."""
        return self.teaching if isinstance(self.teaching, AskingScorer) else None

    @cached_property
    def by_reference(self) -> bool:
        """Whether what is learned from goes by the reference, where there is one."""
        if self._asking is None:
            return self.settings.feedback in REFERENCED
        return self.settings.feedback == "reference" and self.teaching.name == "judge"

    async def hear(self, hearing: Hearing) -> Feedback | None:
        """What may be learned from: without the reference where that only scores the result; see `agentfly.nodes.state.Parts.judge`."""
        if hearing.attempt.status == "error":  # the provider's failure says nothing about the attempt
            return None
        scorer, by_reference = self.teaching, self.by_reference
        if self._asking is not None:
            if not hearing.learning and not by_reference and self.reference(hearing.run_id) is not None:
                return None  # nobody is asked for a verdict that the reference gives in the report
            scorer = self._asking.at(hearing)
        known = self.reference(hearing.run_id) if by_reference else None
        return await scorer.score(replace(hearing.task, reference=known), hearing.attempt, hearing.workspace)
