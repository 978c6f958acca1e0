"""The keeper of a policy's state: what it learns from, what it saves, what it refuses."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

import numpy as np
import pytest
from memory_helpers import cases, question
from tiny_policy import TinyPolicy, judged, show

from agentfly.errors import HomeBusyError, InputError, PolicyError
from agentfly.memory import credit
from agentfly.memory.bank import CaseBank
from agentfly.memory.selection import checkpoint
from agentfly.memory.selection.keeper import SAVE_EVERY, PolicyKeeper
from agentfly.testing import HashEmbedder


def keeper_of(bank: CaseBank, policy=None) -> PolicyKeeper:
    return PolicyKeeper(bank._db, TinyPolicy() if policy is None else policy, bank.embedder)


def scores(keeper: PolicyKeeper, stored) -> list[float]:
    vectors = np.eye(len(stored), 64, dtype=np.float32)
    return keeper.score(vectors[0], stored, vectors).tolist()


def saved(bank: CaseBank, name: str = "tiny") -> list[tuple[int, int]]:
    rows = bank._db.read("SELECT version, judged FROM policy_state WHERE name = ? ORDER BY version", (name,))
    return [tuple(row) for row in rows]


def fill(bank: CaseBank, stored, n: int, start: int = 0) -> None:
    for i in range(start, start + n):
        judged(bank, f"run-{i}", [stored[i % len(stored)]], float(i % len(stored) == 0))


def test_it_learns_what_was_judged_here_and_elsewhere(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    keeper, other = keeper_of(bank), keeper_of(bank)
    assert scores(keeper, stored) == [0.5, 0.5]
    assert keeper.learn() == 0
    fill(bank, stored, 4)
    assert keeper.learn() == 4
    assert keeper.learn() == 0
    assert scores(keeper, stored) == scores(other, stored) == [1.0, 0.0]
    credit.outcome(bank._db, "run-0", 0.0)  # judged again
    assert scores(other, stored) == [0.5, 0.0]
    assert keeper.learn() == 1
    assert other.learn() == 0, "its recall has read it already"


def test_the_state_is_saved_now_and_then_and_on_closing(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    keeper = keeper_of(bank)
    for i in range(SAVE_EVERY + 3):
        fill(bank, stored, 1, start=i)
        keeper.learn()
    assert saved(bank) == [(1, SAVE_EVERY)]
    keeper.close()
    keeper.close()
    assert saved(bank) == [(1, SAVE_EVERY), (2, SAVE_EVERY + 3)]
    fresh = keeper_of(bank)
    assert fresh.learn() == 0, "nothing is left to learn: it starts from what was saved"
    assert (fresh.version, fresh.policy.numbers[-1]) == (2, SAVE_EVERY + 3)
    fresh.close()
    assert len(saved(bank)) == 2, "nothing new, nothing saved"


def test_the_last_three_versions_are_kept(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    for i in range(6):
        fill(bank, stored, 1, start=i)
        keeper = keeper_of(bank)
        keeper.learn()
        keeper.close()
    assert saved(bank) == [(4, 4), (5, 5), (6, 6)]


def test_a_long_record_is_read_at_the_first_use_and_saved_at_once(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    fill(bank, stored, SAVE_EVERY + 1)
    assert scores(keeper_of(bank), stored) == [1.0, 0.0]
    assert saved(bank) == [(1, SAVE_EVERY + 1)]


def test_a_process_that_has_read_less_does_not_overwrite(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    slow, quick = keeper_of(bank), keeper_of(bank)
    fill(bank, stored, 1)
    assert slow.learn() == 1
    fill(bank, stored, 1, start=1)
    assert quick.learn() == 2
    quick.close()
    slow.close()
    assert saved(bank) == [(1, 2)]
    assert scores(keeper_of(bank), stored) == [1.0, 0.0]


def test_who_is_far_behind_takes_over_what_another_saved(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    idle, busy = keeper_of(bank, TinyPolicy(seconds=0.001)), keeper_of(bank)
    assert scores(idle, stored) == [0.5, 0.5]
    fill(bank, stored, 100)
    busy.learn()
    busy.close()
    assert scores(idle, stored) == [1.0, 0.0]
    assert (len(idle.policy.numbers), idle.version) == (100, busy.version)


def test_retraining_forgets_and_learns_anew(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    fill(bank, stored, 5)
    keeper = keeper_of(bank)
    keeper.learn()
    credit.outcome(bank._db, "run-0", 0.5)
    keeper.policy.runs["made up"] = (0.0, [stored[0].id])
    report = keeper.retrain()
    assert report.episodes == 5
    assert report.version == keeper.version == 1
    assert saved(bank) == [(1, 6)]
    assert "made up" not in keeper.policy.runs
    assert keeper.policy.numbers == [2, 3, 4, 5, 6], "the first verdict of the run judged twice is gone"
    assert keeper.retrain().version == 2, "saved in any case"


def test_a_retrained_policy_is_taken_over_and_never_overwritten_by_the_old_one(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    fill(bank, stored, 3)
    old, older = keeper_of(bank), keeper_of(bank)
    for keeper in (old, older):
        keeper.learn()
        keeper.policy.runs["made up"] = (0.0, [stored[0].id])
    keeper_of(bank).retrain()
    fill(bank, stored, 1, start=3)
    older.close()  # has read less than it knows
    assert saved(bank) == [(1, 3)]
    assert old.learn() == 1
    assert "made up" not in old.policy.runs
    old.close()
    assert saved(bank) == [(1, 3), (2, 4)]


def test_what_was_learned_before_a_retraining_is_not_saved_even_where_it_has_read_more(bank: CaseBank) -> None:
    """A run that was judged while the other process was retraining."""
    options = {"embedder": "e", "base": 0}
    assert checkpoint.save(bank._db, "tiny", b"old", judged=5, **options) == 1
    assert checkpoint.save(bank._db, "tiny", b"anew", judged=5, retrained=True, **options) == 2
    assert checkpoint.save(bank._db, "tiny", b"old", judged=6, embedder="e", base=1) is None
    assert checkpoint.save(bank._db, "tiny", b"anew", judged=6, embedder="e", base=2) == 3
    assert checkpoint.save(bank._db, "other", b"", judged=1, **options) == 1, "each policy has its own"
    assert checkpoint.marks(bank._db, "tiny") == checkpoint.Marks(latest=0, judged=6, version=3, retrained=2)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE policy_state SET state = x'00ff'", "damaged"),
        ("UPDATE policy_state SET state = 'text'", "damaged"),
        ("UPDATE policy_state SET state = cast('{\"format\": 9}' AS BLOB)", "newer format"),
        ("UPDATE policy_state SET embedder = 'other'", "embedder 'other'"),
    ],
)
def test_a_state_that_cannot_be_used_is_an_error_until_it_is_retrained(bank: CaseBank, sql: str, said: str) -> None:
    stored = bank.add_many(cases(2))
    fill(bank, stored, 3)
    first = keeper_of(bank)
    first.learn()
    first.close()
    with bank._db.write() as tx:
        tx.execute(sql)
    keeper = keeper_of(bank)
    for use in (lambda: scores(keeper, stored), keeper.learn, keeper.report, lambda: scores(keeper, stored)):
        with pytest.raises(PolicyError, match=said) as caught:
            use()
        assert "agentfly memory policy retrain" in str(caught.value)
        assert "\n" not in str(caught.value)
    keeper.close()  # said already: closing goes on
    assert keeper.retrain().episodes == 3
    assert scores(keeper, stored) == scores(keeper_of(bank), stored) == [1.0, 0.0]


def test_a_bank_whose_policy_state_is_damaged_says_so_at_recall(open_bank) -> None:
    with open_bank(policy=TinyPolicy()) as bank:
        stored = bank.add_many(cases(2))
        fill(bank, stored, 3)
        bank._keeper.learn()
        bank._keeper.close()
        with bank._db.write() as tx:
            tx.execute("UPDATE policy_state SET state = x'00'")
    with open_bank(policy=TinyPolicy()) as bank:
        with pytest.raises(PolicyError, match="retrain"):
            bank.recall(question(0))
        bank.retrain()
        assert bank.recall(question(0), k=1)[0].score == 1.0


class Only:
    """Scores and nothing else."""

    name = "only"

    def __init__(self, give) -> None:
        self.give = give

    def score(self, state, cases, vectors):
        return self.give(len(cases))


@pytest.mark.parametrize("give", [lambda n: [0.25] * n, lambda n: np.full(n, 0.25, dtype=np.float32), lambda n: (0.25,) * n])  # fmt: skip
def test_a_policy_that_only_scores_works(bank: CaseBank, give) -> None:
    stored = bank.add_many(cases(2))
    fill(bank, stored, 2)
    keeper = keeper_of(bank, Only(give))
    assert scores(keeper, stored) == [0.25, 0.25]
    assert keeper.learn() == 0
    report = keeper.report()
    assert (report.name, report.version, report.learns, report.judged) == ("only", 0, False, 2)
    with pytest.raises(InputError, match="does not learn"):
        keeper.retrain()
    keeper.close()
    assert saved(bank, "only") == []


@pytest.mark.parametrize(
    "give",
    [
        lambda n: [0.5] * (n + 1),
        lambda n: np.zeros((n, 1)),
        lambda n: 0.5,
        lambda n: None,
        lambda n: ["high"] * n,
        lambda n: [[1.0], [1.0, 2.0]],
        lambda n: [float("nan")] * n,
        lambda n: [float("inf")] + [0.0] * (n - 1),
        lambda n: [None] * n,
    ],
)
def test_scores_that_are_none_are_refused_by_the_policys_name(bank: CaseBank, give) -> None:
    stored = bank.add_many(cases(2))
    with pytest.raises(PolicyError, match="'only'") as caught:
        scores(keeper_of(bank, Only(give)), stored)
    assert "\n" not in str(caught.value)


def test_a_recall_waits_little_for_what_others_recorded(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    keeper = keeper_of(bank, TinyPolicy(seconds=0.003))
    scores(keeper, stored)
    fill(bank, stored, 40)
    waits = []
    for _ in range(40):
        start = time.perf_counter()
        scores(keeper, stored)
        waits.append(time.perf_counter() - start)
        if len(keeper.policy.numbers) == 40:
            break
    assert keeper.policy.numbers == list(range(1, 41))
    assert sorted(waits)[len(waits) // 2] < 0.04, "20 ms and the unevenness of a busy machine"
    assert len(waits) > 3, "not all of it at once"


def test_the_report(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    keeper = keeper_of(bank)
    empty = keeper.report()
    assert (empty.episodes, empty.judged, empty.mean_reward, empty.mean_propensity) == (0, 0, None, None)
    judged(bank, "run-0", stored, 1.0, propensity=1.0)
    judged(bank, "run-1", stored, 0.0, propensity=0.25)
    keeper.learn()
    keeper.close()
    show(bank, "run-2", stored)
    credit.outcome(bank._db, "run-2", 0.5)
    show(bank, "run-3", stored)
    report = keeper.report()
    assert (report.name, report.version, report.learns) == ("tiny", 1, True)
    assert (report.episodes, report.unread) == (2, 1)
    assert (report.recalls, report.judged, report.explored) == (4, 3, 2)
    assert report.mean_reward == pytest.approx(0.5)
    assert report.mean_propensity == pytest.approx((1.0 + 0.25 + 0.5) / 3)
    assert report.saved_bytes == len(keeper.policy.dump())
    assert abs(report.saved_at - time.time()) < 60
    assert report.learned == {"runs": 2}


def test_an_interrupted_lesson_is_learned_again_from_what_is_saved(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    keeper = keeper_of(bank)
    fill(bank, stored, SAVE_EVERY)
    keeper.learn()
    fill(bank, stored, 3, start=SAVE_EVERY)
    learn = keeper.policy.learn

    def interrupted(episodes):
        learn(episodes[:1])
        raise KeyboardInterrupt

    keeper.policy.learn = interrupted
    with pytest.raises(KeyboardInterrupt):
        keeper.learn()
    keeper.policy.learn = learn
    keeper.learn()
    assert keeper.policy.numbers == list(range(1, SAVE_EVERY + 4))


def test_threads_may_share_a_keeper(bank: CaseBank) -> None:
    stored = bank.add_many(cases(4))
    keeper, errors = keeper_of(bank), []

    def work(start: int) -> None:
        try:
            for i in range(start, start + 15):
                fill(bank, stored, 1, start=i)
                keeper.learn()
                scores(keeper, stored)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(100 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    keeper.learn()
    assert keeper.policy.numbers == list(range(1, 61))
    assert len(keeper.policy.runs) == 60


def test_a_home_that_is_locked_keeps_nobody_from_recall_or_closing(bank: CaseBank, monkeypatch) -> None:
    stored = bank.add_many(cases(2))
    fill(bank, stored, SAVE_EVERY)
    keeper = keeper_of(bank)

    def busy(*args, **options):
        raise HomeBusyError("locked")

    monkeypatch.setattr(checkpoint, "save", busy)
    assert scores(keeper, stored) == [1.0, 0.0]
    assert keeper.learn() == 0
    monkeypatch.undo()
    keeper.learn()
    assert saved(bank) == [(1, SAVE_EVERY)], "saved when it can be"
    fill(bank, stored, 1, start=SAVE_EVERY)
    keeper.learn()
    monkeypatch.setattr(checkpoint, "save", busy)
    keeper.close()


def test_a_forked_child_may_use_the_keeper(bank: CaseBank) -> None:
    stored = bank.add_many(cases(2))
    fill(bank, stored, 4)
    keeper = keeper_of(bank)
    keeper.learn()
    keeper.close()
    keeper._lock.acquire()  # as if a thread that the child does not have were learning
    keeper.policy.runs.clear()

    def child() -> None:
        right = scores(keeper, stored) == [1.0, 0.0]
        fill(bank, stored, 1, start=4)
        right = right and keeper.learn() == 1
        keeper.close()
        os._exit(0 if right else 9)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    process.kill()
    keeper._lock.release()
    assert process.exitcode == 0
    assert saved(bank)[-1][1] == 5


LEARN = """
import sys, random, time
from agentfly.memory.bank import CaseBank
from agentfly.memory.selection.keeper import PolicyKeeper
from agentfly.testing import HashEmbedder
from tiny_policy import TinyPolicy, judged, show
bank = CaseBank(sys.argv[1], HashEmbedder(64))
stored = bank.list()
keeper = PolicyKeeper(bank._db, TinyPolicy(), bank.embedder)
print("ready", flush=True)
sys.stdin.readline()
for i in range(int(sys.argv[3])):
    case = stored[i % len(stored)]
    judged(bank, f"run-{sys.argv[2]}-{i}", [case], float(case.task_id == "task-0"))
    keeper.learn()
    print(i, flush=True)
keeper.close()
"""


def start(children) -> None:
    for child in children:
        assert child.stdout.readline() == "ready\n", child.stderr.read()
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()


def test_processes_that_learn_at_once_lose_and_spoil_nothing(bank: CaseBank, python) -> None:
    stored = sorted(bank.add_many(cases(2)), key=lambda case: case.task_id)
    children = [python(LEARN, bank._home.path, name, 60, stdin=True) for name in "abc"]
    start(children)
    assert [child.wait(60) for child in children] == [0, 0, 0], [child.stderr.read() for child in children]
    versions = saved(bank)
    assert len(versions) == 3
    assert [one for _, one in versions] == sorted(one for _, one in versions)
    keeper = keeper_of(bank)
    keeper.learn()
    assert keeper.policy.numbers == list(range(1, 181))
    assert scores(keeper, stored) == [1.0, 0.0]


def test_killed_while_learning_the_record_is_enough(bank: CaseBank, python) -> None:
    stored = sorted(bank.add_many(cases(2)), key=lambda case: case.task_id)
    children = [python(LEARN, bank._home.path, name, 5000, stdin=True) for name in "ab"]
    start(children)
    done = [[child.stdout.readline() for _ in range(40)] for child in children]
    for child in children:
        child.kill()
    assert all(len(part) == 40 for part in done)
    keeper = keeper_of(bank)
    keeper.learn()
    runs = bank._db.read("SELECT count(*) FROM recalls WHERE judged IS NOT NULL")[0][0]
    assert runs >= 80
    assert len(keeper.policy.runs) == len(keeper.policy.numbers) == runs
    assert scores(keeper, stored) == [1.0, 0.0]


@pytest.mark.parametrize("name", ["similarity", "episodic", "neural"])
def test_the_policies_by_name_learn_save_and_come_back(tmp_path, name: str) -> None:
    with CaseBank(tmp_path, HashEmbedder(64), name) as bank:
        stored = bank.add_many(cases(8))
        for i in range(24):
            case = stored[i % 8]
            judged(bank, f"run-{i}", [case], float(i % 8 < 4), state=bank.embed(case.question))
        bank._keeper.learn()
        bank._keeper.close()
        first = bank.recall(stored[1].question, k=8, candidates=8)
        assert bank.policy_report().episodes == (0 if name == "similarity" else 24)
    with CaseBank(tmp_path, HashEmbedder(64), name) as again:
        assert again.recall(stored[1].question, k=8, candidates=8) == first
    with pytest.raises(InputError, match="unknown selection policy"):
        CaseBank(tmp_path, HashEmbedder(64), "best")


def test_closing_a_bank_saves_what_its_policy_learned(open_bank) -> None:
    bank = open_bank(policy=TinyPolicy())
    stored = bank.add_many(cases(2))
    fill(bank, stored, 3)
    bank._keeper.learn()
    bank.close()
    bank.close()
    assert saved(open_bank()) == [(1, 3)]
