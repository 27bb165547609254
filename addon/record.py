"""What is remembered of one exchange while it is on its way: plain data in `flow.metadata`.

Plain data, because a saved flow file takes nothing else (docs/facts/mitmproxy.md#metadata). Not the addon's
attributes: after a hot reload another instance gets the response (docs/facts/mitmproxy.md#hot-reload).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TypedDict, cast

from .exchange import Change, JsonObject
from .route import Route

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
    queued: float
    """Milliseconds spent waiting for a slot of the account."""
    tries: int
    """Of the call, by the relay; 1 without it."""
    streamed: bool
    """The client asked for a stream."""
    client: str
    """Name of the client whose token the request brought."""
    limits: dict[str, str]
    """Headers that tell this client where it stands."""
    tokens: int
    """Used by the exchange, as its answer says; 0 where it doesn't."""
    plan: JsonObject
    """`AnswerPlan.to_plain()`; empty once the exchange is over."""
    mode: str
    """`repair`, `observe` or `off`."""
    language: str
    """Of the texts that were put into the request."""
    changes: list[list[str]]
    """Rule, JSON Pointer and reason of each change; of a great many, the first."""
    rewritten: bool
    """The request left with another body than it came with."""
    original: bytes | None
    """A rewritten request's body as it came, without content coding; `None` if it wasn't, or is too large to keep."""
    stream_cut: bool
    """Only the beginning of the streamed answer was kept."""
    warning: str
    answered: bool
    """The answer is the addon's own."""
    written: bool
    """The line in the log is out."""


MAX_CHANGES = 500
"""Changes that one record lists."""


def start(
    metadata: MutableMapping[Any, Any], method: str, target: str, route: Route | None, mode: str = "repair"
) -> Record:
    """Begin the record of a request of `method` to `target` (a path with its query) in its flow's `metadata`.

    `route` is `None` for a request that is only watched.
    """
    record = Record(
        profile=route.profile if route else "",
        endpoint=(route.endpoint or "") if route and mode != "off" else "",
        base_url=printable(route.base_url) if route else "",
        successors=bool(route and route.successors),
        method=printable(method),
        path=printable(target.partition("?")[0]),
        model="",
        rules=[],
        vision_calls=0,
        cached=0,
        milliseconds=0.0,
        queued=0.0,
        tries=1,
        streamed=False,
        client="",
        limits={},
        tokens=0,
        plan={},
        mode=mode,
        language="",
        changes=[],
        rewritten=False,
        original=None,
        stream_cut=False,
        warning="",
        answered=False,
        written=False,
    )
    metadata[KEY] = record
    return record


def of(metadata: MutableMapping[Any, Any]) -> Record | None:
    """The record of an exchange, `None` if it is none of this addon's business."""
    return metadata.get(KEY)


def saved(metadata: Mapping[Any, Any]) -> Record | None:
    """The record of an exchange as views and commands take it: also from a file that another version wrote.

    What is missing or of another type has the value that it begins with.
    """
    given = metadata.get(KEY)
    if not isinstance(given, Mapping):
        return None
    blank = dict(start({}, "", "", None))
    types = {**{key: type(value) for key, value in blank.items()}, "original": bytes}
    kept = {key: given[key] for key in blank if type(given.get(key)) is types[key]}
    record = cast(Record, blank | kept)
    record["rules"] = [rule for rule in record["rules"] if isinstance(rule, str)]
    record["changes"] = [change for change in record["changes"] if _is_change(change)]
    return record


def _is_change(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(text, str) for text in value)


def note(record: Record, changes: Iterable[Change]) -> None:
    """Add `changes` and the names of their rules."""
    for change in changes:
        note_name(record, change.rule)
        if len(record["changes"]) < MAX_CHANGES:
            record["changes"].append([change.rule, printable(change.pointer), printable(change.why)])


def note_name(record: Record, rule: str) -> None:
    """Add the name of one rule."""
    if rule not in record["rules"]:
        record["rules"].append(rule)


def printable(text: str) -> str:
    """`text` without lone surrogates, which no flow file can hold: they are written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
