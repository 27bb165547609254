"""Endpoints that speak chat only, and proxies that translate Messages and Responses for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.end_to_end.processes import LEGACY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator

WAYS = ("hunyuan", "tokenhub")
"""The profiles before which requests are translated."""


@dataclass(frozen=True, slots=True)
class Way:
    """An endpoint of a profile and the proxy before it."""

    profile: str
    upstream: Simulator
    proxy: Proxy
    is_native: bool = False
    """Whether the endpoint speaks the client's format itself, in part."""

    @property
    def base_url(self) -> str:
        """What Anthropic's clients take: without `/v1`."""
        return self.proxy.reverse_url.removesuffix("/v1")


@contextmanager
def run_way(
    certificates: Certificates,
    profile: str,
    *arguments: str,
    options: tuple[str, ...] = (),
    is_native: bool = False,
) -> Iterator[Way]:
    """The endpoint with more `arguments` and the proxy with more `options`.

    Its model calls no tool that it isn't told to call: the reminders of agents name them all.
    """
    given = ["--no-mentions", *arguments]
    host = LEGACY if profile == "hunyuan" else TOKENHUB
    settings = list(options)
    if profile == "tokenhub":
        settings.append(f"hunyuan_upstream=https://{TOKENHUB}/v1")
    if profile == "tokenhub" and not is_native:
        given += ["--no-messages", "--no-responses"]
        settings.append("hunyuan_translate=always")
    words = [word for option in settings for word in ("--set", option)]
    with (
        run_simulator(certificates, *given, hosts=[host], profile=profile) as upstream,
        run_proxy(certificates, {f"{host}:443": upstream.port}, *words) as proxy,
    ):
        yield Way(profile, upstream, proxy, is_native)
