"""Secrets go from a flow once its exchange is over: from what windows show and files keep, never from what is sent."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, cast

from mitmproxy import http

REDACTED = "[redacted]"

_HEADERS = (
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-tc-token",
    "cookie",
    "set-cookie",
)
_QUERY_KEY = re.compile(
    r"(?<=[?&])([^=&#]*(?:key|token|secret|password|signature|credential)[^=&#]*)=[^&#]*", re.IGNORECASE
)


def redact(flow: http.HTTPFlow) -> None:
    """Replace keys, cookies and passwords in `flow`: request, answer, backup (which *Revert* restores), metadata."""
    for message in (flow.request, flow.response):
        if message is not None:
            _redact_headers(message.headers)
    flow.request.path = path(flow.request.path)
    if "proxyauth" in flow.metadata:
        flow.metadata["proxyauth"] = REDACTED
    # There is no public way to the backup. Its type says flow, but what it holds is a flow's state.
    backup = cast(MutableMapping[str, Any] | None, flow._backup)
    if backup:
        for message in (backup.get("request"), backup.get("response")):
            if message:
                _redact_state(message)
        if "proxyauth" in backup.get("metadata", {}):
            backup["metadata"]["proxyauth"] = REDACTED


def path(target: str) -> str:
    """A request target without the values of query parameters that are named like secrets."""
    return _QUERY_KEY.sub(rf"\1={REDACTED}", target)


def _redact_headers(headers: http.Headers) -> None:
    for name in _HEADERS:
        if name in headers:
            headers.set_all(name, [REDACTED] * len(headers.get_all(name)))


def _redact_state(message: MutableMapping[str, Any]) -> None:
    message["headers"] = tuple(
        (name, REDACTED.encode() if name.decode("latin-1").lower() in _HEADERS else value)
        for name, value in message["headers"]
    )
    if isinstance(message.get("path"), bytes):
        message["path"] = path(message["path"].decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
