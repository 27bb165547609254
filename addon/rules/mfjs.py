"""Moonshot's flavour of JSON Schema (MFJS), as its platform checks it in tools: the level "lite".

    400 tools.function.parameters is not a valid moonshot flavored json schema, details: <At path '…': …>

The vendor's checker is public (github.com/MoonshotAI/walle). Exactly what it refuses is repaired, so the schemas of
real agents stay as they are; keywords that it doesn't know are no fault at this level. Where something must be lost it
is a restriction, never a parameter: arguments that were allowed are allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from ..exchange import JsonObject
from ..wire import json_body
from . import mfjs_references, mfjs_strict
from .mfjs_references import DEFS, REF, has_slash
from .mfjs_strict import COMMON, without_reference
from .unchanged import Unchanged

type Flavour = Literal["mfjs-lite", "mfjs-strict"]

_NULL: Final = "null"
TYPES: Final = ("string", "integer", "number", "boolean", "object", "array", _NULL)
_OTHER_TYPES: Final = {
    **dict.fromkeys(("str", "text", "date", "datetime", "date-time", "file", "uuid", "char"), "string"),
    **dict.fromkeys(("int", "int32", "int64", "long"), "integer"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("dict", "map", "record"), "object"),
    **dict.fromkeys(("list", "tuple", "set"), "array"),
    **dict.fromkeys(("none", "nil", "undefined"), _NULL),
}
"""What other languages call a type."""
_NUMBERS: Final = frozenset(["integer", "number"])
_CONTAINERS: Final = frozenset(["object", "array"])
_MOST_VALUES: Final = 1000
_MOST_ALTERNATIVES: Final = 500
_DEEPEST: Final = 30
"""Levels of properties."""
_STRICT: Final = "nothing but what the endpoint's own flavour of JSON Schema has is left"
_SOUND: Final[dict[str, Unchanged]] = {"mfjs-lite": Unchanged(), "mfjs-strict": Unchanged()}


def fit(root: JsonObject, flavour: Flavour) -> str:
    """Make `root`, the schema of an object, one that the flavour takes, in place. Why, or `""` where it was one."""
    sound = _SOUND[flavour]
    key = sound.key(root)
    if key in sound:
        return ""
    strict = flavour == "mfjs-strict"
    whys: dict[str, None] = {}
    # 1. References; then the root has what it may have been one to.
    changed, references = mfjs_references.settle(root, strict)
    if changed:
        whys["references lead to $defs"] = None
    _flatten(root, root, whys)
    # 2. Every schema, from the root down.
    found: list[JsonObject] = []
    seen: set[int] = set()  # what two places share is looked at once
    waiting: list[tuple[JsonObject, int]] = [(root, 0)]
    while waiting:
        schema, depth = waiting.pop()
        if id(schema) not in seen:
            seen.add(id(schema))
            _fit_one(schema, root, depth, strict, whys)
            waiting += _inside(schema, depth)
            found.append(schema)
    # 3. What depends on two schemas, once both are as they will be.
    for schema in (*references, *found):
        if REF not in schema:
            continue
        if mfjs_references.target(root, schema) is None:  # what it led to is in several alternatives by now
            del schema[REF]
            whys["references lead to $defs"] = None
            if strict:
                mfjs_strict.restrict(schema, root)
        elif why := _fit_beside_reference(schema, root):
            whys[why] = None
    for schema in found if strict else ():
        if mfjs_strict.say_once(schema, root):
            whys[_STRICT] = None
    if not whys:
        sound.add(key)
    return "; ".join(whys)


def _inside(schema: JsonObject, depth: int) -> Iterable[tuple[JsonObject, int]]:
    """The schemas in `schema` that the checker looks at, with the levels of properties above each."""
    for name in (DEFS, "properties"):
        below = depth + (name == "properties")
        yield from ((inner, below) for inner in schema.get(name, {}).values())
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield schema[name], depth
    yield from ((branch, depth) for branch in schema.get("anyOf", ()))


def _fit_one(schema: JsonObject, root: JsonObject, depth: int, strict: bool, whys: dict[str, None]) -> None:
    if strict and mfjs_strict.simplify(schema, root):
        whys[_STRICT] = None
    if DEFS in schema and schema is not root:
        del schema[DEFS]  # nothing leads here: what was referred to has moved
        whys["$defs are at the root"] = None
    for fitted in _FITS:
        if why := fitted(schema):
            whys[why] = None
    if depth >= _DEEPEST and schema.get("properties"):
        schema["properties"] = {}
        schema.pop("required", None)
        whys[f"properties nest at most {_DEEPEST} times"] = None
    if strict and schema.get("properties"):
        _flatten(schema, root, whys)
    if strict and mfjs_strict.restrict(schema, root):
        whys[_STRICT] = None


def _fit_words(schema: JsonObject) -> str:
    wrong = [key for key in ("$id", "pattern") if schema.get(key) is not None and not isinstance(schema[key], str)]
    for key in wrong:
        del schema[key]
    if "description" in schema and not isinstance(schema["description"], str):
        said = schema.pop("description")
        if said is not None:
            schema["description"] = json_body.serialise(said).decode()
        wrong.append("description")
    names = ", ".join(wrong)
    return f"{names} must be text" if wrong else ""


def _fit_type(schema: JsonObject) -> str:
    if "type" not in schema:
        return ""
    given = schema["type"]
    listed = given if isinstance(given, list) else [given]
    types = list(dict.fromkeys(known for one in listed if (known := _known_type(one))))
    if all(isinstance(one, str) and one in TYPES for one in listed) and listed:
        return ""
    if types:
        schema["type"] = types if isinstance(given, list) and len(types) > 1 else types[0]
    else:
        del schema["type"]
    return "names of types become those of JSON Schema"


def _known_type(given: object) -> str:
    word = given.strip().lower() if isinstance(given, str) else ""
    return word if word in TYPES else _OTHER_TYPES.get(word, "")


def _fit_properties(schema: JsonObject) -> str:
    changed = False
    for name in ("properties", DEFS):
        held = schema.get(name)
        if name not in schema:
            continue
        if not isinstance(held, dict):
            del schema[name]
            changed = True
            continue
        for key in [key for key, inner in held.items() if not isinstance(inner, dict)]:
            if held[key] is False:
                del held[key]
            else:
                held[key] = {}
            changed = True
    for key in [key for key, inner in schema.get(DEFS, {}).items() if not key or "/" in key or has_slash(inner)]:
        del schema[DEFS][key]  # nothing leads here
        changed = True
    return "schemas are objects" if changed else ""


def _fit_lists(schema: JsonObject) -> str:
    """`items`, `anyOf` and `additionalProperties`: schemas, where tuples and booleans were."""
    changed = False
    if "items" in schema and not isinstance(schema["items"], dict):
        items = schema["items"]
        schemas = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        schema["items"] = {"anyOf": schemas} if len(schemas) > 1 else schemas[0] if schemas else {}
        changed = True
    if "additionalProperties" in schema and not isinstance(schema["additionalProperties"], bool | dict):
        del schema["additionalProperties"]
        changed = True
    if "anyOf" in schema:
        given = schema["anyOf"]
        listed = given if isinstance(given, list) else []
        branches = [{} if one is True else one for one in listed if one is True or isinstance(one, dict)]
        if branches != given or len(branches) > _MOST_ALTERNATIVES:
            schema["anyOf"] = branches[:_MOST_ALTERNATIVES]
            changed = True
        if not branches:
            del schema["anyOf"]
            changed = True
    return "schemas are objects" if changed else ""


def _fit_required(schema: JsonObject) -> str:
    if "required" not in schema:
        return ""
    given, properties = schema["required"], schema.get("properties", {})
    names = (
        [name for name in given if isinstance(name, str) and name in properties] if isinstance(given, list) else None
    )
    if names == given:
        return ""
    if names:
        schema["required"] = names
    else:
        del schema["required"]
    return "only properties that there are can be required"


def _fit_enum(schema: JsonObject) -> str:
    """An `enum` has a type, and every value is of it; values of several types become alternatives."""
    if "enum" not in schema:
        return ""
    values, given = schema["enum"], schema.get("type")
    if not isinstance(values, list) or not values or len(values) > _MOST_VALUES or "anyOf" in schema or REF in schema:
        del schema["enum"]
        return "the model takes an enum only as a list of values: removed"
    # 1. The types that occur, and the values that are of a type at all.
    allowed = TYPES if given is None else given if isinstance(given, list) else (given,)
    kinds = [_type_within(value, allowed) for value in values]
    if "number" in kinds:
        kinds = ["number" if kind == "integer" else kind for kind in kinds]
    kept = [value for value, kind in zip(values, kinds, strict=True) if kind]
    types = [kind for kind in dict.fromkeys(kinds) if kind]
    if not kept:
        del schema["enum"]
        return "no value of the enum has its type: the enum is removed"
    # 2. One type, perhaps with null.
    if len(types) == 1 or (len(types) == 2 and _NULL in types and not _CONTAINERS & set(types)):
        if isinstance(given, str) or (isinstance(given, list) and _goes_with(given, types)):
            wanted: Any = given
        else:
            wanted = types[0] if len(types) == 1 else _in_order(types)
        if kept == values and wanted == given:
            return ""
        schema["type"], schema["enum"] = wanted, kept
        return "the model takes an enum only with a type, and with values of that type"
    # 3. Several types: alternatives.
    schema.pop("type", None)
    del schema["enum"]
    schema["anyOf"] = [
        {"type": one, "enum": [value for value, kind in zip(values, kinds, strict=True) if kind == one]}
        for one in types
    ]
    return "the model takes an enum only of one type: alternatives in its place"


def _type_within(value: object, allowed: Iterable[str]) -> str:
    """The type of a value, one of `allowed`; `""` for any other."""
    kind = _type_of(value)
    if kind == "integer" and "integer" not in allowed:
        kind = "number"
    return kind if kind in allowed else ""


def _goes_with(given: list[str], types: list[str]) -> bool:
    """Whether a list of types may stand beside an enum of values of `types`."""
    if len(given) == 1:
        return True
    return (
        len(given) == 2
        and _NULL in given
        and not _CONTAINERS & set(given)
        and (_NULL not in types or _in_order(given) == given)
    )


def _in_order(types: list[str]) -> list[str]:
    """A type and null: the checker holds a null against a number before it looks further."""
    other = next(kind for kind in types if kind != _NULL)
    return [_NULL, other] if other in _NUMBERS or types[0] == _NULL else [other, _NULL]


def _type_of(value: object) -> str:
    match value:
        case None:
            return _NULL
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case dict():
            return "object"
        case _:
            return "array"


def _fit_alternatives(schema: JsonObject) -> str:
    """Nothing but words stands both beside `anyOf` and in it; a type stands in it."""
    branches: list[JsonObject] = schema.get("anyOf", [])
    if not branches:
        return ""
    changed = False
    if "type" in schema:
        kind = schema.pop("type")
        for branch in branches:
            branch.setdefault("type", kind)  # beside a reference it goes again
        changed = True
    outer = schema.keys() - COMMON - {"anyOf"}
    for branch in branches:
        for key in outer & branch.keys():
            changed = True
            if key == "properties" and isinstance(branch[key], dict) and isinstance(schema[key], dict):
                schema[key].update({name: inner for name, inner in branch[key].items() if name not in schema[key]})
            del branch[key]
    return "the model takes a type inside anyOf, and other keys in one place only" if changed else ""


def _fit_beside_reference(schema: JsonObject, root: JsonObject) -> str:
    """Beside a reference stand words, and what is not in the schema that it leads to."""
    leads_to = mfjs_references.target(root, schema) or {}
    far = REF in leads_to or "anyOf" in leads_to
    wrong = [
        key
        for key in schema
        if key != REF and key not in COMMON and (far or key in leads_to or key in ("type", "anyOf"))
    ]
    for key in wrong:
        del schema[key]
    return "the reference leads to a schema that says this itself: removed beside it" if wrong else ""


_FITS: Final[tuple[Callable[[JsonObject], str], ...]] = (
    _fit_words,
    _fit_type,
    _fit_properties,
    _fit_lists,
    _fit_enum,
    _fit_alternatives,
    _fit_required,
)


def _flatten(schema: JsonObject, root: JsonObject, whys: dict[str, None]) -> None:
    """An object has properties: those of its alternatives become its own, required where all of them require them."""
    branches = schema.get("anyOf")
    if branches is None:
        return
    del schema["anyOf"]
    whys["the alternatives of an object become its properties"] = None
    listed = branches if isinstance(branches, list) else []
    objects = [without_reference(branch, root) for branch in listed if isinstance(branch, dict)]
    properties = schema.setdefault("properties", {})
    found: dict[str, dict[bytes, Any]] = {}
    for one in objects:
        inner = one.get("properties")
        for name, of in inner.items() if isinstance(inner, dict) else ():
            if name not in properties:
                found.setdefault(name, {}).setdefault(json_body.serialise(of), of)
    for name, schemas in found.items():
        different = [of if isinstance(of, dict) else {} for of in schemas.values()]
        properties[name] = different[0] if len(different) == 1 else {"anyOf": different}
    required = [set(names) for one in objects if isinstance(names := one.get("required"), list) and _are_texts(names)]
    if objects and len(required) == len(objects):
        everywhere = set.intersection(*required)
        given = schema.get("required")
        names = list(given) if isinstance(given, list) else []
        names += [name for name in objects[0]["required"] if name in everywhere]
        if names:
            schema["required"] = list(dict.fromkeys(names))


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
