from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest

from hunyuan_fix.answers.json_repair import schema as checking
from hunyuan_fix.answers.json_repair.schema import mismatch

PLACE = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "pattern": r"^\p{L}+$"},
        "size": {"$ref": "#/$defs/size"},
        "tags": {"type": "array", "uniqueItems": True},
    },
    "patternProperties": {"^x-": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"size": {"type": "integer", "minimum": 1}},
}


def said(value: object, schema: object = PLACE) -> str | None:
    return mismatch(value, json.dumps(schema).encode())


@pytest.mark.parametrize(
    "value", [{"city": "深圳"}, {"city": "x", "size": 2.0, "tags": [1, "1", True]}, {"city": "x", "x-y": ""}]
)
def test_what_fits(value: Any) -> None:
    assert said(value) is None


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([], "the whole answer: "),
        ({}, "the whole answer: 'city'"),
        ({"city": "a b"}, "/city: "),
        ({"city": "x", "size": 0}, "/size: "),
        ({"city": "x", "size": "1"}, "/size: "),
        ({"city": "x", "tags": [1, 1.0]}, "/tags: "),
        ({"city": "x", "y": 1}, "the whole answer: additional properties"),
        ({"city": "x", "x-y": 1}, "/x-y: "),
    ],
)
def test_what_does_not_fit_is_said_for_the_model(value: Any, where: str) -> None:
    told = said(value)
    assert told is not None
    assert told.startswith(where)


def test_what_is_said_has_a_bound() -> None:
    assert len(said("x" * 10_000, {"type": "integer"}) or "") == 400


@pytest.mark.parametrize("schema", [5, {"type": 5}, {"$ref": "#/nowhere"}, {"$ref": "#"}, {"pattern": "("}, [], "{"])
def test_what_is_no_schema_refuses_nothing(schema: object) -> None:
    assert said("x", schema) is None
    assert mismatch("x", b"{") is None
    assert mismatch("x", b"[" * 100_000) is None


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_: pytest.fail("fetched"))
    assert said("x", {"$ref": "http://127.0.0.1:9/schema"}) is None
    assert said("x", {"allOf": [{"$schema": "http://127.0.0.1:9/x", "$ref": "http://127.0.0.1:9/schema"}]}) is None


def test_a_property_that_is_called_like_the_name_of_a_draft_stays() -> None:
    schema = {"properties": {"$schema": {"type": "string"}}, "additionalProperties": False}
    assert said({"$schema": "x"}, schema) is None
    assert said({"$schema": 1}, schema) is not None


DRAFT_7 = "http://json-schema.org/draft-07/schema#"
TWICE = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
SLOW: list[tuple[object, Any]] = [
    ({"$ref": "#/$defs/a0", "$defs": {**TWICE, "a40": {}}}, {}),
    ({"pattern": "^(a+)+$"}, "a" * 60 + "!"),
    ({"patternProperties": {"^(a|aa)+$": False}}, {"a" * 60 + "!": 1}),
    (
        {"properties": {"x": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^(a+)+$"}}},
        {"x": "a" * 60 + "!"},
    ),
    ({"anyOf": [{"type": "integer"}] * 9000}, "x" * 200_000),
    ({"uniqueItems": True}, [{"a": n} for n in range(20_000)]),
    ({"items": {"enum": list(range(5000))}}, [-1.5] * 5000),
]


@pytest.mark.parametrize("slow", SLOW, ids=[str(schema)[:30] for schema, _ in SLOW])
def test_no_schema_takes_long(slow: tuple[object, Any]) -> None:
    """Each of these takes minutes or years where nothing bounds it."""
    schema, value = slow
    said(1, {"pattern": "x"})  # what is loaded for the first one
    begun = time.process_time()
    said(value, schema)
    assert time.process_time() - begun < 20 * _unit()


def _unit() -> float:
    """The time for a hundred thousand steps of Python, on this machine now."""
    begun = time.process_time()
    sum(range(100_000))
    for _ in range(100_000):
        pass
    return time.process_time() - begun + 0.02


def test_a_schema_that_is_too_large_refuses_nothing() -> None:
    schema = {"type": "integer", "description": "x" * checking.LARGEST}
    assert said("x", schema) is None
