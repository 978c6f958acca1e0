"""What the curator is shown: the part of the playbook that matters, the checks in force, and the insight."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from agentfly.nodes.recall import Relevance
from agentfly.nodes.state import Parts, State
from agentfly.playbooks.checks.catalogue import for_curator
from agentfly.playbooks.rules import MODEL_RULES, Rules
from agentfly.prompts import render
from agentfly.types import Message, Reflection

_CHECK_CHARS = 100
_CODE = ("codeact", "plan")
"""Strategies that act by code."""
_FORM = re.compile(
    r"\b(?:round\w*|decimals?|digits?|precision|format\w*|units?|symbols?|signs?|percent\w*|brackets?|quotes?|punctuation|"
    r"lists?|options?|letters?|wording|form|range|negative|integers?|bare|sentences?|spell\w*|capital\w*|commas?)\b",
    re.IGNORECASE,
)
"""Words of what a predicate on the answer can see: its form and its range."""


def rules_of(parts: Parts) -> Rules:
    """What a model may write into a playbook."""
    return replace(MODEL_RULES, chars=parts.settings.playbook.bullet_chars)


async def request(state: State, parts: Parts, reflection: Reflection) -> tuple[Message, ...]:
    """The messages that ask for a delta from one insight."""
    shown = await playbook_for(parts, (reflection.insight, state["task"].question))
    feedback = state["trials"][0].feedback.text
    prompt = render(
        "curate_task",
        **shown,
        functions=functions(parts, (reflection.diagnosis, reflection.insight, feedback)),
        diagnosis=reflection.diagnosis,
        approach=reflection.approach,
        insight=reflection.insight,
    )
    return (Message("system", render("curate", code=_by_code([state]))), Message("user", prompt))


async def batch_request(
    states: Sequence[State], reflections: Sequence[Reflection], parts: Parts
) -> tuple[Message, ...]:
    """The messages that ask for one delta from several insights, numbered from 1."""
    told = [(reflection.diagnosis, reflection.insight) for reflection in reflections]
    shown = await playbook_for(parts, [insight for _, insight in told])
    feedback = [state["trials"][0].feedback.text for state in states]
    texts = [*feedback, *(text for pair in told for text in pair)]
    prompt = render("curate_batch_task", **shown, functions=functions(parts, texts), insights=told)
    return (Message("system", render("curate_batch", code=_by_code(states))), Message("user", prompt))


async def playbook_for(parts: Parts, texts: Iterable[str]) -> Mapping[str, object]:
    """The playbook as prompts show it: all of it where it fits, else what bears most on any of the texts; and its checks."""
    book, budget = parts.playbook.current(), parts.settings.playbook.in_prompt
    near: dict[str, float] | None = None
    if book.tokens > budget and isinstance(parts.playbook, Relevance):
        near = {}
        for text in texts:
            for key, cosine in (await asyncio.to_thread(parts.playbook.relevant, text)).items():
                near[key] = max(cosine, near.get(key, -1.0))
    checks = [f"[{bullet.id}] {_shortened(bullet.text)}" for bullet in book.checks]
    return {"playbook": book.render(budget=budget, similarities=near), "checks": checks}


def functions(parts: Parts, texts: Iterable[str]) -> str:
    """What a check may call, where a check may help: after an answer of a wrong form. Else nothing, for a short prompt."""
    if not parts.settings.learning.checks or not any(_FORM.search(text) for text in texts):
        return ""
    return for_curator()


def _by_code(states: Iterable[State]) -> bool:
    """Whether all of these runs wrote Python. Other agents' may not know it, and rules of calls and frames are of no use to them."""
    return all(state["trials"][0].attempt.strategy in _CODE for state in states)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CHECK_CHARS else line[: _CHECK_CHARS - 1] + "…"
