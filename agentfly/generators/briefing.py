"""What a code-writing model is told: the prompt, and what it reads after each block."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from agentfly.generators.extract import is_code
from agentfly.generators.marking import rule_for
from agentfly.prompts import render
from agentfly.protocols import Brief, CheckFailure, Execution, Tool
from agentfly.tools.files import previews
from agentfly.tools.toolbox import signature
from agentfly.types import Case, Message

# At the very end of the prompt: a small model heeds most what stands last.
REMINDER = (
    "Reply with one ```python block that ends with final_answer(value). The value must have exactly the form that the task "
    "asks for: rounded as asked, a bare number or word, without a label."
)
_ANSWER_VALUE = "final_answer takes a Python value: a variable, a number or a quoted string. "
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?::|$)")
GUESSED = "No file was read: the previews show only the first rows. Compute the answer from the files."
_CASE_CHARS = 2000
_QUESTION_CHARS = 1000
_FILE_NAME = re.compile(r"""(["'])([^"'\n*?{}]+\.\w{1,5})\1""")
_DROPPED = "(an older block and its output were dropped)"


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply and what came of it."""

    reply: str
    observation: str
    error: str = ""
    """The kind of error that came of it; empty where none did."""

    @property
    def chars(self) -> int:
        """Characters of it all."""
        return len(self.reply) + len(self.observation)


class _Told(Protocol):
    """What of a turn says whether it goes on being told: as in `Turn`."""

    @property
    def error(self) -> str: ...
    @property
    def chars(self) -> int: ...


_T = TypeVar("_T", bound=_Told)


def without_repeats(turns: Sequence[_T]) -> list[_T]:
    """The turns to go on with. A model copies what it sees, its own mistakes first.

    Of several that failed in the same way the last one stays; after the third, none does, and the task is begun afresh.
    """
    kinds = [turn.error for turn in turns]
    last = kinds[-1] if kinds else ""
    if not last or kinds.count(last) == 1:
        return list(turns)
    if kinds.count(last) == 2:
        return [turn for turn in turns[:-1] if turn.error != last] + [turns[-1]]
    return [turn for turn in turns if not turn.error]


def latest(start: Sequence[Message], turns: Sequence[_T], chars: int) -> list[_T]:
    """As many of the last turns as fit after `start` into `chars` characters; the last one is always kept."""
    room = chars - sum(len(message.content) for message in start)
    kept: list[_T] = []
    for turn in reversed(turns):
        room -= turn.chars
        if kept and room < 0:
            break
        kept.insert(0, turn)
    return kept


def opening(brief: Brief, tools: Sequence[Tool]) -> tuple[Message, Message]:
    """System prompt and task. What is the same for many tasks stands first, so that its cached prefix is used again."""
    system = render("codeact", tools=[offer(tool) for tool in tools], marking=rule_for(tools), **standing(brief))
    return Message("system", system), task_message(brief, REMINDER)


def standing(brief: Brief) -> dict[str, str | bool]:
    """What a system prompt says beside how to act: what holds for all tasks of the kind, and the playbook.

    Whether there are files is said with it: told of files where there are none, small models make up their names.
    """
    files = bool(_files(brief.workspace))
    return {"files": files, "instructions": brief.task.instructions.strip(), "playbook": brief.playbook.strip()}


def task_message(brief: Brief, reminder: str) -> Message:
    """Recalled cases, previews of the files, the question and the last attempt's lesson, then the reminder."""
    task = render(
        "codeact_task",
        cases=[_shown(recalled.case, brief) for recalled in brief.cases],
        files=previews(_files(brief.workspace)),
        question=brief.task.question.strip(),
        lesson=brief.lesson.strip(),
        reminder=reminder,
    )
    return Message("user", task)


def conversation(start: Sequence[Message], turns: Sequence[Turn], chars: int) -> list[Message]:
    """The messages of the next call: the task whole, and as many of the latest turns as fit.

    Args:
        start: system prompt and task, never dropped.
        turns: oldest first; the last one is always kept.
        chars: longest conversation, in characters.
    """
    kept, messages = latest(start, turns, chars), list(start)
    if len(kept) < len(turns):
        kept[0] = Turn(kept[0].reply, f"{_DROPPED}\n{kept[0].observation}")
    for turn in kept:
        messages += [Message("assistant", turn.reply), Message("user", turn.observation)]
    return messages


def observed(execution: Execution, chars: int) -> str:
    """What a block printed and what went wrong, cut in the middle to `chars` characters."""
    parts = [execution.output.strip(), execution.value or ""]
    if execution.error:
        parts.append(f"Error:\n{execution.error}")
    return clip("\n".join(part for part in parts if part), chars)


def asked_on(execution: Execution, seen: str, repeats: int, files: str) -> str:
    """The observation as the model reads it, with what it should do next.

    Args:
        execution: what came of the block.
        seen: what is shown of that, see `observed`.
        repeats: how often this same error came before.
        files: previews of the files, told again once an error repeats.
    """
    if execution.error is None:
        if not seen:
            return f"The block printed nothing. {REMINDER}"
        return f"Output:\n{seen}\n\nIf this answers the task, reply with a block that calls final_answer with it; else go on."
    return corrected(seen, execution.error, repeats, files)


def corrected(seen: str, error: str, repeats: int, files: str, *, what: str = "code", reminder: str = REMINDER) -> str:
    """An observation that reports a mistake, with what to do next.

    Args:
        seen: what is shown of it, cut.
        error: what went wrong, whole.
        repeats: how often this same error came before.
        files: previews of the files, told again once an error repeats.
        what: a word for what is to be corrected.
        reminder: how to answer.
    """
    # Of giving final_answer something that is no Python.
    hint = _ANSWER_VALUE if "SyntaxError" in error and "final_answer(" in error else ""
    if not repeats:
        return f"{seen}\n\nCorrect the {what}. {hint}{reminder}"
    known = f" These are the files:\n{files}\n\n" if files else " "
    return f"{seen}\n\nThe same error again: take another way.{known}{hint}{reminder}"


def reconsider(answer: str, failures: Sequence[CheckFailure], reminder: str = REMINDER) -> str:
    """The observation after checks asked for another look at an answer."""
    told = "\n".join(f"- {failure.message}" for failure in failures)
    return (
        f"Your answer was: {answer}\nBefore it is accepted:\n{told}\n\nIf that applies, correct the answer. {reminder}"
    )


def clip(text: str, chars: int) -> str:
    """`text` with its middle cut out where it is longer than `chars` characters."""
    if len(text) <= chars:
        return text
    half = max((chars - 40) // 2, 1)
    return f"{text[:half]}\n... [{len(text) - 2 * half:,} characters cut] ...\n{text[-half:]}"


def cited(ids: Iterable[str], replies: Sequence[str]) -> tuple[str, ...]:
    """Those of `ids` that stand in a reply as a word of their own."""
    whole = "\n".join(replies)
    return tuple(i for i in ids if i and re.search(rf"(?<![\w-]){re.escape(i)}(?![\w-])", whole))


def error_kind(error: str) -> str:
    """An error without its place, to see whether it is the same again."""
    lines = [line for line in error.splitlines() if _EXCEPTION.match(line)]
    return lines[0] if lines else error


def file_previews(brief: Brief) -> str:
    """Previews of the task's files."""
    return previews(_files(brief.workspace))


def _files(workspace: Path) -> list[Path]:
    return [path for path in workspace.iterdir() if path.is_file() and not path.name.startswith(".")]


def offer(tool: Tool) -> str:
    """A tool as a prompt offers it: how it is called, and the first line about it."""
    first = next((line.strip() for line in tool.description.splitlines() if line.strip()), "")
    return f"{signature(tool)}: {first}" if first else signature(tool)


def adapted(solution: str, files: Sequence[str]) -> str:
    """A recalled solution with its file names put right for this task: reuse by substitution (Kolodner 1993, ch. 11).

    A quoted name that is none of `files` becomes the one file with its ending, where there is exactly one. Small models
    copy a recalled solution with the name of the file that it was written for.
    """
    endings: dict[str, list[str]] = {}
    for name in files:
        endings.setdefault(Path(name).suffix.lower(), []).append(name)

    def put_right(match: re.Match[str]) -> str:
        quote, name = match.groups()
        here = endings.get(Path(name).suffix.lower(), [])
        return f"{quote}{here[0]}{quote}" if len(here) == 1 and name not in files else match.group()

    return _FILE_NAME.sub(put_right, solution)


def _shown(case: Case, brief: Brief) -> dict[str, Any]:
    files = [path.name for path in _files(brief.workspace)]
    solution = clip(adapted(case.solution.strip(), files), _CASE_CHARS)
    # The answer to another question is only there to be copied; that to this very question belongs to the code.
    same = case.question.strip() == brief.task.question.strip()
    return {
        "id": case.id,
        "question": clip(case.question.strip(), _QUESTION_CHARS),
        "code": solution if is_code(case.solution) else "",
        "plan": solution,
        "answer": case.answer if same or not case.success or not is_code(case.solution) else None,
        "success": case.success,
        "lesson": case.lesson.strip(),
    }
