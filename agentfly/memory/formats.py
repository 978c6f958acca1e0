"""Cases as lines of JSON: our own format, Memento's, and plain questions and answers. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentfly.errors import InputError
from agentfly.memory.rows import checked
from agentfly.types import Case, CaseStatus, Provenance, Task

FORMAT = "agentfly-case"
VERSION = 1
"""Of our own format. A line of a newer one is refused, an older one is read."""

OWN, MEMENTO, PLAIN = "agentfly", "memento", "plain"

# The names that benchmarks read questions and answers by, in the same order.
_QUESTION = ("Question", "question", "context")
_ANSWER = ("Final answer", "answer", "target", "ground_truth")
_ID = ("task_id", "id")
_WITHHELD = "?"  # GAIA's answer to the questions of its test split

_LATEST = 253_402_300_800.0  # the end of the year 9999: later times cannot be drawn
_MAX_ID = 200

Count = Annotated[int, Field(ge=0, lt=2**53)]


@dataclass(frozen=True, slots=True)
class Line:
    """One line that was understood."""

    case: Case
    format: str
    """``agentfly``, ``memento`` or ``plain``."""
    superseded_by: str | None = None
    """Id, in the file, of the case that took the place of this one."""


class _OwnCase(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["agentfly-case"]
    version: Literal[1]
    question: str
    solution: str = ""
    answer: str | None = None
    reward: float = Field(default=1.0, ge=0.0, le=1.0)
    lesson: str = ""
    task_id: str = ""
    domain: str = ""
    tags: tuple[str, ...] = ()
    provenance: Provenance = Provenance()
    id: str = Field(default="", max_length=_MAX_ID)
    status: CaseStatus = "active"
    shown: Count = 0
    helped: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    seen: int = Field(default=1, ge=1, lt=2**53)
    created: float = Field(default=0.0, ge=0.0, lt=_LATEST)
    superseded_by: str | None = Field(default=None, max_length=_MAX_ID)


def write_line(case: Case, superseded_by: str | None = None, *, ascii_only: bool = False) -> str:
    """A case as one line in our own format, every field of it; `read_line` reads it back, equal.

    Args:
        case: a stored case.
        superseded_by: id of the case that took its place.
        ascii_only: escape all other characters, for a stream that may be a terminal.
    """
    data = {"format": FORMAT, "version": VERSION, "id": case.id, **asdict(case), "superseded_by": superseded_by}
    text = json.dumps(data, ensure_ascii=ascii_only, allow_nan=False)
    # JSON may hold these as they are, but there are readers that end a line at them.
    for character in ("\x85", "\u2028", "\u2029"):
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n"


def read_line(raw: bytes) -> Line:
    """The case in a line, whichever of the formats it is written in.

    Args:
        raw: the line, in UTF-8.

    Raises:
        InputError: why it is no case, in a few words; the caller knows the line's number.
    """
    row, text = _object(raw)
    if str(row.get("format", "")).startswith("agentfly"):
        line = _own(row, text)
    elif "truth_label" in row or {"query", "case"} <= row.keys():
        raise InputError("a training pair of Memento, not a case; import its memory.jsonl")
    elif "plan" in row and ("case" in row or "case_label" in row or "reward" in row):
        line = Line(_memento(row), MEMENTO)
    else:
        line = Line(_plain(row), PLAIN)
    return replace(line, case=checked(line.case))


def _object(raw: bytes) -> tuple[dict[str, Any], str]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start + 1})") from None
    try:
        row = json.loads(text, parse_constant=_refuse)
    except InputError:
        raise
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except (ValueError, RecursionError):
        raise InputError("not JSON that can be read: a number too long, or nested too deeply") from None
    if not isinstance(row, dict):
        raise InputError(f"must be a JSON object, not {_kind(row)}")
    return row, text


def _refuse(name: str) -> float:
    raise InputError(f"{name} is no JSON number")


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


# Our own


def _own(row: Mapping[str, Any], text: str) -> Line:
    name, version = row.get("format"), row.get("version")
    if name != FORMAT:
        raise InputError(f"{str(name)[:40]!r} is another format; cases are {FORMAT!r}")
    if isinstance(version, int) and version > VERSION:
        raise InputError(f"written by a newer agentfly (case format {version}, this one reads {VERSION}); upgrade it")
    try:
        data = _OwnCase.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise InputError(f"{'.'.join(map(str, problem['loc'])) or 'the line'}: {problem['msg']}") from None
    if data.id != "".join(data.id.split()) or not data.id.isprintable():
        raise InputError("id: must be one word without control characters")
    fields = {field: getattr(data, field) for field in Case.__dataclass_fields__}
    return Line(Case(**fields), OWN, data.superseded_by)


# Memento: {case, plan, case_label}, and {question, plan, reward} as its non-parametric memory has it


def _memento(row: Mapping[str, Any]) -> Case:
    question = _text(row, ("case", *_QUESTION))
    plan = row["plan"]
    if isinstance(plan, dict | list):
        plan = json.dumps(plan, ensure_ascii=False)
    if not question:
        raise InputError("no task (a field named 'case')")
    if not isinstance(plan, str):
        raise InputError(f"'plan' must be text or an object, not {_kind(plan)}")
    if not plan.strip():
        raise InputError("'plan' is empty")
    return Case(
        question=question,
        solution=plan,  # as it stands: what a planner wrote in JSON it is to see in JSON
        answer=_text(row, _ANSWER),
        reward=_label(row["case_label"]) if "case_label" in row else _reward(row.get("reward")),
        task_id=_text(row, _ID) or Task(question).id,
        provenance=Provenance(source=f"import:{MEMENTO}"),
    )


def _label(value: object) -> float:
    found = {"positive": 1.0, "negative": 0.0}.get(value.strip().lower() if isinstance(value, str) else "")
    if found is None:
        raise InputError(f"'case_label' must be 'positive' or 'negative', not {str(value)[:40]!r}")
    return found


def _reward(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"'reward' must be a number in [0, 1], not {str(value)[:40]!r}")
    return float(value)


# Plain questions and answers, as benchmarks have them


def _plain(row: Mapping[str, Any]) -> Case:
    question = _text(row, _QUESTION)
    if not question:
        raise InputError(f"no question (a field named {', '.join(map(repr, _QUESTION))})")
    answer, solution = _text(row, _ANSWER), _text(row, ("solution",))
    if answer is None and not solution:
        raise InputError(f"no answer (a field named {', '.join(map(repr, _ANSWER))})")
    if answer is not None and answer.strip() == _WITHHELD:
        raise InputError("the answer is withheld ('?')")
    return Case(
        question=question,
        solution=solution or "",
        answer=answer,
        reward=_reward(row["reward"]) if row.get("reward") is not None else 1.0,
        lesson=_text(row, ("lesson",)) or "",
        # The id that the task has when it is asked from this very file, so that it never recalls its own answer.
        task_id=_text(row, _ID) or Task(question.strip(), files=_files(row)).id,
        domain=_text(row, ("domain",)) or "",
        tags=_tags(row.get("tags")),
        provenance=Provenance(source=f"import:{PLAIN}"),
    )


def _text(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of these fields that has a value, as text; a blank question is none."""
    for name in names:
        value = row.get(name)
        if value is None or (isinstance(value, str) and not value.strip() and names is not _ANSWER):
            continue
        if isinstance(value, dict | list):
            raise InputError(f"{name!r} must be text or a number, not {_kind(value)}")
        return str(value)
    return None


def _files(row: Mapping[str, Any]) -> tuple[Any, ...]:
    value = row.get("files") or row.get("file_name") or ()
    names = [value] if isinstance(value, str) else value
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise InputError("'tags' must be a list of texts")
    return tuple(value)
