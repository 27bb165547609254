"""Cut answers that are continued, through a real mitmdump and the simulator: three formats, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.end_to_end.processes import KEY, LEGACY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator
from tests.hooks.test_json_answers import text_of as text_in

TEXT = "The quick brown fox jumps over the lazy dog; 今天我们可以看到结果，而且 it never ends without its last word."
SAYS = f"[[sim:say {TEXT}]] [[sim:limit 50]] [[sim:again 12]]"
MOONSHOT = "api.moonshot.cn"
FORMS = {"/chat/completions": "chat", "/messages": "anthropic", "/responses": "responses"}


@pytest.fixture(scope="module")
def continuing(certificates: Certificates, running_tokenhub: Simulator) -> Iterator[Proxy]:
    options = ("--set", "hunyuan_continue=on")
    with run_proxy(certificates, {f"{TOKENHUB}:443": running_tokenhub.port}, *options) as running:
        yield running


@pytest.fixture(scope="module")
def moonshot(certificates: Certificates) -> Iterator[tuple[Proxy, Simulator]]:
    with run_simulator(certificates, hosts=[MOONSHOT], profile="moonshot") as simulator:
        options = ("--set", "hunyuan_continue=on")
        with run_proxy(certificates, {f"{MOONSHOT}:443": simulator.port}, *options) as running:
            yield running, simulator


@pytest.fixture
def client(continuing: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(
        proxy=continuing.url,
        verify=continuing.certificates.proxy_trusted(),
        trust_env=False,
        timeout=60,
        base_url=f"https://{TOKENHUB}/v1",
        headers={"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"},
    ) as made:
        yield made


def bodies(said: str) -> dict[str, dict[str, Any]]:
    messages = [{"role": "user", "content": said}]
    return {
        "/chat/completions": {"model": "hy3", "messages": messages, "stream_options": {"include_usage": True}},
        "/messages": {"model": "hy3", "max_tokens": 5000, "messages": messages},
        "/responses": {"model": "hy3", "input": said},
    }


def text_of(answer: httpx.Response, path: str) -> str:
    return text_in(answer, FORMS[path])


def body_of(path: str, said: str, *, stream: bool) -> dict[str, Any]:
    body = bodies(said)[path] | {"stream": stream}
    return {name: value for name, value in body.items() if stream or name != "stream_options"}


def ends_of(answer: httpx.Response, path: str) -> tuple[set[Any], list[Any], dict[str, Any]]:
    """The ids, the reasons why it ended, and the usage."""
    if "event-stream" not in answer.headers["content-type"]:
        events = [answer.json()]
    else:
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    whole = [event.get("message") or event.get("response") or event for event in events]
    ids = {one["id"] for one in whole if "id" in one}
    if path == "/chat/completions":
        reasons = [choice["finish_reason"] for one in whole for choice in one["choices"] if choice["finish_reason"]]
    elif path == "/messages":
        reasons = [reason for one in whole if (reason := (one.get("delta") or one).get("stop_reason"))]
    else:
        reasons = [one["status"] for one in whole[-1:]]
    return ids, reasons, [one["usage"] for one in whole if one.get("usage")][-1]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", FORMS)
def test_a_cut_answer_is_whole(client: httpx.Client, tokenhub: Simulator, path: str, stream: bool) -> None:
    answer = client.post(path, json=body_of(path, SAYS, stream=stream), headers={"x-hunyuan-continue": "on"})
    assert answer.status_code == 200, answer.text
    assert text_of(answer, path) == TEXT
    sent = [request["body"] for request in tokenhub.requests()]
    assert len(sent) == 3
    ids, reasons, usage = ends_of(answer, path)
    assert len(ids) == 1
    assert reasons == [{"/chat/completions": "stop", "/messages": "end_turn", "/responses": "completed"}[path]]
    assert answer.headers.get("x-hunyuan-continue") == (None if stream else "rounds=3")
    # Every round has all of the text so far in one message, and is billed.
    assert [[message["role"] for message in body["messages"]] for body in sent] == [
        ["user"],
        *[["user", "assistant", "user"]] * 2,
    ]
    assert TEXT.startswith(sent[2]["messages"][1]["content"])
    assert len(sent[2]["messages"][1]["content"]) == 88
    assert (usage.get("completion_tokens") or usage["output_tokens"]) >= len(TEXT) // 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/anthropic/v1/messages", "/v1/responses"])
def test_kimi_completes_its_own_answer(moonshot: tuple[Proxy, Simulator], path: str, stream: bool) -> None:
    proxy, simulator = moonshot
    simulator.reset()
    form = path[path.rindex("/v1") + 3 :]
    with httpx.Client(
        proxy=proxy.url,
        verify=proxy.certificates.proxy_trusted(),
        trust_env=False,
        timeout=60,
        base_url=f"https://{MOONSHOT}",
        headers={"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01", "x-hunyuan-continue": "3"},
    ) as client:
        answer = client.post(path, json=body_of(form, SAYS, stream=stream) | {"model": "kimi-k2.6"})
    assert answer.status_code == 200, answer.text
    assert text_of(answer, form) == TEXT
    first, *further = [request["body"] for request in simulator.requests()]
    assert not any("partial" in message for message in first["messages"])
    for body in further:
        assert body["messages"][-1]["partial"] is True
        assert TEXT.startswith(body["messages"][-1]["content"])
        assert body["thinking"] == {"type": "disabled"}


def test_openai_python_gets_one_stream(continuing: Proxy, tokenhub: Simulator) -> None:
    http = openai.DefaultHttpxClient(
        proxy=continuing.url, verify=continuing.certificates.proxy_trusted(), trust_env=False
    )
    with openai.OpenAI(
        api_key=KEY,
        base_url=f"https://{TOKENHUB}/v1",
        http_client=http,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        stream = client.chat.completions.create(
            model="hy3",
            messages=[{"role": "user", "content": SAYS}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == TEXT
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert len(tokenhub.requests()) == 3


def test_the_old_platform_refuses_an_answer_at_the_end_and_is_asked_in_words(
    certificates: Certificates, legacy_simulator: Simulator
) -> None:
    legacy_simulator.reset()
    with (
        run_proxy(certificates, {f"{LEGACY}:443": legacy_simulator.port}, "--set", "hunyuan_continue=on") as running,
        httpx.Client(
            proxy=running.url,
            verify=running.certificates.proxy_trusted(),
            trust_env=False,
            timeout=60,
            headers={"authorization": f"Bearer {KEY}"},
        ) as client,
    ):
        body = {"model": "hunyuan-2.0-instruct-20251111", "messages": [{"role": "user", "content": SAYS}]}
        for stream in (False, True):
            answer = client.post(f"https://{LEGACY}/v1/chat/completions", json=body | {"stream": stream})
            assert text_of(answer, "/chat/completions") == TEXT
        # Unless it is asked not to.
        answer = client.post(f"https://{LEGACY}/v1/chat/completions", json=body, headers={"x-hunyuan-continue": "off"})
        assert text_of(answer, "/chat/completions") == TEXT[:50]
    assert len(legacy_simulator.requests()) == 7
