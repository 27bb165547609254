"""Which server listens on a port: hunyuan-fix, a mitmproxy without it, or another. Sends nothing to other machines."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import Enum

import httpx

from ...upstream.client import ASKED, LOOP_GUARD, PROFILE, SHUT_DOWN, UPSTREAM
from ..addresses import HOST, port_is_free

TIMEOUT = 5.0
"""Seconds for each step of a request to this machine."""

_LOOP_CODE = b"proxy_loop"
_REALM = 'realm="mitmproxy"'
_ENOUGH = 65536
"""Bytes of an answer that are enough to tell which server it is from."""


class Listener(Enum):
    """What was found on a port."""

    NOTHING = "nothing"
    HUNYUAN_FIX = "hunyuan-fix"
    MITMPROXY = "a mitmproxy without hunyuan-fix"
    LOCKED = "a proxy that asks for a password"
    OTHER = "something else"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a running proxy says that it sends calls. A field is `""` if it doesn't tell."""

    profile: str = ""
    """The name of the endpoint's profile."""
    shut_down: bool = False
    """Whether the endpoint's host answers no more."""
    upstream: str = ""
    """The endpoint's base URL."""


def at_proxy(url: str, port: int) -> Listener:
    """The server on `port` of this machine, asked as a proxy; `url` may hold user and password."""
    # mitmproxy answers requests for this name itself (its onboarding page), so nothing leaves the machine.
    return _answering("http://mitm.it/", port, proxy=url)


def at_reverse_proxy(port: int) -> Listener:
    """The server on `port` of this machine, asked as a reverse proxy."""
    return _answering(f"http://{HOST}:{port}/v1/models", port)


def profile_behind(port: int, timeout: float = TIMEOUT) -> tuple[str, bool] | None:
    """Where a hunyuan-fix that listens on `port` of this machine as a reverse proxy sends calls.

    The endpoint's profile, and whether its host has been shut down. The profile is `""` if it is a hunyuan-fix that
    doesn't tell (a version before this header). `None` if no hunyuan-fix answers there.
    """
    route = route_of(f"http://{HOST}:{port}/v1/models", timeout=timeout)
    return None if route is None else (route.profile, route.shut_down)


def route_of(url: str, proxy: str | None = None, timeout: float = TIMEOUT) -> Route | None:
    """Where a hunyuan-fix would send a call to `url`; `None` if none answers, or it has no endpoint for that.

    `url` is one of its reverse port, or one for which it is asked as `proxy`. Nothing leaves this machine.
    """
    try:
        with httpx.Client(proxy=proxy, trust_env=False, timeout=timeout) as client:
            answer = client.get(url, headers={LOOP_GUARD: ASKED})
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    if not says_loop(answer.status_code, answer.content):
        return None
    told = str(answer.headers.get(PROFILE, ""))
    shut_down = told.endswith(SHUT_DOWN)
    return Route(told.removesuffix(SHUT_DOWN), shut_down, str(answer.headers.get(UPSTREAM, "")))


def decrypts(proxy: str, url: str, trusted: ssl.SSLContext) -> bool:
    """Whether the hunyuan-fix at `proxy` decrypts calls to `url`, with a certificate that `trusted` accepts.

    Needs no network: the addon itself answers a request that has its loop guard.
    """
    try:
        with httpx.Client(proxy=proxy, verify=trusted, trust_env=False, timeout=TIMEOUT) as client:
            answer = client.get(url, headers={LOOP_GUARD: ASKED})
    except httpx.HTTPError:
        return False
    return says_loop(answer.status_code, answer.content)


def _answering(url: str, port: int, proxy: str | None = None) -> Listener:
    if port_is_free(port):
        return Listener.NOTHING
    try:
        with (
            httpx.Client(proxy=proxy, trust_env=False, timeout=TIMEOUT) as client,
            client.stream("GET", url, headers={LOOP_GUARD: ASKED}) as answer,
        ):
            return _author(answer, next(answer.iter_bytes(_ENOUGH), b""))
    except (httpx.HTTPError, httpx.InvalidURL):
        return Listener.OTHER


def _author(answer: httpx.Response, content: bytes) -> Listener:
    if says_loop(answer.status_code, content):
        return Listener.HUNYUAN_FIX
    asked = answer.headers.get("proxy-authenticate") or answer.headers.get("www-authenticate", "")
    if answer.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED or _REALM in asked:
        return Listener.LOCKED
    if b"mitmproxy" in content or from_mitmproxy(answer):
        return Listener.MITMPROXY
    return Listener.OTHER


def says_loop(status: int, content: bytes) -> bool:
    """Whether this answer to a request with `LOOP_GUARD` is the addon's: it takes it for one of its own calls."""
    return status == httpx.codes.BAD_REQUEST and _LOOP_CODE in content


def from_mitmproxy(answer: httpx.Response) -> bool:
    """Whether mitmproxy itself made this answer: the endpoint was not reached."""
    return str(answer.headers.get("server", "")).startswith("mitmproxy")
