"""The ledger: commits, history, rollback, the file for people, other processes' commits."""

import random
import sqlite3
import time

import pytest

from agentfly.errors import HomeError, InputError, UserError
from agentfly.playbooks import Delta, PlaybookLedger, Rules, rows
from agentfly.store.home import Home
from agentfly.testing import HashEmbedder


def delta(*operations, reason=""):
    return Delta.model_validate({"reason": reason, "operations": list(operations)})


def add(text, section="strategies"):
    return {"op": "add", "section": section, "text": text}


def tag(bullet_id, verdict="helpful"):
    return {"op": "tag", "id": bullet_id, "tag": verdict}


@pytest.fixture
def home(tmp_path):
    with Home.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def ledger(home):
    return PlaybookLedger(home.db, home.playbook)


def reopened(home):
    return PlaybookLedger(home.db, home.playbook).current()


def test_empty(home, ledger):
    assert len(ledger.current()) == 0
    assert ledger.current().version == 0
    assert ledger.history() == []
    assert not home.playbook.exists()


def test_commit_keeps_everything(home, ledger):
    done = ledger.commit(
        delta(add("one"), add(""), reason="learned"), author="run", run="run-1", evidence={"before": 0.0}
    )
    assert (done.version, done.accepted, done.notice) == (1, True, "")
    assert [str(change) for change in done.changes] == ["added [str-00001] to strategies: one"]
    assert [refusal.index for refusal in done.refusals] == [1]
    assert ledger.current() is done.playbook
    (revision,) = ledger.history()
    assert (revision.version, revision.parent, revision.author, revision.run) == (1, 0, "run", "run-1")
    assert revision.reason == "learned"
    assert revision.changes == done.changes
    assert revision.evidence["before"] == 0.0
    assert "empty" in revision.evidence["refusals"][0]
    assert Delta.model_validate_json(revision.delta).reason == "learned"
    again = reopened(home)
    assert again == done.playbook
    assert again.bullets == done.playbook.bullets
    assert again.version == 1


def test_a_reopened_playbook_goes_on_where_it_was(home, ledger):
    ledger.commit(delta(add("one"), add("two", "formulas"), add("three")), author="run")
    ledger.commit(delta({"op": "remove", "id": "str-00003"}, {"op": "remove", "id": "for-00002"}), author="run")
    more = delta(add("four"), add("five", "formulas"), add("six", "structure"))
    assert reopened(home).apply(more).bullets == ledger.current().apply(more).bullets
    ids = [bullet.id for bullet in PlaybookLedger(home.db, None).commit(more, author="run").playbook]
    assert ids == ["str-00001", "str-00004", "for-00005", "stru-00006"]


def test_a_merged_bullet_keeps_its_place_when_reopened(home, ledger):
    ledger.commit(delta(*(add(f"rule {n}") for n in range(5))), author="run")
    ledger.commit(delta({"op": "merge", "ids": ["str-00002", "str-00005"], "text": "both"}), author="run")
    texts = ["rule 0", "both", "rule 2", "rule 3"]
    assert [bullet.text for bullet in ledger.current()] == texts
    assert [bullet.text for bullet in reopened(home)] == texts


def test_nothing_to_change_makes_no_version_but_a_line_of_history(ledger):
    done = ledger.commit(delta(add("")), author="run")
    assert (done.version, done.accepted) == (0, False)
    assert not ledger.history()[0].accepted
    assert ledger.history(dropped=False) == []


def test_dropped_deltas_are_recorded_with_their_evidence(ledger):
    ledger.commit(delta(add("one")), author="run")
    ledger.drop(delta(add("bad")), reason="flipped 1 of 3", evidence={"flips": ["t1"]}, run="run-2")
    dropped, kept = ledger.history()
    assert (dropped.version, dropped.parent, dropped.reason, dropped.evidence) == (
        None,
        1,
        "flipped 1 of 3",
        {"flips": ["t1"]},
    )
    assert kept.version == 1
    assert [bullet.text for bullet in ledger.current()] == ["one"]
    assert ledger.commit(delta(add("two")), author="run").version == 2


def test_strict_and_expected_version_refuse_without_a_trace(ledger):
    ledger.commit(delta(add("one")), author="run")
    with pytest.raises(InputError, match="operation 0"):
        ledger.commit(delta(add("")), author="human", strict=True)
    with pytest.raises(InputError, match="at version 1, not 0"):
        ledger.commit(delta(add("two")), author="human", expected_version=0)
    assert ledger.commit(delta(add("two")), author="human", expected_version=1).version == 2
    assert len(ledger.history()) == 2


def test_history_pages(ledger):
    for n in range(7):
        ledger.commit(delta(add(f"rule {n}")), author="run")
    first = ledger.history(limit=3)
    assert [r.version for r in first] == [7, 6, 5]
    assert [r.version for r in ledger.history(limit=3, before=first[-1].id)] == [4, 3, 2]
    assert len(ledger.history(limit=None)) == 7


def _random_delta(rng, playbook):
    ids = [bullet.id for bullet in playbook] or ["str-00001"]
    operations = []
    for _ in range(rng.randint(1, 4)):
        kind = rng.choice(["add", "add", "add", "update", "merge", "remove", "tag"])
        text, one = f"text {rng.random()}", rng.choice(ids)
        operations.append(
            {
                "add": add(text, rng.choice(["strategies", "structure", "formulas"])),
                "update": {"op": "update", "id": one, "text": text},
                "merge": {"op": "merge", "ids": [one, rng.choice(ids)], "text": text},
                "remove": {"op": "remove", "id": one},
                "tag": tag(one, rng.choice(["helpful", "harmful"])),
            }[kind]
        )
    return delta(*operations)


@pytest.mark.parametrize("budget", [None, 80])
def test_every_version_can_be_seen_compared_and_restored_bit_for_bit(home, budget):
    rng = random.Random(4)
    ledger = PlaybookLedger(home.db, home.playbook, budget=budget)
    versions = {0: ledger.current()}
    while len(versions) < 30:
        done = ledger.commit(_random_delta(rng, ledger.current()), author="run", run=f"run-{len(versions)}")
        versions[done.version] = done.playbook
        if budget:
            assert done.playbook.tokens <= budget
    used = {bullet.id for playbook in versions.values() for bullet in playbook}
    for version, playbook in versions.items():
        assert ledger.at(version).bullets == playbook.bullets
        assert ledger.at(version).version == version
    for a, b in [(0, 29), (29, 0), (7, 21), (21, 7), (5, 5)]:
        assert ledger.at(a).with_changes(ledger.diff(a, b), b).bullets == versions[b].bullets
        assert (ledger.diff(a, b) == ()) == (versions[a] == versions[b])
    for version in (12, 28, 0, 29, 3):
        done = ledger.rollback(version, "looks worse")
        assert done.playbook.bullets == versions[version].bullets
        assert reopened(home).bullets == versions[version].bullets
        assert done.version > 29
    new = ledger.commit(delta(add("brand new")), author="run").changes[0].after.id
    assert new not in used


def test_rollback_is_a_version_of_its_own_and_can_be_undone(ledger):
    for n in range(3):
        ledger.commit(delta(add(f"rule {n}")), author="run")
    back = ledger.rollback(1, "rule 1 and 2 are wrong")
    assert (back.version, [b.text for b in back.playbook]) == (4, ["rule 0"])
    assert ledger.history()[0].author == "rollback"
    assert ledger.history()[0].evidence == {"rollback_to": 1}
    assert [b.text for b in ledger.rollback(3).playbook] == ["rule 0", "rule 1", "rule 2"]
    assert not ledger.rollback(5).accepted


@pytest.mark.parametrize("version", [-1, 2, 10**9])
def test_versions_that_are_not_there(ledger, version):
    ledger.commit(delta(add("one")), author="run")
    for action in (ledger.at, ledger.rollback, lambda v: ledger.diff(0, v)):
        with pytest.raises(InputError, match=f"there is no version {version}"):
            action(version)


def test_exposures_move_in_place_and_survive_rollback(home, ledger):
    ledger.commit(delta(add("one"), add("two")), author="run")
    ledger.shown(["str-00001", "str-00001", "str-00002", "gone-00009"])
    ledger.shown(["str-00001"])
    ledger.shown([])
    assert [bullet.shown for bullet in ledger.current()] == [2, 1]
    assert [bullet.shown for bullet in reopened(home)] == [2, 1]
    assert ledger.current().version == 1
    ledger.commit(delta({"op": "update", "id": "str-00001", "text": "better"}), author="run")
    ledger.commit(delta({"op": "remove", "id": "str-00002"}), author="run")
    ledger.shown(["str-00001"])
    restored = ledger.rollback(1)
    assert [bullet.shown for bullet in restored.playbook] == [3, 1]
    assert [bullet.shown for bullet in reopened(home)] == [3, 1]
    merged = ledger.commit(delta({"op": "merge", "ids": ["str-00001", "str-00002"], "text": "both"}), author="run")
    assert [bullet.shown for bullet in merged.playbook] == [bullet.shown for bullet in reopened(home)] == [4]


def test_the_budget_retires_and_history_keeps(home):
    ledger = PlaybookLedger(home.db, home.playbook, budget=40)
    for n in range(10):
        done = ledger.commit(delta(add(f"a rule with some words, number {n}")), author="run")
        assert done.playbook.tokens <= 40
        assert done.playbook.bullets[-1].text.endswith(f"number {n}")
    retired = [change for change in done.changes if change.retired]
    assert len(retired) == 1
    assert str(retired[0]).startswith("retired [str-")
    rows_now = home.db.read("SELECT status, COUNT(*) FROM bullets GROUP BY status ORDER BY status")
    assert {row[0]: row[1] for row in rows_now} == {"active": len(done.playbook), "retired": 10 - len(done.playbook)}
    assert ledger.rollback(2).playbook.bullets[0].id == "str-00001"


def test_a_delta_larger_than_the_budget_uses_its_numbers_up(home):
    ledger = PlaybookLedger(home.db, None, budget=30)
    done = ledger.commit(delta(*(add(f"a rule with some words, number {n}") for n in range(6))), author="run")
    assert 0 < len(done.playbook) < 6
    assert reopened(home).next_number == done.playbook.next_number == 7
    assert ledger.at(0).bullets == ()
    assert ledger.at(1).bullets == done.playbook.bullets


def test_the_file_follows_every_commit(home, ledger):
    ledger.commit(delta(add("one")), author="run")
    assert "one" in home.playbook.read_text()
    ledger.commit(delta({"op": "update", "id": "str-00001", "text": "better"}), author="run")
    assert "better" in home.playbook.read_text()
    ledger.rollback(0)
    assert "Version 3: 0 bullets" in home.playbook.read_text()


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_text(""), lambda p: p.write_bytes(b"\xff")])
def test_a_damaged_file_is_mended_when_opened(home, ledger, damage):
    ledger.commit(delta(add("one")), author="run")
    whole = home.playbook.read_bytes()
    damage(home.playbook)
    reopened(home)
    assert home.playbook.read_bytes() == whole


def test_a_file_that_cannot_be_written_does_not_lose_the_commit(home, ledger):
    home.playbook.mkdir()
    done = ledger.commit(delta(add("one")), author="run")
    assert done.accepted
    assert "playbook.md" in done.notice
    assert len(reopened(home)) == 1


def test_a_large_file_is_written_once_for_many_commits(home, monkeypatch):
    monkeypatch.setattr("agentfly.playbooks.publish.LARGE", 3)
    monkeypatch.setattr("agentfly.playbooks.publish._DELAY", 0.05)
    ledger = PlaybookLedger(home.db, home.playbook)
    for n in range(6):
        ledger.commit(delta(add(f"rule {n}")), author="run")
    deadline = time.monotonic() + 5
    while "Version 6" not in home.playbook.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert home.playbook.read_text().count("\n- ") == 6
    monkeypatch.setattr("agentfly.playbooks.publish._DELAY", 60)
    ledger.commit(delta(add("last")), author="run")
    assert "last" not in home.playbook.read_text()
    ledger.flush()
    assert "last" in home.playbook.read_text()


def test_a_late_writer_does_not_overwrite_a_newer_file(home, monkeypatch):
    monkeypatch.setattr("agentfly.playbooks.publish.LARGE", 1)
    monkeypatch.setattr("agentfly.playbooks.publish._DELAY", 60)
    early, late = PlaybookLedger(home.db, home.playbook), PlaybookLedger(home.db, home.playbook)
    late.commit(delta(add("one")), author="run")
    early.commit(delta(add("two")), author="run")
    early.flush()
    late.flush()
    assert "Version 2" in home.playbook.read_text()


def test_two_ledgers_see_each_other(home, tmp_path):
    with Home.open(home.path) as other:
        a, b = PlaybookLedger(home.db, home.playbook), PlaybookLedger(other.db, other.playbook)
        a.commit(delta(add("from a")), author="run")
        assert [bullet.text for bullet in b.current()] == ["from a"]
        b.commit(delta(add("from b"), tag("str-00001")), author="run")
        b.commit(delta({"op": "merge", "ids": ["str-00001", "str-00002"], "text": "both"}), author="run")
        # a has not looked since: its delta is applied to the newest version all the same
        done = a.commit(delta(add("a again"), tag("str-00001")), author="run")
        assert [bullet.text for bullet in done.playbook] == ["both", "a again"]
        assert [refusal.index for refusal in done.refusals] == [1]
        assert done.version == 4
        assert b.current().bullets == a.current().bullets == reopened(home).bullets
        b.rollback(2)
        assert a.current().bullets == b.at(2).bullets


@pytest.mark.parametrize("commits", [1, 50])
def test_a_commit_while_everything_is_read(home, monkeypatch, commits):
    with Home.open(home.path) as other:
        b = PlaybookLedger(other.db, None)
        b.commit(delta(add("rule 0")), author="run")
        original, left = rows.head, iter(range(commits))

        def head(db):
            found = original(db)
            if db is home.db and next(left, None) is not None:
                last = b.current().bullets[-1]
                b.commit(delta(add(f"{last.text}+"), {"op": "remove", "id": last.id}), author="run")
            return found

        monkeypatch.setattr(rows, "head", head)
        a = PlaybookLedger(home.db, None)
        for _ in range(3):
            seen = a.current()
            assert seen.bullets == b.at(seen.version).bullets
            assert a.at(1).bullets == b.at(1).bullets
        assert len(a.diff(0, 1)) == 1


def test_a_section_that_is_opened_while_everything_is_read(home, monkeypatch):
    with Home.open(home.path) as other:
        b = PlaybookLedger(other.db, None)
        b.commit(delta(add("rule")), author="run")
        original, names = home.db.read, iter(["one", "two", "three"])

        def read(sql, params=()):
            found = original(sql, params)
            name = next(names, None) if "FROM bullets" in sql else None
            if name:
                b.commit(delta(add(f"in {name}", f"part {name}")), author="run")
            return found

        monkeypatch.setattr(home.db, "read", read)
        assert PlaybookLedger(home.db, None).current().bullets == b.current().bullets
        assert b.current().version == 4


def test_catching_up_over_many_versions(home, monkeypatch):
    monkeypatch.setattr("agentfly.playbooks.view.REPLAYED", 3)
    with Home.open(home.path) as other:
        a, b = PlaybookLedger(home.db, None), PlaybookLedger(other.db, None)
        a.current()
        for n in range(8):
            b.commit(delta(add(f"rule {n}")), author="run")
            if n % 6 == 2:
                assert a.current().bullets == b.current().bullets
        assert a.current().bullets == b.current().bullets


def test_a_history_that_was_replaced_is_noticed(home, ledger):
    ledger.commit(delta(add("one")), author="run")
    ledger.commit(delta(add("two")), author="run")
    with home.db.write() as tx:  # as restoring an older copy of the database would
        tx.execute("DELETE FROM playbook_versions WHERE version = 2")
        tx.execute("DELETE FROM bullets WHERE version = 2")
    assert [bullet.text for bullet in ledger.current()] == ["one"]


def test_a_commit_that_fails_leaves_everything_as_it_was(home, ledger, monkeypatch):
    ledger.commit(delta(add("one")), author="run")
    before = home.playbook.read_bytes()

    def fail(tx, revision):
        tx.execute("INSERT INTO bullets (id, position, section, text) VALUES ('x', 1, 's', 't')")
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(rows, "write_revision", fail)
        with pytest.raises((HomeError, sqlite3.Error)):
            ledger.commit(delta(add("two")), author="run")
    assert [bullet.text for bullet in ledger.current()] == ["one"]
    assert [bullet.text for bullet in reopened(home)] == ["one"]
    assert home.playbook.read_bytes() == before
    assert ledger.commit(delta(add("two")), author="run").version == 2


def test_threads_share_a_ledger(ledger):
    from concurrent.futures import ThreadPoolExecutor

    def work(n):
        return ledger.commit(delta(add(f"rule {n}")), author="run").version

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(work, range(40)))
    assert sorted(versions) == list(range(1, 41))
    assert {bullet.text for bullet in ledger.current()} == {f"rule {n}" for n in range(40)}


ALIKE = ("Look at the header of the table first.", "Look at the header of a table first.")


class Counting(HashEmbedder):
    """Remembers what it was asked to embed."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def embed(self, texts):
        self.texts += texts
        return super().embed(texts)


def meaning(home, embedder=None, **more):
    return PlaybookLedger(home.db, home.playbook, embedder=embedder or HashEmbedder(), similar=0.8, **more)


def test_what_says_nearly_the_same_is_merged_and_says_so(home):
    ledger = meaning(home)
    ledger.commit(delta(add(ALIKE[0])), author="run", run="run-1")
    done = ledger.commit(delta(add(ALIKE[1], "tables"), add("Cite the file.")), author="run", run="run-2", strict=True)
    assert [bullet.text for bullet in done.playbook] == [ALIKE[0], "Cite the file."]
    assert done.playbook.bullets[0].runs == ("run-1", "run-2")
    (refusal,) = done.refusals
    assert str(refusal) == "operation 0 (add): nearly the same as str-00001, and merged into it"
    assert ledger.history()[0].evidence == {"merged": [str(refusal)]}
    assert ledger.history()[0].changes == done.changes
    assert reopened(home).bullets == done.playbook.bullets
    assert ledger.rollback(1).playbook.bullets[0].runs == ("run-1",)


def test_merging_within_one_delta_and_only_from_the_threshold_on(home):
    done = meaning(home).commit(delta(*map(add, ALIKE), add("Look elsewhere.")), author="run")
    assert [bullet.text for bullet in done.playbook] == [ALIKE[0], "Look elsewhere."]
    strict = PlaybookLedger(home.db, None, embedder=HashEmbedder(), similar=None)
    assert len(strict.commit(delta(add(ALIKE[1])), author="run").playbook) == 3


def test_a_persons_words_are_kept(home):
    ledger = meaning(home)
    ledger.commit(delta(add(ALIKE[0])), author="run")
    assert len(ledger.commit(delta(add(ALIKE[1])), author="human").playbook) == 2


def test_a_candidate_is_what_a_commit_would_make(home):
    ledger = meaning(home)
    ledger.commit(delta(add(ALIKE[0])), author="run", run="run-1")
    change = delta(add(ALIKE[1]), add("Cite the file."))
    candidate = ledger.candidate(change, run="run-2")
    assert ledger.current().version == 1
    assert ledger.commit(change, author="run", run="run-2").playbook.bullets == candidate.bullets


def test_each_text_is_embedded_once_for_all_processes_and_times(home):
    first, second = Counting(), Counting()
    ledger = meaning(home, first)
    ledger.commit(delta(add(ALIKE[0]), add("Cite the file.")), author="run")
    ledger.commit(delta(tag("str-00001")), author="run")
    assert first.texts == [ALIKE[0], "Cite the file."]
    assert home.db.read("SELECT COUNT(*) FROM bullets WHERE embedder = 'hash-384'")[0][0] == 2
    with Home.open(home.path) as other:
        merged = meaning(other, second).commit(delta(add(ALIKE[1])), author="run", run="run-2")
        assert merged.refusals
        assert second.texts == [ALIKE[1]]
    ledger.commit(delta({"op": "update", "id": "str-00002", "text": "Name the file."}), author="run")
    ledger.rollback(1)
    assert set(ledger.relevant("file")) == {"str-00001", "str-00002"}
    assert first.texts[2:] == ["Name the file.", "file"]


def test_both_processes_see_each_others_bullets(home):
    with Home.open(home.path) as other:
        a, b = meaning(home), meaning(other)
        a.current()
        b.commit(delta(add(ALIKE[0])), author="run", run="b")
        done = a.commit(delta(add(ALIKE[1]), add("Cite the file.")), author="run", run="a")
        assert [bullet.text for bullet in done.playbook] == [ALIKE[0], "Cite the file."]
        b.commit(delta(add("Cite each file.", "files"), {"op": "remove", "id": "str-00001"}), author="run")
        assert not a.commit(delta(add(ALIKE[1])), author="run").refusals, "what it was like is gone"


def test_a_large_import_is_compared_whole(home):
    words = ["alpha", "beta", "gamma", "delta", "omega", "sigma", "theta"]
    texts = [f"{a} {b} {c} is said of the table" for a in words for b in words for c in words][:300]
    doubled = [f"{text} here" for text in texts[100:110]]
    embedder = Counting()
    ledger = PlaybookLedger(home.db, None, embedder=embedder, similar=0.93)
    done = ledger.commit(delta(*map(add, [*texts, *doubled])), author="import")
    kept = {bullet.text for bullet in done.playbook}
    assert not kept.intersection(doubled)
    assert len(embedder.texts) == len(set(embedder.texts)) == 310
    assert ledger.commit(delta(add("Cite the file.")), author="run").accepted
    assert len(embedder.texts) == 311


def test_what_has_no_embedding_yet_gets_one_in_batches(home, monkeypatch):
    monkeypatch.setattr("agentfly.playbooks.neighbours.BATCH", 3)
    PlaybookLedger(home.db, None).commit(
        delta(*(add(f"rule {n} on {'abcdefgh'[n]}") for n in range(8))), author="import"
    )
    counting = Counting()
    ledger = meaning(home, counting)
    assert len(ledger.relevant("rule 1")) == 3
    ledger.commit(delta(add("Cite the file.")), author="run")
    assert len(counting.texts) == 1 + 3 + 3
    for _ in range(3):
        found = ledger.relevant("rule 1")
    assert set(found) == {bullet.id for bullet in ledger.current()}
    assert len(meaning(home, counting).relevant("rule 1")) == 9
    assert sorted(text for text in counting.texts if "on" in text) == [f"rule {n} on {'abcdefgh'[n]}" for n in range(8)]


def test_refining_on_demand_merges_all_there_are(home):
    plain = PlaybookLedger(home.db, None)
    plain.commit(delta(*map(add, ALIKE), add("Cite the file."), tag("str-00001")), author="import", run="run-1")
    plain.commit(delta(tag("str-00002"), tag("str-00001", "harmful")), author="run")
    with pytest.raises(InputError, match="embedder"):
        plain.refine()
    ledger = meaning(home)
    done = ledger.refine()
    assert [str(change) for change in done.changes] == [
        f"removed [str-00001]: {ALIKE[0]}",
        f"removed [str-00002]: {ALIKE[1]}",
        f"added [str-00004] to strategies: {ALIKE[1]}",
    ]
    assert (done.playbook.bullets[0].helpful, done.playbook.bullets[0].harmful) == (1, 1)
    assert ledger.history()[0].author == "refine"
    again = ledger.refine()
    assert (again.accepted, again.version) == (False, done.version)
    assert ledger.rollback(2).playbook.bullets == plain.at(2).bullets


def test_rules_that_differ_in_a_word_survive_a_refine(home):
    plain = PlaybookLedger(home.db, None)
    rule = "Use {} correlation for the two numeric columns of the table."
    texts = [rule.format("Pearson's"), rule.format("Spearman's"), rule.format("Pearson's").replace("the two", "two")]
    plain.commit(delta(*map(add, texts)), author="import")
    done = meaning(home).refine()
    assert sorted(bullet.text for bullet in done.playbook) == texts[:2]
    assert not meaning(home).refine().accepted
    crowded = PlaybookLedger(home.db, None, budget=done.playbook.tokens + 40, embedder=HashEmbedder(), similar=0.8)
    assert set(texts[:2]) < {b.text for b in crowded.commit(delta(add("Cite it.")), author="run").playbook}


def test_refining_takes_bullets_that_are_longer_than_the_limits(home):
    long = " ".join(f"word{chr(97 + n)}" for n in range(20))
    PlaybookLedger(home.db, None).commit(delta(add(long), add(long + " and so on")), author="import")
    assert len(meaning(home, rules=Rules(chars=50)).refine().playbook) == 1


def test_near_the_budget_near_duplicates_go_before_anything_is_retired(home):
    texts = [*ALIKE, "Cite the file of every number.", "Give the bare value and no unit."]
    PlaybookLedger(home.db, None).commit(delta(*map(add, texts)), author="import", run="run-1")
    budget = PlaybookLedger(home.db, None).current().tokens
    done = meaning(home, budget=budget).commit(delta(add("Read it all before an answer.")), author="run", run="run-2")
    assert not [change for change in done.changes if change.retired]
    assert sorted(bullet.text for bullet in done.playbook) == sorted(
        [*texts[1:], "Read it all before an answer."]
    ) or sorted(bullet.text for bullet in done.playbook) == sorted(
        [texts[0], *texts[2:], "Read it all before an answer."]
    )
    assert done.playbook.tokens <= budget
    assert done.version == 2
    assert PlaybookLedger(home.db, None).history()[0].evidence["refined"] == ["str-00001 + str-00002"]
    assert PlaybookLedger(home.db, None).rollback(1).playbook.bullets == PlaybookLedger(home.db, None).at(1).bullets


def test_without_the_embedders_model_the_delta_is_kept_all_the_same(home):
    class Missing(HashEmbedder):
        def embed(self, texts):
            raise UserError("the embedding model is not installed")

    done = meaning(home, Missing()).commit(delta(add("one")), author="run")
    assert done.accepted
    assert "not installed" in done.notice


def test_a_commit_that_fails_leaves_the_index_right(home, monkeypatch):
    ledger = meaning(home)
    with monkeypatch.context() as patched:
        patched.setattr(rows, "write_revision", lambda tx, revision: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ledger.commit(delta(add(ALIKE[0])), author="run")
    done = ledger.commit(delta(add(ALIKE[1])), author="run")
    assert [bullet.text for bullet in done.playbook] == [ALIKE[1]]
    assert not done.refusals
    assert home.db.read("SELECT COUNT(*) FROM bullets WHERE embedding IS NOT NULL")[0][0] == 1


def test_threads_share_the_meaning_too(home):
    from concurrent.futures import ThreadPoolExecutor

    ledger = meaning(home)

    def work(n):
        ledger.relevant(f"table {n}")
        return ledger.commit(delta(add(f"Look at the header of table {n % 5}.")), author="run", run=f"run-{n}").version

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(20)))
    book = ledger.current()
    assert sorted(bullet.text[-2] for bullet in book) == list("01234")
    assert sorted(run for bullet in book for run in bullet.runs) == sorted(f"run-{n}" for n in range(20))
