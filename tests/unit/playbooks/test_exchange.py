"""Playbooks as files, and the starters."""

import json

import pytest

from agentfly.errors import InputError
from agentfly.playbooks import Delta, Playbook
from agentfly.playbooks.exchange import as_delta, export_json, import_json
from agentfly.playbooks.starter import load_starter, parse_markdown, starter_names
from agentfly.types import Bullet

BULLETS = [
    Bullet(id="str-00001", section="strategies", text="Round at the end.", helpful=3, harmful=1, shown=9, runs=("r",)),
    Bullet(id="str-00004", section="strategies", text="def f():\n    pass", kind="example", cases=("c",), version=2),
    Bullet(id="for-00002", section="Formülas", text="数"),
]


def test_round_trip():
    playbook = Playbook.of(BULLETS, version=7)
    text = export_json(playbook)
    again = import_json(text)
    assert again.bullets == playbook.bullets == tuple(BULLETS)
    assert again.version == 7
    assert export_json(again) == text
    assert import_json(export_json(Playbook())) == Playbook()


def test_one_bullet_a_line_so_that_files_can_be_compared():
    lines = export_json(Playbook.of(BULLETS)).splitlines()
    assert sum("str-00001" in line for line in lines) == 1
    assert "helpful" not in next(line for line in lines if "for-00002" in line)
    assert json.loads("\n".join(lines))["format"] == "agentfly-playbook"


def _edited(**changes):
    data = json.loads(export_json(Playbook.of(BULLETS)))
    data["bullets"][1].update(changes)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file"),
        ("[]", "the file"),
        ("not json", "JSON"),
        ("{}", "format"),
        ('{"format": "other", "format_version": 1, "bullets": []}', "format"),
        ('{"format": "agentfly-playbook", "format_version": 2, "bullets": []}', "format_version"),
        (export_json(Playbook.of(BULLETS))[:200], "JSON"),
        (_edited(id="str-00001"), "bullet 2: the id str-00001 is used twice"),
        (_edited(id="1"), "bullet 2: '1' is not an id"),
        (_edited(text=""), "bullet 2"),
        (_edited(text="a\u202eb"), "U\\+202E"),
        (_edited(text="x" * 3000), "3000"),
        (_edited(section="## x"), "bullet 2"),
        (_edited(helpful=-1), "bullet 2: helpful"),
        (_edited(surprise=1), "surprise"),
        ("x" * 5_000_001, "5000000"),
    ],
)
def test_nonsense_is_refused_with_place_and_reason(text, problem):
    with pytest.raises(InputError, match=problem) as caught:
        import_json(text)
    assert "\n" not in str(caught.value)


def test_as_a_delta_for_another_playbook():
    playbook = Playbook.of(BULLETS)
    after = Playbook().apply(as_delta(playbook), strict=True)
    assert [(b.section, b.text, b.kind, b.cases) for b in after] == [
        (b.section, b.text, b.kind, b.cases) for b in playbook
    ]
    assert after.apply(as_delta(playbook)) == after


def test_starters_fit_a_default_budget():
    assert set(starter_names()) >= {"general", "data-analysis"}
    for name in starter_names():
        playbook = Playbook().apply(load_starter(name), strict=True)
        assert 5 <= len(playbook) <= 20
        assert playbook.tokens <= 600


def test_an_unknown_starter():
    with pytest.raises(InputError, match="known: coding, data-analysis, finance, general, web-research"):
        load_starter("cooking")


def test_markdown_lists():
    found = parse_markdown("# T\nprose\n\n## one\n\n- first\n  goes on\n- second\n## two\n- third\n")
    assert [(a.section, a.text) for a in found] == [("one", "first goes on"), ("one", "second"), ("two", "third")]
    assert Delta(operations=tuple(parse_markdown(""))).operations == ()
