"""Several processes on one home, and processes that are killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from agentfly.playbooks import PlaybookLedger
from agentfly.store.home import Home

# Commits deltas of three operations for ever, or `count` times, and says so after each.
WORKER = """
import sys
from agentfly.playbooks import Delta, PlaybookLedger
from agentfly.store.home import Home

home, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
opened = Home.open(home)
ledger = PlaybookLedger(opened.db, opened.playbook)
for n in range(count):
    mine = [bullet.id for bullet in ledger.current() if bullet.text.startswith(f"{name} last")]
    operations = [
        {"op": "add", "section": "strategies", "text": f"{name} rule {n}"},
        {"op": "add", "section": f"part {name}", "text": f"{name} last {n}"},
        *({"op": "remove", "id": i} for i in mine),
    ]
    done = ledger.commit(Delta.model_validate({"operations": operations}), author="run", run=name)
    assert not done.refusals, done.refusals
    print(n, done.version, flush=True)
"""


def start(home, name, count):
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(home), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def check(home, acknowledged):
    """Every acknowledged delta is there, whole; no other is there in part."""
    with Home.open(home) as opened:
        ledger = PlaybookLedger(opened.db, opened.playbook)
        playbook = ledger.current()
        texts = [bullet.text for bullet in playbook]
        assert len(set(texts)) == len(texts)
        for name, last in acknowledged.items():
            rules = sorted(int(text.split()[-1]) for text in texts if text.startswith(f"{name} rule"))
            assert rules == list(range(len(rules)))
            assert len(rules) in {last + 1, last + 2}  # the last one may have been kept without a word getting out
            assert f"{name} last {len(rules) - 1}" in texts
            assert sum(text.startswith(f"{name} last") for text in texts) == 1
        history = ledger.history(limit=None)
        assert [r.version for r in history] == list(range(playbook.version, 0, -1))
        assert ledger.at(0).bullets == ()
        assert opened.playbook.read_text().count("\n- ") == len(playbook)


def test_two_processes_commit_at_once(tmp_path):
    home = tmp_path / "home"
    workers = {name: start(home, name, 25) for name in ("left", "right")}
    for worker in workers.values():
        out, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0
        assert len(out.splitlines()) == 25
    check(home, {"left": 24, "right": 24})


@pytest.mark.parametrize("seed", range(4))
def test_killed_between_old_and_new(tmp_path, seed):
    home = tmp_path / "home"
    rng = random.Random(seed)
    workers = {name: start(home, name, 10_000) for name in ("left", "right")}
    acknowledged = {name: int(worker.stdout.readline().split()[0]) for name, worker in workers.items()}
    time.sleep(rng.uniform(0.02, 0.3))
    for name, worker in workers.items():
        worker.send_signal(signal.SIGKILL)
        lines = worker.stdout.read().splitlines()  # what got out before the kill; the last line may be cut
        worker.wait()
        worker.stdout.close()
        whole = [int(line.split()[0]) for line in lines if len(line.split()) == 2]
        acknowledged[name] = max([acknowledged[name], *whole])
    check(home, acknowledged)
    more = start(home, "later", 2)
    assert more.wait(timeout=30) == 0
    more.stdout.close()
    check(home, {**acknowledged, "later": 1})


def test_history_is_readable_json(tmp_path):
    home = tmp_path / "home"
    worker = start(home, "only", 3)
    assert worker.wait(timeout=30) == 0
    worker.stdout.close()
    with Home.open(home) as opened:
        for row in opened.db.read("SELECT delta, changes, evidence FROM playbook_versions"):
            assert all(json.loads(column) is not None for column in row)
