"""The playbook as text for models and people."""

import pytest

from agentfly.playbooks import Delta, Playbook
from agentfly.playbooks.publish import is_current, sweep, write_atomically
from agentfly.playbooks.render import chosen, to_markdown
from agentfly.playbooks.tokens import estimate_tokens


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


def test_a_budget_too_small_for_anything(playbook):
    assert playbook.render(budget=3) == ""
    assert chosen(playbook, 3) == ()


def test_checks_are_not_rendered_for_models_but_for_people(playbook):
    book = grow(playbook, add("Answer is rounded as asked.", "checks", kind="check"))
    assert book.render() == playbook.render()
    assert "check: Answer is rounded as asked." in to_markdown(book)


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
    write_atomically(path, "one")
    write_atomically(path, "zwei ü")
    assert path.read_text(encoding="utf-8") == "zwei ü"
    assert is_current(path, "zwei ü")
    assert not is_current(path, "one")
    assert not is_current(tmp_path / "none", "")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    path = tmp_path / "playbook.md"
    path.mkdir()
    with pytest.raises(OSError):
        write_atomically(path, "text")
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_killed_processes_are_swept(tmp_path):
    path = tmp_path / "playbook.md"
    leftover = tmp_path / ".playbook.md.abc.tmp"
    leftover.write_text("half")
    sweep(path)
    assert leftover.exists()
    sweep(path, older_than=-1)
    assert not leftover.exists()
