from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from hunyuan_fix.answers.json_repair.by_schema import fitted
from hunyuan_fix.answers.json_repair.scan import is_json
from tests.strategies import json_values

TOOL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "x": {"type": "number"},
        "b": {"type": "boolean"},
        "s": {"type": "string"},
        "any": {},
        "either": {"type": ["integer", "string"]},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "level": {"enum": [1, 2, 3]},
        "one": {"const": 1},
        "list": {"type": "array", "items": {"type": "integer"}},
        "pair": {"prefixItems": [{"type": "string"}, {"type": "integer"}]},
        "within": {"$ref": "#/$defs/within"},
        "all": {"allOf": [{"description": "x"}, {"type": "integer"}]},
        "choice": {"oneOf": [{"properties": {"p": {"type": "integer"}}, "type": "object"}, {"type": "array"}]},
        "both": {"oneOf": [{"properties": {"p": {"type": "integer"}}}, {"properties": {"p": {"type": "string"}}}]},
        "a/b": {"type": "integer"},
    },
    "additionalProperties": {"type": "boolean"},
    "$defs": {
        "within": {"type": "object", "properties": {"n": {"type": "integer"}, "more": {"$ref": "#/$defs/within"}}}
    },
}


@pytest.mark.parametrize(
    ("given_text", "fitted_text", "done"),
    [
        ('{"n": 3.0}', '{"n": 3}', ["whole"]),
        ('{"n": -3.000 , "x": 3.0}', '{"n": -3 , "x": 3.0}', ["whole"]),
        ('{"n": "3"}', '{"n": 3}', ["from-text"]),
        ('{"n": "3.0"}', '{"n": 3}', ["from-text", "whole"]),
        ('{"x": "1.10"}', '{"x": 1.10}', ["from-text"]),
        ('{"b": "True"}', '{"b": true}', ["from-text"]),
        ('{"maybe": "null"}', '{"maybe": null}', ["from-text"]),
        ('{"level": "2"}', '{"level": 2}', ["from-text"]),
        ('{"one": "1"}', '{"one": 1}', ["from-text"]),
        ('{"list": ["1", 2.0, 3]}', '{"list": [1, 2, 3]}', ["from-text", "whole"]),
        ('{"list": "[1, \\"2\\"]"}', '{"list": [1, 2]}', ["nested", "from-text"]),
        ('{"pair": ["1", "2", "3"]}', '{"pair": ["1", 2, "3"]}', ["from-text"]),
        ('{"within": "{\\"n\\": 1.0}"}', '{"within": {"n": 1}}', ["nested", "whole"]),
        ('{"within": {"more": {"n": "1"}}}', '{"within": {"more": {"n": 1}}}', ["from-text"]),
        ('{"all": "1"}', '{"all": 1}', ["from-text"]),
        ('{"choice": {"p": "1"}}', '{"choice": {"p": 1}}', ["from-text"]),
        ('{"other": "false"}', '{"other": false}', ["from-text"]),
        ('{"a\\/b": "1"}', '{"a\\/b": 1}', ["from-text"]),
        ('"{\\"n\\": 1}"', '{"n": 1}', ["nested"]),
    ],
)
def test_what_can_mean_one_thing_only_is_respelt(given_text: str, fitted_text: str, done: list[str]) -> None:
    assert fitted(given_text, TOOL, is_object=True) == (fitted_text, done)
    assert fitted(fitted_text, TOOL, is_object=True) == (fitted_text, [])


@pytest.mark.parametrize(
    "text",
    [
        '{"n": 3.5, "x": "", "b": "yes", "s": "3"}',
        '{"n": "three", "maybe": "", "b": 1}',
        '{"n": 3e0, "either": "3", "any": "3"}',
        '{"n": "03", "x": "1_000", "list": "1, 2"}',
        '{"n": "NaN", "x": "Infinity"}',
        '{"both": {"p": "1"}}',
        '{"within": "{broken"}',
        '{"s": {"n": "1"}, "any": {"n": "1"}}',
        '{"list": {"n": "1"}, "within": ["1"]}',
        '{"n": "\\ud800"}',
    ],
)
def test_what_can_mean_something_else_stays(text: str) -> None:
    assert fitted(text, TOOL, is_object=True) == (text, [])


@given(json_values, json_values)
def test_any_schema_leaves_json(value: Any, schema: Any) -> None:
    text, _ = fitted(json.dumps(value), schema)
    assert is_json(text)


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, {"$ref": "http://x"}]
)
def test_references_that_lead_nowhere(schema: Any) -> None:
    assert fitted('{"a": "1"}', schema) == ('{"a": "1"}', [])


def test_alternatives_within_alternatives_have_a_bound() -> None:
    """Without it this takes years."""
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(9):
        schema = {"anyOf": [schema] * 50}
    assert fitted('{"a": "1"}', {"properties": {"a": schema}}) == ('{"a": "1"}', [])
    assert fitted('{"a": "1"}', {"anyOf": [{"properties": {"a": schema}}] * 50}) == ('{"a": "1"}', [])
