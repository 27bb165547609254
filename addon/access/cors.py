"""CORS: the headers with which a browser lets a web page read an answer. Pure.

Fetch standard, sections 3.3.2 and 3.3.3 (fetch.spec.whatwg.org). `Access-Control-Allow-Credentials` is never
sent: a page can't use its user's cookies or passwords here.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from ..config import values as read
from ..config.option import option

ALLOW_ORIGIN = "access-control-allow-origin"

_PREFLIGHT_KEPT_FOR = "600"
"""Seconds for which a browser may cache a preflight's answer."""


@dataclass(frozen=True)
class OriginSettings:
    """Web pages that may use the lent key."""

    allowed_origins: frozenset[str] = option(
        "",
        "Web pages whose requests may use the lent key: origins such as http://localhost:3000, comma separated.",
        read.origins,
    )


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request is a CORS preflight. A preflight carries no key."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def is_allowed(headers: Mapping[str, str], origins: frozenset[str]) -> bool:
    """Whether a request comes from a page whose origin is one of `origins` (`hunyuan_allowed_origins`)."""
    origin = headers.get("origin", "").lower()
    return origin != "null" and origin in origins


def for_answer(request: Mapping[str, str]) -> dict[str, str]:
    """The CORS headers for the answer to a request with the headers `request`; empty if it has no `Origin`.

    They allow any page: use them for answers without content of the endpoint, or for allowed origins.
    """
    if "origin" not in request:
        return {}
    return {ALLOW_ORIGIN: request["origin"], "access-control-expose-headers": "*", "vary": "Origin"}


def for_preflight(request: Mapping[str, str]) -> dict[str, str]:
    """The headers that allow everything a preflight with the headers `request` asks for."""
    answer = {
        ALLOW_ORIGIN: request["origin"],
        "access-control-allow-methods": request["access-control-request-method"],
        "access-control-max-age": _PREFLIGHT_KEPT_FOR,
        "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    if asked := request.get("access-control-request-headers"):
        answer["access-control-allow-headers"] = asked
    if request.get("access-control-request-private-network") == "true":
        answer["access-control-allow-private-network"] = "true"
    return answer


def answers_preflight(status: int, headers: Mapping[str, str]) -> bool:
    """Whether the endpoint's answer to a preflight is valid: browsers accept a status from 200 to 299 only."""
    return 200 <= status < 300 and ALLOW_ORIGIN in headers


def add(answer: MutableMapping[str, str], added: Mapping[str, str]) -> None:
    """Add the headers `added` to `answer`. Existing headers stay; `Vary` is extended."""
    for name, value in added.items():
        if name == "vary" and "vary" in answer:
            answer["vary"] = f"{answer['vary']}, {value}"
        elif name not in answer:
            answer[name] = value
