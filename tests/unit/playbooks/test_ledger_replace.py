"""A ledger that is made equal to a given playbook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentfly.errors import InputError
from agentfly.playbooks import Delta, Playbook, PlaybookLedger
from agentfly.playbooks.exchange import export_json, import_json
from agentfly.playbooks.playbook import content
from agentfly.playbooks.text import fold
from agentfly.store.home import Home
from agentfly.testing import HashEmbedder
from agentfly.types import Bullet

CHECK = "len(answer) < 10"


def bullet(number: int, text: str, section: str = "strategies", **more: Any) -> Bullet:
    return Bullet(id=f"{section[:3]}-{number:05d}", section=section, text=text, **more)


def delta(*operations: dict[str, Any]) -> Delta:
    return Delta.model_validate({"operations": list(operations)})


def add(text: str, section: str = "strategies") -> dict[str, Any]:
    return {"op": "add", "section": section, "text": text}


def give(ledger: PlaybookLedger, *bullets: Bullet, **more: Any) -> Any:
    return ledger.replace(Playbook.of(bullets), author="import", reason="given", **more)


def reopened(home: Home) -> Playbook:
    return PlaybookLedger(home.db, home.playbook).current()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Home.open(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def ledger(home: Home) -> PlaybookLedger:
    return PlaybookLedger(home.db, home.playbook)


@pytest.fixture
def grown(ledger: PlaybookLedger) -> PlaybookLedger:
    """Version 2 of one, two, three and a formula."""
    ledger.commit(delta(add("one"), add("two"), add("a / b", "formulas"), add("three")), author="run", run="r1")
    ledger.commit(delta({"op": "tag", "id": "str-00001", "tag": "helpful"}), author="run")
    return ledger


def test_in_a_fresh_home_it_is_the_same_bit_for_bit(home: Home, ledger: PlaybookLedger) -> None:
    bullets = (
        bullet(7, "seven", helpful=3, harmful=1, shown=9, runs=("r",), cases=("c",), version=4),
        bullet(2, "- two", kind="example"),
        bullet(3, "a / b", "formulas"),
        bullet(5, CHECK, "checks", kind="check"),
    )
    done = give(ledger, *bullets)
    assert (done.version, done.accepted, done.refusals, done.notice) == (1, True, (), "")
    assert done.playbook.bullets == reopened(home).bullets == bullets
    assert ledger.commit(delta(add("new")), author="run").changes[0].id == "str-00008"
    (last, first) = ledger.history()
    assert (first.author, first.reason, first.version, last.version) == ("import", "given", 1, 2)


def test_what_is_equal_makes_no_version(grown: PlaybookLedger) -> None:
    done = grown.replace(grown.current(), author="human", reason="again")
    assert (done.accepted, done.version, done.changes) == (False, 2, ())


def test_counts_texts_and_order_become_those_given(home: Home, grown: PlaybookLedger) -> None:
    before = grown.current()
    one, two, three, formula = before.bullets
    wanted = [three, replace(one, helpful=0, harmful=4), bullet(9, "nine"), replace(two, text="2"), formula]
    done = give(grown, *wanted)
    assert done.playbook.bullets == reopened(home).bullets == tuple(wanted)
    assert grown.at(2).bullets == before.bullets
    assert grown.at(2).with_changes(grown.diff(2, 3), 3).bullets == tuple(wanted)
    assert grown.at(3).with_changes(grown.diff(3, 2), 2).bullets == before.bullets
    assert grown.rollback(2).playbook.bullets == reopened(home).bullets == before.bullets
    assert grown.rollback(3).playbook.bullets == reopened(home).bullets == tuple(wanted)


def test_another_process_follows(home: Home, grown: PlaybookLedger) -> None:
    with Home.open(home.path) as place:
        other = PlaybookLedger(place.db, None)
        other.current()
        one, two, three, formula = grown.current().bullets
        give(grown, three, two, formula, one)
        assert other.current().bullets == grown.current().bullets == reopened(home).bullets


def test_an_id_that_meant_another_bullet_goes_on_meaning_that_one(home: Home, grown: PlaybookLedger) -> None:
    grown.commit(delta({"op": "remove", "id": "str-00002"}), author="run")
    done = give(
        grown,
        bullet(2, "something else", helpful=5),
        Bullet(id="for-00003", section="strategies", text="not a formula"),
        bullet(4, "now an example", kind="example"),
        bullet(1, "one, edited"),
    )
    assert [(b.id, b.text, b.helpful) for b in done.playbook] == [
        ("str-00005", "something else", 5),
        ("str-00006", "not a formula", 0),
        ("str-00007", "now an example", 0),
        ("str-00001", "one, edited", 0),
    ]
    renamed = {"str-00002": "str-00005", "for-00003": "str-00006", "str-00004": "str-00007"}
    assert grown.history()[0].evidence["renamed"] == renamed
    assert "str-00002 is str-00005, for-00003 is str-00006, str-00004 is str-00007" in done.notice
    assert reopened(home).bullets == done.playbook.bullets


def test_what_was_renamed_once_is_known_again(grown: PlaybookLedger) -> None:
    wanted = [bullet(2, "elsewhere", "formulas"), Bullet(id="str-00001", section="formulas", text="there")]
    first = give(grown, *wanted)
    again = give(grown, *wanted)
    assert (again.accepted, again.playbook) == (False, first.playbook)


def test_an_id_of_old_comes_back_with_what_it_ever_said(home: Home, grown: PlaybookLedger) -> None:
    grown.commit(delta({"op": "update", "id": "str-00002", "text": "2"}), author="run")
    grown.shown(["str-00002", "str-00001"])
    grown.commit(delta({"op": "remove", "id": "str-00002"}), author="run")
    done = give(grown, bullet(2, "Two."), bullet(1, "one"))
    assert [(b.id, b.text, b.shown) for b in done.playbook] == [("str-00002", "Two.", 1), ("str-00001", "one", 1)]
    assert [b.shown for b in reopened(home)] == [1, 1]
    assert not done.notice


def test_what_says_the_same_twice_is_there_once(grown: PlaybookLedger) -> None:
    done = give(grown, bullet(1, "one"), bullet(8, "One!"))
    assert [b.id for b in done.playbook] == ["str-00001"]
    assert [str(r) for r in done.refusals] == ["operation 1 (replace): str-00008 says the same as str-00001"]


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("", "strategy", "str-00009: the text is empty"),
        ("## x", "strategy", "heading"),
        ("a\u200bb", "strategy", "not in the form"),
        ("a\nb", "strategy", "not in the form"),
        ("a\x1b[2J", "strategy", "U\\+001B"),
        ("x" * 501, "strategy", "501"),
        ("a\ud800", "strategy", "not in the form"),
        ("import os", "check", "str-00009"),
    ],
)
def test_what_cannot_be_stored_is_refused_whole(
    home: Home, grown: PlaybookLedger, text: str, kind: Any, said: str
) -> None:
    file = home.playbook.read_bytes()
    with pytest.raises(InputError, match=said):
        give(grown, bullet(1, "ONE"), bullet(9, text, kind=kind))
    assert (grown.current().version, len(grown.history()), home.playbook.read_bytes()) == (2, 2, file)


def test_a_bullet_that_is_older_than_the_limits_may_stay(home: Home, grown: PlaybookLedger) -> None:
    from agentfly.playbooks import Rules

    strict = PlaybookLedger(home.db, None, rules=Rules(chars=4))
    one, _, three, formula = grown.current().bullets
    assert len(strict.replace(Playbook.of([three, one, formula]), author="human", reason="").playbook) == 3


def test_an_expected_version_that_is_gone(grown: PlaybookLedger) -> None:
    with pytest.raises(InputError, match="at version 2, not 1"):
        give(grown, bullet(1, "ONE"), expected_version=1)
    assert give(grown, bullet(1, "ONE"), expected_version=2).version == 3


def test_the_budget_holds(home: Home, grown: PlaybookLedger) -> None:
    tight = PlaybookLedger(home.db, home.playbook, budget=60)
    before = tight.current()
    done = give(tight, *(bullet(n, f"rule {n}", helpful=n) for n in range(11, 40)))
    assert done.playbook.tokens <= 60
    assert done.playbook.bullets[-1].id == "str-00039"
    assert reopened(home).bullets == done.playbook.bullets
    assert [change.retired for change in done.changes][-1]
    assert tight.rollback(2).playbook.bullets == before.bullets


def test_meaning_follows(home: Home) -> None:
    ledger = PlaybookLedger(home.db, None, embedder=HashEmbedder(), similar=0.8)
    ledger.commit(delta(add("Look at the header first."), add("Cite the file.")), author="run")
    header, cite = ledger.current().bullets
    give(ledger, cite, header, bullet(9, "Look at the header at first."))
    assert set(ledger.relevant("the header")) == {"str-00001", "str-00002", "str-00009"}
    assert len(ledger.refine().playbook) == 2


SLUGS = {"strategies": "str", "formulas": "for", "策略 x": "sec"}
SAID = st.sampled_from(
    [
        *(("strategy", text) for text in ("a", "b", "c", "- e")),
        *(("example", text) for text in ("d", "f\n g", "def h():\n    pass")),
        *(("check", text) for text in (CHECK, "len(answer) < 9", "a = answer\n'#' not in a")),
    ]
)
BULLET = st.builds(
    lambda number, section, said, helpful: Bullet(
        id=f"{SLUGS[section]}-{number:05d}", section=section, kind=said[0], text=said[1], helpful=helpful
    ),
    st.integers(1, 9),
    st.sampled_from(sorted(SLUGS)),
    SAID,
    st.integers(0, 3),
)


def book(bullets: list[Bullet]) -> Playbook:
    """Each id and each text once."""
    ids = {one.id: one for one in reversed(bullets)}
    said = {fold(one.text): one for one in ids.values()}
    return Playbook.of(said.values())


BOOK = st.lists(BULLET, max_size=8).map(book)
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(BOOK)
@settings(quick, max_examples=30)
def test_export_and_replace_round_trip_bit_for_bit(tmp_path_factory: Any, given_book: Playbook) -> None:
    with Home.open(tmp_path_factory.mktemp("home") / "h") as home:
        ledger = PlaybookLedger(home.db, None)
        text = export_json(given_book)
        ledger.replace(import_json(text), author="import", reason="")
        assert ledger.current().bullets == reopened(home).bullets == given_book.bullets
        assert export_json(reopened(home)).split("\n")[1:] == text.split("\n")[1:]


@given(st.lists(BOOK, min_size=2, max_size=5), st.data())
@settings(quick, max_examples=40)
def test_over_any_history(tmp_path_factory: Any, books: list[Playbook], data: st.DataObject) -> None:
    """Each version is as given but for ids that are taken, and every version before can be had again, bit for bit."""
    with Home.open(tmp_path_factory.mktemp("home") / "h") as home:
        ledger = PlaybookLedger(home.db, None)
        versions, meant = {0: ledger.current()}, dict[str, set[tuple[str, str]]]()
        for wanted in books:
            done = ledger.replace(wanted, author="import", reason="")
            versions[done.version] = done.playbook
            renamed = ledger.history()[0].evidence.get("renamed", {})
            for section in done.playbook.sections:
                now = [b for b in done.playbook if b.section == section]
                asked = [replace(b, id=renamed.get(b.id, b.id)) for b in wanted if b.section == section]
                assert list(map(content, now)) == list(map(content, asked))
            assert len(done.playbook) == len(wanted)
            for one in done.playbook:
                meant.setdefault(one.id, set()).add((one.section, one.kind))
            if data.draw(st.booleans()):
                back = data.draw(st.sampled_from(sorted(versions)))
                done = ledger.rollback(back)
                assert list(map(content, done.playbook)) == list(map(content, versions[back]))
                versions[done.version] = done.playbook
        assert all(len(places) == 1 for places in meant.values()), "an id never moves to another section or kind"
        assert list(map(content, reopened(home))) == list(map(content, ledger.current()))
        for version, playbook in versions.items():
            assert list(map(content, ledger.at(version))) == list(map(content, playbook))
