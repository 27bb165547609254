"""Moonshot's flavour of JSON Schema: refusals as seen in the wild, word for word, and what only looks like them."""

from typing import Any

import pytest

from hunyuan_fix.simulator.mfjs import problem

STRING = {"type": "string"}


def properties(**given: Any) -> dict[str, Any]:
    return {"type": "object", "properties": given}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (properties(a={"enum": ["x", "y"]}), "<At path 'properties.a': type is not defined>"),
        (properties(a={"enum": ["x", 1]}), "<At path 'properties.a': type is not defined>"),
        (
            properties(target={"type": "string", "anyOf": [STRING, {"type": "null"}]}),
            "<At path 'properties.target': when using anyOf, type should be defined in anyOf items instead of the "
            "parent schema>",
        ),
        (
            properties(a={"type": "object", "$ref": "#/$defs/A"}) | {"$defs": {"A": {"type": "object"}}},
            "<At path 'properties.a': when using $ref, type should be defined in the referenced schema instead of the "
            "parent schema>",
        ),
        (properties(a={"$ref": "#/definitions/A"}), "<At path 'properties.a': references must start with #/$defs/>"),
        (
            properties(a={"$ref": "#/properties/b"}, b=STRING),
            "<At path 'properties.a': references must start with #/$defs/>",
        ),
        (properties(a={"$ref": "#/$defs/A"}), "<At path 'properties.a': invalid $ref path: #/$defs/A>"),
        (
            properties(a={"type": "string", "enum": ["x", None]}),
            "<At path 'properties.a': enum value (<nil>) does not match any type in [string]>",
        ),
        (
            properties(a={"type": "integer", "enum": [1, ""]}),
            "<At path 'properties.a': enum value () does not match any type in [integer]>",
        ),
        (
            properties(a=STRING) | {"required": ["b"]},
            "<At path 'root': required property 'b' is not defined in properties>",
        ),
        ({"type": "object", "required": ["b"]}, "<At path 'root': required property 'b' is not defined in properties>"),
        (
            {"type": "object", "anyOf": [{"required": []}]},
            "<At path 'root': when using anyOf, type should be defined in anyOf items instead of the parent schema>",
        ),
        (properties(a={"type": "text"}), "<At path 'properties.a': invalid type>"),
        (
            properties(a={"type": "array", "items": {"enum": [1]}}),
            "<At path 'properties.a.items': type is not defined>",
        ),
        (properties(a={"anyOf": [STRING, {"enum": [1]}]}), "<At path 'properties.a.anyOf{1}': type is not defined>"),
        (
            {"type": "object", "additionalProperties": {"enum": [1]}},
            "<At path 'additionalProperties': type is not defined>",
        ),
        (
            properties(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": {"enum": [1]}}},
            "<At path '$defs.A': type is not defined>",
        ),
        ([], "<At path 'root': schema must be a dict>"),
    ],
)
def test_refused(schema: Any, said: str) -> None:
    assert problem(schema) == said
    assert problem(schema, strict=True) is not None


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        properties(a={}, b={"description": "anything"}, c=True),
        properties(a={"type": "number", "enum": [1, 1.5]}, b={"type": ["string", "null"], "enum": ["x", None]}),
        properties(a={"anyOf": [STRING, {"type": "null"}], "description": "a"}),
        properties(a={"oneOf": [{"enum": [1]}]}),  # it doesn't look in there
        properties(enum={"type": "array", "items": STRING}, type=STRING),  # names that are keywords
        properties(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": properties(b={"$ref": "#/$defs/A"})}},
        properties(a={"type": "integer", "exclusiveMinimum": 0}) | {"$schema": "x", "additionalProperties": False},
    ],
)
def test_accepted(schema: Any) -> None:
    assert problem(schema) is None


@pytest.mark.parametrize(
    ("types", "beside"),
    [
        (["string", "null"], {"format": "date"}),
        (["string", "null"], {"default": None}),
        (["string", "integer", "null"], {"enum": ["a", None]}),
        (["object", "null"], {"enum": [None]}),
    ],
)
def test_strict_refuses_what_stands_beside_a_list_of_types(types: list[str], beside: dict[str, Any]) -> None:
    schema = properties(a={"type": types, **beside})
    assert problem(schema) is None
    assert problem(schema, strict=True) is not None
    assert problem(properties(a={"type": types[:1], **({} if "enum" in beside else beside)}), strict=True) is None


def test_strict_takes_two_plain_types_beside_an_enum() -> None:
    assert problem(properties(a={"type": ["string", "null"], "enum": ["a", None]}), strict=True) is None


def test_of_several_the_first_is_named() -> None:
    wrong = {"enum": ["x"]}
    assert "'properties.a'" in str(problem(properties(a=wrong, b=wrong)))
    assert "'properties.a.items'" in str(problem(properties(a={"type": "array", "items": wrong}, b=wrong)))


def test_a_truth_value_is_no_number() -> None:
    assert problem(properties(a={"type": "integer", "enum": [True]})) is not None
    assert problem(properties(a={"type": "boolean", "enum": [True]})) is None


def test_a_deep_schema_raises_nothing() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(1000):
        schema = properties(a=schema)
    assert problem(schema) is None
