"""The spans of an exchange, made of what it has told (`events`). Pure data: `export` sends them.

    chat hy3                     SERVER    the exchange: all of it, once: what was asked, used, changed, how it ended
    ├─ chat hy-vision-2.0        CLIENT    each try of a call that the addon makes itself, with its own usage
    ├─ hunyuan_fix.queue         INTERNAL  a wait for a slot
    ├─ POST /v1/chat/completions CLIENT    each try of the client's request: HTTP's names alone
    └─ POST /v1/chat/completions CLIENT

The exchange is the GenAI operation, from the client's request to the end of its answer: it has the usage, so that a sum
over spans counts no token twice. It is a SERVER's span, since a client asks for it; GenAI's conventions know CLIENT
alone, for programs that call a model. A try is a request over HTTP, and the span that the endpoint gets as its parent.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, cast

from ... import events, profiles
from ...events import Done, Event
from ...exchange import JsonObject
from ...wire.safe_text import plain
from ...wire.trace_context import new_span_id

type Kind = Literal["server", "client", "internal"]
type Attribute = str | int | float | bool | list[str]

_SHORTEST_WAIT: Final = 1.0
"""Milliseconds: a shorter wait for a slot has no span."""
_REFUSED: Final = 400
_SERVERS_OWN: Final = 500
"""The first statuses that are errors, and errors of a server's."""
_LARGEST: Final = 2**63
"""Integers of OTLP are below."""
_MOST_RULES: Final = 50
"""Rules that one span names."""


@dataclass(slots=True)
class Span:
    """One span. Times are Unix time in seconds."""

    name: str
    kind: Kind
    span_id: str
    parent_id: str
    began: float
    ended: float
    attributes: dict[str, Attribute]
    has_failed: bool = False
    events: list[tuple[str, float, dict[str, Attribute]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tree:
    """The spans of one exchange, its own first."""

    trace_id: str
    spans: list[Span]


@dataclass(frozen=True, slots=True)
class Names:
    """`names.toml`."""

    schema: str
    operations: Mapping[str, str]
    providers: Mapping[str, str]
    asked: Mapping[str, str]
    attributes: Mapping[str, str]
    spans: Mapping[str, str]
    events: Mapping[str, str]


@cache
def names() -> Names:
    """The names of what is exported."""
    return Names(**tomllib.loads(resources.files(__package__).joinpath("names.toml").read_text(encoding="utf-8")))


def asked(body: JsonObject) -> dict[str, int | float]:
    """The parameters of a request that are numbers, by the names of the attributes. Nothing else of it is ever told."""
    found: dict[str, int | float] = {}
    for name, attribute in names().asked.items():
        value = body.get(name)
        if (type(value) is int and -_LARGEST <= value < _LARGEST) or (type(value) is float and math.isfinite(value)):
            found.setdefault(attribute, value)
    return found


def tree(told: Sequence[Event]) -> Tree:
    """The spans of an exchange that has told all this: `CAME` first, `DONE` last."""
    came, over = told[0], told[-1]
    done = cast(Done, over.data)
    root = _exchange(told, done)
    spans = [root, *_calls(told, root, done)]
    if done["queue_ms"] >= _SHORTEST_WAIT and not any(span.kind == "client" for span in spans):
        spans.append(_wait(root, over.at, done["queue_ms"]))  # it never left
    for span in spans[1:]:
        # The clocks of events are the wall's: it may be set meanwhile.
        span.began = min(max(span.began, root.began), root.ended)
        span.ended = min(max(span.ended, span.began), root.ended)
    return Tree(str(came.data["trace_id"]), spans)


def _exchange(told: Sequence[Event], done: Done) -> Span:
    """The span of the exchange itself."""
    came, over = told[0], told[-1]
    sent = next((event.data for event in told if event.kind == events.SENT), {})
    asked_for: JsonObject = {}
    for event in told:
        if event.kind == events.REPAIRED:
            asked_for = event.data.get("asked", {})
    model = plain(done["sent_model"] or done["model"])
    operation = names().operations.get(done["dialect"], "") if model else ""
    answer, first_token = done["answer"], next((event.at for event in told if event.kind == events.FIRST_TOKEN), None)
    error = _error(done)
    attributes = _attributes(
        {
            "operation": operation,
            "provider": _provider(done["profile"]) if operation else "",
            "model": model if operation else "",
            "streamed": done["streamed"] if operation else None,
            "session": done["session"],
            "answer_id": answer.get("id"),
            "answer_model": answer.get("model"),
            "finish_reasons": answer.get("finish_reasons"),
            "first_chunk": None if first_token is None else max(0.0, first_token - came.at),
            **done["usage"],
            "method": plain(done["method"]),
            "path": plain(done["path"]),
            "status": done["status"],
            "error": error,
            "server": sent.get("upstream"),
            "port": sent.get("port"),
            "program": done["program"],
            "client": done["client"],
            "profile": done["profile"],
            "dialect": done["dialect"],
            "mode": done["mode"],
            "asked_model": plain(done["model"]) if done["sent_model"] else "",
            "rules": done["rules"][:_MOST_RULES],
            "changes": done["changes"] or None,
            "addon_ms": round(done["addon_ms"], 3),
            "tries": done["tries"] if done["tries"] > 1 else None,
            "vision_calls": done["vision_calls"] or None,
            "images_known": done["cached"] or None,
        }
    )
    attributes.update(asked_for)
    name = f"{operation} {model}" if operation else plain(done["method"])
    root = Span(name, "server", done["span_id"], str(came.data["parent_id"]), came.at, over.at, attributes)
    # HTTP's conventions: what the client did wrong is no failure of the server's. Nor is it one that the client leaves.
    is_clients = error == "client_gone" or _REFUSED <= (done["status"] or 0) < _SERVERS_OWN
    root.has_failed = bool(error) and not is_clients
    happened = (events.TRANSLATED, events.MENDED, events.FALLBACK)
    root.events = [_happened(event) for event in told if event.kind in happened]
    return root


def _happened(event: Event) -> tuple[str, float, dict[str, Attribute]]:
    data = event.data
    if event.kind == events.FALLBACK:
        given = {"fallback_reason": data["reason"], "fallback_outcome": data["outcome"]}
    else:
        given = {"kind": data.get("reason"), "outcome": data.get("outcome"), "dialect": data.get("dialect")}
    return names().events[event.kind], event.at, _attributes(given)


def _calls(told: Sequence[Event], root: Span, done: Done) -> list[Span]:
    """A span for each request that left, and for each wait for a slot before one."""
    spans: list[Span] = []
    open_ones: dict[str, Span] = {}
    for event in told:
        data = event.data
        if event.kind in (events.SENT, events.RETRIED, events.CALLED) and data.get("span_id"):
            if data["waited_ms"] >= _SHORTEST_WAIT:
                spans.append(_wait(root, event.at, data["waited_ms"]))
            span = _own_call(event, root, done) if event.kind == events.CALLED else _try(event, root)
            spans.append(span)
            open_ones[span.span_id] = span
        elif event.kind == events.ENDED and (ended := open_ones.pop(data["span_id"], None)):
            answer, used = data.get("answer", {}), data.get("usage", {})
            _end(ended, event.at, data["status"], data["error"])
            ended.attributes |= _attributes({**used, **_of_answer(answer)})
    for span in open_ones.values():  # mitmproxy's own call, and what the client's leaving has ended
        status = next((event.data["status"] for event in told if event.kind == events.FIRST_BYTE), 0)
        if status:
            error = "" if done["how"] == "answered" else "stream_broken" if done["failure"] else "cancelled"
        else:
            error = "unreachable" if done["status"] else "cancelled"
        _end(span, root.ended, status, error)
    return spans


def _end(span: Span, at: float, status: int, error: str) -> None:
    error = error or (str(status) if status >= _REFUSED else "")
    span.ended, span.has_failed = at, bool(error) and error != "cancelled"
    span.attributes |= _attributes({"status": status or None, "error": error})


def _try(event: Event, root: Span) -> Span:
    """One try of the client's own request."""
    data = event.data
    number = data.get("number", 1)
    path = plain(data["path"])
    attributes = _attributes({**_addressed(data), "resent": _resent(number), "reason": data.get("reason")})
    return Span(
        f"{plain(data['method'])} {path}", "client", data["span_id"], root.span_id, event.at, event.at, attributes
    )


def _own_call(event: Event, root: Span, done: Done) -> Span:
    """One try of a call that the addon makes itself."""
    data = event.data
    operation, model = names().operations["embeddings" if data["purpose"] == "embeddings" else "chat"], data["model"]
    given = {"operation": operation, "provider": _provider(done["profile"]), "model": plain(model)}
    attributes = _attributes(
        {**given, **_addressed(data), "purpose": data["purpose"], "resent": _resent(data["number"])}
    )
    name = f"{operation} {plain(model)}"
    return Span(name, "client", data["span_id"], root.span_id, event.at, event.at, attributes)


def _addressed(data: JsonObject) -> JsonObject:
    path = plain(data["path"])
    host, port = data["upstream"], data["port"]
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return {
        "method": plain(data["method"]),
        "server": host,
        "port": port,
        "url": f"{data['scheme']}://{authority}{path}",
    }


def _resent(number: int) -> int | None:
    return number - 1 if number > 1 else None


def _wait(root: Span, until: float, milliseconds: float) -> Span:
    """A wait for a slot that ended at `until`."""
    began = until - milliseconds / 1000
    return Span(names().spans["queue"], "internal", new_span_id(), root.span_id, began, until, {})


def _of_answer(answer: JsonObject) -> JsonObject:
    return {
        "answer_id": answer.get("id"),
        "answer_model": answer.get("model"),
        "finish_reasons": answer.get("finish_reasons"),
    }


def _provider(profile: str) -> str:
    """The name of a profile's vendor; one that has none is known by the profile's."""
    try:
        vendor = profiles.load(profile).vendor
    except KeyError:  # of the user's own, and taken away meanwhile
        vendor = profile
    return names().providers.get(vendor or profile, plain(vendor or profile))


def _error(done: Done) -> str:
    """What went wrong, of a closed list: a code as it is counted, a status, or how it ended without either."""
    status = done["status"]
    if done["error"]:
        return done["error"]
    if status is not None and status >= _REFUSED:
        return str(status)
    if done["left"]:
        return "client_gone"
    return "ended" if status is None else ""


def _attributes(given: Mapping[str, Any]) -> dict[str, Attribute]:
    """What is known, by the names that are exported; what is `None` or empty isn't."""
    known = names().attributes
    return {known[name]: value for name, value in given.items() if value is not None and value not in ("", [])}
