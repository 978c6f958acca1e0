"""The bank as its users see it: what goes in, what is recalled, what is counted, what is refused."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agentfly.errors import HomeError, InputError
from agentfly.memory.bank import CaseBank
from agentfly.store.home import Home
from agentfly.testing import HashEmbedder
from agentfly.types import Case, Provenance

MEAN = Case(question="mean of the close price", solution="df.Close.mean()", answer="5", task_id="t-mean")
MOON = Case(question="how far is the moon", solution="384400", answer="384400", task_id="t-moon")


def names(recalled) -> list[str]:
    return [one.case.question for one in recalled]


def test_a_case_comes_back_as_it_went_in(bank: CaseBank) -> None:
    case = replace(
        MEAN,
        reward=0.25,
        lesson="round it",
        domain="finance",
        tags=("a", "b"),
        provenance=Provenance(run="r", model="m", tools=("x",), untrusted=True),
        status="quarantined",
        created=12.5,
        shown=3,
        helped=1.5,
    )
    stored = bank.add(case)
    assert stored.id.startswith("case-")
    assert stored == replace(case, id=stored.id)
    assert bank.get(stored.id) == bank.get(stored.id[:9]) == bank.get(stored.id[5:12]) == stored


def test_recall_finds_the_nearest(bank: CaseBank) -> None:
    bank.add_many([MEAN, MOON])
    found = bank.recall("mean of the open price", k=1)
    assert names(found) == [MEAN.question]
    assert 0.5 < found[0].similarity <= 1.0
    assert found[0].score == pytest.approx(found[0].similarity, abs=1e-5)
    assert bank.recall("  ") == []
    assert bank.recall("mean", k=0) == []
    assert bank.recall("mean", k=-1) == []


def test_recall_keeps_out_what_is_to_be_kept_out(bank: CaseBank) -> None:
    mean, moon = bank.add_many([MEAN, MOON])
    assert names(bank.recall(MEAN.question, exclude_task="t-mean")) == [MOON.question]
    assert names(bank.recall(MEAN.question, exclude_question=f" {MEAN.question} ")) == [MOON.question]
    assert names(bank.recall(MEAN.question, exclude=[mean.id])) == [MOON.question]
    assert bank.recall(MEAN.question, exclude={mean.id, moon.id}) == []
    assert bank.recall(MEAN.question, domain="finance") == []
    assert names(bank.recall(MEAN.question, floor=0.9)) == [MEAN.question]


def test_the_task_itself_does_not_hide_the_others(bank: CaseBank) -> None:
    # More cases of the excluded task than candidates are looked at, all of them nearer than the only other one.
    bank.add_many([replace(MEAN, solution=f"attempt {i}") for i in range(300)])
    other = bank.add(replace(MEAN, question="mean of the open price", task_id="t-other"))
    assert [one.case.id for one in bank.recall(MEAN.question, exclude_task="t-mean")] == [other.id]


def test_failures_share_and_budget_reach_the_choice(bank: CaseBank) -> None:
    bank.add_many(
        [MOON, replace(MEAN, reward=0.0), replace(MEAN, question="mean price", task_id="x", solution="s" * 4000)]
    )
    assert names(bank.recall(MEAN.question)) == ["mean price", MOON.question, MEAN.question]
    assert names(bank.recall(MEAN.question, failures=0.0)) == ["mean price", MOON.question]
    assert names(bank.recall(MEAN.question, failures=0.5, tokens=100)) == [MOON.question, MEAN.question]


def test_empty_bank_recalls_nothing_and_loads_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from agentfly.memory.bank import CaseBank; bank = CaseBank(sys.argv[1]);"
        "assert bank.recall('x') == [] and bank.search('x') == [] and bank.count() == 0; bank.stats(); bank.close();"
        "print([m for m in ('chromadb', 'onnxruntime', 'tokenizers') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "h"], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "[]", done.stderr


def test_exact_duplicate_is_one_case_with_its_counts(bank: CaseBank) -> None:
    first = bank.add(MEAN)
    bank.record_shown("run-1", "t", bank.recollect("price"))
    bank.record_outcome("run-1", 1.0)
    again = bank.add(MEAN)
    assert again.id == first.id
    assert (again.shown, again.helped) == (1, 1.0)
    assert bank.count() == 1
    assert bank.add_many([MOON, MOON])[0].id == bank.add(MOON).id
    assert bank.count() == 2
    for change in ({"question": "?"}, {"solution": "?"}, {"answer": None}, {"task_id": "?"}):
        bank.add(replace(MEAN, **change))
    assert bank.count() == 6


def test_later_verdict_on_a_duplicate_counts_and_an_older_one_does_not(bank: CaseBank) -> None:
    first = bank.add(replace(MEAN, reward=0.0, lesson="wrong"))
    assert bank.add(replace(MEAN, reward=1.0)).reward == 1.0
    assert bank.get(first.id).lesson == "wrong"
    assert bank.add(replace(MEAN, reward=0.0, created=5.0)).reward == 1.0


def test_pruned_case_that_is_added_again_comes_back(bank: CaseBank) -> None:
    case = bank.add(MEAN)
    bank.set_status(case.id, "pruned")
    assert bank.recall(MEAN.question) == []
    assert bank.add(MEAN).status == "active"
    assert names(bank.recall(MEAN.question)) == [MEAN.question]


def test_ids_depend_on_content_and_given_ids_are_kept(bank: CaseBank, tmp_path: Path) -> None:
    case = bank.add(MEAN)
    with CaseBank(tmp_path / "other", HashEmbedder(64)) as other:
        assert other.add(MEAN).id == case.id
        assert other.add(replace(MOON, id="case-mine")).id == "case-mine"
        assert other.add(replace(MOON, id="case-mine", solution="?")).id not in {"case-mine", ""}


@pytest.mark.parametrize("status", ["superseded", "quarantined", "pruned"])
def test_only_active_cases_are_recalled(bank: CaseBank, status) -> None:
    case = bank.add(MEAN)
    assert names(bank.recall(MEAN.question)) == [MEAN.question]
    assert bank.set_status(case.id, status).status == status
    assert bank.recall(MEAN.question) == []
    assert (bank.count(), bank.count(status), bank.count(None)) == (0, 1, 1)
    bank.set_status(case.id, "active")
    assert names(bank.recall(MEAN.question)) == [MEAN.question]


def test_supersede(bank: CaseBank) -> None:
    old, new = bank.add_many([replace(MEAN, reward=0.0), replace(MEAN, solution="better")])
    assert bank.supersede(old.id, by=new.id).status == "superseded"
    assert [one.case.id for one in bank.recall(MEAN.question)] == [new.id]
    with pytest.raises(InputError):
        bank.supersede(new.id, by="case-nothing")
    with pytest.raises(InputError):
        bank.set_status(new.id, "gone")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [
        Case(question="  "),
        Case(question="q", reward=1.5),
        Case(question="q", reward=float("nan")),
        Case(question="q", reward="good"),  # type: ignore[arg-type]
        Case(question=7),  # type: ignore[arg-type]
        Case(question="q", solution="x" * 1_000_001),
        Case(question="q", status="gone"),  # type: ignore[arg-type]
        Case(question="q", created=float("inf")),
    ],
)
def test_bad_case_is_refused_and_nothing_of_its_batch_is_kept(bank: CaseBank, bad: Case) -> None:
    with pytest.raises(InputError, match="case 2 of 2") as caught:
        bank.add_many([MEAN, bad])
    assert "\n" not in str(caught.value)
    assert bank.count() == 0


def test_odd_but_storable_text(bank: CaseBank) -> None:
    case = bank.add(Case(question="a\x00b \ud800 \U0001f600 " + "long " * 50_000, solution="", answer=""))
    assert "\U0001f600" in bank.get(case.id).question
    assert bank.recall("long")[0].case.id == case.id


@pytest.mark.parametrize(
    "vectors",
    [np.ones((2, 63)), np.ones((1, 64)), np.zeros((2, 64)), np.full((2, 64), np.nan), np.full((2, 64), np.inf)],
)
def test_bad_embeddings_are_refused(bank: CaseBank, vectors) -> None:
    with pytest.raises(InputError):
        bank.add_many([MEAN, MOON], vectors=vectors)
    assert bank.count() == 0


def test_given_embeddings_are_used_and_scaled(bank: CaseBank) -> None:
    bank.add_many([MEAN], vectors=7 * HashEmbedder(64).embed([MOON.question]))
    assert bank.recall(MOON.question)[0].similarity == pytest.approx(1.0, abs=1e-5)


def test_credit_goes_to_what_was_shown_once_for_each_verdict(bank: CaseBank) -> None:
    mean, moon = bank.add_many([MEAN, MOON])
    bank.record_shown("run-1", "t", bank.recollect(MEAN.question, k=2))
    bank.record_shown("run-2", "t", bank.recollect("moon", k=1))
    bank.record_shown("run-3", "t", bank.recollect("nothing", k=0))
    assert bank.record_outcome("run-1", 0.75) == 2
    assert bank.record_outcome("run-1", 0.25) == 2  # a person corrects the verdict
    assert bank.record_outcome("run-none", 1.0) == 0
    mean, moon = bank.get(mean.id), bank.get(moon.id)
    assert (mean.shown, mean.helped) == (1, 0.25)
    assert (moon.shown, moon.helped) == (2, 0.25)
    stats = bank.stats()
    assert (stats.shown, stats.judged, stats.mean_reward) == (3, 2, 0.25)
    assert [case.id for case in stats.most_shown] == [moon.id, mean.id]
    with pytest.raises(InputError):
        bank.record_outcome("run-1", 1.5)


def test_interactions_hold_what_a_policy_needs(bank: CaseBank) -> None:
    bank.add_many([MEAN, MOON])
    found = bank.recollect("mean", k=2)
    shown = found.chosen
    bank.record_shown("run-1", "task-1", found)
    with Home.open(bank._home.path) as home:
        (recall,) = home.db.read("SELECT * FROM recalls")
        rows = home.db.read("SELECT * FROM interactions ORDER BY rank")
    assert (recall["run_id"], recall["task_id"], recall["policy"]) == ("run-1", "task-1", "similarity")
    assert np.allclose(np.frombuffer(recall["state"], "<f4"), bank.embed("mean"))
    assert [row["case_id"] for row in rows] == [one.case.id for one in shown]
    assert [row["similarity"] for row in rows] == [one.similarity for one in shown]
    assert [row["propensity"] for row in rows] == [1.0, 1.0]
    assert [row["reward"] for row in rows] == [None, None]


def test_search_puts_literal_finds_first(bank: CaseBank) -> None:
    bank.add_many([MEAN, MOON, replace(MOON, question="something else", lesson="beware of df.Close")])
    assert [one.case.question for one in bank.search("DF.CLOSE")][:2] == ["something else", MEAN.question]
    assert len(bank.search("the", limit=2)) == 2
    assert bank.search("") == []


def test_list_is_newest_first(bank: CaseBank) -> None:
    bank.add_many([MEAN, MOON])
    assert [case.question for case in bank.list()] == [MOON.question, MEAN.question]
    assert [case.question for case in bank.list(limit=1, offset=1)] == [MEAN.question]
    assert bank.list(status="pruned") == []
    assert len(bank.list(status=None)) == 2


def test_stats(bank: CaseBank) -> None:
    cases = bank.add_many([replace(MEAN, domain="d"), replace(MOON, reward=0.0), replace(MEAN, solution="x")])
    bank.set_status(cases[2].id, "pruned")
    stats = bank.stats()
    assert stats.total == 3
    assert stats.by_status == {"active": 2, "pruned": 1}
    assert stats.by_domain == {"d": 1}
    assert (stats.successes, stats.success_rate, stats.mean_reward) == (1, 0.5, None)
    assert stats.embedder == "hash-64"


def test_unknown_and_ambiguous_ids(bank: CaseBank) -> None:
    bank.add_many([MEAN, MOON])
    for given in ("case-", "", "zzz", "%"):
        with pytest.raises(InputError):
            bank.get(given)


def test_another_embedder_is_refused_until_the_bank_is_rebuilt(bank: CaseBank, tmp_path: Path) -> None:
    bank.add_many([MEAN, MOON])
    with CaseBank(tmp_path / "bank", HashEmbedder(32)) as other:
        for use in (lambda: other.recall("mean"), lambda: other.add(replace(MEAN, solution="?"))):
            with pytest.raises(HomeError, match="doctor --fix"):
                use()
        assert not other.verify().ok
        assert other.rebuild().ok
        assert names(other.recall(MEAN.question, k=1)) == [MEAN.question]
    with pytest.raises(HomeError):
        CaseBank(tmp_path / "bank", HashEmbedder(64)).recall("mean")


def test_given_home_stays_open_and_own_home_is_closed(tmp_path: Path) -> None:
    with Home.open(tmp_path / "h") as home:
        bank = CaseBank(home, HashEmbedder(64))
        bank.add(MEAN)
        bank.close()
        bank.close()
        assert home.db.read("SELECT count(*) FROM cases")[0][0] == 1
    with pytest.raises(HomeError):
        CaseBank(Path(__file__))


def test_two_banks_on_one_home_see_each_other(bank: CaseBank, open_bank: Callable[..., CaseBank]) -> None:
    other = open_bank()
    case = bank.add(MEAN)
    assert names(other.recall(MEAN.question)) == [MEAN.question]
    other.add(MOON)
    assert names(bank.recall(MOON.question, k=1)) == [MOON.question]
    other.set_status(case.id, "pruned")
    assert names(bank.recall(MEAN.question)) == [MOON.question]


def test_threads_may_share_a_bank(bank: CaseBank) -> None:
    errors: list[BaseException] = []

    def work(i: int) -> None:
        try:
            for j in range(15):
                case = bank.add(replace(MEAN, question=f"a{i}b{j} c{i}d{j} e{i}f{j} g{i}h{j}", task_id=""))
                assert case.id in [one.case.id for one in bank.recall(f"a{i}b{j} c{i}d{j} e{i}f{j} g{i}h{j}", k=1)]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert bank.count() == 60


class Contrary:
    """Prefers what is far."""

    name = "contrary"

    def score(self, state, cases, vectors):
        return -(vectors @ state)


def test_the_policy_ranks_the_candidates(tmp_path: Path) -> None:
    with CaseBank(tmp_path, HashEmbedder(64), Contrary()) as bank:
        bank.add_many([MEAN, MOON])
        assert names(bank.recall(MEAN.question, k=2)) == [MOON.question, MEAN.question]
        assert names(bank.recall(MEAN.question, k=1, candidates=1)) == [MEAN.question]
