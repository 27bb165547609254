"""The schema of a function's parameters: an object at its root, and no PHP lists where objects belong.

Strict endpoints answer 400 to a root without `type: object` (14790897/MiqroForge-Desktop#1165, measured) and to
`properties: []`, PHP's empty array (openai-php/client#262, laravel/boost#220): one such MCP tool is a 400 for the whole
session. What is deeper in a schema depends on the model's vendor, and stays but for those lists.
"""

from __future__ import annotations

from typing import Any

from ..exchange import JsonObject
from ..wire import json_body
from . import content
from .unchanged import Unchanged

WRAPPED_AS = "input"
"""The property that holds what a root describes which is no object."""

_OBJECT = "object"
_OTHER_TYPES = frozenset(["string", "number", "integer", "boolean", "array"])
_NO_WORDS = frozenset(["", "none", "null", "nil", "undefined", "any", "true", "false", _OBJECT, *_OTHER_TYPES])
"""Texts in the place of a schema or of properties that describe nothing."""

SCHEMAS_BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
SCHEMAS = frozenset(
    [
        "items",
        "additionalItems",
        "prefixItems",
        "unevaluatedItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "not",
        "if",
        "then",
        "else",
        "anyOf",
        "oneOf",
        "allOf",
    ]
)
"""Keywords whose value is a schema or a list of schemas. What other keywords hold (`enum`, `default`) is data."""
_FIXED = SCHEMAS | {*SCHEMAS_BY_NAME, "required"}
_SOUND = Unchanged()
_STAY_AT_THE_ROOT = ("$schema", "$id", "$defs", "definitions")
"""What references inside a schema resolve by."""


def object_schema(given: object) -> tuple[JsonObject, str]:
    """The schema of an object for what was `given` as a function's parameters, and why it differs ("": it doesn't).

    Works in place where it can. What a root describes that is no object becomes its property `WRAPPED_AS`, since
    arguments are always an object; a text that is no schema becomes the description.
    """
    key = _SOUND.key(given)
    if key in _SOUND and isinstance(given, dict):
        return given, ""
    schema, read = _as_schema(given)
    root, why = _rooted(schema)
    fixed = _fix_keywords_everywhere(root)
    whys = "; ".join(filter(None, [read, why, fixed]))
    if not whys:
        _SOUND.add(key)
    return root, whys


def _as_schema(given: object) -> tuple[JsonObject, str]:
    """A schema from any value; the cloud API's form, a JSON string, is read."""
    if isinstance(given, dict):
        return given, ""
    if isinstance(given, str):
        value: object = given
        while isinstance(value, str):
            try:
                value = json_body.parse(value.encode("utf-8", "surrogatepass"))
            except json_body.InvalidJson:
                break
        if isinstance(value, dict):
            return value, "parameters were a JSON string: read"
    named = _named(given)
    if named:
        return {"properties": named}, "parameters were a list: named by their names"
    words = _words(given)
    return ({"description": words} if words else {}), "parameters were no schema"


def _rooted(schema: JsonObject) -> tuple[JsonObject, str]:
    kind = schema.get("type")
    properties = schema.get("properties")
    if kind == _OBJECT and isinstance(properties, dict):
        return schema, ""
    if not properties and not _may_be_object(schema):
        return _wrapped(schema), f"the root describes no object: it becomes the property {WRAPPED_AS}"
    rooted: JsonObject = (
        schema if kind == _OBJECT else {"type": _OBJECT} | schema | {"type": _OBJECT}
    )  # first, where it was absent
    if not isinstance(properties, dict):
        rooted["properties"] = _properties(rooted, properties)
    return rooted, "the root is an object with properties"


def _may_be_object(schema: JsonObject) -> bool:
    """Whether what a schema describes can be an object, as far as its own keywords and its branches' types say."""
    if not _type_may_be_object(schema):
        return False
    for keyword, enough in (("anyOf", any), ("oneOf", any), ("allOf", all)):
        branches = schema.get(keyword)
        if isinstance(branches, list) and branches and not enough(map(_type_may_be_object, branches)):
            return False
    return True


def _type_may_be_object(schema: object) -> bool:
    if not isinstance(schema, dict):
        return True
    kind = schema.get("type")
    kinds = {name.lower() for name in (kind if isinstance(kind, list) else [kind]) if isinstance(name, str)}
    if _OBJECT in kinds:
        return True
    if not kinds.isdisjoint(_OTHER_TYPES):
        return False
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return any(isinstance(value, dict) for value in schema["enum"])
    return isinstance(schema.get("const", {}), dict) and "items" not in schema


def _wrapped(schema: JsonObject) -> JsonObject:
    root = {key: schema.pop(key) for key in _STAY_AT_THE_ROOT if key in schema}
    return {**root, "type": _OBJECT, "properties": {WRAPPED_AS: schema}, "required": [WRAPPED_AS]}


def _properties(schema: JsonObject, given: object) -> JsonObject:
    """Properties as an object; a list of named ones is read, any other text is added to `schema`'s description."""
    named = _named(given)
    if named is None:
        words = _words(given)
        if words:
            said = schema.get("description")
            schema["description"] = content.join(said if isinstance(said, str) else None, words)
        return {}
    return named


def _named(given: object) -> JsonObject | None:
    if not isinstance(given, list):
        return None
    named: JsonObject = {}
    for entry in given:
        if isinstance(entry, str):
            named[entry] = {}
        elif isinstance(entry, dict) and isinstance(entry.get("name"), str):
            named[entry["name"]] = {key: value for key, value in entry.items() if key != "name"}
        else:
            return None
    return named


def _words(value: object) -> str:
    """What a value that is no schema says to a reader; "" if it says nothing."""
    if isinstance(value, str):
        return "" if value.strip().lower() in _NO_WORDS else value
    return json_body.serialise(value).decode() if isinstance(value, list | dict) and value else ""


def _fix_keywords_everywhere(root: JsonObject) -> str:
    """Mend lists and nulls in place of objects, in `root` and all schemas in it. Why, or "" where nothing was."""
    fixed = False
    waiting: list[Any] = [root]
    while waiting:
        schema = waiting.pop()
        if isinstance(schema, list):
            waiting.extend(schema)
        elif isinstance(schema, dict) and not _FIXED.isdisjoint(schema):  # most hold no schema and need no look
            fixed |= _fix_keywords(schema)
            for key, value in schema.items():
                if key in SCHEMAS:
                    waiting.append(value)
                elif key in SCHEMAS_BY_NAME and isinstance(value, dict):
                    waiting.extend(value.values())
    return "keywords that are no objects or lists of names are fixed" if fixed else ""


def _fix_keywords(schema: JsonObject) -> bool:
    wrong = [key for key in SCHEMAS_BY_NAME if key in schema and not isinstance(schema[key], dict)]
    for key in wrong:
        schema[key] = _properties(schema, schema[key]) if key == "properties" else _named(schema[key]) or {}
    names = _taken_flags(schema.get("properties"))
    if not names and ("required" not in schema or _is_names(schema["required"])):
        return bool(wrong)
    names = list(dict.fromkeys([*_required(schema.pop("required", None)), *names]))
    if names:
        schema["required"] = names
    return True


def _taken_flags(properties: object) -> list[str]:
    """Names of properties that say `required: true` of themselves, as draft 3 had it; the flags are taken off."""
    if not isinstance(properties, dict):
        return []
    flagged = [name for name, of in properties.items() if isinstance(of, dict) and of.get("required") is True]
    for name in flagged:
        del properties[name]["required"]
    return flagged


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _required(given: object) -> list[str]:
    if isinstance(given, str):
        return [given]
    if isinstance(given, dict):
        return [name for name, wanted in given.items() if wanted is True]
    return [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
