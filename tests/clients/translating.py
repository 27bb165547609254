"""Endpoints that speak chat only, or only part of Messages and Responses, and the proxies before them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.end_to_end.processes import (
    LEGACY,
    ROOT,
    TOKENHUB,
    Certificates,
    Proxy,
    Simulator,
    process,
    proxy_command,
    run_proxy,
    run_simulator,
)

WAYS = ("hunyuan", "tokenhub", "chat-only")
"""Endpoints: the old platform, TokenHub, and TokenHub without its Messages and Responses APIs.

To the first and the last requests are translated. TokenHub takes part of both: requests keep their format there.
"""


@dataclass(frozen=True, slots=True)
class Way:
    """An endpoint and the proxy before it."""

    name: str
    upstream: Simulator
    proxy: Proxy

    @property
    def native(self) -> bool:
        """Whether requests keep their format."""
        return self.name == "tokenhub"

    @property
    def path(self) -> str:
        """Where the endpoint gets them."""
        return "/v1/messages" if self.native else "/v1/chat/completions"

    @property
    def base_url(self) -> str:
        """What Anthropic's clients take: without `/v1`."""
        return self.proxy.reverse_url.removesuffix("/v1")


@contextmanager
def run_way(certificates: Certificates, name: str, *arguments: str, options: Sequence[str] = ()) -> Iterator[Way]:
    """The endpoint with more `arguments` and the proxy with more `options`.

    Its model calls no tool that it isn't told to call: the reminders of agents name them all.
    """
    given = ["--no-mentions", *arguments]
    host = LEGACY if name == "hunyuan" else TOKENHUB
    settings = list(options)
    if host == TOKENHUB:
        settings.append(f"hunyuan_upstream=https://{TOKENHUB}/v1")
    if name == "chat-only":
        given += ["--no-messages", "--no-responses"]
        settings.append("hunyuan_translate=always")
    words = [word for option in settings for word in ("--set", option)]
    profile = "hunyuan" if name == "hunyuan" else "tokenhub"
    with (
        run_simulator(certificates, *given, hosts=[host], profile=profile) as upstream,
        run_proxy(certificates, {f"{host}:443": upstream.port}, *words) as proxy,
    ):
        yield Way(name, upstream, proxy)


@contextmanager
def run_bare_proxy(
    certificates: Certificates, host: str, port: int, redirects: Mapping[str, int] | None = None
) -> Iterator[Proxy]:
    """mitmdump without the addon, as proxy and as reverse proxy before `host`, which is on `port` of this machine.

    `redirects`: where other hosts lead.
    """
    command, reverse_port = proxy_command(certificates)
    addon = command.index(str(ROOT / "addon/hunyuan_fix.py"))
    del command[addon - 1 : addon + 1]
    command = [word.replace(f"reverse:https://{LEGACY}@", f"reverse:https://{host}@") for word in command]
    leads = json.dumps({f"{host}:443": port, **(redirects or {})})
    with process("bare mitmdump", command, {"HUNYUAN_FIX_TEST_REDIRECTS": leads}) as started:
        proxy_port = int(started.wait_for(r"HTTP\(S\) proxy listening at 127\.0\.0\.1:(\d+)")[1])
        started.wait_for(r"reverse proxy to \S+ listening at")
        yield Proxy(started, proxy_port, reverse_port, certificates)
