"""Cost of one small delta to a large playbook, beside the way of re-parsing and rewriting a whole text file."""

import os
import re
import shutil
import statistics
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from agentfly.playbooks import Delta, Playbook, PlaybookLedger
from agentfly.playbooks.render import chosen, render
from agentfly.playbooks.similar import BulletIndex
from agentfly.store.home import Home

pytestmark = pytest.mark.benchmark

BULLETS = 10_000
LINE = re.compile(r"\[([^\]]+)\]\s*helpful=(\d+)\s*harmful=(\d+)\s*::\s*(.*)")


@pytest.fixture(scope="module")
def playbook():
    operations = [
        {
            "op": "add",
            "section": f"section {'abcdefgh'[n % 8]}",
            "text": f"When a table has {n} columns, look at each of them.",
        }
        for n in range(BULLETS)
    ]
    return Playbook().apply(Delta.model_validate({"operations": operations}), strict=True)


def small_delta(playbook, n):
    ids = [playbook.bullets[(n * 37 + k) % BULLETS].id for k in (0, 5000)]
    return Delta.model_validate(
        {
            "operations": [
                {"op": "add", "section": "section a", "text": f"A new strategy that nobody had before, number {n}."},
                {"op": "update", "id": ids[0], "text": f"A better wording of what was known, number {n}."},
                {"op": "tag", "id": ids[1], "tag": "helpful"},
            ]
        }
    )


def median_ms(action, rounds):
    taken = []
    for n in range(rounds):
        start = time.perf_counter()
        action(n)
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


def as_text(playbook):
    """The text format of ACE's reference."""
    lines, section = [], ""
    for bullet in playbook.bullets:
        if bullet.section != section:
            section = bullet.section
            lines.append(f"## {section.upper()}")
        lines.append(f"[{bullet.id}] helpful={bullet.helpful} harmful={bullet.harmful} :: {bullet.text}")
    return "\n".join(lines)


def change_text(text, n):
    """What a text-based playbook does for each change: read every line, change three, write every line."""
    section, parsed, number = "", [], 0
    for line in text.strip().split("\n"):
        if line.startswith("##"):
            section = line[2:].strip()
            parsed.append((section, None))
        elif match := LINE.match(line):
            number = max(number, int(match[1].rsplit("-", 1)[1]))
            parsed.append((section, [match[1], int(match[2]), int(match[3]), match[4]]))
    bullets = [item for _, item in parsed if item]
    bullets[n * 37 % BULLETS][3] = f"A better wording of what was known, number {n}."
    bullets[(n * 37 + 5000) % BULLETS][1] += 1
    parsed.insert(1, ("SECTION A", [f"sec-{number + 1:05d}", 0, 0, f"A new strategy, number {n}."]))
    return "\n".join(
        f"## {name}" if item is None else f"[{item[0]}] helpful={item[1]} harmful={item[2]} :: {item[3]}"
        for name, item in parsed
    )


def test_the_pure_part(playbook, record_property):
    deltas = [small_delta(playbook, n) for n in range(60)]
    text = as_text(playbook)
    pure = median_ms(lambda n: playbook.apply(deltas[n], strict=True), 60)
    parsing = median_ms(lambda n: change_text(text, n), 10)
    record_property("apply_ms", pure)
    record_property("reparse_ms", parsing)
    print(f"apply {pure:.3f} ms, re-parsing {parsing:.1f} ms: {parsing / pure:.0f} times")
    assert pure <= 1.0
    assert parsing / pure >= 20


def test_applying_costs_in_proportion_to_the_delta(playbook):
    tenth = Playbook.of(playbook.bullets[: BULLETS // 10])
    delta = Delta.model_validate(
        {"operations": [{"op": "tag", "id": playbook.bullets[n].id, "tag": "helpful"} for n in range(0, 900, 300)]}
    )
    small, large = median_ms(lambda n: tenth.apply(delta), 60), median_ms(lambda n: playbook.apply(delta), 60)
    print(f"1,000 bullets {small:.3f} ms, 10,000 bullets {large:.3f} ms")
    assert large <= 3 * small


@pytest.fixture
def memory_folder(tmp_path):
    """A folder whose disk costs nothing, so that what is measured is our own work."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        pytest.skip("no file system in memory here")
    folder = Path(tempfile.mkdtemp(dir=shared))
    yield folder
    shutil.rmtree(folder)


def measure_commits(folder, playbook):
    """Median of a commit, and of a bare transaction that writes as much, in ms."""
    with Home.open(folder / "home") as home:
        ledger = PlaybookLedger(home.db, home.playbook)
        operations = [{"op": "add", "section": b.section, "text": b.text} for b in playbook.bullets]
        playbook = ledger.commit(Delta.model_validate({"operations": operations}), author="import").playbook
        deltas = [small_delta(playbook, n) for n in range(100)]

        def bare(n):
            with home.db.write() as tx:
                for k in range(3):
                    tx.execute(
                        "UPDATE bullets SET shown = shown + 1 WHERE id = ?", (playbook.bullets[n * 37 + k * 99].id,)
                    )
                tx.execute(
                    "INSERT INTO playbook_versions (created, author, accepted, delta) VALUES (0, 'run', 0, ?)",
                    ("x" * 1500,),
                )

        commit = median_ms(lambda n: ledger.commit(deltas[n], author="run", strict=True), 100)
        disk = median_ms(bare, 100)
        ledger.flush()
    return commit, disk


def test_the_commit(playbook, memory_folder, record_property):
    text = as_text(playbook)
    parsing = median_ms(lambda n: change_text(text, n), 10)
    commit, bare = measure_commits(memory_folder, playbook)
    record_property("commit_ms", commit)
    record_property("reparse_ms", parsing)
    print(
        f"commit {commit:.2f} ms (bare transaction {bare:.2f}), re-parsing {parsing:.1f} ms: {parsing / commit:.0f} times"
    )
    assert commit <= 5.0
    assert parsing / commit >= 12


def test_the_commit_on_this_disk(playbook, tmp_path, record_property):
    commit, bare = measure_commits(tmp_path, playbook)
    record_property("commit_on_disk_ms", commit)
    record_property("transaction_on_disk_ms", bare)
    print(f"on disk: commit {commit:.2f} ms, bare transaction {bare:.2f} ms")
    assert commit <= 2 * bare + 3.0


def test_the_budget_when_it_is_always_reached(playbook):
    full = playbook.tokens
    grown = [playbook.apply(small_delta(playbook, n)) for n in range(30)]
    next(playbook.ranked())  # ranks the blocks that all versions share
    taken = median_ms(lambda n: grown[n].enforce_budget(full), 30)
    print(f"budget {taken:.2f} ms")
    assert taken <= 3.0


class Drawn:
    """Vectors drawn at random, the same for the same text, so that what is measured is not the embedding."""

    name, dimensions = "drawn", 384

    def embed(self, texts):
        seeds = (zlib.crc32(text.encode()) for text in texts)
        rows = np.stack([np.random.default_rng(seed).standard_normal(self.dimensions) for seed in seeds])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def wordy():
    """10,000 bullets that neither a number nor a negation tells apart, so that each must be compared with all."""
    texts = (f"When a table has {letters(n)} columns, look at each." for n in range(BULLETS))
    operations = [{"op": "add", "section": f"section {'abcdefgh'[n % 8]}", "text": t} for n, t in enumerate(texts)]
    return Playbook().apply(Delta.model_validate({"operations": operations}), strict=True)


def letters(n):
    return "".join("abcdefghij"[int(digit)] for digit in f"{n:05d}")


@pytest.fixture(scope="module")
def index(wordy):
    made = BulletIndex(Drawn.dimensions)
    new = made.follow(wordy)
    vectors = Drawn().embed([bullet.text for bullet in new])
    made.take({bullet.id: vector for bullet, vector in zip(new, vectors, strict=True)})
    return made


def test_one_new_bullet_among_all(index, record_property):
    text = "When a table has new columns, look at each."
    vectors = Drawn().embed([f"{text}{n}" for n in range(30)])
    taken = median_ms(lambda n: index.near(vectors[n], text, "strategy", 0.9), 30)
    record_property("dedupe_ms", taken)
    print(f"one new bullet against {BULLETS}: {taken:.2f} ms")
    assert taken <= 15.0


def test_following_costs_in_proportion_to_the_delta(wordy, index):
    versions = [wordy]
    for n in range(30):
        versions.append(versions[-1].apply(small_delta(wordy, n), strict=True))
    taken = median_ms(lambda n: index.follow(versions[n + 1]), 30)
    index.follow(wordy)
    print(f"following a delta {taken:.2f} ms")
    assert taken <= 2.0


def test_all_against_all(wordy, index, record_property):
    taken = median_ms(lambda n: index.clusters(0.9, anew=True), 1)
    record_property("refine_ms", taken)
    print(f"all of {BULLETS} against all {taken:.0f} ms")
    assert taken <= 10_000


def test_rendering_what_bears_on_a_task(wordy, index, record_property):
    budget = 2000
    queries = Drawn().embed([f"question {n}" for n in range(20)])
    shown = []

    def relevance(n):
        shown.append(index.similarities(queries[n]))

    near = median_ms(relevance, 20)
    grown = [wordy.with_shown({wordy.bullets[n].id: 1}) for n in range(20)]
    taken = median_ms(lambda n: render(grown[n], budget, similarities=shown[n]), 20)
    both = median_ms(lambda n: chosen(grown[n], budget, shown[n]), 20)
    record_property("render_ms", taken)
    print(f"similarities {near:.2f} ms, rendering {taken:.2f} ms, choosing once more {both:.2f} ms")
    assert near <= 15.0
    assert taken <= 20.0


def test_a_commit_that_looks_for_near_duplicates(wordy, memory_folder, record_property):
    with Home.open(memory_folder / "home") as home:
        PlaybookLedger(home.db, None).commit(
            Delta.model_validate({"operations": [{"op": "add", "section": b.section, "text": b.text} for b in wordy]}),
            author="import",
        )
        ledger = PlaybookLedger(home.db, None, embedder=Drawn())
        ledger.refine()
        held = ledger.current()
        deltas = [small_delta(held, n) for n in range(60)]
        taken = median_ms(lambda n: ledger.commit(deltas[n], author="run", strict=True), 60)
    record_property("refining_commit_ms", taken)
    print(f"commit with near-duplicates {taken:.2f} ms")
    assert taken <= 20.0
