"""An error of the proxy's own: plain data, and its form in OpenAI's API."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ..exchange import JsonObject, Response
from . import json_body


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyError:
    """An error as plain data. `proxy_errors` has all kinds."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None
    """The wrong field of the request."""
    retry: bool | None = None
    """What `x-should-retry` tells OpenAI's SDKs; `None`: no such header, they decide by the status."""
    retry_after: float | None = None
    """Seconds, sent rounded up to whole ones."""
    closes: bool = False
    """Whether the client should use a new connection for its next request."""
    vendor: Mapping[str, object] | None = None
    """The endpoint's own error object."""

    def body(self) -> bytes:
        """One line of JSON: `{"error": fields}`."""
        return json_body.serialise({"error": self.fields()})

    def fields(self) -> JsonObject:
        """OpenAI's error object: `message`, `type`, `param`, `code`, and `vendor` if there is one."""
        fields: JsonObject = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        if self.vendor is not None:
            fields["vendor"] = self.vendor
        return fields

    def response(self) -> Response:
        """The answer: `body`, and the headers that say whether and when to try again."""
        headers = {"content-type": "application/json"}
        if self.retry_after is not None:
            headers["retry-after"] = str(math.ceil(self.retry_after))
        if self.retry is not None:
            headers["x-should-retry"] = "true" if self.retry else "false"
        if self.closes:
            headers["connection"] = "close"  # mitmproxy leaves it out of HTTP/2 answers, which may not have it
        return Response(self.status, headers, self.body())


def type_of(status: int) -> str:
    """The error type that OpenAI uses with `status`."""
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"
