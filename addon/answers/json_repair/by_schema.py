"""What a model wrote in another type than its schema demands, where it can mean one thing only: respelt in the text.

`3.0` where an integer is demanded, `"3"` and `"true"` where a text isn't allowed, an object within a string. All else
keeps its characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from .scan import TOKEN, is_json

type Fitted = Literal["whole", "from-text", "nested"]
"""A whole number that was written as a fraction, a number or a literal that was a string, JSON that was a string."""

_DEEPEST: Final = 8
"""References and alternatives that are followed for one value; strings within strings."""
_LOOKS: Final = 2000
_MOST_BRANCHES: Final = 50
"""Alternatives that are looked at."""
_WHOLE: Final = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_KIND_OF: Final = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}


def fitted(text: str, schema: object, *, is_object: bool = False) -> tuple[str, list[Fitted]]:
    """`text`, which is JSON, with its values in the types that `schema` demands; what was done, each time.

    `is_object`: an object is demanded, whatever the schema says of that.
    """
    return _fitted(
        text, schema, _Schemas(schema, _LOOKS + 4 * len(text)), frozenset(["object"]) if is_object else None, 0
    )


@dataclass(slots=True)
class _Within:
    """A list or an object that is open."""

    schema: object
    is_object: bool
    key: str = ""
    place: int = 0
    is_key: bool = True


def _fitted(
    text: str, schema: object, schemas: _Schemas, types: frozenset[str] | None, depth: int
) -> tuple[str, list[Fitted]]:
    pieces: list[str] = []
    done: list[Fitted] = []
    last = 0
    within: list[_Within] = []
    for token in _tokens(text):
        kind = token.lastgroup or ""
        spelt, inner = token[kind], within[-1] if within else None
        # 1. What only leads to a value.
        if kind == "sign" and spelt not in "{[":
            if spelt in "}]":
                within.pop()
            elif inner is not None:
                inner.is_key = inner.is_object and spelt == ","
                inner.place += spelt == ","
            continue
        if inner is not None and inner.is_object and inner.is_key:
            inner.key = _decoded(spelt)
            continue
        # 2. A value, and what is demanded of it.
        demanded = schema if inner is None else schemas.of_member(inner.schema, inner.key, inner.place, inner.is_object)
        if kind == "sign":
            within.append(_Within(demanded, spelt == "{"))
            continue
        allowed = types if inner is None and types is not None else schemas.types(demanded)
        if allowed is None or kind == "word":
            continue
        respelt, what = _respelt(spelt, allowed, demanded, schemas, depth)
        if what:
            pieces += [text[last : token.start(kind)], respelt]
            last = token.end()
            done += what
    return "".join([*pieces, text[last:]]) if pieces else text, done


def _tokens(text: str) -> Iterator[re.Match[str]]:
    place = 0
    while token := TOKEN.match(text, place):
        yield token
        place = token.end()


def _decoded(spelt: str) -> str:
    try:
        return str(orjson.loads(spelt))
    except orjson.JSONDecodeError:  # half a character
        return ""


def _respelt(
    spelt: str, allowed: frozenset[str], demanded: object, schemas: _Schemas, depth: int
) -> tuple[str, list[Fitted]]:
    """How a string or a number is spelt in a type of `allowed`; no reason where it stays."""
    if not spelt.startswith('"'):
        whole = _WHOLE.fullmatch(spelt) if "integer" in allowed and "number" not in allowed else None
        return (whole[1], ["whole"]) if whole else (spelt, [])
    if "string" in allowed:
        return spelt, []
    said = _decoded(spelt).strip()
    if not allowed.isdisjoint({"integer", "number"}):
        if (_NUMBER if "number" in allowed else _INTEGER).fullmatch(said):
            return said, ["from-text"]
        if whole := _WHOLE.fullmatch(said):
            return whole[1], ["from-text", "whole"]
    if "boolean" in allowed and said.lower() in ("true", "false"):
        return said.lower(), ["from-text"]
    if "null" in allowed and said in ("null", "None"):
        return "null", ["from-text"]
    kind = {"{": "object", "[": "array"}.get(said[:1])
    if kind in allowed and depth < _DEEPEST and is_json(said):
        inside, done = _fitted(said, demanded, schemas, None, depth + 1)
        return inside, ["nested", *done]
    return spelt, []


class _Schemas:
    """What parts of one schema demand. `None` stands for what demands nothing that is understood here.

    `looks`: how often a part may be looked at; from then on nothing is demanded.
    """

    def __init__(self, root: object, looks: int) -> None:
        self._root = root
        self._left = looks

    def types(self, schema: object, depth: int = 0) -> frozenset[str] | None:
        """The types that a value may have."""
        schema = self._resolved(schema)
        self._left -= 1
        if not isinstance(schema, dict) or depth > _DEEPEST or self._left < 0:
            return None
        named = schema.get("type")
        if isinstance(named, str):
            return frozenset([named])
        if isinstance(named, list) and all(isinstance(one, str) for one in named):
            return frozenset(named)
        for key in ("anyOf", "oneOf"):
            if branches := _list(schema.get(key)):
                each = [self.types(branch, depth + 1) for branch in branches]
                return None if None in each else frozenset().union(*filter(None, each))
        for branch in _list(schema.get("allOf")):
            if (known := self.types(branch, depth + 1)) is not None:
                return known
        values = [schema["const"]] if "const" in schema else _list(schema.get("enum"))
        return frozenset(_KIND_OF.get(type(value), "null") for value in values) or None

    def of_member(self, schema: object, key: str, place: int, is_object: bool, depth: int = 0) -> object:
        """What is demanded of the member `key` of an object, or of that at `place` in a list."""
        schema = self._resolved(schema)
        self._left -= 1
        if not isinstance(schema, dict) or depth > _DEEPEST or self._left < 0:
            return None
        if is_object:
            properties, others = schema.get("properties"), schema.get("additionalProperties")
            if isinstance(properties, dict) and key in properties:
                return properties[key]
            if isinstance(others, dict) and "patternProperties" not in schema:
                return others
        else:
            first = _list(schema.get("prefixItems"))
            if place < len(first):
                return first[place]
            if isinstance(schema.get("items"), dict):
                return schema["items"]
        for branch in _list(schema.get("allOf")):
            if (found := self.of_member(branch, key, place, is_object, depth + 1)) is not None:
                return found
        # Of alternatives one may speak of the member: of two nobody knows which is meant.
        branches = [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))]
        speak = [self.of_member(branch, key, place, is_object, depth + 1) for branch in branches]
        speak = [one for one in speak if one is not None]
        return speak[0] if len(speak) == 1 else None

    def _resolved(self, schema: object) -> object:
        for _ in range(_DEEPEST):
            if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
                return schema
            schema = self._at(schema["$ref"])
        return None

    def _at(self, reference: str) -> object:
        """The part of the schema at a reference within it."""
        if not reference.startswith("#"):
            return None
        part: Any = self._root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            part = part.get(name) if isinstance(part, dict) else None
        return part


def _list(value: object) -> list[Any]:
    return value[:_MOST_BRANCHES] if isinstance(value, list) else []
