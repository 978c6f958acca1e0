"""Answers as text. Pure."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from agentfly.protocols import Execution

LONGEST_GUESS = 200
_LABELLED = re.compile(r"^[^:=]{1,80}[:=]\s*(\S.*)$")


def answer_text(value: Any) -> str:
    """An answer given as JSON data in the form in which people write it: lists comma-separated, one item bare."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (list, tuple)):
        return ", ".join(answer_text(item) for item in value)
    if isinstance(value, dict):
        if len(value) == 1:
            return answer_text(next(iter(value.values())))
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return ""
    if isinstance(value, float) and math.isfinite(value):
        # The 15 digits that a double holds for certain: 7.2700000000000005 is the noise of a sum, not an answer.
        return str(float(f"{value:.15g}"))
    return str(value)


def guess(execution: Execution) -> str | None:
    """The answer that a block seems to have printed: its echoed value, else its last line without a label.

    Returns:
        None where it failed, printed nothing, or what it printed last is too long to be an answer.
    """
    if execution.error is not None:
        return None
    text = execution.value
    if text is None:
        lines = [line.strip() for line in execution.output.splitlines() if line.strip()]
        text = lines[-1] if lines else ""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    if labelled := _LABELLED.match(text):
        text = labelled.group(1).strip()
    return text if 0 < len(text) <= LONGEST_GUESS else None
