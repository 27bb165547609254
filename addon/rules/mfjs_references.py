"""References of a schema, for Moonshot's flavour of JSON Schema: each `#`, or `#/$defs/NAME`.

What a reference leads to elsewhere moves to `$defs`, and a reference takes its place: nothing is copied, so a schema
grows by no more than its references, and one that holds itself ends as it did. What leads nowhere, or out of the
schema, allows anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from ..exchange import JsonObject
from .schemas import SCHEMAS, SCHEMAS_BY_NAME

DEFS: Final = "$defs"
REF: Final = "$ref"
_OLD_DEFS: Final = "definitions"
_PREFIX: Final = f"#/{DEFS}/"
_ALLOWED: Final = frozenset(
    ["properties", "items", "additionalProperties", "anyOf", "oneOf", "allOf", "prefixItems", DEFS, _OLD_DEFS]
)
"""Keywords below which a schema may be a reference."""
_FITTED: Final = frozenset(["properties", "items", "additionalProperties", "anyOf", DEFS])
"""Keywords below which schemas are looked at for more than references."""
_REPLACEABLE: Final = frozenset(["properties", "items", "additionalProperties", "anyOf"])
"""Keywords below which a reference may take the place of a schema."""
_MOST_STEPS: Final = 10
"""References in a row that the root may follow."""
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a schema is: under `key` of `holder`, which belongs to the keyword `keyword`."""

    holder: Any
    key: str | int
    keyword: str


def parts(schema: JsonObject) -> Iterator[tuple[str, Any, str | int, Any]]:
    """The schemas in a schema: keyword, what holds them, their key in it, and they themselves, whatever they are."""
    for keyword, value in schema.items():
        if keyword in SCHEMAS_BY_NAME and isinstance(value, dict):
            yield from ((keyword, value, name, inner) for name, inner in value.items())
        elif keyword in SCHEMAS and isinstance(value, list):
            yield from ((keyword, value, number, inner) for number, inner in enumerate(value))
        elif keyword in SCHEMAS:
            yield keyword, schema, keyword, value


def target(root: JsonObject, schema: JsonObject) -> JsonObject | None:
    """What the reference of `schema` leads to, after `settle`; `None` where it has none."""
    ref = schema.get(REF)
    found: Any = root if ref == "#" else None
    if isinstance(ref, str) and ref.startswith(_PREFIX):
        found = root
        for step in ref.split("/")[1:]:
            found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def settle(root: JsonObject, strict: bool) -> tuple[bool, list[JsonObject]]:
    """Make each reference in `root` one that is taken, in place. Whether anything changed, and the schemas with one
    that the checker looks at.

    Unless `strict`, nothing is done for references that the checker doesn't look at.
    """
    # 1. All references, and where all schemas are, before anything moves.
    places: dict[int, _Place] = {}
    references: list[tuple[JsonObject, str]] = []
    seen: list[JsonObject] = []
    is_fine = True
    waiting: list[tuple[JsonObject, str, bool, bool]] = [(root, "", True, True)]
    while waiting:
        schema, keyword, is_seen, is_fitted = waiting.pop()
        if REF in schema:
            references.append((schema, keyword))
            if is_seen:
                seen.append(schema)
            is_fine &= not is_seen or (schema is not root and _is_fine(schema[REF], keyword, root))
        for inner_keyword, holder, key, inner in parts(schema):
            if isinstance(inner, dict):
                places[id(inner)] = _Place(holder, key, inner_keyword)
                # The checker follows references through objects and anyOf; a list of items becomes anyOf where it is
                # looked at for more than references.
                fitted = is_fitted and inner_keyword in _FITTED
                below = strict or not isinstance(holder, list) or inner_keyword == "anyOf" or fitted
                waiting.append((inner, inner_keyword, is_seen and below, fitted))
    if is_fine:
        return False, seen
    found = {id(schema): _resolved(root, schema[REF]) for schema, _ in references}
    # 2. Each gets what it is called now.
    changed = False
    names = _Names(root, places)
    for schema, keyword in references:
        leads_to = found[id(schema)]
        allowed = keyword in _ALLOWED or schema is root
        name = names.of(leads_to, schema[REF]) if leads_to is not None and leads_to is not schema and allowed else ""
        if not name:
            del schema[REF]
            changed = True
        elif name != schema[REF]:
            schema[REF] = name
            changed = True
    changed |= root.pop(_OLD_DEFS, None) is not None  # nothing leads there by now
    # 3. The root isn't a reference itself: it has what it leads to.
    for _ in range(_MOST_STEPS):
        if REF not in root:
            break
        leads_to = target(root, root)
        del root[REF]
        root.update({key: value for key, value in (leads_to or {}).items() if key not in (DEFS, _OLD_DEFS)})
        changed = True
    root.pop(REF, None)
    return changed, seen


def _is_fine(ref: object, keyword: str, root: JsonObject) -> bool:
    """Whether a reference is taken as it is."""
    if keyword not in _ALLOWED or keyword == _OLD_DEFS or not isinstance(ref, str):
        return False
    leads_to = target(root, {REF: ref})
    return leads_to is not None and (ref == "#" or not has_slash(leads_to))


def _resolved(root: JsonObject, ref: object) -> JsonObject | None:
    """What a JSON Pointer behind `#` leads to; `None` for anything else."""
    if not isinstance(ref, str) or not (ref == "#" or ref.startswith("#/")):
        return None
    found: Any = root
    for token in unquote(ref[2:]).split("/") if len(ref) > 2 else ():
        step = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and len(step) < 7 and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found if isinstance(found, dict) else None


class _Names:
    """The names of schemas that are referred to; a schema that can't be called by one moves to `$defs`."""

    def __init__(self, root: JsonObject, places: dict[int, _Place]) -> None:
        self._root = root
        self._places = places
        self._known: dict[int, str] = {id(root): "#"}
        self._taken = set(root[DEFS]) if isinstance(root.get(DEFS), dict) else set()

    def of(self, schema: JsonObject, written: str) -> str:
        """A reference to `schema`, which `written` leads to; `""` where there can be none."""
        known = self._known.get(id(schema))
        if known is None:
            known = self._known[id(schema)] = self._new(schema, written)
        return known

    def _new(self, schema: JsonObject, written: str) -> str:
        place = self._places.get(id(schema))
        defs = self._root.get(DEFS)
        if place is None or has_slash(schema):
            return ""
        is_named = place.keyword in (DEFS, _OLD_DEFS)
        if place.holder is defs and written == f"{_PREFIX}{place.key}" and place.key and "/" not in str(place.key):
            return written
        if not is_named and place.keyword not in _REPLACEABLE:
            return ""
        name = self._free(_NO_NAME.sub("_", str(place.key)) or "it")
        if is_named:
            del place.holder[place.key]
            if not place.holder and place.holder is self._root.get(_OLD_DEFS):
                del self._root[_OLD_DEFS]
        else:
            place.holder[place.key] = {REF: _PREFIX + name}
        self._root.setdefault(DEFS, {})[name] = schema
        return _PREFIX + name

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name


def has_slash(schema: JsonObject) -> bool:
    """Whether a key in it has a slash: no definition may."""
    waiting: list[Any] = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if any("/" in key for key in value):
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False
