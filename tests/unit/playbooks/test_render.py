"""The playbook as text for models and people."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.playbooks import Delta, Playbook
from agentfly.playbooks.publish import is_current, sweep
from agentfly.playbooks.render import chosen, to_markdown
from agentfly.playbooks.tokens import estimate_tokens
from agentfly.replacing import replace_file
from agentfly.types import Bullet


def grow(playbook, *operations):
    return playbook.apply(Delta.model_validate({"operations": list(operations)}), strict=True)


def add(text, section="strategies", **more):
    return {"op": "add", "section": section, "text": text, **more}


@pytest.fixture
def playbook():
    return grow(Playbook(), add("Round at the end."), add("Bare value only.", "formats"), add("Read it first."))


def test_whole(playbook):
    assert playbook.render() == (
        "## strategies\n[str-00001] Round at the end.\n[str-00003] Read it first.\n\n"
        "## formats\n[for-00002] Bare value only."
    )
    assert playbook.render(budget=playbook.tokens) == playbook.render()


def test_without_ids(playbook):
    assert playbook.render(ids=False).splitlines()[1] == "- Round at the end."


def test_empty():
    assert Playbook().render() == ""
    assert Playbook().render(budget=0) == ""


def test_the_most_useful_come_first_in_their_usual_order_with_an_outline():
    book = grow(Playbook(), *(add(f"A rule of some length, number {n}.", f"part {'ab'[n % 2]}") for n in range(40)))
    ids = {b.text.split()[-1]: b.id for b in book}
    book = grow(book, *({"op": "tag", "id": ids[f"{n}."], "tag": "helpful"} for n in (3, 30)))
    book = grow(book, *({"op": "tag", "id": ids[f"{n}."], "tag": "harmful"} for n in (38, 39)))
    text = book.render(budget=120)
    assert estimate_tokens(text) <= 120
    assert "number 3." in text
    assert "number 30." in text
    assert "number 39." not in text
    assert text.index("## part a") < text.index("number 30.") < text.index("## part b") < text.index("number 3.")
    left = 40 - text.count("A rule")
    assert text.splitlines()[-1].startswith(f"({left} more not shown: part ")
    assert [b.id for b in chosen(book, 120)] == [
        line[1:11].rstrip("]") for line in text.splitlines() if line[:1] == "["
    ]


@pytest.fixture
def forty():
    return grow(Playbook(), *(add(f"A rule of some length, number {n}.", f"part {'ab'[n % 2]}") for n in range(40)))


def numbers(bullets):
    return sorted(int(bullet.text.split()[-1].rstrip(".")) for bullet in bullets)


def test_what_bears_on_the_task_is_shown_in_the_usual_order(forty):
    at = {int(bullet.text.split()[-1][:-1]): bullet.id for bullet in forty}
    similarities = {at[n]: 0.9 for n in (5, 11, 12)} | {at[n]: 0.1 for n in range(20, 40)}
    shown = chosen(forty, 70, similarities)
    assert {5, 11, 12} <= set(numbers(shown))
    assert [bullet.id for bullet in shown] == [bullet.id for bullet in forty if bullet in shown]
    text = forty.render(70, similarities=similarities)
    assert estimate_tokens(text) <= 70
    assert [line[1 : line.index("]")] for line in text.splitlines() if line[:1] == "["] == [b.id for b in shown]
    assert text.splitlines()[-1] == f"({40 - len(shown)} more not shown: part a 18, part b 18)"


def test_usefulness_counts_beside_relevance(forty):
    at = {int(bullet.text.split()[-1][:-1]): bullet.id for bullet in forty}
    tags = [{"op": "tag", "id": at[7], "tag": "helpful"}] * 8 + [{"op": "tag", "id": at[9], "tag": "harmful"}] * 8
    book = grow(forty, *tags)
    similarities = dict.fromkeys(at.values(), 0.3) | {at[9]: 0.45, at[3]: 0.35}
    assert numbers(chosen(book, 45, similarities)) == [3, 7]
    assert 9 in numbers(chosen(book, 45, similarities | {at[9]: 0.95}))


def test_ties_go_to_the_earlier(forty):
    shown = chosen(forty, 70, dict.fromkeys((bullet.id for bullet in forty), 0.5))
    assert [bullet.id for bullet in shown] == [bullet.id for bullet in forty.bullets[: len(shown)]]


def test_those_on_trial_are_shown_before_all_others(forty):
    last = forty.bullets[-1].id
    similarities = {bullet.id: 0.9 for bullet in forty.bullets[:20]} | {last: -0.5}
    assert last not in {bullet.id for bullet in chosen(forty, 70, similarities)}
    assert last in {bullet.id for bullet in chosen(forty, 70, similarities, [last, "gone-00001"])}
    assert last in {bullet.id for bullet in chosen(forty, 70, None, [last])}


def test_being_shown_for_nothing_counts_against_a_bullet():
    bullets = [
        Bullet(id=f"str-{n:05d}", section="s", text=f"A rule, number {n}.", shown=shown, helpful=helpful)
        for n, (shown, helpful) in enumerate([(100, 0), (0, 0), (100, 20), (30, 0)], 1)
    ]
    book = Playbook.of(bullets)
    assert [bullet.id for bullet in book.ranked()] == ["str-00001", "str-00004", "str-00002", "str-00003"]
    _, retired = book.enforce_budget(book.tokens - 1)
    assert [bullet.id for bullet in retired] == ["str-00001"]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40),
    st.dictionaries(st.integers(1, 40), st.floats(-1, 1), max_size=40),
    st.integers(0, 300),
    st.lists(st.integers(1, 40), max_size=2),
)
@settings(max_examples=150)
def test_what_is_chosen_is_what_is_rendered_and_fits(drawn, cosines, budget, on_trial):
    bullets = [
        Bullet(
            id=f"str-{n:05d}",
            section=f"part {'abcd'[part]}",
            text=f"{'word ' * (n % 7)}rule {n}",
            helpful=helpful,
            harmful=harmful,
            kind=("strategy", "strategy", "example", "check")[n % 4],
        )
        for n, (helpful, harmful, part) in enumerate(drawn, 1)
    ]
    book = Playbook.of(bullets)
    similarities = {f"str-{n:05d}": cosine for n, cosine in cosines.items()}
    first = [f"str-{n:05d}" for n in on_trial]
    text = book.render(budget, similarities=similarities, first=first)
    assert estimate_tokens(text) <= budget
    shown = chosen(book, budget, similarities, first)
    assert [line[1:10] for line in text.splitlines() if line[:1] == "["] == [bullet.id for bullet in shown]
    assert shown == chosen(book, budget, dict(reversed(similarities.items())), first)
    if book.tokens <= budget:
        assert text == book.render()


def test_a_budget_too_small_for_anything(playbook):
    assert playbook.render(budget=3) == ""
    assert chosen(playbook, 3) == ()


def test_checks_are_not_rendered_for_models_but_for_people(playbook):
    book = grow(playbook, add("rounded_as_asked(question, answer)", "checks", kind="check"))
    assert book.render() == playbook.render()
    assert "check: rounded_as_asked(question, answer)" in to_markdown(book)


def test_lines_of_examples_are_indented(playbook):
    book = grow(playbook, add("Sum:\nprint(sum(xs))", kind="example"))
    assert "[str-00004] Sum:\n    print(sum(xs))" in book.render()


def test_markdown_for_people(playbook):
    book = grow(playbook, {"op": "tag", "id": "str-00001", "tag": "helpful"}, add("a < b & c <!-- d -->"))
    text = to_markdown(book)
    assert "Version 2: 4 bullets in 2 sections." in text
    assert "- `str-00001` (+1 -0) Round at the end.\n" in text
    assert "a &lt; b &amp; c &lt;!-- d -->" in text
    assert text.endswith("\n")


def test_markdown_is_the_same_whatever_was_rendered_before(playbook):
    to_markdown(playbook)
    grown = grow(playbook, add("One more."))
    fresh = Playbook.of(grown.bullets, grown.version)
    assert to_markdown(grown) == to_markdown(fresh)


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "playbook.md"
    replace_file(path, "one")
    replace_file(path, "zwei ü")
    assert path.read_text(encoding="utf-8") == "zwei ü"
    assert is_current(path, "zwei ü")
    assert not is_current(path, "one")
    assert not is_current(tmp_path / "none", "")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    path = tmp_path / "playbook.md"
    path.mkdir()
    with pytest.raises(OSError):
        replace_file(path, "text")
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_killed_processes_are_swept(tmp_path):
    path = tmp_path / "playbook.md"
    leftover = tmp_path / ".playbook.md.abc.tmp"
    leftover.write_text("half")
    sweep(path)
    assert leftover.exists()
    sweep(path, older_than=-1)
    assert not leftover.exists()
