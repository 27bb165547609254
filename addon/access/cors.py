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


def answers_preflight(status: int, headers: Mapping[str, str], request: Mapping[str, str]) -> bool:
    """Whether the endpoint's answer to a preflight with the headers `request` lets the page send what it asks for.

    As a browser judges it, which sends no cookies here: a status from 200 to 299, then origin, method, headers.
    `Authorization` must be named, whatever `*` allows else (fetch.spec.whatwg.org, section 4.8).
    """
    if not 200 <= status < 300 or headers.get(ALLOW_ORIGIN, "").strip() not in ("*", request.get("origin", "")):
        return False
    methods = _listed(headers.get("access-control-allow-methods", ""))
    method = request.get("access-control-request-method", "").lower()
    if method not in _SIMPLE_METHODS and not methods & {method, "*"}:
        return False
    allowed = _listed(headers.get("access-control-allow-headers", ""))
    asked = _listed(request.get("access-control-request-headers", ""))
    if "*" in allowed:
        allowed |= asked - {"authorization"}
    return asked <= allowed


_SIMPLE_METHODS = frozenset({"get", "head", "post"})


def _listed(value: str) -> frozenset[str]:
    return frozenset(item.strip().lower() for item in value.split(",") if item.strip())


def add(answer: MutableMapping[str, str], added: Mapping[str, str]) -> None:
    """Add the headers `added` to `answer`. Existing headers stay; `Vary` is extended."""
    for name, value in added.items():
        if name == "vary" and "vary" in answer:
            answer["vary"] = f"{answer['vary']}, {value}"
        elif name not in answer:
            answer[name] = value
