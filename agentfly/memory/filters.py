"""Which active cases may be recalled, as a condition in SQL. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from agentfly.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which active cases may be recalled.

    Raises:
        InputError: a text where a collection of texts is meant, or a number that is none.
    """

    exclude_task: str | None = None
    """Id of a task whose own cases are left out."""
    exclude_question: str | None = None
    """Question whose cases are left out, whichever task they are of: the same question may have come under another id."""
    exclude: Collection[str] = ()
    """Ids of cases that are left out."""
    domain: str | None = None
    """Exactly this one; the empty text is the domain of cases that have none."""
    tags: Collection[str] = ()
    """All of these, letter for letter."""
    min_reward: float | None = None
    created_after: float | None = None
    """Seconds since the epoch."""

    def __post_init__(self) -> None:
        for name in ("tags", "exclude"):
            given = getattr(self, name)
            if isinstance(given, str) or not all(isinstance(one, str) for one in given):
                raise InputError(f"{name} must be a list of texts, not {given!r}")
            object.__setattr__(self, name, tuple(map(_storable, given)))
        for name in ("domain", "exclude_task", "exclude_question"):
            if (text := getattr(self, name)) is not None:
                object.__setattr__(self, name, _storable(text))
        for name in ("min_reward", "created_after"):
            number = getattr(self, name)
            if number is not None and math.isnan(number):  # SQLite would read it as NULL
                raise InputError(f"{name} must be a number, not {number!r}")

    def sql(self, *, scan: bool = False) -> tuple[str, dict[str, Any]]:
        """A condition on the table `cases`, and its parameters.

        Args:
            scan: for a search through the whole table, where SQLite may use an index on the domain. By default rows
                are given by sequence number: the plus signs keep SQLite from scanning an index on another column.
        """
        parts, params = ["+status = 'active'"], dict[str, Any]()
        if self.domain is not None:
            parts.append("domain = :domain" if scan else "+domain = :domain")
            params["domain"] = self.domain
        if self.min_reward is not None:
            parts.append("reward >= :min_reward")
            params["min_reward"] = self.min_reward
        if self.created_after is not None:
            parts.append("+created >= :created_after")
            params["created_after"] = self.created_after
        if self.exclude_task:
            parts.append("+task_id <> :task")
            params["task"] = self.exclude_task
        if self.exclude_question is not None:
            parts.append("trim(question) <> :question")
            params["question"] = self.exclude_question.strip(" ")
        if self.exclude:
            parts.append("id NOT IN (SELECT value FROM json_each(:exclude))")
            params["exclude"] = json.dumps(self.exclude)
        for i, tag in enumerate(self.tags):
            # Rules most rows out three times as fast as taking their tags apart does.
            written = {json.dumps(tag), json.dumps(tag, ensure_ascii=False)}
            parts.append(f"({' OR '.join(f'instr(tags, :tag{i}_{j})' for j in range(len(written)))})")
            params |= {f"tag{i}_{j}": text for j, text in enumerate(sorted(written))}
        if self.tags:
            parts.append("NOT EXISTS (SELECT value FROM json_each(:tags) EXCEPT SELECT value FROM json_each(tags))")
            params["tags"] = json.dumps(self.tags)
        return " AND ".join(parts), params


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # as `rows.checked` stores it
