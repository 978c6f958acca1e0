"""Reflect: why the attempt went as it did (ACE's reflector).

A failure costs one model call. A success costs none: what was shown and cited is credited, and the working solution
is the lesson.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from agentfly.errors import AgentflyError, ProviderError, ReplyError
from agentfly.events import Reflected
from agentfly.nodes.state import Emit, Parts, State
from agentfly.prompts import render
from agentfly.protocols import CallOptions, Trial
from agentfly.structured import ask
from agentfly.types import Attempt, Message, Reflection, Tag, Usage

TRACE_CHARS = 3000


class Diagnosis(BaseModel):
    """What the reflector is asked for."""

    model_config = ConfigDict(extra="ignore")

    diagnosis: Annotated[str, Field(max_length=600, description="what made the answer wrong")]
    insight: Annotated[str, Field(max_length=300, description="one rule for similar tasks, without this task's values")]
    helpful: Annotated[list[str], Field(default_factory=list, max_length=8, description="ids that helped")]
    harmful: Annotated[list[str], Field(default_factory=list, max_length=8, description="ids that misled")]


async def reflect(state: State, parts: Parts, emit: Emit) -> State:
    first, *others = state["trials"]
    if first.feedback.success:
        reflection = Reflection(diagnosis="", insight="", tags=dict.fromkeys(first.attempt.cited, "helpful"))
        emit(Reflected(reflection=reflection))
        return {"reflection": reflection}
    solved = next((trial for trial in others if trial.feedback.success), None)
    try:
        reflection = await diagnose(state, parts, first, solved)
    except AgentflyError as error:  # learning must never cost the user the answer
        emit(Reflected(reflection=None, problem=str(error)))
        spent = error.usage if isinstance(error, ProviderError | ReplyError) else Usage()
        return {"reflection": None, "usage": spent}
    emit(Reflected(reflection=reflection))
    return {"reflection": reflection, "usage": reflection.usage}


async def diagnose(state: State, parts: Parts, failed: Trial, solved: Trial | None) -> Reflection:
    """Ask the reflector about a failed attempt, in contrast to one that worked where exploration found it."""
    prompt = render(
        "reflect_task",
        question=state["task"].question,
        trace=trace(failed.attempt, TRACE_CHARS),
        answer=failed.attempt.answer,
        feedback=failed.feedback.text,
        reference=parts.reference(state["run_id"]),
        solution=solved.attempt.solution if solved else "",
        shown=[f"[{bullet.id}] {bullet.text}" for bullet in state.get("bullets", ())],
    )
    messages = (Message("system", render("reflect")), Message("user", prompt))
    found, usage = await ask(parts.reflector, messages, Diagnosis, CallOptions(temperature=0.0, max_tokens=300))
    return Reflection(
        diagnosis=found.diagnosis.strip(),
        insight=found.insight.strip(),
        tags=_tags(found, {*failed.attempt.shown_bullets, *failed.attempt.shown_cases}),
        usage=usage,
    )


def _tags(found: Diagnosis, shown: set[str]) -> dict[str, Tag]:
    """Only what was shown can be credited; what is called both is left alone."""
    helpful, harmful = (({name.strip("[]") for name in names} & shown) for names in (found.helpful, found.harmful))
    tags: dict[str, Tag] = dict.fromkeys(sorted(helpful - harmful), "helpful")
    return tags | dict.fromkeys(sorted(harmful - helpful), "harmful")


def trace(attempt: Attempt, limit: int) -> str:
    """The steps as text of at most `limit` characters; the last steps matter most and are kept."""
    blocks = [f"Step {step.index}\n{step.action}\n-> {step.observation}".strip() for step in attempt.steps]
    kept: list[str] = []
    room = limit
    for block in reversed(blocks):
        if room <= 0:
            kept.append("(earlier steps left out)")
            break
        kept.append(block if len(block) <= room else block[: room // 2] + "\n…\n" + block[-(room // 2) :])
        room -= len(block)
    return "\n".join(reversed(kept))
