"""Filters: what may be recalled, whichever way it is searched."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from agentfly.errors import InputError
from agentfly.memory import index, nearest
from agentfly.memory.bank import CaseBank
from agentfly.memory.filters import Filter
from agentfly.testing import HashEmbedder
from agentfly.types import Case

NASTY = [
    "plain",
    "with, comma",
    'with "quotes"',
    "it's",
    "Übung",
    "日本",
    "🙂",
    "back\\slash",
    'x", "plain',
    "",
    "[]",
    "%_",
]
NOW = 1_000_000_000.0


def varied(n: int) -> list[Case]:
    rng = random.Random(0)
    return [
        Case(
            question=f"question {i}",
            reward=rng.choice([0.0, 0.4, 0.5, 1.0]),
            domain=rng.choice(["", "finance", "Größe", "it's"]),
            tags=tuple(rng.sample(NASTY, rng.randrange(4))),
            task_id=f"task-{i % 90}" if i % 5 else "",
            created=NOW + i,
            status=rng.choice(["active", "active", "active", "quarantined"]),
        )
        for i in range(n)
    ]


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[CaseBank]]:
    """Two banks on one home of 605 cases: one searches exactly, the other with an index that misses nothing."""
    exhaustive = {"hnsw": {"space": "cosine", "ef_search": 1000, "ef_construction": 1000, "max_neighbors": 64}}
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(index, "_CONFIGURATION", exhaustive)
    home = tmp_path_factory.mktemp("filters") / "home"
    exact, indexed = (CaseBank(home, HashEmbedder(64), exact_up_to=size) for size in (10**9, 0))
    late = [Case(question=f"late {i}", domain="finance", created=NOW + 5000 + i) for i in range(5)]
    vectors = np.random.default_rng(0).normal(size=(605, 64)).astype(np.float32)  # no two equally near
    exact.add_many(varied(600), vectors[:600])
    assert indexed.sync_index() == 0
    exact.add_many(late, vectors[600:])
    yield [exact, indexed]
    assert indexed.stats().index.owned
    for bank in (indexed, exact):
        bank.close()
    monkeypatch.undo()


def passes(case: Case, where: Filter) -> bool:
    return (
        case.status == "active"
        and (not where.exclude_task or case.task_id != where.exclude_task)
        and (where.exclude_question is None or case.question.strip(" ") != where.exclude_question.strip(" "))
        and case.id not in where.exclude
        and (where.domain is None or case.domain == where.domain)
        and set(where.tags) <= set(case.tags)
        and (where.min_reward is None or case.reward >= where.min_reward)
        and (where.created_after is None or case.created >= where.created_after)
    )


def found(bank: CaseBank, where: Filter, n: int = 10) -> list[str]:
    return [one.case.id for one in bank._recaller._scored("word3 word5", n, where)[1]]


def brute(bank: CaseBank, where: Filter, n: int = 10) -> list[str]:
    """By definition: all that pass, by their cosine."""
    rows = bank._db.read("SELECT id, embedding FROM cases")
    query = bank.embed("word3 word5")
    cosines = {row["id"]: float(np.frombuffer(row["embedding"], dtype="<f4") @ query) for row in rows}
    cases = [case for case in bank.list(limit=10**6, status=None) if passes(case, where)]
    return sorted((case.id for case in cases), key=lambda id: -cosines[id])[:n]


WHERES = {
    "all": Filter(),
    "domain": Filter(domain="Größe"),
    "no domain": Filter(domain=""),
    "no such domain": Filter(domain="größe"),
    "quote in domain": Filter(domain="it's"),
    **{f"tag {tag!r}": Filter(tags=[tag]) for tag in NASTY},
    "tag as bound by no case": Filter(tags=["plai"]),
    "tags": Filter(tags={"plain", "🙂"}),
    "same tag twice": Filter(tags=["日本", "日本"]),
    "all tags": Filter(tags=NASTY),
    "surrogate": Filter(tags=["\ud800"], domain="\ud800", exclude=["\ud800"], exclude_task="\ud800"),
    "reward": Filter(min_reward=0.5),
    "full reward": Filter(min_reward=1.0),
    "more than any reward": Filter(min_reward=1.5),
    "endless reward": Filter(min_reward=math.inf),
    "young": Filter(created_after=NOW + 590),
    "from the beginning": Filter(created_after=-math.inf),
    "in future": Filter(created_after=NOW * 2),
    "task": Filter(exclude_task="task-3"),
    "task of no name": Filter(exclude_task=""),
    "question": Filter(exclude_question="question 7"),
    "no question": Filter(exclude_question=""),
    "young finance": Filter(domain="finance", created_after=NOW + 300, min_reward=0.5, tags=["plain"]),
}


@pytest.mark.parametrize("where", WHERES.values(), ids=WHERES)
def test_what_passes_is_found_and_nothing_else(banks: list[CaseBank], where: Filter) -> None:
    expected = brute(banks[0], where)
    assert [found(bank, where) for bank in banks] == [expected, expected]


def test_filters_combine(banks: list[CaseBank]) -> None:
    exact, indexed = banks
    best = found(exact, Filter())
    options = {
        "domain": (None, "finance"),
        "tags": ((), ("Übung",)),
        "min_reward": (None, 0.4),
        "created_after": (None, NOW + 200),
        "exclude": ((), best[:3]),
        "exclude_task": (None, exact.get(best[4]).task_id),
    }
    for values in itertools.product(*options.values()):
        where = Filter(**dict(zip(options, values, strict=True)))
        assert found(exact, where) == found(indexed, where) == brute(exact, where), where


@pytest.mark.parametrize(("few", "widest"), [(4096, 512), (0, 512), (4096, 8), (0, 8)])
def test_every_way_of_searching_gives_the_same(banks, monkeypatch, few: int, widest: int) -> None:
    monkeypatch.setattr(nearest, "_FEW", few)
    monkeypatch.setattr(nearest, "_WIDEST", widest)
    for where in WHERES.values():
        for n in (1, 32, 1000):
            assert found(banks[0], where, n) == found(banks[1], where, n) == brute(banks[0], where, n)


def test_excluded_ids_may_be_many_and_unknown(banks: list[CaseBank]) -> None:
    ids = [case.id for case in banks[0].list(limit=10**6)]
    for bank in banks:
        assert found(bank, Filter(exclude=[*ids[1:], "case-unknown"])) == ids[:1]
        assert found(bank, Filter(exclude=ids)) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"tags": "plain"},
        {"exclude": "case-1"},
        {"tags": [1]},
        {"tags": [None]},
        {"min_reward": math.nan},
        {"created_after": math.nan},
    ],
)
def test_what_is_no_filter_is_refused(bad: dict) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        Filter(**bad)


def test_recall_takes_the_filters(open_bank: Callable[..., CaseBank], tmp_path: Path) -> None:
    bank = open_bank()
    old, new = bank.add_many(
        [
            Case(question="mean of a column", domain="d", tags=("a", "b"), created=NOW, task_id="t1"),
            Case(question="mean of a row", domain="e", tags=("b",), reward=0.2, task_id="t2"),
        ]
    )

    def recalled(**options) -> list[str]:
        return [one.case.id for one in bank.recall("mean of", **options)]

    assert set(recalled()) == {old.id, new.id}
    assert recalled(domain="d") == recalled(tags=["a"]) == recalled(min_reward=0.5) == [old.id]
    assert recalled(max_age=3600) == recalled(exclude=[old.id]) == recalled(exclude_task="t1") == [new.id]
    assert recalled(domain="d", max_age=3600) == []
    with pytest.raises(InputError, match="tags"):
        bank.recall("mean", tags="a")
