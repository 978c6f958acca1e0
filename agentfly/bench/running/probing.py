"""What can be known of an agent before it works, so that a mistake in its settings costs nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from agentfly.bench.running.answering import TemplateScorer
from agentfly.bench.running.record import Agent
from agentfly.composition import Composition, Given
from agentfly.config import Settings
from agentfly.errors import SandboxError
from agentfly.protocols import Model, Scorer
from agentfly.tools.sandbox.check import choose


class _Probe(Composition):
    def check(self) -> str:
        """Open the model and the judge; the judge's name.

        Raises:
            UserError: one of them cannot be used.
        """
        self._model()
        return self._judges.teaching.name


async def probe(settings: Settings, model: Model | None, scorer: Scorer | None) -> Agent:
    """Which model, strategy, scorer and sandbox it comes to; what it has learned is left open.

    Args:
        settings: the agent's.
        model: answers in place of the one that the settings name.
        scorer: judges in place of the one that they name.

    Raises:
        UserError: no usable model, or nobody who can judge.
    """
    with tempfile.TemporaryDirectory(prefix="agentfly-probe-") as folder:
        given = Given(model=model, scorer=None if scorer is None else TemplateScorer(scorer))
        made = _Probe(Path(folder) / "home", settings, given)
        try:
            name, why = made.model_choice
            return Agent(
                model=name,
                why=why,
                strategy=made.strategy,
                sandbox=await _tier(settings),
                scorer=made.check(),
                home=None,
                source=None,
            )
        finally:
            await made.aclose()


async def _tier(settings: Settings) -> str:
    try:
        return await choose("auto", unsafe=settings.unsafe_code)
    except SandboxError:
        return ""  # said when code is to be run
