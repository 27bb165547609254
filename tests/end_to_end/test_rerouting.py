"""`hunyuan_upstream`: a client stays pointed at the old host, its calls go on elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from scripts.lib.processes import free_port
from tests.end_to_end.processes import KEY, LEGACY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator
from tests.end_to_end.requests import MODEL, agent_request, good_request, image, tool


@pytest.fixture(scope="module")
def rerouting(certificates: Certificates, running_tokenhub: Simulator) -> Iterator[Proxy]:
    """The old host can't be reached at all: it has been shut down."""
    redirects = {f"{TOKENHUB}:443": running_tokenhub.port}
    with run_proxy(certificates, redirects, "--set", f"hunyuan_upstream=https://{TOKENHUB}/v1") as running:
        yield running


@pytest.fixture(params=["proxy", "reverse"])
def client(request: pytest.FixtureRequest, rerouting: Proxy) -> Iterator[openai.OpenAI]:
    """A client that still believes in the old host."""
    http = (
        openai.DefaultHttpxClient(proxy=rerouting.url, verify=rerouting.certificates.proxy_trusted(), trust_env=False)
        if request.param == "proxy"
        else openai.DefaultHttpxClient(trust_env=False)
    )
    base_url = f"https://{LEGACY}/v1" if request.param == "proxy" else rerouting.reverse_url
    with openai.OpenAI(api_key=KEY, base_url=base_url, http_client=http, max_retries=0) as made:
        yield made


def test_a_retired_model_is_mapped_to_its_successor(client: openai.OpenAI, tokenhub: Simulator) -> None:
    answer = client.chat.completions.create(**agent_request("[[sim:say 好]]"))
    assert answer.choices[0].message.content == "好"
    (request,) = tokenhub.requests()
    assert request["body"]["model"] == "hy3"
    # the successor's own profile: it takes what the old endpoint refused, by the one effort that hy3 has
    assert request["body"]["reasoning_effort"] == "high"
    headers = dict(request["headers"])
    assert headers.get("host", headers.get(":authority", TOKENHUB)) == TOKENHUB


def test_a_stream_is_rerouted(client: openai.OpenAI, tokenhub: Simulator) -> None:
    stream = client.chat.completions.create(**agent_request("[[sim:say 你好吗]]"), stream=True)
    pieces = [choice.delta.content or "" for chunk in stream for choice in chunk.choices]
    assert "".join(pieces) == "你好吗"


def test_images_are_read_by_the_successors_vision_model(client: openai.OpenAI, tokenhub: Simulator) -> None:
    shown = f"[[sim:say 读到 {client.base_url.scheme}]]"
    content = [{"type": "text", "text": "Read."}, image(shown)]
    request: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": content}], "tools": [tool()]}
    answer = client.chat.completions.create(**request)
    assert answer.choices[0].message.content == f"读到 {client.base_url.scheme}"
    assert [body["model"] for body in tokenhub.bodies()] == ["hy-vision-2.0-instruct", "hy3"]


def test_an_embedding_model_is_never_mapped(client: openai.OpenAI, tokenhub: Simulator) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.embeddings.create(model="hunyuan-embedding", input="text")
    assert raised.value.code == "model_not_found"
    assert "kinfra-text-embedding-0.6b" in raised.value.message
    assert tokenhub.stats()["by_status"].get("200", 0) == 0


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("quota", 400, "insufficient_quota"), ("rate_limit", 429, None)],
)
def test_its_errors_are_honest_too(
    client: openai.OpenAI, tokenhub: Simulator, fault: str, status: int, code: str
) -> None:
    tokenhub.program({"fault": fault})
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(**good_request())
    assert raised.value.status_code == status
    assert code is None or raised.value.code == code


def test_a_plain_local_upstream_keeps_the_profile_of_the_host_that_was_addressed(certificates: Certificates) -> None:
    """A strict legacy simulator in clear: only the legacy profile's rules satisfy it."""
    with (
        run_simulator(certificates) as local,
        run_proxy(certificates, {}, "--set", f"hunyuan_upstream={local.base_url}") as proxy,
        httpx.Client(proxy=proxy.url, verify=certificates.proxy_trusted(), trust_env=False, timeout=60) as through,
        httpx.Client(trust_env=False, timeout=60) as reverse,
    ):
        headers = {"authorization": f"Bearer {KEY}"}
        body = agent_request("[[sim:say 好]]")
        answers = [
            through.post(f"https://{LEGACY}/v1/chat/completions", json=body, headers=headers),
            reverse.post(f"{proxy.reverse_url}/chat/completions", json=body, headers=headers),
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert [request["body"]["model"] for request in local.requests()] == [MODEL, MODEL]


@pytest.mark.parametrize("retry", ["vision", "all"])
@pytest.mark.parametrize("path", ["chat/completions", "files"])
def test_a_proxy_that_is_led_to_itself_says_so_at_once(certificates: Certificates, retry: str, path: str) -> None:
    port = free_port()
    arguments = ["--mode", f"reverse:https://{LEGACY}@127.0.0.1:{port}", "--set", f"hunyuan_retry={retry}"]
    arguments += ["--set", f"hunyuan_upstream=http://127.0.0.1:{port}/v1"]
    with run_proxy(certificates, {}, *arguments) as proxy:
        answer = httpx.post(
            f"{proxy.reverse_url}/{path}",
            json=good_request(),
            headers={"authorization": f"Bearer {KEY}"},
            timeout=60,
            trust_env=False,
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "proxy_loop")
