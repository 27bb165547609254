"""Whether a Responses body has the fields and types that its API takes: `openai_shapes.toml`, read and applied.

The words of a refusal are those of OpenAI's API; a place is written as there: `input[0].content[1].text`.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from .rows import Finding, Json

_WORDS = ("string", "integer", "number", "boolean", "null", "object", "any")
_TOKEN = re.compile(r"\s*(?:'([^']*)'|([\w.]+)|([|\[\]{}?]))")


@dataclass(frozen=True, slots=True)
class Type:
    """What a value may be: one of the words, literals and shapes, a list of `items`, a map of `values`."""

    words: frozenset[str] = frozenset()
    literals: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    items: "Type | None" = None
    values: "Type | None" = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a shape."""

    type: Type
    optional: bool


def body_findings(body: object) -> Iterator[Finding]:
    """What is wrong with the shape of a whole body."""
    if not isinstance(body, dict):
        yield Finding("type", "body: expected an object", "")
        return
    yield from _of_shape(body, "body", "")


@cache
def _shapes() -> dict[str, dict[str, Field]]:
    raw = tomllib.loads(resources.files(__package__).joinpath("openai_shapes.toml").read_text("utf-8"))
    aliases = raw["aliases"]
    return {
        name: {field: _field(written, aliases) for field, written in fields.items()}
        for name, fields in raw["shapes"].items()
    }


def _field(written: str, aliases: dict[str, str]) -> Field:
    while found := next((alias for alias in aliases if re.search(rf"\b{alias}\b", written)), ""):
        written = re.sub(rf"\b{found}\b", lambda _: aliases[found], written)
    optional = written.startswith("?")
    tokens = [match.groups() for match in _TOKEN.finditer(written.removeprefix("?"))]
    return Field(_type(tokens), optional)


def _type(tokens: Sequence[tuple[Any, ...]]) -> Type:
    """The type that the tokens (literal, name, sign) write; a list or a map reaches to its closing sign."""
    words, literals, shapes = set[str](), list[str](), list[str]()
    inner: dict[str, Type] = {}
    place = 0
    while place < len(tokens):
        literal, name, sign = tokens[place]
        place += 1
        if literal is not None:
            literals.append(literal)
        elif name is not None:
            (words.add if name in _WORDS else shapes.append)(name)
        elif sign in "[{":
            end = next(at for at in range(place, len(tokens)) if tokens[at][2] == ("]" if sign == "[" else "}"))
            inner["items" if sign == "[" else "values"] = _type(tokens[place:end])
            place = end + 1
    return Type(frozenset(words), tuple(literals), tuple(shapes), inner.get("items"), inner.get("values"))


def _of_shape(value: Json, name: str, at: str) -> Iterator[Finding]:
    fields = _shapes()[name]
    prefix = f"{at}." if at else ""
    for given in value.keys() - fields.keys():
        yield Finding("unknown", f"Unknown parameter: '{prefix}{given}'.", f"{prefix}{given}")
    for key, field in fields.items():
        if key in value:
            yield from _of_type(value[key], field.type, f"{prefix}{key}")
        elif not field.optional:
            yield Finding("missing", f"Missing required parameter: '{prefix}{key}'.", f"{prefix}{key}")


def _of_type(value: Any, type_: Type, at: str) -> Iterator[Finding]:
    if "any" in type_.words:
        return
    match value:
        case None | bool() | int() | float():
            if not _WORDS_OF[type(value)] & type_.words:
                yield _wrong(value, type_, at)
        case str():
            if "string" not in type_.words and value not in type_.literals:
                yield _unlike(value, type_.literals, at) if type_.literals else _wrong(value, type_, at)
        case list():
            if type_.items is None:
                yield _wrong(value, type_, at)
            else:
                for index, item in enumerate(value):
                    yield from _of_type(item, type_.items, f"{at}[{index}]")
        case dict():
            yield from _of_object(value, type_, at)


_WORDS_OF: dict[type, frozenset[str]] = {
    type(None): frozenset({"null"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
}


def _of_object(value: Json, type_: Type, at: str) -> Iterator[Finding]:
    if "object" in type_.words:
        return
    if type_.values is not None:
        for key, item in value.items():
            yield from _of_type(item, type_.values, f"{at}.{key}")
        return
    if not type_.shapes:
        yield _wrong(value, type_, at)
        return
    for tag in ("type", "role"):  # messages share a type
        if len(type_.shapes) == 1:
            break
        fitting = [name for name in type_.shapes if _fits(value, name, tag)]
        if not fitting:
            known = [text for name in type_.shapes for text in _literals(name, tag)]
            if tag in value:
                yield _unlike(value[tag], tuple(dict.fromkeys(known)), f"{at}.{tag}")
            else:
                yield Finding("missing", f"Missing required parameter: '{at}.{tag}'.", f"{at}.{tag}")
            return
        type_ = Type(shapes=tuple(fitting))
    yield from _of_shape(value, type_.shapes[0], at)


def _fits(value: Json, name: str, tag: str) -> bool:
    """Whether the tag of `value` is one of the shape's, or neither has one."""
    field = _shapes()[name].get(tag)
    if field is None:
        return tag not in value
    return field.optional if tag not in value else next(_of_type(value[tag], field.type, ""), None) is None


def _literals(name: str, tag: str) -> tuple[str, ...]:
    field = _shapes()[name].get(tag)
    return field.type.literals if field else ()


def _wrong(value: Any, type_: Type, at: str) -> Finding:
    wanted = sorted(type_.words) + [repr(one) for one in type_.literals]
    wanted += (["an object"] if type_.shapes else []) + (["an array"] if type_.items else [])
    got = {dict: "an object", list: "an array", type(None): "null"}.get(type(value), type(value).__name__)
    return Finding("type", f"Invalid type for '{at}': expected one of {', '.join(wanted)}, but got {got} instead.", at)


def _unlike(value: Any, known: Sequence[str], at: str) -> Finding:
    supported = ", ".join(f"'{one}'" for one in known)
    return Finding("value", f"Invalid value: {str(value)[:80]!r}. Supported values are: {supported}.", at)
