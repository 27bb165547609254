"""What is remembered of one exchange while it is on its way: plain data in `flow.metadata`.

There it outlives a hot reload (the old instance of the addon finishes the request, the new one gets the
response) and a saved flow file, which takes nothing but plain data (facts/mitmproxy.md section 3).
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any, TypedDict

from addon.exchange import Change, JsonObject
from addon.route import Route

KEY = "hunyuan_fix"
"""The key in `flow.metadata`."""


class Record(TypedDict):
    """One exchange with a known host."""

    profile: str
    endpoint: str
    """`""`: its bodies are not touched."""
    base_url: str
    successors: bool
    """Retired model ids are mapped."""
    method: str
    path: str
    model: str
    """As the client sent it."""
    rules: list[str]
    """The names of the rules applied, each once, in order."""
    vision_calls: int
    cached: int
    milliseconds: float
    """Spent by the addon, waiting for vision calls included."""
    plan: JsonObject
    """`AnswerPlan.to_plain()`."""
    warning: str
    answered: bool
    """The answer is the addon's own."""
    written: bool
    """The line in the log is out."""


def start(metadata: MutableMapping[Any, Any], method: str, target: str, route: Route | None) -> Record:
    """Begin the record of a request of `method` to `target` (a path with its query) in its flow's `metadata`.

    `route` is `None` for a request that is only watched.
    """
    record = Record(
        profile=route.profile if route else "",
        endpoint=(route.endpoint or "") if route else "",
        base_url=route.base_url if route else "",
        successors=bool(route and route.successors),
        method=method,
        path=target.partition("?")[0],
        model="",
        rules=[],
        vision_calls=0,
        cached=0,
        milliseconds=0.0,
        plan={},
        warning="",
        answered=False,
        written=False,
    )
    metadata[KEY] = record
    return record


def of(metadata: MutableMapping[Any, Any]) -> Record | None:
    """The record of an exchange, `None` if it is none of this addon's business."""
    return metadata.get(KEY)


def note(record: Record, changes: Iterable[Change]) -> None:
    """Add the rules of `changes`."""
    for change in changes:
        note_name(record, change.rule)


def note_name(record: Record, rule: str) -> None:
    """Add the name of one rule."""
    if rule not in record["rules"]:
        record["rules"].append(rule)
