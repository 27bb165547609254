"""Moonshot's flavour of JSON Schema at its harshest: nothing but the keywords that it has, each where it may stand.

Only for a model that has refused a schema of the level "lite" (`mfjs.py`). The vendor's levels "strict" and "ultra" are
one here: a second refusal would cost the request. What a keyword says that goes is a restriction, and no parameter.
"""

from __future__ import annotations

from typing import Any, Final

from ..exchange import JsonObject
from .mfjs_references import DEFS, REF, target

COMMON: Final = frozenset(["description", "title"])
"""Keywords that may stand beside `anyOf` and `$ref`."""
_EVERYWHERE: Final = COMMON | {"type", "default"}
_KEYWORDS: Final = {
    "object": _EVERYWHERE | {"properties", "required", "additionalProperties"},
    "array": _EVERYWHERE | {"items", "minItems", "maxItems"},
    "string": _EVERYWHERE | {"minLength", "maxLength", "pattern", "enum"},
    "integer": _EVERYWHERE | {"minimum", "maximum", "enum"},
    "number": _EVERYWHERE | {"minimum", "maximum", "enum"},
    "boolean": _EVERYWHERE | {"enum"},
    "null": _EVERYWHERE | {"enum"},
}
"""Type -> the keywords that may stand beside it."""
_ROOT: Final = frozenset([DEFS, "$id"])
_RANGES: Final = (("minLength", "maxLength"), ("minItems", "maxItems"), ("minimum", "maximum"))
_RESERVED: Final = frozenset([DEFS, REF, "anyOf", "required", "additionalProperties", ""])
"""Names that no property may have."""
_TELLING: Final = (
    ("properties", "object"),
    ("additionalProperties", "object"),
    ("items", "array"),
    ("minItems", "array"),
    ("pattern", "string"),
    ("minLength", "string"),
    ("maxLength", "string"),
    ("format", "string"),
    ("minimum", "number"),
    ("maximum", "number"),
)
"""A keyword -> the type that it tells."""


def simplify(schema: JsonObject, root: JsonObject) -> bool:
    """Put into the flavour's words, in place, what it has other words for. Whether anything changed."""
    before, given = schema.keys() - {"type"}, schema.get("type")
    if "const" in schema:
        schema.setdefault("enum", [schema["const"]])
        del schema["const"]
    if isinstance(schema.get("allOf"), list):
        _join_all(schema, root)
    if isinstance(schema.get("oneOf"), list):
        branches = schema.pop("oneOf")
        if not schema.get("anyOf"):
            schema["anyOf"] = branches
    if schema.pop("nullable", False) is True and isinstance(schema.get("type"), str):
        schema["type"] = list(dict.fromkeys([schema["type"], "null"]))
    if schema is root:
        schema.pop("anyOf", None)
        schema["type"] = "object"
    return before != schema.keys() - {"type"} or given != schema.get("type")


def _join_all(schema: JsonObject, root: JsonObject) -> None:
    """What all of `allOf` say is said by the schema itself; of two that say the same the first counts."""
    members = [one for one in schema.pop("allOf") if isinstance(one, dict)]
    if len(members) == 1 and REF in members[0] and not schema.keys() - COMMON - {"default"}:
        schema[REF] = members[0][REF]
        return
    for one in members:
        for keyword, value in without_reference(one, root).items():
            held = schema.get(keyword)
            if isinstance(held, dict) and isinstance(value, dict):
                schema[keyword] = {**value, **held}
            elif keyword == "required" and isinstance(held, list) and isinstance(value, list):
                schema[keyword] = [*held, *value]
            else:
                schema.setdefault(keyword, value)


def without_reference(schema: JsonObject, root: JsonObject) -> JsonObject:
    """What `schema` says where it is no reference; else what it refers to says, by references to its properties.

    So what is shared is copied nowhere, and a schema never comes to hold itself.
    """
    leads_to = target(root, schema)
    if leads_to is None:
        return {keyword: value for keyword, value in schema.items() if keyword not in (REF, DEFS)}
    path = f"{schema[REF]}/properties"
    properties = leads_to.get("properties")
    if schema[REF] == "#" or not isinstance(properties, dict):
        return {}
    said: JsonObject = {"properties": {name: {REF: f"{path}/{name}"} for name in properties if "/" not in name}}
    if isinstance(leads_to.get("required"), list):
        said["required"] = leads_to["required"]
    return {"type": "object", **said}


def _split_types(schema: JsonObject) -> None:
    """Several types become alternatives, each with the keywords that are its own."""
    types = [kind for kind in dict.fromkeys(schema["type"]) if isinstance(kind, str)]
    if len(types) == 1:
        schema["type"] = types[0]
        return
    with_null = len(types) == 2 and "null" in types and not {"object", "array"} & set(types) and "enum" in schema
    if schema.keys() <= COMMON | {"type"} | ({"enum", "default"} if with_null else set()):
        schema["type"] = types
        return
    rest = {key: schema.pop(key) for key in list(schema) if key not in COMMON}
    schema["anyOf"] = [
        {"type": kind, **{key: value for key, value in rest.items() if _belongs(key, value, kind)}} for kind in types
    ]


def _belongs(keyword: str, value: Any, kind: str) -> bool:
    if keyword == "default":
        return (value is None) == (kind == "null")
    return keyword != "type" and keyword in _KEYWORDS.get(kind, ())


def restrict(schema: JsonObject, root: JsonObject) -> bool:
    """Take away, in place, what may not stand where it is; say a type where there is none. Whether anything changed."""
    before, given = len(schema), schema.get("type")
    changed = _tell_type(schema)
    if isinstance(given, list):
        _split_types(schema)
        changed = changed or schema.get("type") != given
    allowed = _allowed(schema, root)
    for keyword in [keyword for keyword in schema if keyword not in allowed]:
        del schema[keyword]
    for low, high in _RANGES:
        for bound in (low, high):
            if bound in schema and not _is_bound(schema[bound], low, schema.get("type")):
                del schema[bound]
        if low in schema and high in schema and schema[low] > schema[high]:
            del schema[low], schema[high]
    properties = schema.get("properties", {})
    for name in [name for name in properties if name in _RESERVED]:
        del properties[name]
        changed = True
    if "required" in schema:
        names = [name for name in dict.fromkeys(schema["required"]) if name in properties]
        changed = changed or names != schema["required"]
        schema["required"] = names
    return changed or len(schema) != before


def _tell_type(schema: JsonObject) -> bool:
    if "type" in schema or {REF, "anyOf"} & schema.keys():
        return False
    told = next((kind for keyword, kind in _TELLING if keyword in schema), None)
    if told is not None:
        schema["type"] = told
    else:
        schema["anyOf"] = [{"type": kind} for kind in _KEYWORDS if kind != "integer"]
    return True


def _allowed(schema: JsonObject, root: JsonObject) -> frozenset[str]:
    """The keywords that a schema may have."""
    allowed = COMMON | _ROOT if schema is root else COMMON
    if REF in schema:
        return allowed | {REF}
    if "anyOf" in schema:
        return allowed | {"anyOf"}
    given = schema.get("type")
    of_types = [_KEYWORDS.get(str(kind), _EVERYWHERE) for kind in (given if isinstance(given, list) else [given])]
    return allowed | frozenset.intersection(*of_types)


def say_once(schema: JsonObject, root: JsonObject) -> bool:
    """Words stand beside `anyOf` or in it, and beside a reference or where it leads, not both. Whether any did."""
    changed = False
    leads_to = target(root, schema)
    for keyword in sorted(COMMON & schema.keys()):
        for branch in schema.get("anyOf", ()):
            if keyword in branch:
                said = branch.pop(keyword)
                changed = True
                if keyword == "description":
                    schema[keyword] += f"\n- {said}"
        if leads_to is not None and keyword in leads_to:
            del schema[keyword]
            changed = True
    return changed


def _is_bound(value: object, low: str, types: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if low == "minimum":
        return types != "integer" or float(value).is_integer()
    return value >= 0 and float(value).is_integer()
