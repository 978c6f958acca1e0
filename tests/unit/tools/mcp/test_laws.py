"""Laws of the pure parts: names, texts, hashes, schemas, and the file of pins."""

from __future__ import annotations

import json
import multiprocessing
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import HomeError, InputError
from agentfly.tools.mcp.definitions import Definition, changes
from agentfly.tools.mcp.naming import prefixes, tool_names
from agentfly.tools.mcp.pins import Pins
from agentfly.tools.mcp.schemas import usable
from agentfly.tools.mcp.text import clean
from agentfly.tools.toolbox import identifier

NAMES = st.lists(st.text(st.sampled_from("aA_-.é0 "), min_size=1, max_size=40), unique=True, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(max_size=4), JSON, max_size=4)


@given(NAMES, NAMES)
def test_names_are_clean_unique_and_never_those_of_others(servers: list[str], tools: list[str]) -> None:
    offered = [name for prefix in prefixes(servers).values() for name in tool_names(prefix, tools).values()]
    assert len(offered) == len(servers) * len(tools)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,63}", name) for name in offered)
    assert all("__" in name and not name.startswith("_") for name in offered), "no built-in tool is named so"
    assert len({identifier(name)[:64].lower() for name in offered}) == len(offered), "as code writes them"


def test_names_stay_as_they_are_where_they_can() -> None:
    assert prefixes(["time", "my server", "my-server", "__x__"])["my server"] == "my_server"
    assert tool_names("time", ["get_now", "a.b", "a/b"])["get_now"] == "time__get_now"


@given(st.text(max_size=300))
def test_a_clean_text_shows_all_that_it_holds(text: str) -> None:
    shown, _ = clean(text)
    assert clean(shown) == (shown, False)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") and c not in "\n\t"]
    assert "<!--" not in shown


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="<"), max_size=200))
def test_plain_text_stays(text: str) -> None:
    assert clean(text)[1] is False
    assert clean(text)[0].split() == text.split()


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u202e", "\U000e0041", "\x1b", "\ue000", "<!-- a -->", "<!-- open", "\u3164"]
)
def test_hidden_text_is_reported(hidden: str) -> None:
    assert clean(f"a{hidden}") == ("a", True)


def test_a_comment_that_invisible_characters_hide_goes_too() -> None:
    assert clean("a <\u200b!-- obey -->b") == ("a b", True)


@given(OBJECTS, OBJECTS, st.text(max_size=9))
def test_the_hash_is_of_the_content_not_of_its_order(schema: dict[str, Any], notes: dict[str, Any], text: str) -> None:
    one = Definition(name="t", description=text, schema=schema, annotations=notes)
    turned = Definition(
        name="t",
        description=text,
        schema=dict(reversed(schema.items())),
        annotations=json.loads(json.dumps(notes)),
    )
    assert one.digest == turned.digest
    assert changes(one, turned) == ()
    assert Definition.of(json.loads(json.dumps(one.data()))).digest == one.digest


@given(OBJECTS, OBJECTS)
def test_another_content_has_another_hash(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    for part, word in (("schema", "parameters"), ("annotations", "annotations")):
        a, b = Definition(name="t", **{part: one}), Definition(name="t", **{part: other})  # type: ignore[arg-type]
        assert (a.digest == b.digest) is same
        assert changes(a, b) == (() if same else (word,))


@given(OBJECTS)
def test_a_schema_is_usable_or_says_why_not(schema: dict[str, Any]) -> None:
    made, refusal = None, ""
    try:
        made, _ = usable(schema)
    except ValueError as error:
        refusal = str(error)
    assert refusal.startswith("its schema ") is (made is None)
    if made is not None:
        assert made["type"] == "object"
        assert all(isinstance(field, dict) for field in made["properties"].values())


def test_prose_in_schemas_is_cleaned_and_values_are_not() -> None:
    field = {"type": "string", "description": "x\u200by", "enum": ["a"], "title": "t"}
    made, hidden = usable({"type": "object", "properties": {"description": field}})
    assert hidden
    assert made["properties"]["description"] == {"type": "string", "description": "xy", "enum": ["a"], "title": "t"}


def tool(name: str, description: str = "") -> Definition:
    return Definition(name=name, description=description)


def test_pins_come_back_as_they_were_written(tmp_path: Path) -> None:
    pins = Pins(tmp_path / "new" / "mcp_pins.json")
    assert pins.read() == {}
    assert pins.check("s", [tool("a"), tool("b", "\ud800 \u0000")]).new == ("a", "b")
    verdict = Pins(tmp_path / "new" / "mcp_pins.json").check("s", [tool("a", "other"), tool("b", "\ud800 \u0000")])
    assert verdict.new == ()
    assert set(verdict.changed) == {"a"}
    assert pins.check("s", [tool("a"), tool("b", "\ud800 \u0000")]).changed == {}, "it went back to what was trusted"
    assert pins.read()["s"]["a"].changed is None


def test_approving_and_forgetting(tmp_path: Path) -> None:
    pins = Pins(tmp_path / "mcp_pins.json")
    pins.check("s", [tool("a"), tool("b")])
    pins.check("s", [tool("a", "1"), tool("b", "2")])
    assert pins.approve("s", "a") == ["a"]
    assert pins.approve("s") == ["b"]
    assert pins.approve("s") == []
    assert pins.check("s", [tool("a", "1"), tool("b", "2")]).changed == {}
    assert pins.forget("s", "a") == ["a"]
    assert pins.check("s", [tool("a", "3")]).new == ("a",)
    assert pins.forget("s") == ["a", "b"]
    assert pins.read() == {}
    with pytest.raises(InputError, match="no tools of an MCP server 's' have been seen"):
        pins.approve("s")
    pins.check("t", [tool("a")])
    pins.check("t", [tool("a", "4")])
    assert pins.approve("t", "a", {"a": tool("a", "5")}) == [], "it is not what was looked at"
    assert pins.approve("t", "a", {"a": tool("a", "4")}) == ["a"]
    with pytest.raises(InputError, match="t has no tool 'x'; it has a"):
        pins.approve("t", "x")


def _see(path: Path, number: int) -> None:
    Pins(path).check(f"server-{number}", [tool(f"tool-{i}") for i in range(20)])


def test_several_processes_pin_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mcp_pins.json"
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_see, args=(path, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert {server: len(tools) for server, tools in Pins(path).read().items()} == {f"server-{i}": 20 for i in range(3)}
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".tmp"] == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1}', '{"version": "x", "servers": {}}', '{"version": 9}'])
def test_files_that_are_no_pins_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mcp_pins.json"
    path.write_text(text)
    with pytest.raises(HomeError):
        Pins(path).check("s", [tool("a")])
    assert path.read_text() == text
