"""The index of bullet embeddings: it follows a playbook, finds what is near and what says the same twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentfly.playbooks import Delta, Playbook
from agentfly.playbooks.refine import parallel
from agentfly.playbooks.similar import BulletIndex
from agentfly.testing import HashEmbedder
from agentfly.types import Bullet

EMBEDDER = HashEmbedder()


def grow(playbook, *operations):
    return playbook.apply(Delta.model_validate({"operations": list(operations)}), strict=True)


def add(text, section="strategies", **more):
    return {"op": "add", "section": section, "text": text, **more}


def embed(text):
    return EMBEDDER.embed([text])[0]


def followed(playbook, index=None):
    index = BulletIndex(EMBEDDER.dimensions) if index is None else index
    new = index.follow(playbook)
    index.take({bullet.id: embed(bullet.text) for bullet in new})
    return index


@pytest.fixture
def playbook():
    texts = (
        "Look at the header of the table.",
        "Round at the end.",
        "Look at the header of a table.",
        "Cite the file.",
    )
    return grow(Playbook(), *map(add, texts))


def test_only_what_is_new_waits_for_an_embedding(playbook):
    index = followed(playbook)
    assert len(index) == 4
    assert index.follow(playbook) == []
    changed = grow(
        playbook,
        add("Brand new."),
        {"op": "update", "id": "str-00002", "text": "Round late."},
        {"op": "tag", "id": "str-00001", "tag": "helpful"},
        {"op": "remove", "id": "str-00004"},
    )
    assert [bullet.id for bullet in index.follow(changed)] == ["str-00002", "str-00005"]
    assert set(index.waiting) == {"str-00002", "str-00005"}
    assert set(index.similarities(embed("Round"))) == {"str-00001", "str-00003"}
    back = index.follow(playbook)
    assert {bullet.id for bullet in back} == {"str-00002", "str-00004"}, "the way back is a change like any other"


def test_checks_are_programs_and_not_compared(playbook):
    index = followed(
        grow(playbook, add("len(answer) < 9", "checks", kind="check"), add("len(answer) < 99", "checks", kind="check"))
    )
    assert len(index) == 4
    assert not index.waiting


def test_similarities_are_cosines(playbook):
    found = followed(playbook).similarities(embed("Round at the end."))
    assert found["str-00002"] == pytest.approx(1.0, abs=1e-5)
    expected = float(embed("Round at the end.") @ embed("Cite the file."))
    assert found["str-00004"] == pytest.approx(expected, abs=1e-5)


def test_nearest_first_of_one_kind_above_the_threshold(playbook):
    index = followed(grow(playbook, add("Look at the header of the table: df.head()", kind="example")))
    text = "Look at the header of the table"
    assert index.near(embed(text), text, "strategy", 0.75) == ["str-00001", "str-00003"]
    assert index.near(embed(text), text, "example", 0.7) == ["str-00005"]
    assert index.near(embed(text), text, "strategy", 0.999) == ["str-00001"]
    assert index.near(embed(text), text, "check", 0.1) == []
    assert index.near(embed(text), text + " twice, in 2 steps", "strategy", 0.1) == [], "numbers tell them apart"


def test_vectors_without_a_direction_are_near_nothing(playbook):
    index = BulletIndex(3)
    new = index.follow(playbook)
    bad = [np.zeros(3), np.array([np.nan, 0, 0]), np.array([np.inf, 1, 0]), np.array([0.0, 2.0, 0.0])]
    known = index.take({bullet.id: vector.astype(np.float32) for bullet, vector in zip(new, bad, strict=True)})
    assert [bullet.id for bullet in known] == ["str-00004"]
    assert not index.waiting
    assert index.similarities(np.array([0, 1, 0], dtype=np.float32)) == {"str-00004": 1.0}


def book_of(texts, **more):
    return Playbook.of([Bullet(id=f"str-{n:05d}", section="s", text=text, **more) for n, text in enumerate(texts, 1)])


def test_the_most_useful_leads_a_cluster(playbook):
    tagged = grow(playbook, {"op": "tag", "id": "str-00003", "tag": "helpful"})
    assert followed(tagged).clusters(0.75) == [["str-00003", "str-00001"]]
    index = followed(playbook)
    assert index.clusters(0.75) == [["str-00001", "str-00003"]]
    assert index.clusters(0.75) == [], "compared already"
    assert index.clusters(0.75, anew=True) == [["str-00001", "str-00003"]]


def test_a_few_are_compared_at_a_time(playbook):
    index = followed(playbook)
    found = [index.clusters(0.75, 1) for _ in range(4)]
    assert sorted(map(len, found)) == [0, 0, 1, 1], "str-00001 and str-00003 find each other, each in its turn"
    assert index.clusters(0.75, 1) == []


def vectors(rows):
    array = np.asarray(rows, dtype=np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


@given(
    st.lists(st.tuples(st.integers(0, 359), st.integers(0, 3), st.sampled_from(["", " 2", " not"])), max_size=24),
    st.sampled_from([0.9, 0.99, 0.999]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=120)
def test_clusters_are_stars_that_leave_nothing_to_merge(drawn, threshold, random):
    """Directions in a plane, so that the truth is plain: compared by brute force."""
    bullets = [
        Bullet(id=f"str-{n:05d}", section="s", text=f"{'word ' * n}{mark}", helpful=helpful)
        for n, (_, helpful, mark) in enumerate(drawn, 1)
    ]
    at = dict(
        zip(
            (b.id for b in bullets),
            vectors([(np.cos(a / 57.3), np.sin(a / 57.3)) for a, _, _ in drawn] or [(1, 0)]),
            strict=False,
        )
    )
    mark = {bullet.id: bullet.text.replace("word ", "") for bullet in bullets}
    index = BulletIndex(2)
    new = index.follow(Playbook.of(bullets))
    random.shuffle(new)
    index.take({bullet.id: at[bullet.id] for bullet in new})
    found = index.clusters(threshold)

    def near(a, b):
        return mark[a] == mark[b] and round(float(at[a] @ at[b]), 5) >= threshold

    members = [name for star in found for name in star]
    assert len(set(members)) == len(members)
    for lead, *rest in found:
        assert rest
        assert all(near(lead, other) for other in rest)
    left = [bullet.id for bullet in bullets if bullet.id not in {name for star in found for name in star[1:]}]
    assert not [(a, b) for a in left for b in left if a < b and near(a, b)]


RULE = st.builds(
    lambda test, table, tail: f"Use {test} for the {table} table{tail}.",
    st.sampled_from(["Pearson's r", "Spearman's rho", "Kendall's tau"]),
    st.sampled_from(["long", "wide"]),
    st.sampled_from(["", " at hand", " you are given"]),
)


@given(st.lists(RULE, unique=True, max_size=18), st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_rules_that_differ_in_a_word_are_never_in_one_cluster(texts, random):
    index = BulletIndex(2)
    new = index.follow(book_of(texts))
    random.shuffle(new)
    index.take({bullet.id: np.asarray([1.0, 0.0]) for bullet in new})
    said = {bullet.id: bullet.text for bullet in new}
    found = index.clusters(0.9)
    for star in found:
        assert not [(a, b) for a in star for b in star if parallel(said[a], said[b])]
    left = [i for i in said if i not in {name for star in found for name in star}]
    for one in left:
        assert all(any(parallel(said[one], said[other]) for other in star) for star in found)


@given(st.lists(st.lists(st.integers(0, 30), max_size=6), max_size=8))
@settings(max_examples=80)
def test_following_step_by_step_equals_starting_there(steps):
    playbook, index = Playbook(), BulletIndex(EMBEDDER.dimensions)
    for n, numbers in enumerate(steps):
        operations = [
            add(f"text {number} of step {n}")
            if number % 3
            else {"op": "remove", "id": f"str-{number:05d}"}
            if number % 2
            else {"op": "update", "id": f"str-{number:05d}", "text": f"other {number} {n}"}
            for number in numbers
        ]
        playbook = playbook.apply(Delta.model_validate({"operations": operations}))
        followed(playbook, index)
    fresh, query = followed(playbook), embed("text of a step")
    assert index.similarities(query) == pytest.approx(fresh.similarities(query), abs=1e-6)
    assert set(index.similarities(query)) == {bullet.id for bullet in playbook}
