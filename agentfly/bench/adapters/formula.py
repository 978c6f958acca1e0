"""XBRL Formula, as ACE distributes it (arXiv 2510.04618; FinLoRA): a finance formula, a question, a number.

One JSON object a line with ``context`` and ``target``. The formula stands in the context, so the whole of it is the question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agentfly.bench.adapters.base import Adapter
from agentfly.errors import InputError
from agentfly.types import Task


def formula_match(answer: str | None, target: str) -> bool:
    """Whether two numbers are equal after rounding to 2 places.

    Commas are deleted from both, as in ACE's own scoring, which rounds nothing: it asks for 2 places and compares. An answer with more
    of them is right here and wrong there; everything else is the same. What is no number is right where it is the very same text.
    """
    if answer is None:
        return False
    given, wanted = (text.replace(",", "").strip() for text in (answer, target))
    try:
        first, second = float(given), float(wanted)
    except ValueError:
        return given == wanted
    if not (math.isfinite(first) and math.isfinite(second)):
        return first == second
    return round(first, 2) == round(second, 2)


def _recognises(row: Mapping[str, Any]) -> bool:
    text = row.get("context")
    return isinstance(text, str) and "target" in row and text.startswith("Use formula ") and "Formula:" in text


def _tasks(row: Mapping[str, Any], place: str) -> list[Task]:
    context, target = row.get("context"), row.get("target")
    if not isinstance(context, str) or not context.strip():
        raise InputError(f"{place}: 'context' must be the question as text")
    if not isinstance(target, str | int | float) or isinstance(target, bool):
        raise InputError(f"{place}: 'target' must be a number")
    return [Task(question=context.strip().removesuffix("Answer:").strip(), reference=str(target).strip())]


ADAPTER = Adapter("formula", _recognises, _tasks, formula_match)
