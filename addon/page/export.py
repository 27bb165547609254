"""A session as a file: all its exchanges that are kept, as JSON lines or as HAR 1.2, without keys.

Of headers only those that hold none are kept, and what looks like a key in a body is hidden (`wire.secret_shapes`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from ..exchange import JsonObject, Response
from ..observe import build
from ..wire import json_body, proxy_errors, secret_shapes
from ..workers import HEAVY, Checkpoint
from .content import Content
from .contents import Contents
from .raw import Answer
from .sources import Sources

FORMATS: Final = ("jsonl", "har")
MOST: Final = 64 << 20
"""Bytes of a file. Of a longer session the last exchanges are in it."""


async def export(sources: Sources, values: Mapping[str, Any], language: str) -> Answer:
    """The exchanges of a session (`session`) as a file (`format`)."""
    contents, session, made = sources.contents, values["session"], values["format"]
    if contents is None:
        return proxy_errors.ADMIN_NO_SUCH_PATH()
    if not contents.is_on:
        return proxy_errors.ADMIN_CONTENT_OFF()
    ids = contents.of_session(session)
    entries = await sources.workers.run(lambda checkpoint: written(contents, ids, made, checkpoint), HEAVY)
    return file(session, made, entries) if entries else proxy_errors.ADMIN_NO_SUCH_SESSION()


def written(contents: Contents, ids: list[str], made: str, checkpoint: Checkpoint = lambda: None) -> list[bytes]:
    """Each exchange of `ids`, which are in their order, as an entry of the file; the last ones of too many."""
    write: Callable[[Content], JsonObject] = _line if made == "jsonl" else _entry
    found: list[bytes] = []
    size = 0
    for id in reversed(ids):
        checkpoint()
        content = contents.get(id)
        if content is None or content.under_way:
            continue  # newer ones took its place meanwhile
        entry = secret_shapes.hidden(json_body.serialise(write(content)).decode()).encode()
        size += len(entry) + 1
        if size > MOST:
            break
        found.append(entry)
    return found[::-1]


def file(session: str, made: str, entries: list[bytes]) -> Response:
    """The file of these entries."""
    if made == "jsonl":
        body, content_type = b"".join(entry + b"\n" for entry in entries), "application/x-ndjson"
    else:
        about = json_body.serialise({"name": "hunyuan-fix", "version": build.versions()[0]})
        body = b'{"log":{"version":"1.2","creator":%s,"pages":[],"entries":[\n%s\n]}}\n' % (about, b",\n".join(entries))
        content_type = "application/json"
    name = re.sub(r"[^A-Za-z0-9]+", "-", session)[:40].strip("-") or "session"
    disposition = f'attachment; filename="hunyuan-fix-{name}.{made}"'
    return Response(200, {"content-type": content_type, "content-disposition": disposition}, body)


def entries(made: str, body: bytes) -> list[bytes]:
    """The entries of a file that `file` has made."""
    lines = body.splitlines()
    return lines if made == "jsonl" else [line.removesuffix(b",") for line in lines[1:-1]]


LONGEST_AT: Final = 60
"""Bytes at the beginning of an entry, in which stands when it came."""


def _line(content: Content) -> JsonObject:
    return {
        "at": _at(content),  # the first: see `LONGEST_AT`
        "url": content.url,
        "headers": [list(header) for header in content.headers],
        "status": content.status,
        "exchange": content.exchange,
        "came": _value(content.came),
        "sent": _value(content.sent),
        "answer": _value(content.answer),
        **({"without": content.why} if content.why else {}),
    }


def _value(body: bytes | None) -> Any:
    """A body as JSON, where it is; else as text."""
    if body is None:
        return None
    try:
        return json_body.parse(body)
    except json_body.InvalidJson:
        return body.decode("utf-8", "replace")


def _entry(content: Content) -> JsonObject:
    exchange = content.exchange
    types = [value for name, value in content.headers if name.lower() == "content-type"]
    came = content.came
    request: JsonObject = {
        "method": exchange.get("method") or "POST",
        "url": content.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": name, "value": value} for name, value in content.headers],
        "queryString": [{"name": name, "value": value} for name, value in _query(content.url)],
        "headersSize": -1,
        "bodySize": -1 if came is None else len(came),
    }
    if came:
        request["postData"] = {"mimeType": types[0] if types else "", "params": [], "text": _text(came)}
    elapsed, first = max(0.0, exchange.get("elapsed") or 0.0), max(0.0, exchange.get("first_byte") or 0.0)
    first = min(first, elapsed)
    return {
        "startedDateTime": _at(content),  # the first: see `LONGEST_AT`
        "time": elapsed,
        "request": request,
        "response": {
            "status": content.status or 0,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [{"name": "content-type", "value": content.answer_type}] if content.answer_type else [],
            "content": _response_content(content),
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1 if content.answer is None else len(content.answer),
        },
        "cache": {},
        "timings": {"send": 0, "wait": first, "receive": elapsed - first},
        "_exchange": exchange,
    }


def _response_content(content: Content) -> JsonObject:
    answer = content.answer or b""
    made: JsonObject = {"size": len(answer), "mimeType": content.answer_type or "x-unknown"}
    try:
        return {**made, "text": answer.decode()}
    except UnicodeDecodeError:
        return {**made, "text": base64.b64encode(answer).decode(), "encoding": "base64"}


def _query(url: str) -> Iterator[tuple[str, str]]:
    try:
        yield from parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _at(content: Content) -> str:
    return datetime.fromtimestamp(content.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
