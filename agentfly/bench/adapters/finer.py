"""FiNER, as ACE distributes it (arXiv 2203.06482 and 2510.04618): which US GAAP tag fits a number in a sentence.

A row asks for the tags of several numbers at once and is scored by number, so each becomes a task of its own. All tags to choose from
stand in each row: they are the tasks' instructions. Numbers of one row stay together, and so do numbers of one sentence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from agentfly.bench.adapters.base import Adapter
from agentfly.errors import InputError
from agentfly.types import Task

_OPTIONS = re.compile(r"(?P<head>.*?tags options:)\s*,?(?P<tags>.*?)\.\s*Answer the following", re.DOTALL)
_QUESTION = re.compile(r"^\s*\d+\.\s*(?P<text>What is best tag for entity .*?)\s*$", re.MULTILINE)
_SENTENCE = re.compile(r"in sentence:\s*(?P<text>.*)", re.DOTALL)


def finer_match(answer: str | None, tag: str) -> bool:
    """Whether an answer is the tag, but for case and white space around it, as in ACE's scoring of one entity.

    ACE cuts an answer at its commas and compares the first part; so does this.
    """
    return answer is not None and answer.split(",")[0].strip().lower() == tag.strip().lower()


def _recognises(row: Mapping[str, Any]) -> bool:
    text = row.get("context")
    return isinstance(text, str) and "target" in row and "US GAAP tags options" in text[:500]


def _tasks(row: Mapping[str, Any], place: str) -> list[Task]:
    context, target = row.get("context"), row.get("target")
    if not isinstance(context, str) or not isinstance(target, str):
        raise InputError(f"{place}: 'context' and 'target' must be text")
    options, asked = _OPTIONS.search(context), [found["text"] for found in _QUESTION.finditer(context)]
    tags = [tag.strip() for tag in target.split(",")]
    if options is None:
        raise InputError(f"{place}: no list of tags before the questions")
    if len(asked) != len(tags) or not asked:
        raise InputError(f"{place}: {len(asked)} questions and {len(tags)} tags in 'target'")
    told = _instructions([tag.strip() for tag in options["tags"].split(",") if tag.strip()])
    row_key = _key(context)
    return [
        Task(question=text, reference=tag, instructions=told, metadata={"together": (row_key, _key(_sentence(text)))})
        for text, tag in zip(asked, tags, strict=True)
    ]


def _instructions(tags: list[str]) -> str:
    return f"You are an XBRL expert. Answer with exactly one of these US GAAP tags: {', '.join(tags)}"


def _sentence(question: str) -> str:
    found = _SENTENCE.search(question)
    return found["text"] if found else question


def _key(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "replace")).hexdigest()[:16]


ADAPTER = Adapter("finer", _recognises, _tasks, finer_match)
