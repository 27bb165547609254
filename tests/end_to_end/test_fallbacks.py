"""Fallbacks with real processes: TokenHub fails, Moonshot answers, each with its own key; three formats."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator

MOONSHOT = "api.moonshot.cn"
CLIENTS, MOONSHOTS, LENT = "sk-client-own", "sk-moonshot-own", "sk-lent"
CHAIN = "hy3>moonshot:kimi-k2.6"
USER = [{"role": "user", "content": "hi"}]
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/chat/completions", {"model": "hy3", "messages": USER}),
    "messages": ("/messages", {"model": "hy3", "max_tokens": 500, "messages": USER}),
    "responses": ("/responses", {"model": "hy3", "input": "hi"}),
}
each_format = pytest.mark.parametrize(("path", "body"), CALLS.values(), ids=CALLS.keys())
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(scope="module")
def running_moonshot(certificates: Certificates) -> Iterator[Simulator]:
    with run_simulator(certificates, "--lenient", hosts=[MOONSHOT], profile="moonshot") as running:
        yield running


@pytest.fixture
def moonshot(running_moonshot: Simulator) -> Simulator:
    running_moonshot.reset()
    return running_moonshot


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text('[providers.moonshot]\nenv = "MOONSHOT_KEY"\n')
    os.chmod(file, 0o600)
    return file


@contextmanager
def falling(
    certificates: Certificates,
    tokenhub: Simulator,
    moonshot: Simulator,
    keys: Path | None,
    *options: str,
    **environment: str,
) -> Iterator[Proxy]:
    ports = {f"{TOKENHUB}:443": tokenhub.port, f"{MOONSHOT}:443": moonshot.port}
    given = ["hunyuan_language=en", *options, *([f"hunyuan_keys_file={keys}"] if keys else [])]
    arguments = [part for option in given for part in ("--set", option)]
    with run_proxy(certificates, ports, *arguments, environment={"MOONSHOT_KEY": MOONSHOTS, **environment}) as running:
        yield running


@pytest.fixture(scope="module")
def usual(
    certificates: Certificates, running_tokenhub: Simulator, running_moonshot: Simulator, keys_file: Path
) -> Iterator[Proxy]:
    options = (f"hunyuan_fallbacks={CHAIN}", "hunyuan_breaker_failures=0", "hunyuan_upstream_timeout=1")
    with falling(certificates, running_tokenhub, running_moonshot, keys_file, *options) as running:
        yield running


def ask(proxy: Proxy, path: str, body: dict[str, Any], key: str | None = CLIENTS, **headers: str) -> httpx.Response:
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    with httpx.Client(
        proxy=proxy.url,
        verify=proxy.certificates.proxy_trusted(),
        trust_env=False,
        timeout=60,
        headers={"anthropic-version": "2023-06-01"} if path == "/messages" else {},
    ) as client:
        return client.post(f"https://{TOKENHUB}/v1{path}", json=body, headers=headers)


def ends(answer: httpx.Response, path: str) -> int:
    """How often the answer ends: once, if it is one and no more."""
    if "event-stream" not in answer.headers["content-type"]:
        json.loads(answer.content)
        return 1
    last = {"/chat/completions": "data: [DONE]", "/messages": "event: message_stop", "/responses": "response.completed"}
    first = {"/chat/completions": "", "/messages": "event: message_start", "/responses": "event: response.created"}
    assert not first[path] or answer.text.count(first[path]) == 1
    ending = last[path] if path != "/responses" else "event: response.completed"
    return answer.text.count(ending)


def keys_at(simulator: Simulator) -> set[str]:
    """Every value of every header that has a key in it."""
    headers = [value for request in simulator.requests() for _, value in dict(request["headers"]).items()]
    return {key for key in (CLIENTS, MOONSHOTS, LENT) if any(key in value for value in headers)}


FAULTS = ("quota", "rate_limit", "internal", "overload", "html_502", "garbage_json", "200_error", "status:404", "stall")


@each_format
@whole_and_streamed
@pytest.mark.parametrize("fault", FAULTS)
def test_another_endpoint_answers_with_its_own_key(
    usual: Proxy, tokenhub: Simulator, moonshot: Simulator, fault: str, path: str, body: dict[str, Any], stream: bool
) -> None:
    fault = "stall:0" if (fault, stream) == ("stall", True) else fault
    tokenhub.program({"fault": fault, "times": 9})
    answer = ask(usual, path, body | {"stream": stream})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-hunyuan-fallback"] == "kimi-k2.6@moonshot"
    assert ends(answer, path) == 1
    assert (keys_at(tokenhub), keys_at(moonshot)) == ({CLIENTS}, {MOONSHOTS})
    (sent,) = moonshot.requests()
    assert (sent["status"], sent["body"]["model"]) == (200, "kimi-k2.6")


@each_format
@pytest.mark.parametrize("fault", ["cut:6", "error_event_mid", "stall:6"])
def test_nothing_is_asked_after_the_first_byte(
    usual: Proxy, tokenhub: Simulator, moonshot: Simulator, fault: str, path: str, body: dict[str, Any]
) -> None:
    tokenhub.program({"fault": fault, "times": 9})
    said = "[[sim:say one two three four five six seven eight nine]] [[sim:chunks 12]]"
    asked = {"input": said} if path == "/responses" else {"messages": [{"role": "user", "content": said}]}
    answer = ask(usual, path, body | asked | {"stream": True})
    assert (answer.status_code, moonshot.requests()) == (200, [])
    assert "one" in answer.text
    assert "x-hunyuan-fallback" not in answer.headers
    assert ends(answer, path) == 0 or path == "/chat/completions"


@each_format
@whole_and_streamed
def test_where_all_fail_its_own_endpoints_error_is_given(
    usual: Proxy, tokenhub: Simulator, moonshot: Simulator, path: str, body: dict[str, Any], stream: bool
) -> None:
    tokenhub.program({"fault": "quota", "times": 9})
    moonshot.program({"fault": "internal", "times": 9})
    answer = ask(usual, path, body | {"stream": stream})
    assert answer.status_code >= 400 or path == "/responses"
    assert answer.headers["x-hunyuan-fallback"] == "none (kimi-k2.6@moonshot: down)"
    assert len(moonshot.requests()) == 1
    moonshot.reset()
    tokenhub.reset()
    tokenhub.program({"fault": "quota", "times": 9})
    plain = ask(usual, path, body | {"stream": stream}, **{"x-hunyuan-fallback": "off"})
    assert (plain.status_code, moonshot.requests()) == (answer.status_code, [])
    assert "x-hunyuan-fallback" not in plain.headers


def test_the_log_says_it(usual: Proxy, tokenhub: Simulator, moonshot: Simulator) -> None:
    tokenhub.program({"fault": "quota", "times": 9})
    ask(usual, *CALLS["chat"])
    usual.process.wait_for("hy3 was over its quota: kimi-k2.6 at moonshot is asked in its place")
    for secret in (CLIENTS, MOONSHOTS):
        assert secret not in usual.process.output


@each_format
@pytest.mark.parametrize("chain", ["hy3>moonshot:kimi-k2.6", f"*>https://{MOONSHOT}/v1:kimi-k2.6"])
def test_the_clients_key_never_goes_to_another_vendor(
    certificates: Certificates,
    tokenhub: Simulator,
    moonshot: Simulator,
    keys_file: Path,
    chain: str,
    path: str,
    body: dict[str, Any],
) -> None:
    everywhere = {"x-api-key": CLIENTS, "cookie": f"key={CLIENTS}", "api-key": CLIENTS}
    for keys in (None, keys_file):
        tokenhub.reset()
        moonshot.reset()
        with falling(
            certificates, tokenhub, moonshot, keys, f"hunyuan_fallbacks={chain}", HUNYUAN_API_KEY=LENT
        ) as proxy:
            tokenhub.program({"fault": "quota", "times": 99})
            for key in (CLIENTS, None):
                answer = ask(proxy, path, body, key, **(everywhere if key else {}))
                said = answer.headers["x-hunyuan-fallback"]
                if keys is None:
                    assert re.fullmatch(r"none \(kimi-k2.6@\S+: no_key\)", said)
                else:
                    assert (answer.status_code, said.startswith("kimi-k2.6@")) == (200, True)
            assert keys_at(tokenhub) == {CLIENTS, LENT}
            assert keys_at(moonshot) == (set() if keys is None else {MOONSHOTS})
            if keys is None:
                ask(proxy, path, body)
                assert proxy.process.output.count("isn't called: it gets no key") == 1


@pytest.mark.parametrize("header", ["x-forwarded-for", "origin"])
def test_a_stranger_gets_no_key_of_the_proxys(
    usual: Proxy, tokenhub: Simulator, moonshot: Simulator, header: str
) -> None:
    tokenhub.program({"fault": "quota", "times": 9})
    value = {"x-forwarded-for": "203.0.113.7", "origin": "https://a-page.example"}[header]
    path, body = CALLS["chat"]
    answer = ask(usual, path, body, **{header: value})
    assert answer.headers["x-hunyuan-fallback"] == "none (kimi-k2.6@moonshot: no_key)"
    assert answer.status_code >= 400
    assert (moonshot.requests(), keys_at(tokenhub)) == ([], {CLIENTS})


def test_a_wrong_key_is_the_clients_to_hear_of(
    certificates: Certificates, running_moonshot: Simulator, moonshot: Simulator, keys_file: Path
) -> None:
    with (
        run_simulator(certificates, "--accept-key", "sk-good", hosts=[TOKENHUB], profile="tokenhub") as strict,
        falling(certificates, strict, moonshot, keys_file, f"hunyuan_fallbacks={CHAIN}") as proxy,
    ):
        assert ask(proxy, *CALLS["chat"]).status_code == 401
        assert moonshot.requests() == []


@each_format
@whole_and_streamed
def test_back_at_its_own_endpoint_a_request_has_its_own_key(
    certificates: Certificates,
    tokenhub: Simulator,
    moonshot: Simulator,
    keys_file: Path,
    path: str,
    body: dict[str, Any],
    stream: bool,
) -> None:
    chain = "hy3>moonshot:kimi-k2.6>hy3-preview"
    with falling(certificates, tokenhub, moonshot, keys_file, f"hunyuan_fallbacks={chain}") as proxy:
        tokenhub.program({"fault": "quota", "match": {"model": "hy3"}, "times": 9})
        moonshot.program({"fault": "internal", "times": 9})
        answer = ask(proxy, path, body | {"stream": stream})
        assert (answer.status_code, ends(answer, path)) == (200, 1)
        assert answer.headers["x-hunyuan-fallback"].startswith("hy3-preview@")
        assert answer.headers["x-hunyuan-fix-tries"] == "3"
        assert (keys_at(tokenhub), keys_at(moonshot)) == ({CLIENTS}, {MOONSHOTS})


def test_the_key_stays_at_another_host_of_its_vendor(
    certificates: Certificates, tokenhub: Simulator, keys_file: Path
) -> None:
    plan = "api.lkeap.cloud.tencent.com"
    with (
        run_simulator(certificates, "--lenient", hosts=[plan], profile="tokenhub-plan") as other,
        run_proxy(
            certificates,
            {f"{TOKENHUB}:443": tokenhub.port, f"{plan}:443": other.port},
            *("--set", f"hunyuan_fallbacks=hy3>https://{plan}/plan/v3:glm-5", "--set", "hunyuan_language=en"),
        ) as proxy,
    ):
        tokenhub.program({"fault": "quota", "times": 9})
        for path, body in CALLS.values():
            answer = ask(proxy, path, body)
            assert (answer.status_code, answer.headers["x-hunyuan-fallback"]) == (200, f"glm-5@{plan}")
        assert keys_at(other) == {CLIENTS}
