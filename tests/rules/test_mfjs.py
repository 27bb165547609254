"""Moonshot's flavour of JSON Schema. What its public checker says of each case was tried with it, not guessed."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.rules import mfjs, schemas
from hunyuan_fix.rules.mfjs import Flavour
from hunyuan_fix.rules.tools import tools
from tests.rule_context import context

CAPTURES = Path(__file__).parents[1] / "captures"
STRING = {"type": "string"}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def fitted(root: dict[str, Any], flavour: Flavour = "mfjs-lite") -> dict[str, Any]:
    """The schema as it leaves, which is left alone the second time."""
    root = copy.deepcopy(root)
    before = json.dumps(root)
    assert bool(mfjs.fit(root, flavour)) == (json.dumps(root) != before)
    assert mfjs.fit(copy.deepcopy(root), flavour) == ""
    again, why = schemas.object_schema(copy.deepcopy(root))
    assert (again, why) == (root, "")
    return root


LITE: list[tuple[str, Any, Any]] = [
    ("enum without type", {"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
    ("enum of numbers", {"enum": [1, 2.5]}, {"type": "number", "enum": [1, 2.5]}),
    (
        "enum of booleans and numbers",
        {"enum": [True, 1]},
        {"anyOf": [{"type": "boolean", "enum": [True]}, {"type": "integer", "enum": [1]}]},
    ),
    ("enum with null", {"enum": ["a", None]}, {"type": ["string", "null"], "enum": ["a", None]}),
    (
        "null before a number",
        {"type": ["integer", "null"], "enum": [1, None]},
        {"type": ["null", "integer"], "enum": [1, None]},
    ),
    ("null in a typed enum", {"type": "string", "enum": ["a", None]}, {"type": "string", "enum": ["a"]}),
    ("text in an enum of numbers", {"type": "integer", "enum": [1, "", 2]}, {"type": "integer", "enum": [1, 2]}),
    ("enum of another type", {"type": "integer", "enum": ["a"]}, {"type": "integer"}),
    ("empty enum", {"type": "string", "enum": []}, STRING),
    ("enum of three types", {"type": ["string", "integer", "null"], "enum": ["a"]}, {"type": "string", "enum": ["a"]}),
    (
        "type beside anyOf",
        {"type": "string", "anyOf": [{"minLength": 1}, {"enum": ["a"]}]},
        {"anyOf": [{"minLength": 1, "type": "string"}, {"type": "string", "enum": ["a"]}]},
    ),
    (
        "required beside and in anyOf",
        {
            "type": "object",
            "properties": {"a": STRING, "b": STRING},
            "required": ["a"],
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        {
            "properties": {"a": STRING, "b": STRING},
            "required": ["a"],
            "anyOf": [{"type": "object"}, {"type": "object"}],
        },
    ),
    (
        "properties beside and in anyOf",
        {"properties": {"a": STRING}, "anyOf": [{"type": "object", "properties": {"b": STRING}}]},
        {"properties": {"a": STRING, "b": STRING}, "anyOf": [{"type": "object"}]},
    ),
    (
        "a type beside values of other types",
        {"type": "string", "anyOf": [{"enum": ["a", 1]}, {"$ref": "#"}]},
        {"anyOf": [{"type": "string", "enum": ["a"]}, {"$ref": "#"}]},
    ),
    ("empty anyOf", {"type": "string", "anyOf": []}, STRING),
    ("anything in anyOf", {"anyOf": [True, STRING, False]}, {"anyOf": [{}, STRING]}),
    (
        "required names",
        {"type": "object", "properties": {"a": STRING}, "required": ["a", "b"]},
        {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
    ),
    ("required without properties", {"type": "object", "required": ["b"]}, {"type": "object"}),
    (
        "anything as a property",
        {"type": "object", "properties": {"a": True, "b": None, "c": False}},
        {"type": "object", "properties": {"a": {}, "b": {}}},
    ),
    (
        "tuples",
        {"type": "array", "items": [STRING, {"type": "integer"}]},
        {"type": "array", "items": {"anyOf": [STRING, {"type": "integer"}]}},
    ),
    ("any items", {"type": "array", "items": True}, {"type": "array", "items": {}}),
    ("types in capitals", {"type": "STRING"}, STRING),
    ("types of other languages", {"type": ["str", "None"]}, {"type": ["string", "null"]}),
    ("types that are none", {"type": "any"}, {}),
    ("additional properties", {"type": "object", "additionalProperties": "no"}, {"type": "object"}),
    (
        "a description that is no text",
        {"type": "string", "description": ["a"]},
        {"type": "string", "description": '["a"]'},
    ),
    ("a reference out", {"$ref": "https://example.com/a.json", "description": "d"}, {"description": "d"}),
    ("a reference that is none", {"$ref": 7}, {}),
    ("a reference to nothing", {"$ref": "#/$defs/none"}, {}),
]
STAYS: list[Any] = [
    {},
    STRING,
    {"type": ["string", "null"], "default": None, "format": "date"},
    {"type": "string", "enum": ["", "a"]},
    {"type": ["string", "null"], "enum": ["a"]},
    {"const": 1},
    {"type": "array", "items": {}},
    {"anyOf": [STRING, {"type": "null"}], "default": None, "description": "d"},
    {"oneOf": [{"enum": ["a"]}, {"$ref": "#/definitions/none"}]},
    {"allOf": [{"required": ["b"]}]},
    {"type": "object", "properties": {"$ref": STRING, "enum": STRING, "required": STRING}},
    {"type": "object", "patternProperties": {"^a": {"enum": ["a"]}}, "propertyNames": {"enum": ["a"]}},
    {"type": "integer", "exclusiveMinimum": 0, "x-order": 1, "title": "T"},
    {"type": "object", "additionalProperties": STRING, "required": []},
    {"default": {"$ref": 7, "enum": 3}},
]


@pytest.mark.parametrize(("given", "left"), [row[1:] for row in LITE], ids=[row[0] for row in LITE])
def test_what_the_checker_refuses(given: Any, left: Any) -> None:
    assert fitted(of(x=given, y=STRING)) == of(x=left, y=STRING)
    assert fitted(of(x={"type": "array", "items": given})) == of(x={"type": "array", "items": left})
    assert fitted(of(x={"anyOf": [given, {"type": "null"}]})) == of(x={"anyOf": [left, {"type": "null"}]})


@pytest.mark.parametrize("given", STAYS)
def test_what_the_checker_takes_stays(given: Any) -> None:
    root = {"$schema": "https://json-schema.org/draft/2020-12/schema", **of(x=given), "additionalProperties": False}
    assert list(fitted(root).items()) == list(root.items())


def test_old_definitions_are_called_defs() -> None:
    root = {**of(x={"$ref": "#/definitions/A"}), "definitions": {"A": of(y={"$ref": "#/definitions/A"}), "B": {}}}
    assert fitted(root) == {**of(x={"$ref": "#/$defs/A"}), "$defs": {"A": of(y={"$ref": "#/$defs/A"})}}


def test_a_name_that_is_taken() -> None:
    root = {
        **of(x={"$ref": "#/definitions/A"}, y={"$ref": "#/$defs/A"}),
        "$defs": {"A": STRING},
        "definitions": {"A": {"type": "integer"}},
    }
    assert fitted(root) == {
        **of(x={"$ref": "#/$defs/A_2"}, y={"$ref": "#/$defs/A"}),
        "$defs": {"A": STRING, "A_2": {"type": "integer"}},
    }


def test_a_reference_to_any_place() -> None:
    """The place and what refers to it share a definition: nothing is copied, and what holds itself ends."""
    tree = of(children={"type": "array", "items": {"$ref": "#/properties/tree"}})
    root = of(tree=tree, other={"$ref": "#/properties/tree", "description": "d"})
    assert fitted(root) == {
        **of(tree={"$ref": "#/$defs/tree"}, other={"$ref": "#/$defs/tree", "description": "d"}),
        "$defs": {"tree": of(children={"type": "array", "items": {"$ref": "#/$defs/tree"}})},
    }


@pytest.mark.parametrize("name", ["A/B", "A B", "A~B", "Ä"])
def test_a_name_in_any_spelling(name: str) -> None:
    pointer = name.replace("~", "~0").replace("/", "~1").replace(" ", "%20")
    root = fitted({**of(x={"$ref": f"#/$defs/{pointer}"}), "$defs": {name: STRING}})
    [called] = root["$defs"]
    assert root["properties"]["x"] == {"$ref": f"#/$defs/{called}"}
    assert "/" not in called


def test_the_root_is_no_reference() -> None:
    """As zod-to-json-schema writes a schema that has a name."""
    named = {**of(a=STRING, b={"$ref": "#/definitions/In"}), "required": ["a"]}
    root, _ = schemas.object_schema({"$ref": "#/definitions/In", "definitions": {"In": named}})
    left = fitted(root)
    assert left["properties"] == {"a": STRING, "b": {"$ref": "#/$defs/In"}}
    assert left["required"] == ["a"]


def test_the_root_has_no_alternatives() -> None:
    branches = [
        {**of(a=STRING, kind=STRING), "required": ["a", "kind"]},
        {**of(b=STRING, kind={"type": "integer"}), "required": ["kind"]},
    ]
    assert fitted({**of(), "anyOf": branches}) == {
        **of(a=STRING, kind={"anyOf": [STRING, {"type": "integer"}]}, b=STRING),
        "required": ["kind"],
    }
    assert fitted({**of(a=STRING), "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}) == of(a=STRING)


def test_what_stands_beside_a_reference() -> None:
    root = {
        **of(x={"$ref": "#/$defs/A", "type": "string", "default": "a", "minLength": 1, "description": "d"}),
        "$defs": {"A": {"type": "string", "minLength": 2, "description": "D"}},
    }
    assert fitted(root)["properties"]["x"] == {"$ref": "#/$defs/A", "default": "a", "description": "d"}


def test_places_where_no_reference_may_be() -> None:
    root = {**of(x={"type": "object", "patternProperties": {"^a": {"$ref": "#/$defs/A"}}}), "$defs": {"A": STRING}}
    assert fitted(root)["properties"]["x"] == {"type": "object", "patternProperties": {"^a": {}}}


STRICT: list[tuple[str, Any, Any]] = [
    (
        "types and a format",
        {"type": ["string", "null"], "format": "date", "default": None, "description": "d"},
        {"description": "d", "anyOf": [STRING, {"type": "null", "default": None}]},
    ),
    ("types alone", {"type": ["string", "null"]}, {"type": ["string", "null"]}),
    (
        "null and an enum",
        {"type": ["string", "null"], "enum": ["a", None]},
        {"type": ["string", "null"], "enum": ["a", None]},
    ),
    ("alternatives", {"oneOf": [STRING, {"type": "null"}]}, {"anyOf": [STRING, {"type": "null"}]}),
    ("all of one", {"allOf": [{"$ref": "#"}], "description": "d"}, {"$ref": "#", "description": "d"}),
    (
        "all of several",
        {"allOf": [of(a=STRING), {**of(b=STRING), "required": ["b"]}]},
        {**of(a=STRING, b=STRING), "required": ["b"]},
    ),
    ("a constant", {"const": "a"}, {"type": "string", "enum": ["a"]}),
    (
        "nullable",
        {"type": "string", "nullable": True, "minLength": 1},
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]},
    ),
    ("a type that is told", {"properties": {"a": STRING}}, of(a=STRING)),
    (
        "keywords of other types",
        {"type": "integer", "minLength": 1, "minimum": 1, "format": "int32", "examples": [1]},
        {"type": "integer", "minimum": 1},
    ),
    ("bounds", {"type": "string", "minLength": 3, "maxLength": 1}, STRING),
    ("properties and alternatives", {**of(a=STRING), "anyOf": [of(b=STRING)]}, of(a=STRING, b=STRING)),
    (
        "words twice",
        {"description": "d", "anyOf": [{"type": "string", "description": "s"}, {"type": "null"}]},
        {"description": "d\n- s", "anyOf": [STRING, {"type": "null"}]},
    ),
]


@pytest.mark.parametrize(("given", "left"), [row[1:] for row in STRICT], ids=[row[0] for row in STRICT])
def test_the_harsher_flavour(given: Any, left: Any) -> None:
    root = {"$schema": "https://json-schema.org/draft/2020-12/schema", **of(x=given), "x-a": 1}
    assert fitted(root, "mfjs-strict") == of(x=left)


def test_a_schema_of_anything_has_types_in_the_harsher_flavour() -> None:
    left = fitted(of(x={"description": "d"}), "mfjs-strict")["properties"]["x"]
    assert left["description"] == "d"
    assert {branch["type"] for branch in left["anyOf"]} == {"object", "array", "string", "number", "boolean", "null"}


def test_all_of_what_holds_itself_ends() -> None:
    root = {**of(x={"$ref": "#/$defs/A"}), "$defs": {"A": {**of(), "allOf": [of(y=STRING), {"$ref": "#/$defs/A"}]}}}
    json.dumps(fitted(root, "mfjs-strict"))


def captured() -> list[dict[str, Any]]:
    found = []
    for file in sorted(CAPTURES.rglob("*.json")):
        body = json.loads(file.read_text(encoding="utf-8")).get("body")
        for tool in (body.get("tools") or []) if isinstance(body, dict) else []:
            function = tool.get("function", tool)
            schema = function.get("parameters") or function.get("input_schema")
            if schema:
                found.append(schema)
    return found


def test_schemas_of_real_agents_stay() -> None:
    found = captured()
    assert len(found) > 100
    for schema in found:
        root, _ = schemas.object_schema(copy.deepcopy(schema))
        before = json.dumps(root)
        assert mfjs.fit(root, "mfjs-lite") == ""
        assert json.dumps(root) == before


def test_only_where_the_model_demands_it() -> None:
    schema = of(x={"enum": ["a"]})
    expected: list[tuple[Literal["", "mfjs-lite"], str | None]] = [("", None), ("mfjs-lite", "string")]
    for flavour, type_ in expected:
        body: dict[str, Any] = {
            "tools": [{"type": "function", "function": {"name": "ls", "parameters": copy.deepcopy(schema)}}]
        }
        held = context("tokenhub")
        held.model = dataclasses.replace(held.model, schema=flavour)
        changes = tools(body, held)
        assert body["tools"][0]["function"]["parameters"]["properties"]["x"].get("type") == type_
        assert [change.pointer for change in changes] == (["/tools/0/function/parameters"] if type_ else [])


_names = st.sampled_from(["a", "b", "x/y", "$ref", "type"])
_leaves: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.sampled_from(["string", "integer", "null", "any", ["string", "null"]]).map(lambda kind: {"type": kind}),
    st.lists(st.sampled_from(["a", "", 1, 2.5, True, None, {}]), max_size=4).map(lambda values: {"enum": values}),
    st.sampled_from(["#", "#/$defs/a", "#/definitions/b", "#/properties/a", "http://x/y"]).map(
        lambda ref: {"$ref": ref}
    ),
)
_schemas = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.dictionaries(_names, inner, max_size=3).map(lambda named: {"type": "object", "properties": named}),
        st.lists(inner, max_size=3).map(lambda branches: {"anyOf": branches, "type": "string", "description": "d"}),
        st.lists(inner, max_size=3).map(lambda branches: {"allOf": branches}),
        inner.map(lambda items: {"type": "array", "items": [items, True], "required": ["a"]}),
    ),
    max_leaves=12,
)


def parameters_of(root: dict[str, Any]) -> set[str]:
    return set(root["properties"])


@given(_schemas, _schemas, _schemas, st.sampled_from(["mfjs-lite", "mfjs-strict"]))
def test_every_schema_settles_and_keeps_its_parameters(x: Any, a: Any, b: Any, flavour: Flavour) -> None:
    root = json.loads(json.dumps({**of(a=x), "$defs": {"a": a}, "definitions": {"b": b}}))  # nothing is shared
    before = parameters_of(root)
    mfjs.fit(root, flavour)
    assert parameters_of(root) >= before
    once = json.dumps(root)
    assert mfjs.fit(root, flavour) == ""
    assert json.dumps(root) == once
