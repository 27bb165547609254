"""Schemas of parameters: an object at the root."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.rules.schemas import object_schema
from tests.strategies import json_values

EMPTY = {"type": "object", "properties": {}}
PATH = {"path": {"type": "string"}}
STRING = {"type": "string"}
OBJECT = {"type": "object", "properties": PATH}
INPUT_STRING = {"type": "object", "properties": {"input": STRING}, "required": ["input"]}


@pytest.mark.parametrize(
    "schema",
    [
        EMPTY,
        {**OBJECT, "required": ["path"], "additionalProperties": False},
        {**OBJECT, "required": []},
        {"$schema": "x", **OBJECT, "anyOf": [{"required": ["path"]}]},
        # names of properties, and data, are no keywords
        {"type": "object", "properties": {"properties": {"type": "array"}, "required": STRING, "type": STRING}},
        {"type": "object", "properties": {"a": {"type": "array", "items": {}, "default": {"properties": []}}}},
        {"type": "object", "properties": {"a": {"enum": [{"required": None}], "const": {"properties": None}}}},
        {"type": "object", "properties": {"a": {"anyOf": [STRING, {"$ref": "#/$defs/b"}]}}, "$defs": {"b": True}},
    ],
)
def test_a_good_one_is_the_same(schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    after, why = object_schema(schema)
    assert after is schema
    assert after == before
    assert why == ""


@pytest.mark.parametrize(
    ("given", "root"),
    [
        (None, EMPTY),
        ({}, EMPTY),
        ([], EMPTY),
        (3, EMPTY),
        (True, EMPTY),
        ("", EMPTY),
        ("object", EMPTY),
        ('{"properties":{"path":{"type":"string"}}}', OBJECT),
        ('"{}"', EMPTY),
        ("the path of a note", {**EMPTY, "description": "the path of a note"}),
        ([3], {**EMPTY, "description": "[3]"}),
        (["path"], {"type": "object", "properties": {"path": {}}}),
        ([{"name": "path", "type": "string"}], OBJECT),
        ({"properties": PATH}, OBJECT),
        ({"type": "object"}, EMPTY),
        ({"type": None, "properties": PATH}, OBJECT),
        ({"type": "None", "properties": PATH}, OBJECT),
        ({"type": "", "properties": PATH}, OBJECT),
        ({"type": "OBJECT", "properties": PATH}, OBJECT),
        ({"type": ["object", "null"], "properties": PATH}, OBJECT),
        ({"type": {"a": 1}}, EMPTY),
        ({"type": "string", "properties": PATH}, OBJECT),
        ({"type": "object", "properties": []}, EMPTY),
        ({"type": "object", "properties": None}, EMPTY),
        ({"type": "object", "properties": "none"}, EMPTY),
        ({"type": "object", "properties": False}, EMPTY),
        ({"type": "object", "properties": "a path"}, {**EMPTY, "description": "a path"}),
        (
            {"type": "object", "description": "d", "properties": "a path"},
            {**EMPTY, "description": "d\n\na path"},
        ),
        ({"type": "object", "properties": [{"name": "path", "type": "string"}]}, OBJECT),
        ({**OBJECT, "required": None}, OBJECT),
        ({**OBJECT, "required": {}}, OBJECT),
        ({**OBJECT, "required": False}, OBJECT),
        ({**OBJECT, "required": "path"}, {**OBJECT, "required": ["path"]}),
        ({**OBJECT, "required": ["path", None]}, {**OBJECT, "required": ["path"]}),
        ({**OBJECT, "required": {"path": True, "b": False}}, {**OBJECT, "required": ["path"]}),
        (
            {"type": "object", "properties": {"a": {**STRING, "required": True}, "b": {**STRING, "required": False}}},
            {"type": "object", "properties": {"a": STRING, "b": STRING}, "required": ["a"]},
        ),
        ({"anyOf": [OBJECT, {"type": "null"}]}, {**EMPTY, "anyOf": [OBJECT, {"type": "null"}]}),
        ({"oneOf": [{"$ref": "#/$defs/a"}, STRING]}, {**EMPTY, "oneOf": [{"$ref": "#/$defs/a"}, STRING]}),
        ({"allOf": [OBJECT]}, {**EMPTY, "allOf": [OBJECT]}),
        ({"$ref": "#/$defs/a", "$defs": {"a": OBJECT}}, {**EMPTY, "$ref": "#/$defs/a", "$defs": {"a": OBJECT}}),
        ({"const": {"a": 1}}, {**EMPTY, "const": {"a": 1}}),
    ],
)
def test_roots(given: Any, root: dict[str, Any]) -> None:
    after, why = object_schema(given)
    assert after == root
    assert why
    assert object_schema(copy.deepcopy(after)) == (after, "")


@pytest.mark.parametrize(
    "schema",
    [
        STRING,
        {"type": "String"},
        {"type": "array", "items": STRING},
        {"items": STRING},
        {"type": ["string", "null"]},
        {"enum": ["a", "b"]},
        {"const": "a"},
        {"anyOf": [STRING, {"type": "integer"}]},
        {"allOf": [{"description": "d"}, STRING]},
        {"type": "string", "properties": {}},
    ],
)
def test_a_root_that_is_no_object_becomes_a_property(schema: dict[str, Any]) -> None:
    inner = copy.deepcopy(schema)
    after, why = object_schema(schema)
    assert after == {"type": "object", "properties": {"input": inner}, "required": ["input"]}
    assert why
    assert object_schema(copy.deepcopy(after)) == (after, "")


def test_references_still_resolve_when_the_root_moves() -> None:
    after, _ = object_schema({"type": "array", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": STRING}})
    assert after == {
        "type": "object",
        "properties": {"input": {"type": "array", "items": {"$ref": "#/$defs/a"}}},
        "required": ["input"],
        "$defs": {"a": STRING},
    }


@pytest.mark.parametrize(
    "place",
    [
        lambda schema: {**EMPTY, "properties": {"a": schema}},
        lambda schema: {**EMPTY, "properties": {"a": {"type": "array", "items": schema}}},
        lambda schema: {**EMPTY, "properties": {"a": {"anyOf": [STRING, schema]}}},
        lambda schema: {**EMPTY, "additionalProperties": schema},
        lambda schema: {**EMPTY, "patternProperties": {".": schema}},
        lambda schema: {**EMPTY, "$defs": {"a": schema}},
        lambda schema: {**EMPTY, "if": {"not": schema}},
    ],
)
@pytest.mark.parametrize("wrong", [[], None])
def test_nested_lists_of_php(place: Any, wrong: Any) -> None:
    after, why = object_schema(place({"type": "object", "properties": wrong, "required": None, "$defs": wrong}))
    assert after == place({"type": "object", "properties": {}, "$defs": {}})
    assert why


def test_nesting_as_deep_as_a_body_can_be() -> None:
    schema: Any = {"type": "object", "properties": []}
    for _ in range(500):
        schema = {"type": "object", "properties": {"a": schema}}
    after, why = object_schema(schema)
    for _ in range(500):
        after = after["properties"]["a"]
    assert after == EMPTY
    assert why


schema_like: st.SearchStrategy[Any] = st.recursive(
    st.one_of(json_values, st.sampled_from(["object", "string", "None", "a b", "{}"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["type", "properties", "required", "items", "anyOf", "allOf", "$defs", "enum", "name", "description"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@given(schema_like)
def test_anything_becomes_an_object_and_stays_as_it_is_then(value: Any) -> None:
    before = copy.deepcopy(value)
    after, why = object_schema(value)
    assert after["type"] == "object"
    assert isinstance(after["properties"], dict)
    assert bool(why) == (after != before)
    assert object_schema(copy.deepcopy(after)) == (after, "")
