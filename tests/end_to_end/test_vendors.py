"""Each vendor's key at its own hosts and nowhere else, with real processes: an endpoint and a key for each vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import LEGACY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator

MOONSHOT, KIMI, ZENMUX, LKEAP = "api.moonshot.cn", "api.kimi.com", "zenmux.ai", "api.lkeap.cloud.tencent.com"
PROFILES = {TOKENHUB: "tokenhub", MOONSHOT: "moonshot", KIMI: "kimi-coding", ZENMUX: "zenmux", LKEAP: "tokenhub-plan"}
VENDORS = {
    TOKENHUB: "tencent",
    LKEAP: "tencent",
    LEGACY: "tencent",
    MOONSHOT: "moonshot",
    KIMI: "moonshot",
    ZENMUX: "zenmux",
}
LENT = "sk-lent"
KIMI_CLI = "KimiCLI/1.5 (a client's own)"

CHAT: dict[str, Any] = {"model": "kimi-k2.5", "messages": [{"role": "user", "content": "hi"}]}
MESSAGES: dict[str, Any] = {**CHAT, "max_tokens": 100}
CALLS: Mapping[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    TOKENHUB: (("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)),
    LEGACY: (("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGES)),
    LKEAP: (("/plan/v3/chat/completions", CHAT), ("/plan/anthropic/v1/messages", MESSAGES)),
    MOONSHOT: (("/v1/chat/completions", CHAT), ("/anthropic/v1/messages", MESSAGES)),
    KIMI: (("/coding/v1/chat/completions", CHAT), ("/coding/v1/v1/messages", MESSAGES)),
    ZENMUX: (("/api/v1/chat/completions", CHAT), ("/api/anthropic/v1/messages", MESSAGES)),
}


@dataclass(frozen=True, slots=True)
class Vendors:
    """An endpoint for each host. None of them judges keys."""

    endpoints: Mapping[str, Simulator]

    @property
    def redirects(self) -> dict[str, int]:
        """Where the real names lead."""
        return {f"{host}:443": endpoint.port for host, endpoint in self.endpoints.items()}

    def reset(self) -> None:
        """Forget the requests so far."""
        for endpoint in self.endpoints.values():
            endpoint.reset()

    def headers(self) -> list[tuple[str, dict[str, str]]]:
        """The host that each request reached, and the headers that it had there."""
        return [
            (host, {name.lower(): value for name, value in dict(request["headers"]).items()})
            for host, endpoint in self.endpoints.items()
            for request in endpoint.requests()
        ]


@pytest.fixture(scope="module")
def vendors(certificates: Certificates) -> Iterator[Vendors]:
    with ExitStack() as stack:
        yield Vendors(
            {
                host: stack.enter_context(run_simulator(certificates, "--lenient", hosts=[host], profile=profile))
                for host, profile in PROFILES.items()
            }
        )


def key_of(host: str) -> str:
    return f"sk-{VENDORS[host]}-own"


def call_everything(proxy: Proxy, *, keys: bool, retry: str = "off") -> list[httpx.Response]:
    """Every call, addressed to its own host through the proxy; in both headers that clients have for keys."""
    answers = []
    with httpx.Client(
        proxy=proxy.url, verify=proxy.certificates.proxy_trusted(), trust_env=False, timeout=60
    ) as client:
        for host, calls in CALLS.items():
            for path, body in calls:
                for carrier in ("authorization", "x-api-key"):
                    value = key_of(host) if carrier == "x-api-key" else f"Bearer {key_of(host)}"
                    headers = {"user-agent": KIMI_CLI, **({carrier: value} if keys else {})}
                    answers.append(client.post(f"https://{host}{path}", json=body, headers=headers))
    return answers


def assert_each_key_is_at_home(vendors: Vendors, lent_to: str) -> set[str]:
    """No endpoint has seen another vendor's key, in any header. Returns the vendors that were reached."""
    reached = set()
    for host, headers in vendors.headers():
        reached.add(VENDORS[host])
        seen = str(headers)
        for other in set(VENDORS.values()) - {VENDORS[host]}:
            assert f"sk-{other}-own" not in seen, (host, headers)
        if VENDORS[host] != lent_to:
            assert LENT not in seen, (host, headers)
        assert headers["user-agent"] == KIMI_CLI
    return reached


@pytest.mark.parametrize("retry", ["off", "all"])
@pytest.mark.parametrize(
    ("upstream", "vendor"),
    [
        ("", "tencent"),
        (f"https://{TOKENHUB}/v1", "tencent"),
        (f"https://{ZENMUX}/api/anthropic", "zenmux"),
        (f"https://{MOONSHOT}/v1", "moonshot"),
    ],
)
def test_no_key_leaves_for_another_vendor(
    certificates: Certificates, vendors: Vendors, upstream: str, vendor: str, retry: str
) -> None:
    arguments = ["--set", f"hunyuan_retry={retry}", *(["--set", f"hunyuan_upstream={upstream}"] if upstream else [])]
    with run_proxy(certificates, vendors.redirects, *arguments, environment={"HUNYUAN_API_KEY": LENT}) as proxy:
        for keys in (True, False):
            vendors.reset()
            call_everything(proxy, keys=keys)
            reached = assert_each_key_is_at_home(vendors, vendor)
            assert reached >= {vendor, "moonshot", "zenmux"}, "clients of other vendors stay where they are"
            lent = [host for host, headers in vendors.headers() if LENT in str(headers)]
            assert {VENDORS[host] for host in lent} <= {vendor}
            assert lent if not keys or upstream.startswith((f"https://{ZENMUX}", f"https://{MOONSHOT}")) else not lent

        # The proxy's own port stands for what its calls go to: a client's own key goes there.
        vendors.reset()
        if upstream:
            own = {"authorization": f"Bearer sk-{vendor}-own"}
            answer = httpx.post(
                f"{proxy.reverse_url}/chat/completions", json=CHAT, headers=own, timeout=60, trust_env=False
            )
            seen = [(host, headers["authorization"]) for host, headers in vendors.headers()]
            (host,) = [host for host in PROFILES if f"//{host}/" in upstream]
            assert answer.status_code in (200, 400, 404), answer.text
            assert seen == [(host, f"Bearer sk-{vendor}-own")]
    assert LENT not in proxy.process.output
    assert "-own" not in proxy.process.output


def test_a_named_host_of_another_vendor_leaves_its_key(certificates: Certificates, vendors: Vendors) -> None:
    """hunyuan_hosts names Moonshot's host, so that its clients are answered by TokenHub, with a key of TokenHub's."""
    arguments = [f"hunyuan_hosts={MOONSHOT}", f"hunyuan_upstream=https://{TOKENHUB}/v1"]
    words = [word for argument in arguments for word in ("--set", argument)]
    vendors.reset()
    with (
        run_proxy(certificates, vendors.redirects, *words, environment={"HUNYUAN_API_KEY": LENT}) as proxy,
        httpx.Client(proxy=proxy.url, verify=certificates.proxy_trusted(), trust_env=False, timeout=60) as client,
    ):
        headers = {"authorization": f"Bearer {key_of(MOONSHOT)}", "cookie": "session=sk-moonshot-own"}
        body = {**CHAT, "model": "hy3"}
        answer = client.post(f"https://{MOONSHOT}/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    ((host, seen),) = vendors.headers()
    assert (host, seen["authorization"]) == (TOKENHUB, f"Bearer {LENT}")
    assert "moonshot" not in str(seen)
    assert "key" in answer.headers.get("x-hunyuan-fix", ""), "what was left behind is said"
