"""A plan: reading it from a planner's reply, its order, and how it is told again. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from agentfly.generators.answers import answer_text
from agentfly.generators.extract import is_code
from agentfly.structured import read
from agentfly.types import Reply, Subtask

SCHEMA: Mapping[str, Any] = {
    "title": "plan",
    "type": "object",
    "properties": {
        "thought": {"type": "string"},
        "subtasks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer"},
                    "task": {"type": "string"},
                    "needs": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["id", "task", "needs"],
            },
        },
        "answer": {"type": "string"},
    },
    "required": ["thought", "subtasks", "answer"],
}
"""What a planner's reply looks like: ``subtasks`` or ``answer`` is empty."""
LONGEST_TASK = 4000
"""Characters of one subtask."""
_NUMBERED = re.compile(r"^(?:(?:sub)?task|step|#|no\.?)?[\s#:_-]*(\d+)[.):]?$", re.I)


@dataclass(frozen=True, slots=True)
class Part:
    """A subtask as it is planned."""

    id: str
    task: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a planner's reply says. Where there is a `problem`, nothing else of it counts."""

    parts: tuple[Part, ...] = ()
    """In the order in which they are to be done."""
    answer: str | None = None
    thought: str = ""
    problem: str = ""
    """Why the reply cannot be followed, for the planner to read."""


def read_plan(reply: Reply, done: Collection[str] = (), most: int = 8) -> Planned:
    """What a planner's reply says: a plan, an answer, or both.

    Args:
        reply: of the planner.
        done: ids of subtasks of earlier plans that have a result; a new plan may need them.
        most: subtasks that a plan may have.
    """
    try:
        said = read(reply, _Reply)
        answer = answer_text(said.answer) or None
    except ValueError as error:
        return Planned(problem=f"Your reply cannot be used: {error}.")
    except RecursionError:
        return Planned(problem="Your reply cannot be used: it is nested too deeply.")
    thought = said.thought.strip()
    parts = _numbered(said.subtasks)
    problems = _problems(parts, done, most)
    if problems and answer is None:
        return Planned(thought=thought, problem=f"The plan cannot be followed: {'; '.join(problems)}.")
    return Planned(parts=() if problems else in_order(parts), answer=answer, thought=thought)


def in_order(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts so that each comes after those that it needs, otherwise as they stand (Kahn 1962).

    Parts that need one another in a circle, and those that need such a part, are left out. Ids must be unique.
    """
    waiting, known = list(parts), {part.id for part in parts}
    order: list[Part] = []
    ready: set[str] = set()
    while following := next((part for part in waiting if known.intersection(part.needs) <= ready), None):
        waiting.remove(following)
        order.append(following)
        ready.add(following.id)
    return tuple(order)


def plan_text(parts: Sequence[Part]) -> str:
    """A plan as people read it, a line for each subtask."""
    return "\n".join(f"{part.id}. {part.task}{_after(part.needs)}" for part in parts)


def worked_out(subtasks: Sequence[Subtask]) -> str:
    """The subtasks that have a result, each with the code or the calls that gave it: what a case remembers of a plan."""
    told = []
    for number, subtask in enumerate((one for one in subtasks if one.worked), start=1):
        told.append(f"{number}. {subtask.task}")
        if subtask.solution.strip():
            told.append(_fenced(subtask.solution.strip()))
    return "\n".join(told)


def _fenced(solution: str) -> str:
    return f"```python\n{solution}\n```" if is_code(solution) else solution


def _after(needs: Sequence[str]) -> str:
    return f" (needs {', '.join(needs)})" if needs else ""


def _problems(parts: Sequence[Part], done: Collection[str], most: int) -> list[str]:
    ids = [part.id for part in parts]
    twice = sorted({key for key in ids if ids.count(key) > 1})
    unknown = {need for part in parts for need in part.needs if need not in ids and need not in done}
    problems = []
    if not parts:
        problems.append("it has no subtasks")
    if len(parts) > most:
        problems.append(f"it has {len(parts)} subtasks, and {most} are allowed: join some of them")
    if twice:
        problems.append(f"the id {', '.join(twice)} stands for several subtasks: give each its own")
    problems += [f"a subtask needs {need!r}, which there is not" for need in sorted(unknown)[:5]]
    free = {part.id for part in in_order(parts)} if len(parts) <= most and not twice else set(ids)
    stuck = [key for key in ids if key not in free]
    if stuck:
        problems.append(f"the subtasks {', '.join(stuck)} wait for one another")
    return problems


def _numbered(said: Sequence[_Part]) -> tuple[Part, ...]:
    """The parts with an id each: those that have none are numbered by their place, or by the next number that is free."""
    taken = {part.id for part in said if part.id}
    parts = []
    for place, part in enumerate(said, start=1):
        key = part.id
        if not key:
            key = next(str(number) for number in range(place, place + len(taken) + 1) if str(number) not in taken)
            taken.add(key)
        parts.append(Part(key, part.task, tuple(dict.fromkeys(need for need in part.needs if need))))
    return tuple(parts)


def _id(value: Any) -> str:
    """An id in one form: 1, 1.0, ``"1"``, ``"#1"``, ``"Task 1"`` and ``"step_1"`` are the same."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("id", "number", "step") if key in value), None)
    if value is None or isinstance(value, (bool, dict, list)):
        return ""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    numbered = _NUMBERED.match(text)
    return str(int(numbered[1])) if numbered and len(numbered[1]) < 10 else text[:40]


def _ids(value: Any) -> list[str]:
    if isinstance(value, str):
        value = [] if value.strip().lower() in ("", "none", "null", "-") else re.split(r"[,;]| and ", value)
    return [_id(one) for one in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> Any:
    return " ".join(value.encode("utf-8", "replace").decode().split()) if isinstance(value, str) else value


def _some(value: Any) -> Any:
    """Subtasks as a list: some models write them as one object, as an object by id, or as bare texts."""
    if value is None or value == "":
        return []
    if isinstance(value, dict) and isinstance(value.get("subtasks"), list):
        value = value["subtasks"]
    if isinstance(value, dict):
        if any(key in value for key in _TASK):
            value = [value]
        else:
            value = [{"id": key, **(one if isinstance(one, dict) else {"task": one})} for key, one in value.items()]
    if isinstance(value, str):
        value = [value]
    return [{"task": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value


_TASK = ("task", "subtask", "description", "question", "text", "goal")
_NEEDS = ("needs", "depends_on", "dependencies", "requires", "after")


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, BeforeValidator(_id)] = Field(default="", validation_alias=AliasChoices("id", "number", "step"))
    task: Annotated[str, BeforeValidator(_text)] = Field(
        min_length=1, max_length=LONGEST_TASK, validation_alias=AliasChoices(*_TASK)
    )
    needs: Annotated[tuple[str, ...], BeforeValidator(_ids)] = Field(default=(), validation_alias=AliasChoices(*_NEEDS))


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore")

    thought: str = ""
    subtasks: Annotated[tuple[_Part, ...], BeforeValidator(_some)] = Field(
        default=(), validation_alias=AliasChoices("subtasks", "plan", "tasks", "steps")
    )
    answer: Any = Field(default=None, validation_alias=AliasChoices("answer", "final_answer"))

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        if isinstance(value, list):  # the subtasks alone
            return {"subtasks": value}
        names = {"subtasks", "plan", "tasks", "steps", "answer", "final_answer"}
        if isinstance(value, dict):
            if not names.intersection(value):
                raise ValueError('it has neither "subtasks" nor "answer"')
            if not isinstance(value.get("thought", ""), str):
                return {key: one for key, one in value.items() if key != "thought"}
        return value
