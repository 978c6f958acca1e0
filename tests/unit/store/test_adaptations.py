"""The record of learning over datasets: who works on it, what counts, and what is taken back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentfly.errors import InputError
from agentfly.store.adaptations import AdaptationStore, Sample, Stage
from agentfly.store.home import Home
from agentfly.types import Usage


@pytest.fixture
def store(tmp_path: Path) -> AdaptationStore:
    home = Home.open(tmp_path)
    return AdaptationStore(home.db)


def sample(place: int, phase: str = "learn", epoch: int = 1, **more: object) -> Sample:
    told = {"task_id": f"t{place}", "run_id": f"run-{phase}-{epoch}-{place}", "verdict": "correct", **more}
    return Sample(phase=phase, epoch=epoch, place=place, **told)  # type: ignore[arg-type]


def stage(number: int, epoch: int = 1) -> Stage:
    return Stage(
        phase="learn",
        epoch=epoch,
        number=number,
        samples=4 * (number + 1),
        cases=number,
        bullets=0,
        checks=0,
        version=0,
    )


def owned(store: AdaptationStore, mark: str) -> None:
    with store._db.write() as tx:
        tx.execute("UPDATE adaptations SET owner = ?", (mark,))


def test_the_same_identity_goes_on_until_it_is_finished(store: AdaptationStore) -> None:
    id, resumed = store.open("same", {"epochs": 1})
    assert not resumed
    assert store.open("same", {}) == (id, True)
    other, resumed = store.open("other", {})
    assert not resumed
    assert other != id
    store.finish(id, {"reason": "done"})
    assert store.show(id).outcome == {"reason": "done"}
    assert store.show(id).finished is not None
    again, resumed = store.open("same", {})
    assert not resumed
    assert again != id


def test_one_may_begin_anew(store: AdaptationStore) -> None:
    first, _ = store.open("same", {})
    second, resumed = store.open("same", {}, again=True)
    assert second != first
    assert not resumed
    assert store.unfinished() == [second, first]


def test_the_work_of_another_process_is_left_to_it_while_it_lives(store: AdaptationStore) -> None:
    id, _ = store.open("same", {})
    code = "import sys; from agentfly.store import process; print(process.mark(), flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        owned(store, other.stdout.readline().strip())
        with pytest.raises(InputError, match=f"{id} is being worked on by another process .{other.pid} on") as refused:
            store.open("same", {})
        assert "\n" not in str(refused.value)
        other.kill()
        other.wait()
    assert store.open("same", {}) == (id, True)


def test_what_is_released_is_anybodys(store: AdaptationStore) -> None:
    id, _ = store.open("same", {})
    owned(store, "elsewhere|1|1")
    with pytest.raises(InputError, match=r"another process \(1 on elsewhere\)"):
        store.open("same", {})
    store.release(id)
    assert store.open("same", {}) == (id, True)


def test_samples_come_back_in_their_order_and_once_each(store: AdaptationStore) -> None:
    id, _ = store.open("same", {})
    second = sample(1, reward=0.5, usage=Usage(calls=2), cases=("c",), kept=True, solved=True)
    store.add(id, [sample(10), second, sample(2), sample(0, "base", 0)])
    store.add(id, [sample(2, verdict="wrong")])
    assert [(one.phase, one.place, one.verdict) for one in store.samples(id)] == [
        ("base", 0, "correct"), ("learn", 1, "correct"), ("learn", 2, "wrong"), ("learn", 10, "correct"),
    ]  # fmt: skip
    assert store.samples(id, "learn")[0] == second


def test_what_is_noted_stays_beside_what_was_noted_before(store: AdaptationStore) -> None:
    id, _ = store.open("same", {})
    store.note(id, {"seconds": 1.5})
    store.note(id, {"ending": {"kept": None}})
    assert store.show(id).outcome == {"seconds": 1.5, "ending": {"kept": None}}


def test_what_is_tried_again_leaves_the_record(store: AdaptationStore) -> None:
    id, _ = store.open("same", {})
    store.add(id, [sample(place) for place in range(3)])
    for number in range(2):
        store.reach(id, stage(number))
    store.forget(id, [sample(1)], [stage(1)])
    assert [one.place for one in store.samples(id)] == [0, 2]
    (left,) = store.stages(id)
    assert left.number == 0
    assert left.finished > 0


def test_an_unknown_one_is_said_to_be_unknown(store: AdaptationStore) -> None:
    assert store.latest() is None
    with pytest.raises(InputError, match="no record of learning"):
        store.show("learn-x")
