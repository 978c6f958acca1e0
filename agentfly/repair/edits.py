"""The small mistakes of code that computes a number, and the edits that mend them. Pure.

Generate and validate, as program repair has it (GenProg, doi:10.1109/TSE.2011.104), with a right answer in the place of its tests: an edit is a guess
that costs no model call, and whether it was the mistake is seen by running it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from agentfly.parsing import parse

SCALES = {
    "thousand": 10**3,
    "k": 10**3,
    "million": 10**6,
    "mn": 10**6,
    "m": 10**6,
    "billion": 10**9,
    "bn": 10**9,
    "b": 10**9,
    "trillion": 10**12,
}
_AMOUNT = re.compile(
    rf"(?<![\w.,])[$€£¥]?\s?(\d[\d,]*(?:\.\d+)?)\s?(%|(?:percent|{'|'.join(sorted(SCALES, key=len, reverse=True))})\b)?",
    re.IGNORECASE,
)
_LONGEST = 8000
"""Characters of code that are looked at."""
_Spot = tuple[ast.expr, str]
"""A place in the code and what comes to stand there."""
_Meant = tuple[ast.Constant, float, "_Named"]
"""A number of the code, its value, and which of the question's it is meant to be."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One guess at what went wrong.

    Args:
        kind: of mistake.
        code: with the mistake mended.
        said: the mistake as a sentence.
    """

    kind: str
    code: str
    said: str


@dataclass(frozen=True, slots=True)
class _Named:
    """A number as the question names it."""

    value: float
    unit: str
    text: str

    @property
    def full(self) -> float:
        """The number written out."""
        return self.value * SCALES.get(self.unit, 1)


def edits(code: str, question: str) -> list[Edit]:
    """Every small edit of the code, the likeliest mistakes first, each code once.

    Args:
        code: computes what it gives to ``final_answer``; anything else has no edits.
        question: names the amounts that the code works with.
    """
    try:
        tree = parse(code) if len(code) <= _LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    given = None if tree is None else _given(tree)
    if tree is None or given is None or not _computes(tree):
        return []
    source, named = _Source(code), _named(question)
    found = chain(
        _scales(tree, named, source),
        _rates(tree, named, source),
        _unused(tree, given, source),
        _signs(tree, source),
        _results(given, source),
        _periods(tree, source),
    )
    once: dict[str, Edit] = {}
    for edit in found:
        if edit.code != code:
            once.setdefault(edit.code, edit)
    return list(once.values())


class _Source:
    """Code in which places can be replaced, everything around them as it was."""

    def __init__(self, code: str) -> None:
        self._lines = [line.encode() for line in code.splitlines(keepends=True)]  # positions count bytes
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._bytes = b"".join(self._lines)

    def text(self, node: ast.expr) -> str:
        """As it stands in the code."""
        first, last = self._span(node)
        return self._bytes[first:last].decode()

    def with_(self, spots: Iterable[_Spot]) -> str:
        """The code with other text in these places, of which none lies within another."""
        changed = self._bytes
        for node, text in sorted(spots, key=lambda spot: self._span(spot[0]), reverse=True):
            first, last = self._span(node)
            changed = changed[:first] + text.encode() + changed[last:]
        return changed.decode()

    def _span(self, node: ast.expr) -> tuple[int, int]:
        first = self._starts[node.lineno - 1] + node.col_offset
        return first, self._starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)


def _given(tree: ast.Module) -> ast.expr | None:
    """What the last call of ``final_answer`` is given."""
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "final_answer"
    ]
    last = max(calls, key=lambda call: call.lineno, default=None)
    return last.args[0] if last is not None and len(last.args) == 1 else None


def _computes(tree: ast.Module) -> bool:
    """Whether there is something to mend: an answer that is only written down is no solution with any other value either."""
    return any(
        isinstance(node, ast.BinOp)
        or (isinstance(node, ast.Call) and ast.unparse(node.func) not in ("final_answer", "print"))
        for node in ast.walk(tree)
    )


def _named(question: str) -> list[_Named]:
    """The numbers of a question with their units; a unit is empty, ``%``, or a word of `SCALES`."""
    found = list[_Named]()
    for match in _AMOUNT.finditer(question):
        unit = (match[2] or "").lower().replace("percent", "%")
        value = float(match[1].replace(",", ""))
        if value:
            found.append(_Named(value, unit, " ".join(match[0].split())))
    return found


def _numbers(tree: ast.AST) -> Iterator[tuple[ast.Constant, float]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and (value := _constant(node)):
            yield node, value


def _scales(tree: ast.Module, named: Sequence[_Named], source: _Source) -> Iterator[Edit]:
    """Amounts that the question gives in thousands, millions and so on, written as if they were not, or with wrong zeros."""
    scaled = [one for one in named if one.unit in SCALES]
    if not scaled:
        return
    plain = {one.value for one in named if one.unit not in SCALES}
    meant = [
        (node, value, one) for node, value in _numbers(tree) if (one := _of_like_digits(value, scaled)) is not None
    ]
    example = scaled[0]
    written = f"An amount is to be written out in full: {example.text} is {_literal(example.full)}."
    sure = [one for one in meant if one[1] not in plain]
    for some in (sure, *([one] for one in meant)):
        yield Edit("scale", source.with_(_changed(some, lambda one: one.full)), written)
    short = f"Amounts are to be taken in the unit in which they are given: {example.text} is {_literal(example.value)}."
    yield Edit("scale", source.with_(_changed(sure, lambda one: one.value)), short)


def _rates(tree: ast.Module, named: Sequence[_Named], source: _Source) -> Iterator[Edit]:
    """Rates that are given in percent, as fractions and as they stand."""
    rates = [one for one in named if one.unit == "%"]
    if not rates:
        return
    meant = [(node, value, one) for node, value in _numbers(tree) if (one := _of_rate(value, rates)) is not None]
    example = rates[0]
    fraction = f"A rate in percent is to be written as a fraction: {example.text} is {_literal(example.value / 100)}."
    yield Edit("rate", source.with_(_changed(meant, lambda one: one.value / 100)), fraction)
    whole = f"A rate in percent is to be used as it stands: {example.text} is {_literal(example.value)}."
    yield Edit("rate", source.with_(_changed(meant, lambda one: one.value)), whole)


def _changed(meant: Iterable[_Meant], right: Callable[[_Named], float]) -> Iterator[_Spot]:
    """The numbers that are not yet what they are meant to be."""
    return ((node, _literal(right(one))) for node, value, one in meant if not _same(value, right(one)))


def _unused(tree: ast.Module, given: ast.expr, source: _Source) -> Iterator[Edit]:
    """A value that is written down and never used: it has a part in the result."""
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for statement in tree.body:
        if not (isinstance(statement, ast.Assign) and len(statement.targets) == 1):
            continue
        target = statement.targets[0]
        if not isinstance(target, ast.Name) or target.id in read or _constant(statement.value) is None:
            continue
        for sign, word in (("*", "multiplied by"), ("/", "divided by"), ("-", "less"), ("+", "plus")):
            code = source.with_([(given, f"({source.text(given)}) {sign} {target.id}")])
            yield Edit("unused", code, f"{target.id} was not used: the result is to be {word} it.")


def _signs(tree: ast.Module, source: _Source) -> Iterator[Edit]:
    """A value that counts with the other sign, a term that is added instead of subtracted, and the other way round.

    First what leaves the values as questions give them, without a sign: then the code shows the rule and not the one case of it.
    """
    values = list(_turned_values(tree, source))
    yield from (edit for value, edit in values if value < 0)
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            added = isinstance(node.op, ast.Add)
            left, right = (_whole(side, source.text(side)) for side in (node.left, node.right))
            said = f"{_short(source.text(node.right))} is to be {'subtracted, not added' if added else 'added, not subtracted'}."
            yield Edit("sign", source.with_([(node, f"{left} {'-' if added else '+'} {right}")]), said)
    yield from (edit for value, edit in values if value > 0)


def _turned_values(tree: ast.Module, source: _Source) -> Iterator[tuple[float, Edit]]:
    for statement in ast.walk(tree):
        if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
            continue
        if (value := _constant(statement.value)) is not None and value != 0:
            said = f"{statement.targets[0].id} counts with the other sign here."
            yield value, Edit("sign", source.with_([(statement.value, _literal(-value))]), said)


def _results(given: ast.expr, source: _Source) -> Iterator[Edit]:
    """A result in another form than the one that is wanted."""
    text = source.text(given)
    for form, said in (
        (f"({text}) * 100", "The result is wanted in percent: times 100."),
        (f"({text}) / 100", "The result is wanted as a fraction, not in percent: divided by 100."),
        (f"abs({text})", "The result is wanted without its sign."),
    ):
        yield Edit("result", source.with_([(given, form)]), said)


def _periods(tree: ast.Module, source: _Source) -> Iterator[Edit]:
    """Periods that are counted from 1 instead of 0, and the other way round."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or node.keywords or not 1 <= len(node.args) <= 2:
            continue
        if ast.unparse(node.func).rpartition(".")[2] not in ("range", "arange"):
            continue
        *first, last = (source.text(argument) for argument in node.args)
        start = first[0] if first else "0"
        function = source.text(node.func)
        for step, said in (("+ 1", "one later"), ("- 1", "one earlier")):
            begin = _literal(int(start) + (1 if step == "+ 1" else -1)) if start.isdecimal() else f"{start} {step}"
            code = source.with_([(node, f"{function}({begin}, {last} {step})")])
            yield Edit("period", code, f"Periods are to be counted from {begin}, {said}.")


def _whole(node: ast.expr, text: str) -> str:
    """As an operand: in parentheses, which do not belong to what stands between them, unless it needs none."""
    return text if isinstance(node, (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript)) else f"({text})"


def _of_like_digits(value: float, named: Sequence[_Named]) -> _Named | None:
    """The one amount of which a number is a power of ten; None where it is none's, or may be that of several."""
    like = [one for one in named if _power_of_ten(value / one.value)]
    return like[0] if len({one.full for one in like}) == 1 else None


def _of_rate(value: float, rates: Sequence[_Named]) -> _Named | None:
    like = [one for one in rates if _same(value, one.value) or _same(value, one.value / 100)]
    return like[0] if len({one.value for one in like}) == 1 else None


def _power_of_ten(ratio: float) -> bool:
    return any(_same(ratio, 10.0**power) for power in range(-2, 13))


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * abs(other)


def _constant(node: ast.expr) -> float | None:
    """A number as it is written down, with its sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _constant(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def _literal(value: float) -> str:
    rounded = float(f"{value:.12g}")
    return str(int(rounded)) if rounded.is_integer() and abs(rounded) < 1e16 else repr(rounded)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
