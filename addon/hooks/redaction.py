"""Removes secrets from a flow once its exchange is over: from what is shown and saved, never from what is sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any

from mitmproxy import http

from ..access import keys
from .mitmproxy_internals import flows
from .mitmproxy_internals.flows import Fields

REDACTED = "[redacted]"
_REDACTED = REDACTED.encode()

_ADDRESS_HEADERS = frozenset(["referer", "location", "content-location"])
_QUERY_KEY = re.compile(
    r"(?<=[?&])([^=&#]*(?:key|token|secret|passw|auth(?!or)|signature|\bsig\b|credential)[^=&#]*)=[^&#]*", re.IGNORECASE
)
_KEY = re.compile(rb"(?<![A-Za-z0-9_-])(?:sk|hf)-[A-Za-z0-9_-]{6,}")
"""An API key or a client token in a header that isn't meant for one."""
_SHORTEST_KEY = 8
"""Bytes: a shorter value of a header for keys may stand anywhere, and tells nothing."""
_MOST_SEARCHED = 1 << 20
"""Bytes of an answer that keys are looked for in."""
_KNOWN_NAMES = 512
"""Header names that are remembered: every exchange has the same few."""
_PAUSE = 0.2
"""Seconds between two looks at whether an answer has been sent: mitmproxy has no hook for that."""


class Redaction:
    """Replaces keys, cookies and passwords in flows that are over."""

    def __init__(self) -> None:
        self._unsent: set[http.HTTPFlow] = set()

    def redact(self, flow: http.HTTPFlow) -> None:
        """Redact `flow`: request, answer, backup (which *Revert* restores), metadata. Needs a running event loop.

        mitmproxy sends a buffered answer after its `response` hook, and saves the flow before: until the answer is
        sent its headers stay whole, but are saved redacted.
        """
        sent = keys_in(flow.request.headers.fields)
        _redact_all_but_answer(flow)
        response = flow.response
        if response is None:
            return
        fields, content = response.headers.fields, response.raw_content
        without = content if content is None else _without(content, sent)
        if without is not None and without is not content:  # an error that quotes the key
            response.data = flows.UnsavedContent.of(response.data, without)
        elif redacted(fields) is fields:
            return
        if flow.live:
            # Both are still to be sent, whole.
            response.headers = flows.UnsavedHeaders(fields, redacted)
            self._unsent.add(flow)
            self._look_later(flow)
        else:
            _redact_answer(flow)

    def finish(self) -> None:
        """Redact the flows whose answers are still being sent: mitmproxy is about to end."""
        while self._unsent:
            _redact_answer(self._unsent.pop())

    def _look_later(self, flow: http.HTTPFlow) -> None:
        asyncio.get_running_loop().call_later(_PAUSE, self._look, flow)

    def _look(self, flow: http.HTTPFlow) -> None:
        if flow not in self._unsent:
            return
        if flow.live:  # e.g. a person holds the answer back
            self._look_later(flow)
        else:
            self._unsent.discard(flow)
            _redact_all_but_answer(flow)  # a person may have held the answer back and edited it, which made a backup
            _redact_answer(flow)


def redacted(fields: Fields) -> Fields:
    """Header fields without secrets; `fields` itself where no name of a field is one that may hold any."""
    # 1. Those whose name says it.
    shown, is_changed = list(fields), False
    for place, (name, value) in enumerate(fields):
        redaction = _redaction(name)
        if redaction is not None:
            shown[place], is_changed = (name, redaction(value)), True
    # 2. A key in any other: looked for in all at once, and first by how it begins, since few have one.
    values = b"\n".join([value for _, value in shown])
    if (_has(values, b"sk-") or _has(values, b"hf-")) and _KEY.search(values) is not None:
        shown, is_changed = [(name, _KEY.sub(_REDACTED, value)) for name, value in shown], True
    return tuple(shown) if is_changed else fields


def path(target: str) -> str:
    """A request target or a URL without the values of query parameters that are named like secrets."""
    return _QUERY_KEY.sub(rf"\1={REDACTED}", target)


@lru_cache(_KNOWN_NAMES)
def _redaction(name: bytes) -> Callable[[bytes], bytes] | None:
    """What takes the secrets from the value of a header `name`; `None` where there are none in it."""
    text = name.decode("latin-1").lower()
    if keys.is_secret(text):
        return _no_value
    return _path if text in _ADDRESS_HEADERS else None


def _no_value(_: bytes) -> bytes:
    return _REDACTED


def _path(target: bytes) -> bytes:
    if not _has(target, b"?") and not _has(target, b"&"):  # before each parameter stands one of them
        return target
    return path(target.decode("latin-1")).encode("latin-1")


def _redact_all_but_answer(flow: http.HTTPFlow) -> None:
    request = flow.request
    request.headers.fields = redacted(request.headers.fields)
    flows.rewrite_path(request, _path)
    _redact_metadata(flow.metadata)
    if backup := flows.backup(flow):
        for message in filter(None, (backup.get("request"), backup.get("response"))):
            message["headers"] = redacted(message["headers"])
        backup["request"]["path"] = _path(backup["request"]["path"])
        _redact_metadata(backup["metadata"])


def _redact_metadata(metadata: MutableMapping[Any, Any]) -> None:
    if "proxyauth" in metadata:
        metadata["proxyauth"] = REDACTED


def keys_in(fields: Fields) -> list[bytes]:
    """The values of the headers that are meant for keys, the longest first."""
    given: list[bytes] = []
    for name, value in fields:
        if _redaction(name) is _no_value:
            given += [word for word in value.split() if len(word) >= _SHORTEST_KEY]
    return sorted(given, key=len, reverse=True) if len(given) > 1 else given


def _without(content: bytes, secrets: list[bytes]) -> bytes:
    """`content` with stars in the place of `secrets`, of the same length; `content` itself where it has none."""
    if len(content) <= _MOST_SEARCHED:
        for secret in secrets:
            if _has(content, secret):
                content = content.replace(secret, b"*" * len(secret))
    return content


def _has(text: bytes, part: bytes) -> bool:
    """`part in text`, for which Python first makes an exception: that `part` is no number takes ten times as long."""
    return text.find(part) >= 0


def _redact_answer(flow: http.HTTPFlow) -> None:
    if flow.response is not None:
        if isinstance(flow.response.data, flows.UnsavedContent):
            flow.response.data = flow.response.data.settled()
        flow.response.headers = http.Headers(redacted(flow.response.headers.fields))
