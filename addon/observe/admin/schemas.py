"""JSON Schemas of what the admin server answers, as the OpenAPI description has them."""

from __future__ import annotations

import types
from typing import Any, Literal, TypeAliasType, Union, get_args, get_origin, get_type_hints, is_typeddict

from ...events import KINDS, Done, Paid
from ...exchange import JsonObject
from ..minutes import Series

_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}

TEXT: JsonObject = {"type": "string"}
INTEGER: JsonObject = {"type": "integer"}
NUMBER: JsonObject = {"type": "number"}
BOOLEAN: JsonObject = {"type": "boolean"}
ANYTHING: JsonObject = {"type": "object"}


def listing(items: JsonObject) -> JsonObject:
    """The schema of a list."""
    return {"type": "array", "items": items}


def record(required: JsonObject, optional: JsonObject | None = None) -> JsonObject:
    """The schema of an object, by the schemas of its fields."""
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


def of_type(hint: Any) -> JsonObject:
    """The schema of a type: the simple ones, lists, dicts and unions of them, and other names for these."""
    if hint is Any:
        return {}
    if hint is JsonObject or is_typeddict(hint):
        return ANYTHING
    if isinstance(hint, TypeAliasType):
        return of_type(hint.__value__)
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:
        return listing(of_type(arguments[0]))
    if origin is dict:
        return {"type": "object", "additionalProperties": of_type(arguments[1])}
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"type": [of_type(argument)["type"] for argument in arguments]}
    raise TypeError(f"{hint} has no schema")


ERROR = record(
    {"error": record({"message": TEXT, "type": TEXT, "param": {"type": ["string", "null"]}, "code": TEXT})},
)
"""As everywhere in this proxy (`wire.openai_error`)."""
CHECK = record(
    {
        "name": TEXT,
        "state": {"type": "string", "enum": ["healthy", "degraded", "unhealthy"]},
        "since": {"type": ["number", "null"]},
        "looked": {"type": ["number", "null"]},
        "message": TEXT,
    }
)
ALERT = record(
    {
        "name": TEXT,
        "severity": TEXT,
        "state": {"type": "string", "enum": ["off", "ok", "pending", "firing"]},
        "since": {"type": ["number", "null"]},
        "value": {"type": ["number", "null"]},
        "threshold": {"type": ["number", "null"]},
        "ends": {"type": ["number", "null"]},
        "summary": TEXT,
        "action": TEXT,
    }
)
PLUGIN = record(
    {"name": TEXT, "source": TEXT, "loaded": BOOLEAN, "why": TEXT},
    {kind: listing(TEXT) for kind in ("steps", "rules", "sinks", "checks", "alerts", "profiles")},
)
BUDGET = record(
    {
        "budget": TEXT,
        "scope": {"type": "string", "enum": ["client", "session", "all"]},
        "who": TEXT,
        "period": {"type": "string", "enum": ["day", "month"]},
        "unit": TEXT,
        "limit": NUMBER,
        "spent": NUMBER,
        "held": NUMBER,
        "resets": NUMBER,
    }
)
STATUS = record(
    {
        "version": TEXT,
        "python": TEXT,
        "mitmproxy": TEXT,
        "pid": INTEGER,
        "started": NUMBER,
        "uptime": NUMBER,
        "ready": BOOLEAN,
        "draining": BOOLEAN,
        "mode": TEXT,
        "upstream": TEXT,
        "profile": TEXT,
        "checks": listing(CHECK),
        "slots": record({"taken": INTEGER, "waiting": INTEGER, "accounts": listing(ANYTHING)}),
        "breaker": record({"open": listing(TEXT)}),
        "stores": listing(record({"name": TEXT, "failing": BOOLEAN})),
        "budgets": listing(BUDGET),
        "alerts": listing(ALERT),
        "plugins": listing(PLUGIN),
        "keys": listing(record({"name": TEXT, "set": BOOLEAN})),
        "listeners": INTEGER,
    },
    {
        "workers": listing(
            record(
                {
                    "number": INTEGER,
                    "pid": INTEGER,
                    "since": {"type": ["number", "null"]},
                    "ready": BOOLEAN,
                    "leaving": BOOLEAN,
                    "exchanges": INTEGER,
                }
            )
        ),
        "restarts": INTEGER,
    },
)
AMOUNTS: JsonObject = {"type": "object", "additionalProperties": INTEGER}
"""By currency, in parts of which there are `prices.UNITS` to one."""
EXCHANGE = record(
    {"id": TEXT, "at": NUMBER, "last": {"type": "string", "enum": list(KINDS)}, "over": BOOLEAN},
    {"upstream": TEXT, "cost": AMOUNTS, **{name: of_type(hint) for name, hint in get_type_hints(Done).items()}},
)
PAID = record({name: of_type(hint) for name, hint in get_type_hints(Paid).items()})
EVENT = record({"kind": {"type": "string", "enum": list(KINDS)}, "at": NUMBER, "ms": NUMBER, "data": ANYTHING})
EXCHANGES = record({"exchanges": listing(EXCHANGE), "next": {"type": ["string", "null"]}})
TIMELINE = record({"exchange": EXCHANGE, "events": listing(EVENT), "paid": listing(PAID)})
_OR_NONE: JsonObject = {"type": ["object", "null"]}
STORY = record(
    {
        "head": ANYTHING,
        "time": ANYTHING,
        "changes": listing(ANYTHING),
        "observed": BOOLEAN,
        "sides": _OR_NONE,
        "missing": TEXT,
        "answer": _OR_NONE,
        "without": ANYTHING,
        "cache": _OR_NONE,
        "calls": listing(ANYTHING),
    }
)
GROWING = record({"bytes": INTEGER, "under_way": BOOLEAN, "answer": _OR_NONE})
UNDER_WAY = record(
    {
        "id": TEXT,
        "since": NUMBER,
        "waits_for": {"type": "string", "enum": ["repair", "slot", "answer", "end"]},
        "waits_since": NUMBER,
        **dict.fromkeys(("client", "program", "model", "upstream"), TEXT),
    }
)
OVERVIEW = record(
    {
        "now": NUMBER,
        "kept": INTEGER,
        "last": {"type": ["number", "null"]},
        "listens": listing(record({"mode": TEXT, "address": TEXT})),
        "commands": record({"run": TEXT, "env": TEXT, "doctor": TEXT}),
        "counts": {"type": "object", "additionalProperties": INTEGER},
        "under_way": listing(UNDER_WAY),
        "minutes": record({name: of_type(hint) for name, hint in get_type_hints(Series).items()}),
    }
)
_COUNTS: JsonObject = {"type": "object", "additionalProperties": INTEGER}
IMAGE = record(
    {
        **dict.fromkeys(("key", "any", "model", "upstream", "why", "description", "prompt"), TEXT),
        **dict.fromkeys(("first", "last", "called", "ms"), NUMBER),
        **dict.fromkeys(("hits", "calls", "tries"), INTEGER),
        **dict.fromkeys(("is_whole", "can_ask"), BOOLEAN),
        "outcome": {"type": "string", "enum": ["described", "failed", "none"]},
        "picture": {"type": "string", "enum": ["kept", "gone", "remote", "unshown", "off"]},
        "status": {"type": ["integer", "null"]},
        "tokens": _COUNTS,
        "cost": _COUNTS,
        "exchanges": listing(TEXT),
    }
)
IMAGES = record(
    {
        "images": listing(IMAGE),
        "count": INTEGER,
        "unchanged": record({"requests": INTEGER, "images": INTEGER, "models": _COUNTS, "exchanges": listing(TEXT)}),
        "content": BOOLEAN,
    }
)
DELETED_IMAGE = record({"key": TEXT, "waiting": listing(TEXT)})
DESCRIBED_IMAGE = record({"image": {"anyOf": [IMAGE, {"type": "null"}]}, "asked": BOOLEAN, "why": TEXT})
_SOURCE: JsonObject = {
    "type": "string",
    "enum": ["--set", "environment", "file", "config.yaml", "default", "running"],
}
OPTION = record(
    {
        **dict.fromkeys(("name", "value", "default", "where", "help", "accepted", "given"), TEXT),
        **dict.fromkeys(("is_default", "is_table", "at_start"), BOOLEAN),
        "source": _SOURCE,
    }
)
MODE = record({"mode": TEXT, "source_now": _SOURCE, "given": TEXT, "source": _SOURCE, "where": TEXT})
SETTINGS = record(
    {
        "mode": MODE,
        "subjects": listing(record({"name": TEXT, "title": TEXT, "options": listing(OPTION)})),
        "unused": listing(record({"name": TEXT, "where": TEXT, "winner": TEXT})),
        "files": listing(record({"option": TEXT, "path": TEXT, "usable": BOOLEAN})),
        "keys": listing(record({"name": TEXT, "set": BOOLEAN})),
        "profiles": record({"names": listing(TEXT), "folder": TEXT}),
        "plugins": listing(PLUGIN),
        "versions": record({"version": TEXT, "python": TEXT, "mitmproxy": TEXT}),
    }
)
SENT_EVENT = record({"event": TEXT, "data": TEXT}, {"id": TEXT, "retry": INTEGER})
"""One server-sent event. Its data is JSON."""
