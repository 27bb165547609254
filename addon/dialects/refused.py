"""What an endpoint or a model refuses, taken out of a request that stays in its format."""

from __future__ import annotations

from typing import Any

from ..exchange import Changes, JsonObject
from ..profiles import Model
from ..rules import mfjs, schemas


def without(body: Any, path: str, rule: str, changes: Changes) -> None:
    """Take the field at `path` out of `body`, in place; an object that is empty then goes, too.

    `path` has slashes, and `*` for each item of a list. Changes are noted under `rule`.
    """
    _without(body, path.split("/"), "", rule, changes)


def by_model(body: JsonObject, model: Model, rule: str, changes: Changes) -> None:
    """Take out of `body`, in place, the parameters that `model` doesn't take, and give others the only value it takes.

    Parameters have chat's names, which other formats share for sampling. Changes are noted under `rule`.
    """
    for name in sorted(model.refused & body.keys()):
        del body[name]
        changes.note_at(rule, f"/{name}", "the model doesn't take this parameter: dropped")
    for name, value in model.values.items():
        if name in body and body[name] != value:
            body[name] = value
            changes.note_at(rule, f"/{name}", "the only value that the model takes")


def schemas_by_model(body: JsonObject, key: str, model: Model, rule: str, changes: Changes) -> None:
    """Make of the schemas of tools, in `body`, what the model's endpoint takes, where it has a flavour of its own.

    `key` is the field of a tool with its schema. Changes are noted under `rule`.
    """
    listed = body.get("tools")
    if not model.schema or not isinstance(listed, list):
        return
    for number, tool in enumerate(listed):
        given = tool.get(key) if isinstance(tool, dict) else None
        if not isinstance(given, dict):
            continue
        schema, why = schemas.object_schema(given)
        if why := "; ".join(filter(None, [why, mfjs.fit(schema, model.schema)])):
            tool[key] = schema
            changes.note_at(rule, f"/tools/{number}/{key}", why)


def _without(value: Any, path: list[str], pointer: str, rule: str, changes: Changes) -> bool:
    """Whether `value` had the field."""
    name, rest = path[0], path[1:]
    if name == "*":
        items = value if isinstance(value, list) else []
        had = [_without(item, rest, f"{pointer}/{number}", rule, changes) for number, item in enumerate(items)]
        return any(had)
    if not isinstance(value, dict) or name not in value:
        return False
    if rest:
        found = _without(value[name], rest, f"{pointer}/{name}", rule, changes)
        if found and value[name] == {}:
            del value[name]
        return found
    del value[name]
    changes.note_at(rule, f"{pointer}/{name}", "the endpoint refuses this field: dropped")
    return True
