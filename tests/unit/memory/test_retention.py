"""What goes when a bank is full, what never does, and that it can come back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_helpers import cases

from agentfly.errors import HomeBusyError, InputError
from agentfly.memory import keeping, retention
from agentfly.memory.bank import CaseBank
from agentfly.memory.counting import at_most
from agentfly.memory.worth import Facts
from agentfly.testing import HashEmbedder
from agentfly.types import Case

D = 64


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def near(centre: int, n: int, noise: float = 0.1, seed: int = 0) -> np.ndarray:
    """Cases around an axis."""
    return unit(np.eye(D)[[centre] * n] + noise * np.random.default_rng(seed).normal(size=(n, D)))


def fill(bank: CaseBank, vectors: np.ndarray, **common) -> list[Case]:
    """Cases of these embeddings; `common` holds a value for all, or one for each."""
    start = bank.count(None)
    made = []
    for i in range(len(vectors)):
        own = {key: value[i] if isinstance(value, list) else value for key, value in common.items()}
        made.append(
            Case(
                **{"question": f"q{start + i}", "answer": str(i), "task_id": f"t{start + i}", "created": i + 1.0} | own
            )
        )
    return bank.add_many(made, vectors)


def active(bank: CaseBank) -> set[str]:
    return {case.id for case in bank.list(limit=10**6)}


def ids(stored: list[Case]) -> set[str]:
    return {case.id for case in stored}


def facts(n: int, **given) -> Facts:
    ones, zeros = np.ones(n), np.zeros(n)
    known = {"reward": ones, "seen": ones, "judged": zeros, "helped": zeros, "lesson": zeros > 0}
    known |= {"task": np.arange(n), "tried": ones, "failed": zeros}
    return Facts(**{**known, **{key: np.asarray(value) for key, value in given.items()}})


@st.composite
def banks(draw: st.DrawFn) -> tuple[np.ndarray, Facts, np.ndarray]:
    """A few kinds of cases with copies, failures, histories and rows without an embedding."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, k = draw(st.integers(1, 60)), draw(st.integers(1, 8))
    vectors = np.eye(D)[rng.integers(0, k, n)] + draw(st.sampled_from([0.0, 0.05, 0.3])) * rng.normal(size=(n, D))
    vectors = unit(vectors)
    vectors[rng.random(n) < draw(st.sampled_from([0.0, 0.2]))] = 0.0
    judged = rng.integers(0, 5, n).astype(float)
    reward = (rng.random(n) < draw(st.sampled_from([0.1, 0.5, 1.0]))).astype(float)
    known = facts(
        n, reward=reward, judged=judged, helped=judged * rng.random(n), lesson=rng.random(n) < 0.5,
        task=rng.integers(0, n, n), tried=np.full(n, 2.0), failed=rng.integers(0, 3, n).astype(float),
    )  # fmt: skip
    return vectors, known, rng.permutation(n)


@settings(max_examples=150)
@given(banks(), st.integers(1, 70))
def test_laws_of_what_goes(bank: tuple[np.ndarray, Facts, np.ndarray], capacity: int) -> None:
    vectors, known, age = bank
    n = len(vectors)
    decision = keeping.decide(vectors, known, age, capacity)
    goes = set(decision.goes.tolist())
    stays = set(range(n)) - goes
    kinds = decision.kinds.max() + 1
    assert len(goes) == len(decision.goes)
    assert len(stays) == min(n, max(capacity, kinds))
    assert decision.held == (max(0, kinds - capacity) if n > capacity else 0)
    for kind in range(kinds):
        of_kind = set(np.flatnonzero(decision.kinds == kind).tolist())
        assert of_kind & stays, "the only one of its kind went"
        assert decision.keeper[kind] in of_kind & stays
        solved = {row for row in of_kind if known.success[row]}
        assert not solved or solved & stays, "the only success of its kind went"
    again = keeping.decide(vectors.copy(), known, age, capacity)
    assert again.goes.tolist() == decision.goes.tolist()
    assert all(twin == -1 or twin in stays for twin in decision.twin[decision.goes].tolist())


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0.01, 300), st.integers(1, 300)), min_size=1, max_size=40), st.integers(1, 5000))
def test_laws_of_quotas(kinds: list[tuple[float, int]], capacity: int) -> None:
    variety, sizes = (np.array(part) for part in zip(*kinds, strict=True))
    places = keeping.quota(variety, np.ones_like(sizes), sizes, capacity)
    assert places.sum() == min(max(capacity, len(sizes)), sizes.sum())
    assert (places >= 1).all()
    assert (places <= sizes).all()
    for i, j in zip(*np.nonzero((variety[:, None] > variety) & (sizes[:, None] >= sizes)), strict=True):
        assert places[i] >= places[j] - 1  # more variety, no fewer places


def test_quotas_are_between_equal_and_proportional() -> None:
    places = keeping.quota(np.array([100.0, 4.0]), np.array([1, 1]), np.array([100, 4]), 12)
    assert places.tolist() == [10, 2]  # equal: 8 and 4; proportional: 12 and 0


def test_rare_kinds_outlive_a_dense_one(bank: CaseBank) -> None:
    rare = [case for axis in range(1, 9) for case in fill(bank, near(axis, 2, noise=0.05, seed=axis))]
    fill(bank, near(0, 200, noise=0.05))
    pruning = bank.prune(30)
    assert (pruning.before, pruning.after, pruning.kinds, pruning.held) == (216, 30, 9, 0)
    kept = active(bank)
    assert len(kept) == bank.count() == 30
    for i in range(8):
        assert ids(rare[2 * i : 2 * i + 2]) & kept


def test_near_copies_go_before_distinct_cases(bank: CaseBank) -> None:
    distinct = fill(bank, near(0, 10, noise=0.08, seed=1))
    first = near(0, 1, noise=0.08, seed=2)
    copies = fill(bank, unit(np.repeat(first, 20, axis=0) + 0.002 * np.random.default_rng(0).normal(size=(20, D))))
    pruning = bank.prune(11)
    assert ids(distinct) <= active(bank)
    assert len(ids(copies) & active(bank)) == 1
    (stays,) = ids(copies) & active(bank)
    assert {gone.reason for gone in pruning.goes} == {f"over capacity: nearly the same as {stays}, which stays"}


def test_copies_of_one_kind_go_before_the_variety_of_another(bank: CaseBank) -> None:
    varied = fill(bank, near(0, 40, noise=0.1))
    fill(bank, near(1, 40, noise=0.0))
    bank.prune(45)
    assert ids(varied) <= active(bank)
    bank.prune(30)
    assert len(ids(varied) & active(bank)) == 29


def test_dependable_cases_stay(bank: CaseBank) -> None:
    same = near(0, 6, noise=0.0)
    good = fill(bank, same, shown=8, helped=7.0)
    bad = fill(bank, same, shown=8, helped=1.0)
    pruning = bank.prune(6)
    assert active(bank) == ids(good)
    assert {gone.id for gone in pruning.goes} == ids(bad)
    assert all(0 < gone.worth < 1 for gone in pruning.goes)


def test_an_undependable_distinct_case_says_why_it_goes(bank: CaseBank) -> None:
    fill(bank, near(0, 3, noise=0.08), shown=9, helped=9.0)
    (bad,) = fill(bank, near(0, 1, noise=0.08, seed=5), shown=9, helped=0.5)
    (gone,) = bank.prune(3).goes
    assert gone.id == bad.id
    assert gone.reason == "over capacity: shown 9 times, it earned 0.5"


def test_being_shown_without_a_verdict_is_no_evidence(bank: CaseBank) -> None:
    """A run that is not judged must not make its cases look undependable."""
    first, second = fill(bank, near(0, 2, noise=0.0), created=[1.0, 2.0])
    with bank._db.write() as tx:
        for run in range(5):
            tx.execute(
                "INSERT INTO recalls (id, run_id, task_id, created, policy, embedder, state) VALUES (?, '', '', 0, '', '', '')",
                (run,),
            )
            tx.execute("INSERT INTO interactions VALUES (?, 0, ?, 1, 1, 1, NULL)", (run, second.id))
        tx.execute("UPDATE cases SET shown = 5 WHERE id = ?", (second.id,))
    (gone,) = bank.prune(1).goes
    assert gone.id == first.id  # as if neither had been shown: the older one


def test_a_case_that_stands_for_many_is_worth_more(bank: CaseBank) -> None:
    _, once = fill(bank, near(0, 2, noise=0.0), seen=[9, 1])
    assert [gone.id for gone in bank.prune(1).goes] == [once.id]


def test_what_was_often_failed_before_it_was_solved_stays(bank: CaseBank) -> None:
    same = near(0, 4, noise=0.0)
    _, *easy = fill(bank, same, task_id=["hard", "a", "b", "c"], created=[1.0, 2.0, 3.0, 4.0])
    with bank._db.write() as tx:
        for i in range(5):
            tx.execute(
                "INSERT INTO runs (id, started, status, task_id, question, task, reward) VALUES (?, 0, '', ?, '', '', 0)",
                (f"run-{i}", "hard"),
            )
    assert {gone.id for gone in bank.prune(1).goes} == ids(easy)


def test_of_equals_the_newest_stays(bank: CaseBank) -> None:
    stored = fill(bank, near(0, 5, noise=0.0))
    bank.prune(2)
    assert active(bank) == {stored[3].id, stored[4].id}


def test_successes_come_before_failures(bank: CaseBank) -> None:
    vectors = near(0, 12, noise=0.06)
    good = fill(bank, vectors)
    bad = fill(bank, unit(vectors + 0.01 * np.eye(D)[5]), reward=0.0, lesson="no")
    bank.prune(12)
    kept = active(bank)
    assert len(kept & ids(bad)) <= 3
    assert len(kept & ids(good)) >= 9


def test_the_share_of_failures_beside_successes_is_bounded() -> None:
    """Even of failures that were good warnings, where the successes were never shown."""
    vectors = np.concatenate([near(0, 20, noise=0.07), near(0, 20, noise=0.07, seed=1)])
    reward = np.repeat([1.0, 0.0], 20)
    known = facts(40, reward=reward, lesson=reward == 0, judged=(1 - reward) * 50, helped=(1 - reward) * 50)
    decision = keeping.decide(vectors, known, np.arange(40), 20)
    stays = np.setdiff1d(np.arange(40), decision.goes)
    assert 1 <= (reward[stays] == 0).sum() <= 5


def test_a_failure_without_a_success_beside_it_stays(bank: CaseBank) -> None:
    """Both failures are of the kind; only one tells what no success tells."""
    dense = np.eye(D)[[0] * 20] + 0.02 * np.random.default_rng(0).normal(size=(20, D))
    fill(bank, unit(dense))
    (beside,) = fill(bank, near(0, 1, noise=0.02, seed=9), reward=0.0, lesson="beside")
    (alone,) = fill(bank, unit(np.eye(1, D) + 0.95 * np.eye(D)[[7]]), reward=0.0, lesson="alone")
    pruning = bank.prune(6)
    assert pruning.kinds == 1
    assert alone.id in active(bank)
    assert beside.id not in active(bank)


@pytest.mark.parametrize("noise", [0.05, 0.085])
def test_the_only_success_of_a_kind_stays_however_poor(bank: CaseBank, noise: float) -> None:
    """Whether it is next to the failures or not."""
    (poor,) = fill(bank, near(0, 1, noise=noise, seed=3), shown=50, helped=0.0)
    fill(bank, near(0, 30, noise=noise), reward=0.0, lesson="a good warning", shown=50, helped=50.0)
    assert bank.prune(1).kinds == 1
    assert active(bank) == {poor.id}


def test_more_kinds_than_places(bank: CaseBank) -> None:
    fill(bank, np.eye(D, dtype=np.float32)[:12])
    fill(bank, np.eye(D, dtype=np.float32)[:4])
    pruning = bank.prune(5)
    assert (pruning.before, pruning.after, pruning.kinds, pruning.held) == (16, 12, 12, 7)
    assert len(pruning.goes) == 4
    again = bank.prune(5)
    assert (again.before, again.after, again.held, again.goes) == (12, 12, 7, ())


def test_a_dry_run_says_what_the_real_run_does(bank: CaseBank) -> None:
    rng = np.random.default_rng(0)
    fill(bank, unit(np.eye(D)[rng.integers(0, 6, 120)] + 0.2 * rng.normal(size=(120, D))))
    dry = bank.prune(40, dry_run=True)
    assert dry.dry_run
    assert bank.count() == 120
    assert bank.count("pruned") == 0
    real = bank.prune(40)
    assert replace(real, dry_run=True) == dry
    assert {case.id for case in bank.list(999, status="pruned")} == {gone.id for gone in dry.goes}
    assert bank.prune(40).goes == ()


def test_the_pruned_are_recorded_and_come_back(bank: CaseBank) -> None:
    stored = bank.add_many(cases(30))
    pruning = bank.prune(25)
    gone = pruning.goes[0]
    assert gone.question == bank.get(gone.id).question
    assert bank.recall(gone.question, k=1)[0].case.id != gone.id
    (event,) = bank.events(gone.id)
    assert (event.action, event.reason) == ("pruned", gone.reason)
    for one in pruning.goes:
        bank.set_status(one.id, "active")
    assert active(bank) == ids(stored)
    assert bank.recall(gone.question, k=1)[0].case.id == gone.id
    assert [event.action for event in bank.events(gone.id)] == ["pruned", "restored"]


@pytest.mark.parametrize("capacity", [0, -3])
def test_a_capacity_must_be_positive(bank: CaseBank, capacity: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        bank.prune(capacity)
    with pytest.raises(InputError, match="at least 1"):
        retention.keep_to(bank._db, capacity, D)


def test_nothing_to_prune(bank: CaseBank) -> None:
    for capacity in (1, 100):
        pruning = bank.prune(capacity)
        assert (pruning.before, pruning.after, pruning.goes) == (0, 0, ())
    bank.add_many(cases(5))
    assert bank.prune(5).after == bank.prune(6).after == 5
    assert retention.keep_to(bank._db, 5, D) is None


def test_room_for_one(open_bank) -> None:
    bank = open_bank(capacity=1)
    for i in range(5):
        fill(bank, near(0, 1, noise=0.0), answer=str(i))
        assert bank.count() == 1
    assert bank.count(None) == 5


def test_embeddings_that_cannot_be_compared(bank: CaseBank) -> None:
    """Zeros, wrong sizes, not a number, another embedder: one kind together, pruned like any other, and no crash."""
    stored = fill(bank, near(0, 8))
    broken = [np.zeros(D, "<f4").tobytes(), b"", np.ones(3, "<f4").tobytes(), np.full(D, np.nan, "<f4").tobytes()]
    with bank._db.write() as tx:
        for case, blob in zip(stored, broken, strict=False):
            tx.execute("UPDATE cases SET embedding = ? WHERE id = ?", (blob, case.id))
        tx.execute("UPDATE cases SET embedder = 'another' WHERE id = ?", (stored[4].id,))
    pruning = bank.prune(2)
    assert (pruning.after, pruning.kinds) == (2, 2)
    assert len(active(bank) & ids(stored[:5])) == 1


def test_a_failure_within_pruning_leaves_everything_as_it_was(bank: CaseBank, monkeypatch: pytest.MonkeyPatch) -> None:
    bank.add_many(cases(40))
    done = Counter[str]()
    real = retention.change

    def change(tx, id, status, **options):
        done["changed"] += 1
        if done["changed"] == 7:
            raise RuntimeError("the power goes out")
        return real(tx, id, status, **options)

    monkeypatch.setattr(retention, "change", change)
    with pytest.raises(RuntimeError):
        bank.prune(20)
    assert bank.count() == 40
    assert bank._db.read("SELECT count(*) FROM case_events")[0][0] == 0


# Others at the same time


def between(monkeypatch: pytest.MonkeyPatch, action) -> None:
    """Have something happen between the decision and the transaction."""
    real = keeping.decide
    once = [action]

    def decide(*args):
        decision = real(*args)
        while once:
            once.pop()()
        return decision

    monkeypatch.setattr(keeping, "decide", decide)


def test_another_pruned_meanwhile(open_bank, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = open_bank(), open_bank()
    one.add_many(cases(60))
    between(monkeypatch, lambda: other.prune(30))
    pruning = one.prune(30)
    assert one.count() == 30
    assert (pruning.before, pruning.after, pruning.goes) == (30, 30, ())


def test_capacity_is_not_undershot_where_the_other_pruned_otherwise(open_bank, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = open_bank(), open_bank()
    stored = one.add_many(cases(60))
    keeps = {gone.id for gone in one.prune(30, dry_run=True).goes}
    between(monkeypatch, lambda: [other.set_status(case.id, "pruned") for case in stored if case.id not in keeps])
    pruning = one.prune(30)
    assert pruning.goes == ()
    assert one.count() == len(keeps) == 30


def test_the_keeper_of_a_kind_went_meanwhile(open_bank, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = open_bank(), open_bank()
    common = fill(one, near(0, 20))
    rare = fill(one, near(1, 2, noise=0.0))
    stays = {case.id for case in rare} - {gone.id for gone in one.prune(2, dry_run=True).goes}
    between(monkeypatch, lambda: [other.set_status(id, "superseded") for id in stays])
    one.prune(2)
    assert len(active(one) & ids(rare)) == 1
    assert active(one) & ids(common)


def test_a_verdict_changed_meanwhile(open_bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that was to go has become the only success of its kind."""
    one, other = open_bank(), open_bank()
    stored = fill(one, near(0, 6), reward=0.0, lesson="no")
    goes = [gone.id for gone in one.prune(2, dry_run=True).goes]
    (risen,) = (case for case in stored if case.id == goes[0])
    between(monkeypatch, lambda: other.add(replace(risen, reward=1.0, created=99.0)))
    one.prune(2)
    assert risen.id in active(one)


PRUNE = """
import sys
from agentfly.memory.bank import CaseBank
from agentfly.testing import HashEmbedder
bank = CaseBank(sys.argv[1], HashEmbedder(64))
print("ready", flush=True)
sys.stdin.readline()
print(len(bank.prune(50).goes), flush=True)
"""

ADD = """
import sys
from agentfly.memory.bank import CaseBank
from agentfly.testing import HashEmbedder
from memory_helpers import cases
bank = CaseBank(sys.argv[1], HashEmbedder(64), capacity=50)
low = 10**6
for case in cases(120, start=int(sys.argv[2])):
    bank.add(case)
    low = min(low, bank.count())
print(bank.count(), low, flush=True)
"""


def test_two_processes_prune_at_once(bank: CaseBank, python) -> None:
    bank.add_many(cases(150))
    children = [python(PRUNE, bank._home.path, stdin=True) for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert sum(int(child.stdout.readline()) for child in children) == 100
    assert bank.count() == 50
    assert bank._db.read("SELECT count(*), count(DISTINCT case_id) FROM case_events")[0][:] == (100, 100)


def test_two_processes_add_to_a_full_bank(bank: CaseBank, python) -> None:
    bank.add_many(cases(50))
    children = [python(ADD, bank._home.path, start) for start in (1000, 5000)]
    for child in children:
        _, low = map(int, child.communicate(timeout=60)[0].split())
        assert low >= 48  # 50 less the slack
    kinds = bank.prune(1, dry_run=True).kinds
    assert 48 <= bank.count() <= max(50, kinds + kinds // 20 + 1)
    assert bank.count(None) == 290


def test_a_busy_home_is_left_for_the_next_time(bank: CaseBank, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was added is stored: that pruning could not follow must not look like a failed add."""
    fill(bank, near(0, 30))

    def busy() -> None:
        raise HomeBusyError("locked")

    monkeypatch.setattr(bank._db, "write", busy)
    assert retention.keep_to(bank._db, 20, D) is None
    with pytest.raises(HomeBusyError):
        bank.prune(20)
    monkeypatch.undo()
    assert bank.count() == 30
    assert retention.keep_to(bank._db, 20, D).after == 19


# Keeping to a capacity, add by add


def test_a_bank_keeps_to_its_capacity(open_bank) -> None:
    bank = open_bank(capacity=100)
    rng = np.random.default_rng(0)
    sizes = []
    for _ in range(40):
        fill(bank, unit(np.eye(D)[rng.integers(0, 5, 6)] + 0.1 * rng.normal(size=(6, D))))
        sizes.append(bank.count())
    assert max(sizes) <= 100
    assert min(sizes[20:]) >= 95
    assert bank.count(None) == 240


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often it was decided anew."""
    calls = Counter[str]()
    real = keeping.decide

    def decide(*args):
        calls["decide"] += 1
        return real(*args)

    monkeypatch.setattr(keeping, "decide", decide)
    return calls


def test_not_every_add_decides_anew(open_bank, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = open_bank(capacity=100)
    calls = counted(monkeypatch)
    for i in range(160):
        fill(bank, near(i % 5, 1, seed=i))
    assert 160 - 100 >= 5 * calls["decide"] > 0


def test_not_even_where_nothing_may_go(open_bank, monkeypatch: pytest.MonkeyPatch) -> None:
    d = 256
    bank = CaseBank(open_bank()._home, HashEmbedder(d), capacity=10)
    calls = counted(monkeypatch)
    for i in range(200):
        fill(bank, np.eye(d, dtype=np.float32)[[i]])
    assert bank.count() == 200  # each the only one of its kind
    assert calls["decide"] < 100
    calls.clear()
    fresh = CaseBank(open_bank()._home, HashEmbedder(d), capacity=10)  # as another process would
    fill(fresh, np.eye(d, dtype=np.float32)[[200]])
    assert calls["decide"] == 0
    fill(fresh, np.eye(d, dtype=np.float32)[:30])
    assert calls["decide"] == 1
    assert fresh.count() == 201  # the copies went


def test_stuck_is_forgotten_when_there_is_room_again(open_bank) -> None:
    bank = open_bank(capacity=10)
    stored = fill(bank, np.eye(D, dtype=np.float32)[:40])
    assert bank.count() == 40
    for case in stored[1:]:
        bank.set_status(case.id, "superseded")
    fill(bank, near(0, 1))
    fill(bank, near(0, 30))
    assert bank.count() <= 10


def test_a_larger_capacity_is_seen_at_once(open_bank) -> None:
    fill(open_bank(capacity=10), np.eye(D, dtype=np.float32)[:40])
    bank = open_bank(capacity=20)
    fill(bank, near(0, 1))
    assert bank.count() == 40  # 20 is too few as well: the copy went


@settings(max_examples=30)
@given(steps=st.lists(st.tuples(st.sampled_from("adr"), st.integers(0, 15)), max_size=25), enough=st.integers(0, 30))
def test_the_bound_holds(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], enough: int) -> None:
    """Whatever two connections do, `at_most` is no less than the count, and exact above what is enough."""
    folder: Path = tmp_path_factory.mktemp("bound")
    with CaseBank(folder, HashEmbedder(8)) as one, CaseBank(folder, HashEmbedder(8)) as other:
        for i, (what, n) in enumerate(steps):
            bank = (one, other)[i % 2]
            held = bank.list(limit=n, status=None)
            if what == "a":
                bank.add_many(cases(n, start=100 * i))
            elif what == "d":
                for case in held:
                    bank.set_status(case.id, "pruned")
            else:
                for case in held:
                    bank.set_status(case.id, "active")
            bound = at_most(one._db, enough)
            assert bound >= one.count()
            assert bound <= enough or bound == one.count()


def test_the_plan_can_be_written_as_json(bank: CaseBank) -> None:
    from dataclasses import asdict

    bank.add_many(cases(10))
    assert json.loads(json.dumps(asdict(bank.prune(8))))["after"] == 8
