"""The shape of deltas: what validates, what does not, what a model is asked for."""

import json

import pytest
from pydantic import ValidationError

from agentfly.playbooks import Delta
from agentfly.playbooks.delta import Add, Merge, Proposed, Remove, TagBullet, Update, curator_schema

PUBLIC = {
    "reason": "why",
    "operations": [
        {"op": "add", "section": "strategies", "text": "a"},
        {"op": "update", "id": "str-00001", "text": "b"},
        {"op": "merge", "ids": ["str-00001", "str-00002"], "text": "c"},
        {"op": "remove", "id": "str-00003"},
        {"op": "tag", "id": "str-00004", "tag": "helpful"},
    ],
}


def test_the_public_shape_gives_typed_operations():
    delta = Delta.model_validate(PUBLIC)
    assert [type(operation) for operation in delta.operations] == [Add, Update, Merge, Remove, TagBullet]
    assert delta.reason == "why"
    assert len(delta) == 5


def test_json_round_trip():
    delta = Delta.model_validate(PUBLIC)
    assert Delta.model_validate_json(delta.to_json()) == delta


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "append", "section": "s", "text": "t"}],
        [{"section": "s", "text": "t"}],
        [{"op": "add", "section": "s"}],
        [{"op": "add", "section": "s", "text": 3}],
        [{"op": "add", "section": "s", "text": "t", "txet": "u"}],
        [{"op": "add", "section": "s", "text": "t", "kind": "poem"}],
        [{"op": "merge", "ids": "str-00001", "text": "t"}],
        [{"op": "tag", "id": "str-00001", "tag": "great"}],
        "add a rule",
        None,
    ],
)
def test_a_wrong_shape_is_refused(operations):
    with pytest.raises(ValidationError):
        Delta.model_validate({"operations": operations})


@pytest.mark.parametrize("data", [{}, {"reason": "x"}, [], "text", None])
def test_without_operations_there_is_no_delta(data):
    with pytest.raises(ValidationError):
        Delta.model_validate(data)


@pytest.mark.parametrize("text", ["", "\n\n", "x" * 100_000, "\x00", "\ud800", "## HEAD", "\u202egnp"])
def test_content_does_not_make_a_delta_invalid(text):
    operations = [{"op": "add", "section": text, "text": text}, {"op": "remove", "id": text}]
    delta = Delta.model_validate({"operations": operations})
    assert Delta.model_validate_json(delta.to_json()) == delta


def test_salvage_keeps_what_is_well_formed():
    data = {"reasoning": "r", "operations": [PUBLIC["operations"][0], {"op": "dance"}, 7, PUBLIC["operations"][3]]}
    delta, problems = Delta.salvage(data)
    assert [operation.op for operation in delta.operations] == ["add", "remove"]
    assert delta.reason == "r"
    assert len(problems) == 2
    assert "operation 1" in problems[0]


@pytest.mark.parametrize("data", [None, "prose", 3, {"operations": "prose"}, {"operations": None}, {}])
def test_salvage_of_garbage_is_empty(data):
    assert len(Delta.salvage(data)[0]) == 0


def test_the_schema_for_models_is_flat_and_strict():
    schema = Delta.model_json_schema()
    assert "$ref" not in json.dumps(schema)
    variants = schema["properties"]["operations"]["items"]["anyOf"]
    assert [variant["properties"]["op"]["enum"] for variant in variants] == [
        ["add"],
        ["update"],
        ["merge"],
        ["remove"],
        ["tag"],
    ]
    for part in (schema, *variants):
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])


def test_what_follows_the_schema_validates():
    schema = curator_schema(operations=3)
    assert schema["properties"]["operations"]["maxItems"] == 3
    for variant in schema["properties"]["operations"]["items"]["anyOf"]:
        values = {"op": variant["properties"]["op"]["enum"][0], "tag": "neutral", "ids": ["a", "b"]}
        values["kind"] = "check"
        operation = {name: values.get(name, "text") for name in variant["required"]}
        assert len(Delta.model_validate({"reason": "", "operations": [operation]})) == 1


def test_a_model_s_delta_keeps_what_is_well_formed():
    data = {"reason": "r", "operations": [{"op": "dance"}, {**PUBLIC["operations"][0], "runs": ["forged"]}]}
    delta = Proposed.model_validate(data)
    assert delta.operations == (Add(section="strategies", text="a"),), "and provenance is not for a model to say"
    assert Proposed.model_validate([PUBLIC["operations"][3]]).operations == (Remove(id="str-00003"),)


@pytest.mark.parametrize("data", [{}, [], "prose", None, {"operations": "prose"}, {"operations": [{"op": "dance"}, 7]}])
def test_a_model_s_delta_without_any_usable_operation_is_refused(data):
    with pytest.raises(ValidationError):
        Proposed.model_validate(data)


def test_a_model_may_find_nothing_to_change():
    assert len(Proposed.model_validate({"reason": "known", "operations": []})) == 0


def test_the_schema_asks_for_rules_and_for_checks():
    add = curator_schema()["properties"]["operations"]["items"]["anyOf"][0]
    assert add["properties"]["kind"]["enum"] == ["strategy", "check"]
