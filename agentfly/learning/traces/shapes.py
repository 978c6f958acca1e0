"""The shapes of recorded attempts as pydantic models: our own record of a run, an OpenAI conversation, plain question and steps.

Unknown keys are passed over: traces come from everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agentfly.types import Feedback, FeedbackSource


def _as_text(value: object) -> object:
    """Text of what producers write as text, as a number, or as a list of parts."""
    if isinstance(value, list):
        return "\n".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value) if isinstance(value, int | float) else value


Text: TypeAlias = Annotated[str, BeforeValidator(_as_text)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Judged(_Row):
    """What the two foreign shapes share: the task and the verdict."""

    question: Text | None = None
    answer: Text | None = None
    reference: Text | None = None
    reward: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    score: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    success: bool | None = None
    correct: bool | None = None
    feedback: Text | None = None
    source: str | None = None
    """Who judged, in our words, such as ``human``."""
    id: Text | None = None
    model: str | None = None
    files: tuple[str, ...] = ()

    def verdict(self) -> Feedback | None:
        """The feedback as recorded; None where there is no reward in any form."""
        given = (self.reward, self.score, self.success, self.correct)
        rewards = [float(value) for value in given if value is not None]
        if not rewards:
            return None
        source = self.source if self.source in get_args(FeedbackSource) else None
        source = source or ("reference" if self.reference is not None else "environment")
        return Feedback(reward=rewards[0], text=self.feedback or "", source=cast(FeedbackSource, source))


class Function(_Row):
    name: str
    arguments: Text = ""


class _Call(_Row):
    function: Function


class Message(_Row):
    role: str
    content: Text | None = None
    tool_calls: tuple[_Call, ...] | None = None
    function_call: Function | None = None

    @property
    def calls(self) -> tuple[Function, ...]:
        return (
            *(call.function for call in self.tool_calls or ()),
            *([self.function_call] if self.function_call else []),
        )


class Conversation(_Judged):
    """An OpenAI list of messages with a verdict."""

    messages: Annotated[tuple[Message, ...], Field(min_length=1)]


class Turn(_Row):
    thought: Text | None = None
    action: Text | None = None
    code: Text | None = None
    tool: str | None = None
    observation: Text | None = None
    output: Text | None = None
    result: Text | None = None
    error: bool | str | None = None


class Plain(_Judged):
    """Question, steps or one text of what was done, and a verdict."""

    question: Text
    steps: tuple[Turn | str, ...] = ()
    trace: Text | tuple[Turn | str, ...] = ""


class _OwnTrial(_Row):
    attempt: Mapping[str, Any]
    feedback: Mapping[str, Any] | None = None


class Own(_Row):
    """What ``agentfly runs show --json`` prints."""

    id: str = ""
    task: Mapping[str, Any]
    trials: Annotated[tuple[_OwnTrial, ...], Field(min_length=1)]
    model: str = ""
