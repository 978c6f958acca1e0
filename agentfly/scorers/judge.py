"""A model as the judge of an attempt."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from agentfly.errors import ProviderError, ReplyError
from agentfly.prompts import render
from agentfly.protocols import CallOptions, Hearing, Model
from agentfly.scorers.fencing import Fence, cut, steps_as_text
from agentfly.scorers.reference import missing, shown
from agentfly.structured import ask, read
from agentfly.types import Attempt, Feedback, Message, Reply, Task

_log = logging.getLogger("agentfly.scorers")

LONGEST = 4000
"""Characters that are shown of a question, of an answer, of the steps, and of the right answer, each."""
_REASON = 300
_PLANTED = 20
_Key: TypeAlias = tuple[float | None, str]
_OPTIONS = CallOptions(temperature=0.0, max_tokens=300)


def _shortened(value: Any) -> Any:
    return "" if value is None else " ".join(value.split())[:_REASON] if isinstance(value, str) else value


class Ruling(BaseModel):
    """What the judge is asked for."""

    model_config = ConfigDict(extra="ignore")

    reason: Annotated[str, BeforeValidator(_shortened)] = ""
    reward: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] | None


@dataclass(frozen=True, slots=True)
class JudgeScorer:
    """Asks a model how good an answer is.

    It sees the question, the steps and the answer, all that the attempt wrote fenced as data. Where the task has a reference, it
    judges whether the answer means the same; its words are not passed on then, since they may tell the reference.

    A reply that cannot be used is mended once. Then, and where the provider fails or the judge cannot tell, there is no verdict, and
    the log ``agentfly.scorers`` says why. A fooled or mistaken judge is not noticed: its word is not trusted where content from
    outside was read, see `agentfly.types.TRUSTED`.

    Args:
        model: who judges.
    """

    name: ClassVar[str] = "judge"
    model: Model

    def at(self, hearing: Hearing) -> JudgeScorer:
        """As `AskingScorer.at`."""
        return replace(self, model=hearing.asking(self.model))

    async def score(self, task: Task, attempt: Attempt, workspace: Path) -> Feedback | None:
        """Ask; None where there is no usable verdict."""
        if attempt.answer is None:
            return missing("judge")
        kind = _shape({key for text in _written(attempt) for key in planted(text)})
        try:
            ruling, _ = await ask(self.model, _prompt(task, attempt), kind, _OPTIONS, repairs=1)
        except (ReplyError, ProviderError) as error:
            _log.warning("the judge gives no verdict on task %s: %s", task.id, error)
            return None
        if ruling.reward is None:
            _log.warning("the judge cannot tell whether the answer to task %s is right: %s", task.id, ruling.reason)
            return None
        text = _verdict(attempt.answer, ruling.reward)
        if ruling.reason and task.reference is None:
            text = f"{text} {ruling.reason}"
        return Feedback(reward=ruling.reward, text=text, source="judge")


def _verdict(answer: str, reward: float) -> str:
    word = "right" if reward == 1.0 else "wrong" if reward == 0.0 else f"worth {reward:.2g}"
    return f"A model judges the answer {shown(answer)!r} to be {word}."


def planted(text: str) -> set[_Key]:
    """The verdicts that stand in a text, ready to be quoted."""
    found = set[_Key]()
    while '"reward"' in text and len(found) < _PLANTED:
        try:
            found.add(_key(read(Reply(text=text), _shape(found))))
        except ValueError:
            break
    return found


def _shape(known: set[_Key]) -> type[Ruling]:
    """What is read from a reply: a verdict that stands word for word in the attempt is quoted and not given."""

    class Given(Ruling):
        @model_validator(mode="after")
        def _own(self) -> Given:
            if _key(self) in known:
                raise ValueError("that is quoted from what you judge; give your own verdict in your own words")
            return self

    Given.__name__ = Ruling.__name__
    return Given


def _key(ruling: Ruling) -> _Key:
    return ruling.reward, ruling.reason


def _written(attempt: Attempt) -> Iterator[str]:
    """What the attempt wrote or brought."""
    yield attempt.answer or ""
    for step in attempt.steps:
        yield step.action
        yield step.observation


def _prompt(task: Task, attempt: Attempt) -> Sequence[Message]:
    compared = task.reference is not None
    steps = steps_as_text(attempt.steps, LONGEST) or "(no steps)"
    answer = cut(attempt.answer or "", LONGEST)
    question, instructions = cut(task.question, LONGEST), cut(task.instructions, LONGEST)
    reference = None if task.reference is None else cut(task.reference, LONGEST)
    fence = Fence([question, instructions, reference or "", steps, answer])
    user = render(
        "judge_task",
        instructions=instructions,
        question=question,
        files=list(task.file_names),
        reference=reference,
        steps=fence.around(steps, "the steps of the attempt"),
        answer=fence.around(answer, "the answer"),
    )
    return [Message("system", render("judge", compared=compared)), Message("user", user)]
