"""Proposals from several reflections made one: what is said several times counts more, what contradicts is decided by evidence.

Plain parallel batches degrade learning (Combee, as ACE's authors report it): each proposal is made without sight of the others.
Here proposals carry the numbers of the reflections that they rest on, and conflicts go to the better supported side. Pure, and
the order in which proposals arrive makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from agentfly.playbooks.delta import Add, Delta, Merge, Operation, Remove, TagBullet, Update, curator_schema
from agentfly.playbooks.text import fold

Alike: TypeAlias = Callable[[str, str], bool]
"""Whether two texts say nearly the same; symmetric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody wants changed, and on whose account."""

    delta: Delta
    because: tuple[int, ...]
    """Numbers of the reflections that it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supported:
    """An operation with those who asked for it."""

    operation: Operation
    because: tuple[int, ...]
    """Numbers of the reflections behind it, rising, each once."""
    weight: float = 0.0
    """Sum of their evidence."""

    @property
    def support(self) -> int:
        """How many reflections ask for it."""
        return len(self.because)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An operation that gave way to another."""

    operation: Operation
    because: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """What came of several proposals."""

    operations: tuple[Supported, ...]
    """Free of conflicts: changes to bullets and then new ones, the best supported first."""
    tags: tuple[TagBullet, ...] = ()
    """Net verdicts: a bullet that three call helpful and one harmful is tagged helpful twice."""
    lost: tuple[Lost, ...] = ()


class BatchReply(BaseModel):
    """What the curator of several insights is asked for: operations that name the insights they rest on."""

    model_config = ConfigDict(extra="ignore")

    reason: str = ""
    operations: list[Any]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return curator_schema(because=True)

    def proposals(self, known: Collection[int]) -> tuple[tuple[Proposal, ...], tuple[str, ...]]:
        """The operations that can be used, one proposal each, and one line for each that cannot.

        Args:
            known: numbers of the insights that were shown; others are passed over.
        """
        found, problems = [], []
        for index, item in enumerate(self.operations):
            bare = (
                {k: v for k, v in item.items() if k not in {"because", "runs", "cases"}}
                if isinstance(item, dict)
                else item
            )
            delta, bad = Delta.salvage([bare])
            problems += [problem.replace("operation 0", f"operation {index}", 1) for problem in bad]
            because = _numbers(item.get("because") if isinstance(item, dict) else None, known)
            if delta.operations and not because:
                problems.append(f"operation {index}: names no insight that it rests on")
            elif delta.operations:
                found.append(Proposal(delta=Delta(reason=self.reason, operations=delta.operations), because=because))
        return tuple(found), tuple(problems)


def _numbers(given: object, known: Collection[int]) -> tuple[int, ...]:
    listed = given if isinstance(given, list | tuple) else [given]
    numbers = {int(n) for n in listed if isinstance(n, int | str) and str(n).strip().isdecimal()}
    return tuple(sorted(numbers.intersection(known)))


def combine(
    proposals: Iterable[Proposal], evidence: Mapping[int, float] | None = None, alike: Alike | None = None
) -> Combined:
    """One list of operations out of several proposals.

    The same operation said by several is one operation with the support of all of them: the same text up to case and
    spacing, or texts that are alike. Operations that change one and the same bullet in different ways exclude one
    another: the one with more support stays, then the one with more evidence, then the one that rests on the earliest
    reflection.

    Args:
        proposals: in any order: numbers tell which reflections they rest on.
        evidence: what each reflection weighs, by its number, such as the reward of the failure; 0 where it is not there.
        alike: for texts that say the same in other words; None goes by the letter.
    """
    weights, said = evidence or {}, dict[str, tuple[Operation, set[int]]]()
    for proposal in proposals:
        for operation in proposal.delta.operations:
            said.setdefault(_spelled(operation), (operation, set()))[1].update(proposal.because)
    stated = sorted((_supported(op, numbers, weights) for op, numbers in said.values()), key=_strength)
    groups = _grouped([one for one in stated if not isinstance(one.operation, TagBullet)], alike)
    merged = [_supported(group[0].operation, _all(group), weights) for group in groups]
    lost = [
        Lost(operation=one.operation, because=one.because, reason=f"said in other words: {_named(group[0].operation)}")
        for group in groups
        for one in group[1:]
        if _spelled(one.operation) != _spelled(group[0].operation) and not _same_words(one, group[0])
    ]
    kept, beaten = _settled(sorted(merged, key=_strength))
    tags = _net([one for one in stated if isinstance(one.operation, TagBullet)])
    return Combined(operations=tuple(kept), tags=tags, lost=(*lost, *beaten))


def _supported(operation: Operation, numbers: Iterable[int], weights: Mapping[int, float]) -> Supported:
    because = tuple(sorted(set(numbers)))
    return Supported(operation=operation, because=because, weight=sum(weights.get(number, 0.0) for number in because))


def _all(group: Sequence[Supported]) -> set[int]:
    return {number for one in group for number in one.because}


def _strength(one: Supported) -> tuple[Any, ...]:
    """Strongest first; the spelling makes the order total."""
    earliest = one.because[0] if one.because else float("inf")
    return -one.support, -one.weight, earliest, _spelled(one.operation)


def _spelled(operation: Operation) -> str:
    return operation.model_dump_json()


def _slot(operation: Operation) -> tuple[object, ...]:
    """What an operation is about: two of one slot say the same if their texts do."""
    match operation:
        case Add():
            return "add", operation.kind
        case Merge():
            return "merge", frozenset(operation.ids)
    return operation.op, operation.id


def _grouped(stated: Sequence[Supported], alike: Alike | None) -> list[list[Supported]]:
    """Operations that say the same together, the strongest of each group first."""
    literal = dict[tuple[object, ...], list[Supported]]()
    for one in stated:
        literal.setdefault((*_slot(one.operation), _text(one)), []).append(one)
    groups = sorted(literal.values(), key=lambda group: (-len(_all(group)), _strength(group[0])))
    joined: list[list[Supported]] = []
    for group in groups:
        home = next((other for other in joined if alike and _says_the_same(group[0], other[0], alike)), None)
        joined.append(group) if home is None else home.extend(group)
    return joined


def _text(one: Supported) -> str:
    return fold(getattr(one.operation, "text", ""))


def _same_words(one: Supported, other: Supported) -> bool:
    return _text(one) == _text(other)


def _says_the_same(one: Supported, other: Supported, alike: Alike) -> bool:
    texts = [getattr(said.operation, "text", "") for said in (one, other)]
    return _slot(one.operation) == _slot(other.operation) and alike(texts[0], texts[1])


def _settled(ranked: Sequence[Supported]) -> tuple[list[Supported], list[Lost]]:
    """Each bullet is changed by one operation at most, the strongest that names it."""
    taken, kept, lost = dict[str, Supported](), list[Supported](), list[Lost]()
    for one in ranked:
        named = _targets(one.operation)
        rival = next((taken[name] for name in named if name in taken), None)
        if rival is None:
            kept.append(one)
            taken.update(dict.fromkeys(named, one))
        else:
            lost.append(Lost(operation=one.operation, because=one.because, reason=_why(one, rival)))
    return sorted(kept, key=lambda one: isinstance(one.operation, Add)), lost


def _targets(operation: Operation) -> tuple[str, ...]:
    match operation:
        case Merge():
            return operation.ids
        case Update() | Remove():
            return (operation.id,)
    return ()


def _why(one: Supported, rival: Supported) -> str:
    against = _named(rival.operation)
    if one.support != rival.support:
        return f"{against} has more support ({rival.support} to {one.support})"
    if one.weight != rival.weight:
        return f"{against} has more evidence ({rival.weight:g} to {one.weight:g})"
    return f"{against} was asked for before it"


def _named(operation: Operation) -> str:
    return f"{operation.op} {', '.join(_targets(operation)) or getattr(operation, 'text', '')[:60]}".strip()


def _net(tags: Sequence[Supported]) -> tuple[TagBullet, ...]:
    """Helpful less harmful for each bullet, as that many tags of one kind."""
    counts = dict[str, int]()
    for one in tags:
        assert isinstance(one.operation, TagBullet)
        sign = {"helpful": 1, "harmful": -1, "neutral": 0}[one.operation.tag]
        counts[one.operation.id] = counts.get(one.operation.id, 0) + sign * one.support
    return tuple(
        TagBullet(id=name, tag="helpful" if count > 0 else "harmful")
        for name, count in sorted(counts.items())
        for _ in range(abs(count))
    )
