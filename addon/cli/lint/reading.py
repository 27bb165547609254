"""Files in, request bodies out: plain JSON, JSON lines, captures, HAR files, saved mitmproxy flows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ... import dialects
from ...exchange import KEY
from ...texts.sentence import Sentence
from ...wire import content_coding, json_body, paths, rule_names
from ...wire.content_coding import CodingError, TooLarge
from ...wire.json_body import InvalidJson, TooManyValues
from ..mitmproxy_api import DamagedFlow, SavedRequest, saved_requests

_FLOWS = re.compile(rb"\d+:")
"""The beginning of a flow file (a tnetstring: a length and a colon). No JSON text begins so."""

_RESPONSES = frozenset(["input", "previous_response_id", "conversation"])
"""Any of them is in a body of the Responses API, and `input` in one for embeddings, which has these at most:"""
_NATIVE_INPUTS = frozenset(["Input", "InputList"])
"""Either is in a request for embeddings of Tencent Cloud's own API."""
_EMBEDDINGS = frozenset(["model", "input", "encoding_format", "dimensions", "user"])


@dataclass(frozen=True, slots=True)
class Request:
    """One request body, and where it was sent: `host` and `path` are empty if that isn't known."""

    source: str
    """The file, and the place in it if it holds more than one request."""
    dialect: str
    body: object
    host: str = ""
    path: str = ""
    """Without its query."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file, or a part of it, from which no request can be read."""

    source: str
    message: str
    """What is wrong, where, and what to do. Never quotes the data."""


def requests(data: bytes, source: str, max_body: int) -> Iterator[Request | Unreadable]:
    """Every request in `data`, which came from the file `source`. `max_body`: bytes of an unpacked body in a flow."""
    data = data.removeprefix(json_body.BOM)
    if not data.strip():
        yield Unreadable(source, _unlike(Sentence("empty")))
    elif _FLOWS.match(data):
        yield from _some(_in_flows(data, source, max_body), source)
    else:
        yield from _in_text(data, source)


def _in_text(data: bytes, source: str) -> Iterator[Request | Unreadable]:
    try:
        value = json_body.parse(data)
    except InvalidJson as error:
        yield from _in_lines(data, source) or [Unreadable(source, _unlike(_why(data, error)))]
    else:
        yield from _in_value(value, source)


def _in_lines(data: bytes, source: str) -> list[Request | Unreadable]:
    """The requests of JSON lines, as `--fix` writes them; none if not even the first line is JSON."""
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    found: list[Request | Unreadable] = []
    for number, line in lines:
        at = Sentence("{file}, line {number}", file=source, number=number)
        try:
            found += _in_value(json_body.parse(line), at)
        except InvalidJson as error:
            if not found:
                return []
            found.append(
                Unreadable(at, Sentence("{problem}. Fix or remove this line.", problem=_why(line, error, number)))
            )
    return found


def _why(data: bytes, error: InvalidJson, first_line: int = 1) -> str:
    """What is wrong with `data`, and where, in the words of the standard library's parser."""
    try:
        json.loads(data.decode(), parse_constant=_refuse)
    except json.JSONDecodeError as place:
        line = first_line + place.lineno - 1
        return Sentence(
            "not JSON: {what} at line {line}, column {column}", what=place.msg, line=line, column=place.colno
        )
    except UnicodeDecodeError as place:
        return Sentence("not JSON: byte {number} is not UTF-8", number=place.start)
    except ValueError as refused:
        (what,) = refused.args
        # The other one is Python's: an integer with more digits than it reads.
        return what if isinstance(what, Sentence) else Sentence("not JSON: a number in it has too many digits")
    except RecursionError:
        return Sentence("nested too deeply")
    if isinstance(error, TooManyValues):
        return Sentence("it has more than {count} values", count=json_body.MAX_VALUES)
    return Sentence("nested too deeply") if "deep" in str(error) else Sentence("not JSON: a number in it is too large")


def _refuse(name: str) -> None:
    raise ValueError(Sentence("not JSON: it holds {name}, which is not JSON", name=name))


def _in_value(value: Any, source: str) -> Iterator[Request | Unreadable]:
    if not isinstance(value, dict):
        yield Unreadable(
            source, _unlike(Sentence("a JSON {kind}, where a request body is an object", kind=_kind(value)))
        )
    elif isinstance(entries := _object(value.get("log")).get("entries"), list):
        yield from _some(_in_har(entries, source), source)
    elif isinstance(value.get("body"), dict):
        path = value.get("path")
        path = path.partition("?")[0] if isinstance(path, str) else ""
        if _counts(path):
            yield Unreadable(source, Sentence("a count of tokens, which the addon answers itself: nothing is sent."))
        else:
            yield from _in_body(value["body"], source, _dialect(path))
    else:
        yield from _in_body(value, source, None)


def _in_body(body: dict[str, Any], source: str, dialect: str | None) -> Iterator[Request | Unreadable]:
    if dialect is None:
        dialect = _by_keys(body)
    if dialect is None:
        yield Unreadable(source, _unlike(Sentence("an object with neither messages nor input: no request body")))
    else:
        yield Request(source, dialect, body)


def _by_keys(body: dict[str, Any]) -> str | None:
    """The name of the dialect of a body that comes without its path, by keys that only one format has."""
    if isinstance(body.get("Messages"), list):
        return rule_names.TENCENT_CLOUD
    if body.keys() & _NATIVE_INPUTS:
        return rule_names.TENCENT_CLOUD_EMBEDDING
    if "messages" not in body:
        if not body.keys() & _RESPONSES:
            return None
        return "embeddings" if _is_embeddings(body) else rule_names.RESPONSES
    tools = body.get("tools")
    has_schemas = isinstance(tools, list) and any(isinstance(tool, dict) and "input_schema" in tool for tool in tools)
    return rule_names.ANTHROPIC if "system" in body or has_schemas else "chat"


def _is_embeddings(body: dict[str, Any]) -> bool:
    """Whether a body with `input` asks for embeddings: of a list without items, or of a text by its other keys."""
    given, model = body.get("input"), body.get("model")
    if body.keys() - _EMBEDDINGS or not given:
        return False
    if isinstance(given, list):
        return not any(isinstance(item, dict) for item in given)
    return bool(body.keys() & {"encoding_format", "dimensions"}) or "embed" in str(model).lower()


def _in_har(entries: list[Any], source: str) -> Iterator[Request | Unreadable]:
    for number, entry in enumerate(entries, 1):
        request = _object(_object(entry).get("request"))
        url = request.get("url")
        try:
            parts = urlsplit(url if isinstance(url, str) else "")
            host = parts.hostname or ""
        except ValueError:
            continue
        dialect = _dialect(parts.path) or _named(host, parts.path, request.get("headers"))
        if dialect is None or str(request.get("method")).upper() != "POST":
            continue
        at = Sentence("{file}, entry {number}", file=source, number=number)
        text = _object(request.get("postData")).get("text")
        if isinstance(text, str) and text:
            yield _parsed(text.encode("utf-8", "surrogatepass"), at, dialect, host, parts.path)
        else:
            yield Unreadable(at, Sentence("the request has no postData.text: save the HAR with its contents."))


def _in_flows(data: bytes, source: str, max_body: int) -> Iterator[Request | Unreadable]:
    number = 0
    try:
        for number, request in enumerate(saved_requests(data), 1):
            if request is not None and request.method == "POST":
                path = _path(request)
                dialect = _spoken(request) or _dialect(path)
                if dialect is not None:
                    at = Sentence("{file}, flow {number}", file=source, number=number)
                    yield _in_flow(request, at, dialect, path, max_body)
    except DamagedFlow:
        why = Sentence("not a flow of mitmproxy's: the file is cut off or damaged. Save it anew (mitmdump -w FILE).")
        yield Unreadable(Sentence("{file}, flow {number}", file=source, number=number + 1), why)


def _path(saved: SavedRequest) -> str:
    """Where the request of a flow was sent, without its query: by its client, if the flow kept the client's body."""
    kept = _object(saved.metadata.get(KEY))
    path = kept.get("path") if isinstance(kept.get("original"), bytes) else None
    return path if isinstance(path, str) else saved.path.partition("?")[0]


def _in_flow(saved: SavedRequest, source: str, dialect: str, path: str, max_body: int) -> Request | Unreadable:
    """The request of a flow. Of a request that the addon rewrote, the client's own body, if the flow kept it."""
    kept = _object(saved.metadata.get(KEY))
    if isinstance(original := kept.get("original"), bytes):
        return _parsed(original, Sentence("{file}, as the client sent it", file=source), dialect, saved.host, path)
    if kept.get("changes"):
        source = Sentence("{file}, as it was sent on", file=source)
    try:
        data = content_coding.unpack(saved.body, saved.content_encoding, max_body)
    except CodingError as error:
        return Unreadable(source, Sentence("{problem}: the body can't be unpacked.", problem=error))
    except TooLarge:
        return Unreadable(
            source, Sentence("the body unpacks to more than {limit} bytes (--set hunyuan_max_body=…).", limit=max_body)
        )
    return _parsed(data, source, dialect, saved.host, path)


def _parsed(data: bytes, source: str, dialect: str, host: str, path: str) -> Request | Unreadable:
    try:
        return Request(source, dialect, json_body.parse(data), host, path)
    except InvalidJson as error:
        why = Sentence("the request's body is {problem}; the addon lets it pass untouched.", problem=_why(data, error))
        return Unreadable(source, why)


def _some(found: Iterator[Request | Unreadable], source: str) -> Iterator[Request | Unreadable]:
    """`found`, or `Unreadable` if it is empty: a file without a request must not count as clean."""
    first = next(found, None)
    if first is None:
        paths_of_all = ", ".join(dialects.paths())
        yield Unreadable(
            source, Sentence("no POST to a path that ends in one of these is in it: {paths}.", paths=paths_of_all)
        )
        return
    yield first
    yield from found


def _dialect(path: str) -> str | None:
    """The name of the dialect whose requests go to `path`; `None` also if nothing is sent of them."""
    _, api = paths.read(path, dialects.paths())
    return None if api is None or _counts(path) else dialects.of_call("POST", api)


_SENT_NATIVE = frozenset([rule_names.TENCENT_CLOUD, rule_names.TENCENT_CLOUD_EMBEDDING])
"""The dialects whose requests are told apart by their headers, and sent."""


def _spoken(saved: SavedRequest) -> str | None:
    """The dialect of a native request's flow, if the body that it has is its client's own."""
    kept = _object(saved.metadata.get(KEY))
    is_clients = isinstance(kept.get("original"), bytes) or not kept.get("rewritten")
    return kept["spoken"] if is_clients and kept.get("spoken") in _SENT_NATIVE else None


def _named(host: str, path: str, headers: object) -> str | None:
    """The name of the dialect that the headers of a HAR file's request name."""
    fields = headers if isinstance(headers, list) else []
    given = {str(field.get("name")).lower(): str(field.get("value")) for field in fields if isinstance(field, dict)}
    name = dialects.of_headers(host, path, given)
    return name if name in _SENT_NATIVE else None


def _counts(path: str) -> bool:
    """Whether requests to `path` ask for a count of tokens."""
    _, api = paths.read(path, dialects.paths())
    name = dialects.of_call("POST", api) if api else None
    return name is not None and dialects.DIALECTS[name].house == "count"


def _unlike(problem: str) -> str:
    """`problem`, and what can be read."""
    return Sentence(
        "{problem}. Accepted are request bodies (JSON, JSON lines), HAR files and flow files that mitmproxy saved.",
        problem=problem,
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _kind(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
