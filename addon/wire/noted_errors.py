"""What an exchange notes of the error that its client got: a short reason for the log, and the code that is counted.

The code is one of `CODES`, whatever an endpoint says: the code of the catalogue's entry that means the same, where
there is one, else the type of its kind.
"""

from __future__ import annotations

from typing import Final

from .. import profiles
from ..exchange import Exchange, Response
from . import json_body, proxy_errors, short_reason, vendor_errors
from .openai_error import ErrorResponse, ProxyError

OTHER: Final = "other"
CODES: Final = frozenset(
    [*(entry.code for entry in proxy_errors.CATALOGUE.values()), *vendor_errors.TYPES, OTHER],
)
"""All codes that are counted."""
CUT: Final = frozenset(
    entry.code
    for entry in (
        proxy_errors.STREAM_BROKEN,
        proxy_errors.STREAM_TIMEOUT,
        proxy_errors.STREAM_INCOMPLETE,
        proxy_errors.STREAM_EVENT_TOO_LARGE,
    )
)
"""Those of a stream that its endpoint cut off, where the status was one of success."""


def own(exchange: Exchange, error: ProxyError) -> None:
    """Note an error of ours; with an endpoint's in it, what that means."""
    exchange.failure, exchange.error = short_reason.of_error(error), str(error.code)


def known(exchange: Exchange, reason: str) -> None:
    """Note an error of ours by its `ProxyError.reason`; any other text is none."""
    exchange.failure, code = short_reason.of_known(reason), reason.partition(":")[0]
    exchange.error = code if exchange.failure else ""


def answer(exchange: Exchange, given: Response) -> None:
    """Note an answer that is an error, of ours or the endpoint's, whatever its shape."""
    if isinstance(given, ErrorResponse):
        own(exchange, given.error)
        return
    exchange.failure = short_reason.of_answer(given)
    body = json_body.parse_object(given.body[: short_reason.LARGEST]) or {}
    exchange.error = _code(exchange, given.status, body.get("error", body))


def in_stream(exchange: Exchange, error: object) -> None:
    """Note an error object in a stream, of ours or the endpoint's."""
    exchange.failure = short_reason.in_stream(error)
    code = error.get("code") if isinstance(error, dict) else None
    exchange.error = code if isinstance(code, str) and code in CODES else _code(exchange, 0, error)


def none(exchange: Exchange) -> None:
    """Take back what was noted: the client gets an answer that is no error."""
    exchange.failure = exchange.error = ""


def _code(exchange: Exchange, status: int, error: object) -> str:
    profile = profiles.load(exchange.profile) if exchange.profile else None
    given = error if isinstance(error, dict) else {}
    return vendor_errors.counted_as(status, given, profile) or OTHER
