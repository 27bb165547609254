"""Is a schema "moonshot flavored", and if not, what does the endpoint say (docs/facts/kimi.md#schemas)?

The levels of the vendor's validator that refusals in the wild match: `lite`, and what `strict` adds. Like it, this
one looks into `$defs`, `properties`, `items`, `additionalProperties` and `anyOf`, and into nothing else.
"""

from collections.abc import Iterator
from typing import Any

ROOT = "root"
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_BESIDE_LISTS = ("default", "enum", "format")
"""In `strict` a list of types may not stand beside them, but two plain types beside `enum` may."""


def problem(schema: Any, *, strict: bool = False) -> str | None:
    """What is wrong with `schema`, as `<At path '...': ...>`; `None` if it is accepted."""
    if not isinstance(schema, dict):
        return f"<At path '{ROOT}': schema must be a dict>"
    for path, node in _nodes(schema):
        for said in _node(node, schema, strict=strict):
            return f"<At path '{path}': {said}>"
    return None


def _nodes(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each schema in `schema` with its path, itself first."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), schema)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, dict):
            continue
        yield ".".join(path) or ROOT, node
        inner: list[tuple[tuple[str, ...], Any]] = []
        for holder in ("$defs", "properties"):
            if isinstance(node.get(holder), dict):
                inner += [((*path, holder, name), one) for name, one in node[holder].items()]
        inner += [((*path, name), node.get(name)) for name in ("items", "additionalProperties")]
        if isinstance(node.get("anyOf"), list):
            inner += [((*path, f"anyOf{{{index}}}"), one) for index, one in enumerate(node["anyOf"])]
        waiting.extend(reversed(inner))


def _node(node: dict[str, Any], root: dict[str, Any], *, strict: bool) -> Iterator[str]:
    given = node.get("type")
    if "type" in node and "anyOf" in node:
        yield "when using anyOf, type should be defined in anyOf items instead of the parent schema"
    if "type" in node and "$ref" in node:
        yield "when using $ref, type should be defined in the referenced schema instead of the parent schema"
    types = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    if "type" in node and (not types or not all(isinstance(one, str) and one in _KINDS for one in types)):
        yield "invalid type"
    may_list = len(types) == 2 and "enum" in node and {"object", "array"}.isdisjoint(types)
    if strict and len(types) > 1 and not may_list:
        beside = [name for name in _BESIDE_LISTS if name in node]
        yield from (f"keyword {name} is not allowed in combination with multiple types" for name in beside)
    if isinstance(values := node.get("enum"), list):
        yield from _enum(values, types)
    if isinstance(required := node.get("required"), list):
        properties = node.get("properties")
        known = properties if isinstance(properties, dict) else {}
        yield from (
            f"required property '{name}' is not defined in properties" for name in required if name not in known
        )
    if isinstance(reference := node.get("$ref"), str):
        yield from _reference(reference, root)


def _enum(values: list[Any], types: list[str]) -> Iterator[str]:
    if not types:
        yield "type is not defined"
    for value in values:
        kinds = [_KINDS[name] for name in types if name in _KINDS]
        if not any(isinstance(value, kind) and (bool in kind or not isinstance(value, bool)) for kind in kinds):
            shown = "<nil>" if value is None else value
            yield f"enum value ({shown}) does not match any type in [{' '.join(types)}]"


def _reference(reference: str, root: dict[str, Any]) -> Iterator[str]:
    if reference == "#":
        return  # the root, which the vendor's checker takes
    if not reference.startswith("#/$defs/"):
        yield "references must start with #/$defs/"
        return
    place: Any = root
    for part in reference.removeprefix("#/").split("/"):
        place = place.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        yield f"invalid $ref path: {reference}"
